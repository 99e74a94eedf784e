import { useEffect } from "preact/hooks";
import type { ProcessInfo, QueryDetail, QuerySummary } from "../../../src/observe/api.ts";
import { ask, useApi } from "../api.ts";
import { Stat, Term } from "../explain.tsx";
import * as f from "../format.ts";
import { connection, generation, learn, live, processNow, queries, status } from "../live/store.ts";
import { link } from "../router.ts";
import { Badge, Empty, Mark, Panel } from "../ui/parts.tsx";
import { Scroll } from "../ui/scroll.tsx";
import { Sparkline, window } from "../ui/sparkline.tsx";
import { type Answer, answersOf, headline, isOver, type Tone, titleOf, toneOf } from "../words.ts";

/** The first screen: is everything running, keeping up, fresh, correct, and does anything grow? */
export function Overview() {
  const all = queries.value;
  const open = all.filter((q) => !isOver(q));
  const failed = all.filter((q) => q.state === "failed");
  const ended = all.filter((q) => q.state === "ended");
  const first = firstSentence();
  return (
    <>
      <div class="headline">
        <h1>
          <Mark tone={first.tone} /> {first.text}
        </h1>
        {live.value.process !== null && <Totals open={open} />}
      </div>
      {live.value.process !== null && all.length === 0 && (
        <Empty title="No query yet">
          As soon as the pipeline starts a streaming query it appears here by itself. What the servers hold can be seen
          already: the <a href={link("topics")}>topics</a>, the <a href={link("lake")}>lake</a>, the{" "}
          <a href={link("database")}>database</a>.
        </Empty>
      )}
      <ul class="cards" aria-label="Queries">
        {[...failed, ...open].map((query) => (
          <li key={query.id}>
            <QueryCard query={query} />
          </li>
        ))}
      </ul>
      {ended.length > 0 && <Ended queries={ended} />}
      <Servers />
    </>
  );
}

