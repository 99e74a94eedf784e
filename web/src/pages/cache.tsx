import { useEffect, useState } from "preact/hooks";
import type { CacheKeySummary, CachePage, CacheValue } from "../../../src/observe/api-explore.ts";
import { ask, Failure, path, useApi } from "../api.ts";
import { Term } from "../explain.tsx";
import { pretty } from "../explore/tail.ts";
import * as f from "../format.ts";
import { go, link, place } from "../router.ts";
import { Empty, Loading, Panel, Trouble } from "../ui/parts.tsx";
import { Scroll, Text } from "../ui/scroll.tsx";

/** The cache's keys, by pattern, and the value of the chosen one. */
export function Cache() {
  const match = place.value.query.get("match") ?? "*";
  const chosen = place.value.query.get("key");
  const [form, setForm] = useState(match);
  const { data, failure, refresh } = useApi<CachePage>(path("/api/cache", { match, cursor: "0" }), 10_000);
  const [further, setFurther] = useState<{ match: string; pages: readonly CachePage[]; failure?: Failure }>({
    match,
    pages: [],
  });
  useEffect(() => setForm(match), [match]);
  const pages = further.match === match ? further.pages : [];
  const keys = unique([...(data?.keys ?? []), ...pages.flatMap((p) => p.keys)]);
  const last = pages.at(-1) ?? data;
  const more = async (): Promise<void> => {
    try {
      const page = await ask<CachePage>(path("/api/cache", { match, cursor: last?.cursor ?? "0" }));
      setFurther({ match, pages: [...pages, page] });
    } catch (error) {
      if (error instanceof Failure) setFurther({ match, pages, failure: error });
    }
  };
  return (
    <>
      <h1>Cache</h1>
      {failure !== undefined && <Trouble failure={failure} retry={refresh} />}
      {data === undefined ? (
        failure === undefined && <Loading what="the keys" />
      ) : (
        <div class={chosen === null ? "" : "split"}>
          <Panel
            title="Keys"
            aside={
              <Term name="cache.total" exact={f.exact(data.total)}>
                {f.plural(data.total, "key")} in all
              </Term>
            }
          >
            <form
              class="tools"
              aria-label="Which keys"
              onSubmit={(event) => {
                event.preventDefault();
                go(link("cache", "", { match: form === "*" ? undefined : form }));
              }}
            >
              <label class="field search">
                Pattern, such as airport:*
                <input type="search" value={form} onInput={(event) => setForm(event.currentTarget.value)} />
              </label>
              <button type="submit" class="button primary">
                Show
              </button>
            </form>
            {further.failure !== undefined && <Trouble failure={further.failure} />}
            {keys.length === 0 && last?.cursor == null ? (
              <Empty title={data.total === 0 ? "The cache is empty" : "No key matches"}>
                {data.total === 0 && "A key appears with the first batch that a query writes to it."}
              </Empty>
            ) : (
              <KeyTable keys={keys} match={match} chosen={chosen} />
            )}
            {last?.cursor != null && (
              <p class="page-end">
                <button type="button" class="button" onClick={more}>
                  More keys
                </button>
              </p>
            )}
          </Panel>
          {chosen !== null && (
            <Value key={chosen} name={chosen} close={link("cache", "", { match: match === "*" ? undefined : match })} />
          )}
        </div>
      )}
    </>
  );
}

/** SCAN may give a key twice. */
function unique(keys: readonly CacheKeySummary[]): CacheKeySummary[] {
  return [...new Map(keys.map((k) => [k.key, k])).values()].sort((a, b) => (a.key < b.key ? -1 : 1));
}

function KeyTable({ keys, match, chosen }: { keys: readonly CacheKeySummary[]; match: string; chosen: string | null }) {
  return (
    <Scroll label="Keys" class="table-box tall">
      <table>
        <thead>
          <tr>
            <th scope="col">Key</th>
            <th scope="col">Type</th>
            <th scope="col" class="num">
              <Term name="cache.ttlSeconds">Goes in</Term>
            </th>
          </tr>
        </thead>
        <tbody>
          {keys.map((k) => (
            <tr key={k.key} class={k.key === chosen ? "open" : ""}>
              <th scope="row" class="wrap">
                <a
                  href={link("cache", "", { match: match === "*" ? undefined : match, key: k.key })}
                  aria-current={k.key === chosen ? "true" : undefined}
                >
                  {k.key}
                </a>
              </th>
              <td>{k.type}</td>
              <td class="num">{k.ttlSeconds === null ? <span class="none">stays</span> : f.seconds(k.ttlSeconds)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Value({ name, close }: { name: string; close: string }) {
  const { data, failure } = useApi<CacheValue>(path("/api/cache/key", { key: name }), 2000);
  return (
    <Panel title={name} id="cache-value" class="cache-value" aside={<a href={close}>Close</a>}>
      {failure !== undefined && <Trouble failure={failure} />}
      {data === undefined ? (
        failure === undefined && <Loading what="the value" />
      ) : (
        <>
          <p class="note">
            {data.type}, {data.ttlSeconds === null ? "stays" : `goes in ${f.seconds(data.ttlSeconds)}`}
            {data.truncated && ", the first 100"}
          </p>
          <Content value={data.value} name={name} />
        </>
      )}
    </Panel>
  );
}

function Content({ value, name }: { value: CacheValue["value"]; name: string }) {
  if (value === null) return <Empty title="The key has gone, or its type cannot be shown" />;
  if (typeof value === "string") return <Text label={name}>{pretty(value)}</Text>;
  const entries = Array.isArray(value)
    ? value.map((v, i) => [String(i), v as string] as const)
    : Object.entries(value as Record<string, string>);
  return (
    <dl class="config">
      {entries.map(([field, v]) => (
        <div key={field}>
          <dt>{field}</dt>
          <dd class="mono">{v}</dd>
        </div>
      ))}
    </dl>
  );
}
