import { useEffect, useState } from "preact/hooks";
import type { QueryDetail, QuerySummary } from "../../../src/observe/api.ts";
import { useApi } from "../api.ts";
import { Stat, Term } from "../explain.tsx";
import * as f from "../format.ts";
import type { Sample } from "../live/reducer.ts";
import { learn, live, processNow, queries, status } from "../live/store.ts";
import { Batches } from "../query/batches.tsx";
import { Charts } from "../query/charts.tsx";
import { Graph, NodeDetail } from "../query/graph.tsx";
import { Partitions } from "../query/partitions.tsx";
import { Troubles } from "../query/trouble.tsx";
import { link } from "../router.ts";
import { Badge, Empty, Loading, Mark, Panel, Trouble } from "../ui/parts.tsx";
import { Text } from "../ui/scroll.tsx";
import { answersOf, isOver, timeSpent, titleOf, trendText, waiting } from "../words.ts";

/** What the stream does not carry (partitions, failures, samples, the plan) is asked for this often. */
const ASK_MS = 2500;

export function Query({ name }: { name: string }) {
  const summary = queries.value.find((q) => q.name === name || q.id === name);
  const { data, failure, refresh } = useApi<QueryDetail>(
    `/api/queries/${encodeURIComponent(name)}`,
    summary !== undefined && isOver(summary) ? undefined : ASK_MS,
  );
  const state = summary?.state;
  useEffect(() => refresh(), [state]);
  useEffect(() => {
    if (data !== undefined) learn(data);
  }, [data]);
  // What the stream says is newer than what was asked.
  const detail = data === undefined ? undefined : { ...data, ...(summary ?? {}) };
  return (
    <>
      <p class="crumbs">
        <a href={link("")}>Overview</a> / query
      </p>
      {detail === undefined ? (
        <>
          <h1>{name}</h1>
          {failure === undefined ? <Loading what="the query" /> : <Trouble failure={failure} retry={refresh} />}
        </>
      ) : (
        <QueryView detail={detail} />
      )}
    </>
  );
}

const NONE: readonly Sample[] = [];

function QueryView({ detail }: { detail: QueryDetail }) {
  const now = processNow.value;
  const title = titleOf(detail);
  const batches = live.value.batches[detail.id] ?? detail.history;
  const samples = live.value.samples[detail.id] ?? NONE;
  const answers = answersOf(detail, samples, now);
  const slow = isOver(detail) ? null : (detail.bottleneck ?? timeSpent(detail, batches));
  return (
    <>
      <div class="title-line">
        <h1>{title}</h1>
        <Badge tone={detail.state === "failed" ? "bad" : detail.state === "restarting" ? "warn" : "accent"}>
          {detail.state}
        </Badge>
      </div>
      <p class="note">
        {answers.running.text}; {answers.running.more}. {answers.keepingUp.text}
        {answers.keepingUp.more === "" ? "" : `: ${answers.keepingUp.more}`}.
      </p>
      {detail.state === "failed" && detail.lastError !== null && <Trouble failure={detail.lastError} />}
      <Numbers q={detail} now={now} />
      <Steps detail={detail} />
      {slow !== null && (
        <p class="bottleneck">
          <Mark tone={detail.bottleneck === null ? "calm" : "warn"} />
          <span>
            <Term name="query.bottleneck">Bottleneck</Term>: {slow}
          </span>
        </p>
      )}
      <Charts batches={batches} samples={samples} />
      <Batches query={detail.id} batches={batches} none={`${waiting(detail)}.`} />
      <Sinks detail={detail} />
      <Partitions partitions={detail.partitions} now={now} />
      <Troubles detail={detail} />
      {detail.plan !== null && (
        <Panel title="Plan">
          <Text label="The plan">{detail.plan}</Text>
        </Panel>
      )}
      <p class="note ids">
        id <code>{detail.id}</code> run <code>{detail.runId}</code>
      </p>
    </>
  );
}