/** Queries that are done need no card each. */
function Ended({ queries }: { queries: readonly QuerySummary[] }) {
  return (
    <Panel title="Ended">
      <Scroll label="Queries that have ended">
        <table>
          <thead>
            <tr>
              <th scope="col">Query</th>
              <th scope="col">
                <Term name="query.lastBatchAt">Last batch</Term>
              </th>
              <th scope="col" class="num">
                <Term name="query.batches">Batches</Term>
              </th>
              <th scope="col" class="num">
                <Term name="query.inputRows">Rows read</Term>
              </th>
              <th scope="col" class="num">
                <Term name="query.outputRows">Rows delivered</Term>
              </th>
              <th scope="col" class="num">
                <Term name="query.lateRows">Late rows</Term>
              </th>
            </tr>
          </thead>
          <tbody>
            {queries.map((q) => (
              <tr key={q.id}>
                <th scope="row">
                  <a href={link("query", q.name ?? q.id)}>{titleOf(q)}</a>
                </th>
                <td>{q.lastBatchAt === null ? <span class="none">no batch</span> : f.moment(q.lastBatchAt)}</td>
                <td class="num">{f.count(q.batches)}</td>
                <td class="num" title={f.exact(q.inputRows)}>
                  {f.count(q.inputRows)}
                </td>
                <td class="num" title={f.exact(q.outputRows)}>
                  {f.count(q.outputRows)}
                </td>
                <td class="num">{f.count(q.lateRows)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}

/** What the page says first; of a process that does not answer, only that. */
function firstSentence(): { readonly tone: Tone; readonly text: string } {
  const { kind } = status.value;
  const { lastMessageAt } = connection.value;
  if (kind === "stale") return { tone: "bad", text: `No word from the process since ${f.clock(lastMessageAt)}.` };
  if (live.value.process !== null) return headline(queries.value, processNow.value);
  return kind === "reconnecting"
    ? { tone: "bad", text: "The process does not answer." }
    : { tone: "calm", text: "Connecting …" };
}

function Totals({ open }: { open: readonly QuerySummary[] }) {
  const told = live.value.process!;
  const { data: process = told } = useApi<ProcessInfo>("/api/process", 5000);
  const input = open.reduce((sum, q) => sum + (q.inputRowsPerSecond ?? 0), 0);
  const late = queries.value.reduce((sum, q) => sum + q.lateRows, 0);
  return (
    <dl class="totals">
      <div>
        <dt>Queries running</dt>
        <dd>{open.length}</dd>
      </div>
      <Stat name="page.inputTotal" label="Rows in" value={f.rate(input)} exact={f.rate(Math.round(input))} />
      <Stat name="query.lateRows" label="Late rows" value={f.count(late)} exact={f.exact(late)} />
      <Stat
        name="process.memoryBytes"
        label="Memory"
        value={f.bytes(process.memoryBytes)}
        exact={`${f.exact(process.memoryBytes)} bytes`}
      />
      <Stat
        name="page.uptime"
        label="Up for"
        value={f.duration(Math.floor((processNow.value - process.startedAt) / 1000) * 1000)}
      />
    </dl>
  );
}

const QUESTIONS = [
  ["running", "Running?", "query.state"],
  ["keepingUp", "Keeping up?", "query.lagRows"],
  ["fresh", "Fresh?", "query.watermark"],
  ["correct", "Correct?", "query.lateRows"],
  ["growing", "Growing?", "query.stateRows"],
] as const;

function QueryCard({ query }: { query: QuerySummary }) {
  useHistory(query.id);
  const now = processNow.value;
  const samples = live.value.samples[query.id] ?? [];
  const answers = answersOf(query, samples, now);
  const title = titleOf(query);
  const id = `card-${query.id}`;
  const rate = isOver(query) ? null : query.inputRowsPerSecond;
  return (
    <article class={`card ${toneOf(answers)}`} aria-labelledby={id} data-query={title} data-state={query.state}>
      <header>
        <h2 id={id}>
          <a href={link("query", query.name ?? query.id)}>{title}</a>
        </h2>
        <Badge tone={query.state === "failed" ? "bad" : query.state === "restarting" ? "warn" : "calm"}>
          {query.state}
        </Badge>
      </header>
      <div class="card-rate">
        <p>
          <Term name="query.inputRowsPerSecond" exact={rate === null ? undefined : f.rate(Math.round(rate))}>
            Rows in
          </Term>
          <strong class="big">{rate === null ? "–" : f.rate(rate)}</strong>
        </p>
        <Sparkline
          values={window(samples, (s) => s.input, now, 120)}
          label={`Rows read each second by ${title} over the last two minutes`}
        />
      </div>
      <dl class="answers">
        {QUESTIONS.map(([key, question, name]) => (
          <div key={key} data-answer={key}>
            <dt>
              <Term name={name} exact={exactOf(query, key)}>
                {question}
              </Term>
            </dt>
            <dd>
              <AnswerText answer={answers[key]} />
            </dd>
          </div>
        ))}
      </dl>
    </article>
  );
}

function exactOf(q: QuerySummary, key: (typeof QUESTIONS)[number][0]): string | undefined {
  if (key === "keepingUp" && q.lagRows !== null) return `${f.exact(q.lagRows)} rows`;
  if (key === "growing" && q.stateRows !== null) {
    return `${f.exact(q.stateRows)} rows${q.stateBytes === null ? "" : `, ${f.exact(q.stateBytes)} bytes`}`;
  }
  if (key === "correct") return `${f.exact(q.lateRows)} of ${f.exact(q.inputRows)} rows`;
  return undefined;
}

function AnswerText({ answer }: { answer: Answer }) {
  return (
    <>
      <Mark tone={answer.tone} />
      <span>
        <strong>{answer.text}</strong>
        {answer.more !== "" && <span class="more">{answer.more}</span>}
      </span>
    </>
  );
}

/** The query's past, for the sparkline; asked once, and again after a reconnect. */
function useHistory(id: string): void {
  const turn = generation.value;
  useEffect(() => {
    const stop = new AbortController();
    // A query that is gone meanwhile has no past to show.
    ask<QueryDetail>(`/api/queries/${encodeURIComponent(id)}`, stop.signal).then(learn, () => {});
    return () => stop.abort();
  }, [id, turn]);
}

function Servers() {
  const servers = live.value.process?.servers ?? [];
  if (servers.length === 0) return null;
  const pages: Readonly<Record<string, string>> = {
    kafka: "topics",
    postgres: "database",
    redis: "cache",
    lake: "lake",
  };
  return (
    <section class="servers" aria-labelledby="servers">
      <h2 id="servers">Servers</h2>
      <ul>
        {servers.map((server) => {
          const page = pages[server.name];
          return (
            <li key={server.name}>
              {page === undefined ? <strong>{server.name}</strong> : <a href={link(page)}>{server.name}</a>}
              <code>{server.address}</code>
              <span class="more">{server.owner === "embedded" ? "in this process" : "yours"}</span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
