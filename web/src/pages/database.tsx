import { useState } from "preact/hooks";
import type { DatabaseTableDetail, DatabaseTableSummary, RowsPage } from "../../../src/observe/api-explore.ts";
import { path, useApi } from "../api.ts";
import { Stat, Term } from "../explain.tsx";
import * as f from "../format.ts";
import { link, place } from "../router.ts";
import { Empty, Loading, Panel, SearchByName, Snippet, Trouble } from "../ui/parts.tsx";
import { Rows } from "../ui/rows.tsx";
import { Scroll } from "../ui/scroll.tsx";
import { Columns } from "./columns.tsx";
import { variable } from "./topic.tsx";

export function Database({ name }: { name: string }) {
  if (name === "") return <Tables />;
  return <Table schema={place.value.query.get("schema") ?? "public"} table={name} />;
}

function Tables() {
  const { data, failure, refresh } = useApi<readonly DatabaseTableSummary[]>("/api/database", 5000);
  const [search, setSearch] = useState("");
  const shown = (data ?? []).filter((t) => `${t.schema}.${t.name}`.toLowerCase().includes(search.toLowerCase()));
  return (
    <>
      <h1>Database</h1>
      {failure !== undefined && <Trouble failure={failure} retry={refresh} />}
      {data === undefined ? (
        failure === undefined && <Loading what="the tables" />
      ) : data.length === 0 ? (
        <Empty title="No table yet">A table appears with the first batch that a query writes to it.</Empty>
      ) : (
        <section class="panel" aria-label="Tables of the database">
          {data.length > 5 && (
            <div class="tools">
              <SearchByName value={search} change={setSearch} />
            </div>
          )}
          <Scroll label="Tables of the database">
            <table>
              <thead>
                <tr>
                  <th scope="col">Table</th>
                  <th scope="col">Schema</th>
                  <th scope="col" class="num">
                    <Term name="database.estimatedRows">Rows</Term>
                  </th>
                  <th scope="col" class="num">
                    <Term name="database.bytes">Size</Term>
                  </th>
                </tr>
              </thead>
              <tbody>
                {shown.map((t) => (
                  <tr key={`${t.schema}.${t.name}`}>
                    <th scope="row">
                      <a href={link("database", t.name, { schema: t.schema })}>{t.name}</a>
                    </th>
                    <td>{t.schema}</td>
                    <td class="num">{estimate(t.estimatedRows)}</td>
                    <td class="num" title={`${f.exact(t.bytes)} bytes`}>
                      {f.bytes(t.bytes)}
                    </td>
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

/** An estimate is never shown as if it were counted. */
function estimate(rows: number | null): string {
  return rows === null ? "not estimated yet" : `≈ ${f.count(rows)}`;
}

function Table({ schema, table }: { schema: string; table: string }) {
  const { data, failure, refresh } = useApi<DatabaseTableDetail>(path("/api/database/table", { schema, table }), 5000);
  return (
    <>
      <p class="crumbs">
        <a href={link("database")}>Database</a> / {schema}
      </p>
      <h1>{table}</h1>
      {failure !== undefined && <Trouble failure={failure} retry={refresh} />}
      {data === undefined ? (
        failure === undefined && <Loading what="the table" />
      ) : (
        <>
          <Panel title="In numbers">
            <dl class="stats">
              <Stat name="database.estimatedRows" label="Rows" value={estimate(data.estimatedRows)} />
              <Stat
                name="database.bytes"
                label="Size"
                value={f.bytes(data.bytes)}
                exact={`${f.exact(data.bytes)} bytes`}
              />
            </dl>
          </Panel>
          <FirstRows schema={schema} table={table} />
          <Panel title="Read it">
            <Snippet
              label="Reading this table in TypeScript"
              code={`const ${variable(table)} = spark.read.format("postgres").option("dbtable", ${JSON.stringify(schema === "public" ? table : `${schema}.${table}`)}).load();`}
            />
          </Panel>
          <Columns columns={data.columns} />
          {data.indexes.length > 0 && (
            <Panel title="Indexes">
              <ul class="facts">
                {data.indexes.map((index) => (
                  <li key={index.name}>
                    <strong>{index.name}</strong> <code>{index.definition}</code>
                  </li>
                ))}
              </ul>
            </Panel>
          )}
        </>
      )}
    </>
  );
}

function FirstRows({ schema, table }: { schema: string; table: string }) {
  const { data, failure, loading, refresh } = useApi<RowsPage>(path("/api/database/rows", { schema, table }));
  return (
    <Panel
      title="Rows"
      aside={
        <button type="button" class="button small" disabled={loading} onClick={refresh}>
          Read again
        </button>
      }
    >
      {failure !== undefined && <Trouble failure={failure} />}
      {data === undefined ? (
        failure === undefined && <Loading what="rows" />
      ) : data.rows.length === 0 ? (
        <Empty title="The table has no rows" />
      ) : (
        <>
          <Rows columns={data.columns} rows={data.rows} label={`Rows of ${table}`} />
          {data.more && <p class="note page-end">There are more rows than these.</p>}
        </>
      )}
    </Panel>
  );
}