function Numbers({ q, now }: { q: QuerySummary; now: number }) {
  const none = q.batches === 0 ? "no batch yet" : undefined;
  const over = isOver(q) ? "no longer reading" : undefined;
  const lag = q.lagRows === null ? (none ?? "the sources do not tell") : undefined;
  return (
    <Panel title="In numbers">
      <dl class="stats">
        <Stat
          name="query.inputRowsPerSecond"
          label="Rows in"
          value={f.rate(q.inputRowsPerSecond)}
          exact={q.inputRowsPerSecond === null ? undefined : f.rate(Math.round(q.inputRowsPerSecond))}
          none={q.inputRowsPerSecond === null ? over : none}
        />
        <Stat
          name="query.outputRowsPerSecond"
          label="Rows out"
          value={f.rate(q.outputRowsPerSecond)}
          none={q.outputRowsPerSecond === null ? over : none}
        />
        <Stat
          name="query.lagRows"
          label="Waiting"
          value={
            <>
              {f.plural(q.lagRows ?? 0, "row")}
              {q.lagTrend !== null && q.lagRows !== 0 && <span class="more"> {trendText(q.lagTrend)}</span>}
            </>
          }
          exact={q.lagRows === null ? undefined : f.exact(q.lagRows)}
          none={lag}
        />
        <Stat
          name="query.lagSeconds"
          label="Waiting, in time"
          value={f.seconds(q.lagSeconds)}
          none={lag ?? (q.lagSeconds === null ? "nothing is read now" : undefined)}
        />
        <Stat
          name="query.batchMs"
          label="Last batch"
          value={
            <>
              {f.duration(q.batchMs)}
              {q.triggerMs !== null && q.triggerMs > 0 && <span class="more"> every {f.duration(q.triggerMs)}</span>}
            </>
          }
          none={none}
        />
        <Stat
          name="query.batchMsP95"
          label="Batch p50 / p95"
          value={`${f.duration(q.batchMsP50)} / ${f.duration(q.batchMsP95)}`}
          none={none}
        />
        <Stat
          name="query.watermark"
          label="Watermark (UTC)"
          value={f.eventMinute(q.watermark).replace(" UTC", "")}
          exact={q.watermark ?? undefined}
          none={q.watermark === null ? (none ?? "the query has none") : undefined}
        />
        <Stat
          name="query.watermarkDelaySeconds"
          label="Behind the clock"
          value={f.seconds(q.watermarkDelaySeconds)}
          exact={q.watermarkDelaySeconds === null ? undefined : `${f.exact(Math.round(q.watermarkDelaySeconds))} s`}
          none={q.watermarkDelaySeconds === null ? (none ?? "no watermark") : undefined}
        />
        <Stat
          name="query.stateRows"
          label="State"
          value={f.plural(q.stateRows ?? 0, "row")}
          exact={q.stateRows === null ? undefined : f.exact(q.stateRows)}
          none={q.stateRows === null ? (none ?? "keeps none") : undefined}
        />
        <Stat
          name="query.stateBytes"
          label="State size"
          value={f.bytes(q.stateBytes)}
          exact={q.stateBytes === null ? undefined : `${f.exact(q.stateBytes)} bytes`}
          none={q.stateBytes === null ? (none ?? "keeps none") : undefined}
        />
        <Stat name="query.inputRows" label="Rows read" value={f.count(q.inputRows)} exact={f.exact(q.inputRows)} />
        <Stat
          name="query.outputRows"
          label="Rows delivered"
          value={f.count(q.outputRows)}
          exact={f.exact(q.outputRows)}
        />
        <Stat
          name="query.lateRows"
          label="Late rows"
          value={f.count(q.lateRows)}
          exact={f.exact(q.lateRows)}
          tone={q.lateRows > q.inputRows / 100 && q.lateRows > 0 ? "warn" : undefined}
        />
        <Stat name="query.batches" label="Batches" value={f.count(q.batches)} exact={f.exact(q.batches)} />
        <Stat
          name="query.restarts"
          label="Restarts"
          value={f.count(q.restarts)}
          tone={q.restarts > 0 ? "warn" : undefined}
        />
        <Stat
          name="query.lastBatchAt"
          label="Last batch ended"
          value={q.lastBatchAt === null ? "" : f.ago(now - q.lastBatchAt)}
          exact={q.lastBatchAt === null ? undefined : f.moment(q.lastBatchAt)}
          none={none}
        />
      </dl>
    </Panel>
  );
}

function Steps({ detail }: { detail: QueryDetail }) {
  const [chosen, choose] = useState<string | null>(null);
  const { graph } = detail;
  const node = graph?.nodes.find((n) => n.id === chosen);
  return (
    <Panel title="Steps" aside={<Term name="query.flows">rows a second on the lines</Term>}>
      {graph === null ? (
        <Empty title="No graph">The query does not tell its plan.</Empty>
      ) : (
        <Graph
          title={titleOf(detail)}
          graph={graph}
          flows={detail.flows}
          live={status.value.kind === "live" && detail.state === "running"}
          chosen={chosen}
          choose={choose}
        />
      )}
      {node !== undefined && <NodeDetail node={node} close={() => choose(null)} />}
    </Panel>
  );
}

function Sinks({ detail }: { detail: QueryDetail }) {
  if (detail.sinks.length === 0) return null;
  return (
    <Panel title="Sinks">
      <ul class="sinks">
        {detail.sinks.map((sink) => (
          <li key={sink.name}>
            <strong>{sink.name}</strong> <code>{sink.description}</code>
            <p>
              <Term name="sink.guarantee">Guarantee</Term>: {sink.guarantee ?? "it does not promise anything"}
            </p>
          </li>
        ))}
      </ul>
    </Panel>
  );
}
