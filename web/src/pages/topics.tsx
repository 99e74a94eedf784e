import { useState } from "preact/hooks";
import type { TopicSummary } from "../../../src/observe/api-explore.ts";
import { useApi } from "../api.ts";
import { Term } from "../explain.tsx";
import * as f from "../format.ts";
import { link } from "../router.ts";
import { Badge, Empty, Loading, SearchByName, Trouble } from "../ui/parts.tsx";
import { Scroll } from "../ui/scroll.tsx";

export function Topics() {
  const { data, failure, refresh } = useApi<readonly TopicSummary[]>("/api/topics", 3000);
  const [search, setSearch] = useState("");
  const [internal, setInternal] = useState(false);
  const shown = (data ?? []).filter(
    (t) => (internal || !t.internal) && t.name.toLowerCase().includes(search.toLowerCase()),
  );
  const hidden = (data ?? []).filter((t) => t.internal).length;
  return (
    <>
      <h1>Topics</h1>
      {failure !== undefined && <Trouble failure={failure} retry={refresh} />}
      {data === undefined ? (
        failure === undefined && <Loading what="the topics" />
      ) : (
        <section class="panel" aria-label="Topics">
          <div class="tools">
            <SearchByName value={search} change={setSearch} />
            {hidden > 0 && (
              <button type="button" class="button" aria-pressed={internal} onClick={() => setInternal(!internal)}>
                Show internal ({hidden})
              </button>
            )}
          </div>
          {shown.length === 0 ? (
            <Empty title={search === "" ? "No topic yet" : `No topic has ${search} in its name`}>
              {search === "" && "A topic appears with the first message that is written to it."}
            </Empty>
          ) : (
            <TopicTable topics={shown} />
          )}
        </section>
      )}
    </>
  );
}

function TopicTable({ topics }: { topics: readonly TopicSummary[] }) {
  return (
    <Scroll label="Topics">
      <table>
        <thead>
          <tr>
            <th scope="col">Topic</th>
            <th scope="col" class="num">
              <Term name="topic.records">Messages</Term>
            </th>
            <th scope="col" class="num">
              <Term name="topic.recordsPerSecond">Come in</Term>
            </th>
            <th scope="col" class="num">
              <Term name="topic.bytes">Size</Term>
            </th>
            <th scope="col" class="num">
              <Term name="topic.partitions">Partitions</Term>
            </th>
            <th scope="col">
              <Term name="topic.readers">Read by, with lag</Term>
            </th>
          </tr>
        </thead>
        <tbody>
          {topics.map((t) => (
            <tr key={t.name}>
              <th scope="row">
                <a href={link("topic", t.name)}>{t.name}</a> {t.internal && <Badge>internal</Badge>}
                {t.problem !== null && <p class="problem">{t.problem}</p>}
              </th>
              <td class="num" title={f.exact(t.records)}>
                {f.count(t.records)}
              </td>
              <td class="num">{f.rate(t.recordsPerSecond, "").replace(" /s", "/s")}</td>
              <td class="num">{f.bytes(t.bytes)}</td>
              <td class="num">{t.partitions}</td>
              <td>
                <Readers topic={t} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

export function Readers({ topic }: { topic: TopicSummary }) {
  if (topic.readers.length === 0) return <span class="none">no query</span>;
  return (
    <ul class="readers">
      {topic.readers.map((r) => (
        <li key={r.query}>
          <a href={link("query", r.query)}>{r.query}</a>{" "}
          <span class="note" title={r.lagRows === null ? undefined : f.exact(r.lagRows)}>
            {r.lagRows === null
              ? "lag not known"
              : r.lagRows === 0
                ? "nothing waits"
                : `${f.plural(r.lagRows, "row")} behind${r.lagSeconds === null ? "" : ` (${f.seconds(r.lagSeconds)})`}`}
          </span>
        </li>
      ))}
    </ul>
  );
}
