import { useEffect, useState } from "preact/hooks";
import { client, type LiveView } from "../../../src/client/index.ts";
import type { ViewInfo } from "../../../src/observe/api-views.ts";
import { useApi } from "../api.ts";
import { Stat, Term } from "../explain.tsx";
import * as f from "../format.ts";
import { link } from "../router.ts";
import { Badge, Empty, Loading, Panel, Snippet, Trouble } from "../ui/parts.tsx";
import { ObjectRows } from "../ui/rows.tsx";
import { Scroll } from "../ui/scroll.tsx";
import { variable } from "./topic.tsx";

const SHOWN = 100;
const DRAW_MS = 250;

export function Views({ name }: { name: string }) {
  const { data, failure, refresh } = useApi<readonly ViewInfo[]>("/api/views", 3000);
  const view = data?.find((v) => v.name === name);
  return (
    <>
      {name !== "" && (
        <p class="crumbs">
          <a href={link("views")}>Views</a> / view
        </p>
      )}
      <h1>{name === "" ? "Views" : name}</h1>
      {failure !== undefined && <Trouble failure={failure} retry={refresh} />}
      {data === undefined ? (
        failure === undefined && <Loading what="the views" />
      ) : name === "" ? (
        <List views={data} />
      ) : view === undefined ? (
        <Empty title={`There is no view ${name}.`}>
          <a href={link("views")}>All views</a>
        </Empty>
      ) : (
        <View view={view} />
      )}
    </>
  );
}

function List({ views }: { views: readonly ViewInfo[] }) {
  if (views.length === 0) {
    return (
      <>
        <Empty title="No view is declared">
          A view shows a table or the keys of a prefix to a page, live: first all rows, then what changes.
        </Empty>
        <Panel title="Declare one">
          <Snippet
            label="Declaring a view in TypeScript"
            code={`export const views = {
  delays: spark.view("delays", { table: "delays", key: "hour,origin", orderBy: "hour desc" }),
};`}
          />
        </Panel>
      </>
    );
  }
  return (
    <section class="panel" aria-label="Views">
      <Scroll label="Views">
        <table>
          <thead>
            <tr>
              <th scope="col">View</th>
              <th scope="col">Shows</th>
              <th scope="col">Key</th>
              <th scope="col" class="num">
                <Term name="page.viewRows">Rows</Term>
              </th>
              <th scope="col" class="num">
                <Term name="page.viewClients">Followers</Term>
              </th>
            </tr>
          </thead>
          <tbody>
            {views.map((v) => (
              <tr key={v.name}>
                <th scope="row">
                  <a href={link("views", v.name)}>{v.name}</a>
                </th>
                <td>{v.source}</td>
                <td>{v.key.join(", ")}</td>
                <td class="num" title={v.rows === null ? undefined : f.exact(v.rows)}>
                  {v.rows === null ? <span class="none">not read yet</span> : f.count(v.rows)}
                </td>
                <td class="num">{f.count(v.clients)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </section>
  );
}

function View({ view }: { view: ViewInfo }) {
  const live = useView(view.name);
  const rows = live?.rows ?? [];
  return (
    <>
      <Panel title="In numbers">
        <dl class="stats">
          <Stat name="page.viewRows" label="Rows" value={f.count(rows.length)} exact={f.exact(rows.length)} />
          <Stat
            name="page.viewBatch"
            label="Batch"
            value={f.exact(live?.batch)}
            none={live === undefined || live.batch === null ? "no rows yet" : undefined}
          />
          <Stat name="page.viewClients" label="Followers" value={f.count(view.clients)} />
          <Stat
            name="query.watermark"
            label="Watermark"
            value={f.eventTime(live?.watermark?.toISOString())}
            none={live === undefined || live.watermark === null ? "none" : undefined}
          />
        </dl>
      </Panel>
      {live?.error != null && <Trouble failure={live.error} />}
      <Panel
        title="Rows"
        aside={<Badge tone={live?.status === "live" ? "accent" : "warn"}>{live?.status ?? "connecting"}</Badge>}
      >
        {rows.length === 0 ? (
          <Empty title="No rows yet" />
        ) : (
          <>
            <ObjectRows
              rows={rows.slice(0, SHOWN) as Readonly<Record<string, unknown>>[]}
              label={`Rows of the view ${view.name}`}
              tall
            />
            {rows.length > SHOWN && (
              <p class="note page-end">
                {SHOWN} of {f.exact(rows.length)} rows are shown; a client has all of them.
              </p>
            )}
          </>
        )}
      </Panel>
      <Panel title="Follow it">
        <Snippet label="Following this view in TypeScript" code={snippet(view.name)} />
        <p class="note page-end">
          A plain page imports the client from <code>/millrace/client.js</code>. As JSON:{" "}
          <a href={`/api/views/${encodeURIComponent(view.name)}`}>/api/views/{view.name}</a>
        </p>
      </Panel>
      {view.columns.length > 0 && <ViewColumns view={view} />}
    </>
  );
}

function ViewColumns({ view }: { view: ViewInfo }) {
  return (
    <Panel title="Columns">
      <Scroll label="Columns of the view">
        <table>
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Type</th>
              <th scope="col">Key</th>
            </tr>
          </thead>
          <tbody>
            {view.columns.map((c) => (
              <tr key={c.name}>
                <th scope="row">{c.name}</th>
                <td class="mono">{c.type}</td>
                <td>{view.key.includes(c.name) ? "yes" : ""}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}

interface Seen {
  readonly rows: readonly unknown[];
  readonly status: LiveView<unknown>["status"];
  readonly batch: number | null;
  readonly watermark: Date | null;
  readonly error: LiveView<unknown>["error"];
}

/** The view as it changes, drawn a few times a second. */
function useView(name: string): Seen | undefined {
  const [seen, setSeen] = useState<Seen>();
  useEffect(() => {
    const following = client(location.origin);
    const view: LiveView<unknown> = following.view(name);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const draw = (): void => {
      timer = undefined;
      const { rows, status, batch, watermark, error } = view;
      setSeen({ rows, status, batch, watermark, error });
    };
    const off = view.subscribe(() => {
      timer ??= setTimeout(draw, DRAW_MS);
    });
    draw();
    return () => {
      clearTimeout(timer);
      off();
      following.close();
    };
  }, [name]);
  return seen;
}

function snippet(name: string): string {
  const it = variable(name);
  return `import { client } from "millrace/client";
import type { views } from "./pipeline.ts"; // where the view is declared

const ${it} = client<typeof views>(${JSON.stringify(location.origin)}).view(${JSON.stringify(name)});
${it}.subscribe(({ rows, status }) => {
  console.log(status, rows.length);
});`;
}
