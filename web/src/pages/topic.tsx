import type { TopicDetail } from "../../../src/observe/api-explore.ts";
import { useApi } from "../api.ts";
import { Stat, Term } from "../explain.tsx";
import { Messages } from "../explore/messages.tsx";
import * as f from "../format.ts";
import { link } from "../router.ts";
import { Loading, Panel, Snippet, Trouble } from "../ui/parts.tsx";
import { Scroll } from "../ui/scroll.tsx";
import { Readers } from "./topics.tsx";

export function Topic({ name }: { name: string }) {
  const { data, failure, refresh } = useApi<TopicDetail>(`/api/topics/${encodeURIComponent(name)}`, 3000);
  return (
    <>
      <p class="crumbs">
        <a href={link("topics")}>Topics</a> / topic
      </p>
      <h1>{name}</h1>
      {failure !== undefined && <Trouble failure={failure} retry={refresh} />}
      {data === undefined ? failure === undefined && <Loading what="the topic" /> : <TopicView topic={data} />}
    </>
  );
}

function TopicView({ topic }: { topic: TopicDetail }) {
  return (
    <>
      {topic.problem !== null && <Trouble failure={{ code: "TOPIC", message: topic.problem, hint: null }} />}
      <Panel title="In numbers">
        <dl class="stats">
          <Stat name="topic.records" label="Messages" value={f.count(topic.records)} exact={f.exact(topic.records)} />
          <Stat
            name="topic.recordsPerSecond"
            label="Come in"
            value={f.rate(topic.recordsPerSecond, "messages")}
            none={topic.recordsPerSecond === null ? "measured while you look" : undefined}
          />
          <Stat
            name="topic.bytes"
            label="Size"
            value={f.bytes(topic.bytes)}
            exact={topic.bytes === null ? undefined : `${f.exact(topic.bytes)} bytes`}
            none={topic.bytes === null ? "the broker does not tell" : undefined}
          />
          <Stat name="topic.partitions" label="Partitions" value={topic.partitions} />
          <div class="stat">
            <dt>
              <Term name="topic.readers">Read by</Term>
            </dt>
            <dd class="small">
              <Readers topic={topic} />
            </dd>
          </div>
        </dl>
      </Panel>
      <Messages topic={topic.name} partitions={topic.partitions} />
      <Offsets topic={topic} />
      <Panel title="Read it">
        <Snippet
          label="Reading this topic in TypeScript"
          code={`const ${variable(topic.name)} = spark.readStream\n  .format("kafka")\n  .option("subscribe", ${JSON.stringify(topic.name)})\n  .load()\n  .select(col("key").cast("string"), col("value").cast("string"));`}
        />
      </Panel>
      {Object.keys(topic.config).length > 0 && (
        <Panel title="Settings">
          <dl class="config">
            {Object.entries(topic.config)
              .sort()
              .map(([key, value]) => (
                <div key={key}>
                  <dt>
                    <code>{key}</code>
                  </dt>
                  <dd>{value === "" ? <span class="none">empty</span> : value}</dd>
                </div>
              ))}
          </dl>
        </Panel>
      )}
    </>
  );
}

function Offsets({ topic }: { topic: TopicDetail }) {
  const queries = [...new Set(topic.offsets.flatMap((o) => Object.keys(o.read)))];
  return (
    <Panel title="Partitions">
      <Scroll label="Partitions">
        <table>
          <thead>
            <tr>
              <th scope="col">Partition</th>
              <th scope="col" class="num">
                <Term name="topic.start">Oldest offset</Term>
              </th>
              <th scope="col" class="num">
                <Term name="topic.end">End</Term>
              </th>
              {queries.map((q) => (
                <th key={q} scope="col" class="num">
                  <Term name="partition.read">{q} reads next</Term>
                </th>
              ))}
              <th scope="col" class="num">
                Leader
              </th>
            </tr>
          </thead>
          <tbody>
            {topic.offsets.map((o) => (
              <tr key={o.partition}>
                <th scope="row">{o.partition}</th>
                <td class="num">{o.start}</td>
                <td class="num">{o.end}</td>
                {queries.map((q) => (
                  <td key={q} class="num">
                    {o.read[q] ?? <span class="none">not read</span>}
                  </td>
                ))}
                <td class="num">{o.leader ?? <span class="problem">none</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}

/** A name that TypeScript takes. */
export function variable(name: string): string {
  const camel = name.replace(/[^A-Za-z0-9]+(.)?/g, (_, next?: string) => next?.toUpperCase() ?? "");
  return /^[A-Za-z]/.test(camel) ? camel : `it${camel}`;
}
