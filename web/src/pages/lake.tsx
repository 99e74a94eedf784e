import { useState } from "preact/hooks";
import type { LakeTableDetail, LakeTableSummary, RowsPage } from "../../../src/observe/api-explore.ts";
import { path, useApi } from "../api.ts";
import { Stat, Term } from "../explain.tsx";
import * as f from "../format.ts";
import { processNow, queries } from "../live/store.ts";
import { link } from "../router.ts";
import { Empty, Loading, Panel, SearchByName, Snippet, Trouble } from "../ui/parts.tsx";
import { Rows } from "../ui/rows.tsx";
import { Scroll } from "../ui/scroll.tsx";
import { titleOf } from "../words.ts";
import { Columns } from "./columns.tsx";
import { variable } from "./topic.tsx";

export function Lake({ name }: { name: string }) {
  return name === "" ? <Tables /> : <Table name={name} />;
}

function Tables() {
  const { data, failure, refresh } = useApi<readonly LakeTableSummary[]>("/api/lake", 5000);
  const [search, setSearch] = useState("");
  const shown = (data ?? []).filter((t) => t.name.toLowerCase().includes(search.toLowerCase()));
  return (
    <>
      <h1>Lake</h1>
      {failure !== undefined && <Trouble failure={failure} retry={refresh} />}
      {data === undefined ? (
        failure === undefined && <Loading what="the lake" />
      ) : data.length === 0 ? (
        <Empty title="No table yet">A table appears with the first batch that a query writes to it.</Empty>
      ) : (
        <section class="panel" aria-label="Tables of the lake">
          {data.length > 5 && (
            <div class="tools">
              <SearchByName value={search} change={setSearch} />
            </div>
          )}
          <Scroll label="Tables of the lake">
            <table>
              <thead>
                <tr>
                  <th scope="col">Table</th>
                  <th scope="col" class="num">
                    <Term name="lake.rows">Rows</Term>
                  </th>
                  <th scope="col" class="num">
                    <Term name="lake.bytes">Size</Term>
                  </th>
                  <th scope="col" class="num">
                    <Term name="lake.files">Files</Term>
                  </th>
                  <th scope="col" class="num">
                    <Term name="lake.version">Version</Term>
                  </th>
                  <th scope="col">
                    <Term name="lake.modifiedAt">Changed</Term>
                  </th>
                  <th scope="col">Partitioned by</th>
                </tr>
              </thead>
              <tbody>
                {shown.map((t) => (
                  <tr key={t.name}>
                    <th scope="row">
                      <a href={link("lake", t.name)}>{t.name}</a> <span class="note">{t.format}</span>
                      {t.problem !== null && <p class="problem">{t.problem}</p>}
                    </th>
                    <td class="num" title={f.exact(t.rows)}>
                      {f.count(t.rows)}
                    </td>
                    <td class="num" title={`${f.exact(t.bytes)} bytes`}>
                      {f.bytes(t.bytes)}
                    </td>
                    <td class="num">{f.count(t.files)}</td>
                    <td class="num">{f.count(t.version)}</td>
                    <td class="nowrap" title={f.moment(t.modifiedAt)}>
                      {t.modifiedAt === null ? "–" : f.ago(processNow.value - t.modifiedAt)}
                    </td>
                    <td>{t.partitionBy.join(", ") || "–"}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </Scroll>
        </section>
      )}
    </>
  );
}

function Table({ name }: { name: string }) {
  const { data, failure, refresh } = useApi<LakeTableDetail>(path("/api/lake/table", { name }), 5000);
  return (
    <>
      <p class="crumbs">
        <a href={link("lake")}>Lake</a> / table
      </p>
      <h1>{name}</h1>
      {failure !== undefined && <Trouble failure={failure} retry={refresh} />}
      {data === undefined ? failure === undefined && <Loading what="the table" /> : <TableView table={data} />}
    </>
  );
}

function TableView({ table }: { table: LakeTableDetail }) {
  return (
    <>
      {table.problem !== null && <Trouble failure={{ code: "TABLE", message: table.problem, hint: null }} />}
      <Panel title="In numbers">
        <dl class="stats">
          <Stat
            name="lake.rows"
            label="Rows"
            value={f.count(table.rows)}
            exact={table.rows === null ? undefined : f.exact(table.rows)}
            none={table.rows === null ? "its metadata do not tell" : undefined}
          />
          <Stat name="lake.bytes" label="Size" value={f.bytes(table.bytes)} exact={`${f.exact(table.bytes)} bytes`} />
          <Stat name="lake.files" label="Files" value={f.count(table.files)} exact={f.exact(table.files)} />
          <Stat
            name="lake.version"
            label="Version"
            value={f.exact(table.version)}
            none={table.version === null ? `${table.format} keeps none` : undefined}
          />
          <Stat
            name="lake.modifiedAt"
            label="Changed"
            value={table.modifiedAt === null ? "" : f.ago(processNow.value - table.modifiedAt)}
            exact={table.modifiedAt === null ? undefined : f.moment(table.modifiedAt)}
            none={table.modifiedAt === null ? "not known" : undefined}
          />
        </dl>
      </Panel>
      <FirstRows name={table.name} version={table.version} />
      <Panel title="Read it">
        <Snippet
          label="Reading this table in TypeScript"
          code={`const ${variable(table.name.split("/").at(-1) ?? "")} = spark.read.format(${JSON.stringify(table.format)}).load(${JSON.stringify(table.path)});`}
        />
      </Panel>
      <Columns columns={table.columns} partitionBy={table.partitionBy} />
      <History table={table} />
      <Files table={table} />
    </>
  );
}

function FirstRows({ name, version }: { name: string; version: number | null }) {
  // Another version has other rows, but nobody can read rows that are new every second: they are read again on demand.
  const { data, failure, loading, refresh } = useApi<RowsPage>(path("/api/lake/rows", { name }));
  const [read, setRead] = useState(version);
  return (
    <Panel
      title="Ten rows"
      aside={
        <>
          {read !== null && <span>of version {f.exact(read)}</span>}
          <button
            type="button"
            class="button small"
            disabled={loading}
            onClick={() => {
              setRead(version);
              refresh();
            }}
          >
            Read again
          </button>
        </>
      }
    >
      {failure !== undefined && <Trouble failure={failure} />}
      {data === undefined ? (
        failure === undefined && <Loading what="rows" />
      ) : data.rows.length === 0 ? (
        <Empty title="The table has no rows" />
      ) : (
        <Rows columns={data.columns} rows={data.rows.slice(0, 10)} label={`Ten rows of ${name}`} />
      )}
    </Panel>
  );
}

function History({ table }: { table: LakeTableDetail }) {
  if (table.history.length === 0) return null;
  return (
    <Panel
      title="History"
      aside={`${table.history.length < 100 ? "" : "the newest "}${f.plural(table.history.length, "version")}`}
    >
      <Scroll label="Versions of the table, newest first" class="table-box tall">
        <table>
          <thead>
            <tr>
              <th scope="col" class="num">
                Version
              </th>
              <th scope="col">Committed</th>
              <th scope="col">Operation</th>
              <th scope="col" class="num">
                <Term name="lake.rowsAdded">Rows added</Term>
              </th>
              <th scope="col" class="num">
                <Term name="lake.filesAdded">Files added</Term>
              </th>
              <th scope="col" class="num">
                <Term name="lake.filesRemoved">Files removed</Term>
              </th>
              <th scope="col">
                <Term name="lake.writer">Written by</Term>
              </th>
            </tr>
          </thead>
          <tbody>
            {table.history.map((h) => (
              <tr key={h.version}>
                <th scope="row" class="num">
                  {f.exact(h.version)}
                </th>
                <td class="nowrap">{f.moment(h.timestamp)}</td>
                <td>{h.operation}</td>
                <td class="num" title={f.exact(h.rowsAdded)}>
                  {f.count(h.rowsAdded)}
                </td>
                <td class="num">{f.count(h.filesAdded)}</td>
                <td class="num">{f.count(h.filesRemoved)}</td>
                <td>
                  <Writer text={h.writer} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}

/** The query by its name where it is one of this process. */
function Writer({ text }: { text: string | null }) {
  if (text === null) return <span class="none">not known</span>;
  const found = queries.value.find((q) => text.includes(q.id));
  if (found === undefined) return <>{text}</>;
  const [before, after] = text.split(found.id);
  return (
    <>
      {before}
      <a href={link("query", found.name ?? found.id)}>{titleOf(found)}</a>
      {after}
    </>
  );
}

function Files({ table }: { table: LakeTableDetail }) {
  if (table.largestFiles.length === 0) return null;
  return (
    <Panel
      title="Files"
      aside={
        table.files > table.largestFiles.length
          ? `the largest ${table.largestFiles.length} of ${f.exact(table.files)}`
          : undefined
      }
    >
      <Scroll label="Files of the table, largest first" class="table-box tall">
        <table>
          <thead>
            <tr>
              <th scope="col">File</th>
              <th scope="col" class="num">
                Rows
              </th>
              <th scope="col" class="num">
                Size
              </th>
            </tr>
          </thead>
          <tbody>
            {table.largestFiles.map((file) => (
              <tr key={file.path}>
                <td class="wrap mono">{file.path}</td>
                <td class="num" title={f.exact(file.rows)}>
                  {f.count(file.rows)}
                </td>
                <td class="num">{f.bytes(file.bytes)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}
