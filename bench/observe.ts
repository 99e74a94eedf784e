/** What it costs a pipeline of small batches that it is watched: processor time of the observer, with one page open. */
import { publish } from "../src/events.ts";
import { drawingOf } from "../src/observe/graph.ts";
import { QueryLog } from "../src/observe/query-log.ts";
import { detail, summarize } from "../src/observe/summary.ts";
import { report } from "./measurement.ts";

const about = { id: "q", runId: "r", name: "bench" };
/** Small batches come about as often as this; a page gets ten messages a second and asks for details every two seconds. */
const BATCHES_PER_SECOND = 200;
const MESSAGES_PER_SECOND = 10;
const DETAILS_PER_SECOND = 0.5;

const node = { detail: "", functions: [], passes: false };
const plan = async () => ({
  nodes: [
    { ...node, id: "n0", kind: "source", title: "kafka", source: 0 },
    { ...node, id: "n1", kind: "state", title: "Aggregate", operator: "0 stateStoreSave" },
    { ...node, id: "n2", kind: "sink", title: "db", sink: "db" },
    { ...node, id: "n3", kind: "sink", title: "cache", sink: "cache" },
  ],
  edges: [
    { from: "n0", to: "n1" },
    { from: "n1", to: "n2" },
    { from: "n1", to: "n3" },
  ],
  text: "",
});

let batchId = 0;
/** All that the engine tells of a batch of a source with eight partitions and two sinks. */
function batch(): void {
  batchId++;
  for (const step of ["planned", "offsets-written", "ingested", "state-committed"] as const) {
    publish("batch.step", { queryId: about.id, batchId, step });
  }
  for (const sink of ["db", "cache"]) {
    publish("batch.step", { queryId: about.id, batchId, step: "sink-before", sink });
    publish("batch.step", { queryId: about.id, batchId, step: "sink-after", sink });
  }
  publish("batch.step", { queryId: about.id, batchId, step: "commits-written" });
  const operators = [{ operator: "0 stateStoreSave", inputRows: 100, outputRows: 10, lateSamples: [] }];
  publish("batch.measured", { queryId: about.id, batchId, operators, stateBytes: 1_000 });
  const offsets = (at: number) => ({ t: Object.fromEntries(Array.from({ length: 8 }, (_, p) => [p, at])) });
  const sink = (name: string) => ({ name, description: name, numOutputRows: 10, guarantee: "exactly-once" });
  publish("query.progress", {
    ...about,
    progress: {
      ...about,
      timestamp: new Date().toISOString(),
      batchId,
      batchDuration: 5,
      numInputRows: 100,
      durationMs: { latestOffset: 0, walCommit: 1, getBatch: 1, addBatch: 2, commitOffsets: 1, triggerExecution: 5 },
      eventTime: { watermark: "2024-01-01T00:00:00.000Z" },
      stateOperators: [
        { operatorName: "stateStoreSave", numRowsTotal: 7, numRowsDroppedByWatermark: 0, memoryUsedBytes: 0 },
      ],
      sources: [
        {
          description: "KafkaV2[Subscribe[t]]",
          startOffset: offsets(batchId),
          endOffset: offsets(batchId + 1),
          latestOffset: offsets(batchId + 1),
          numInputRows: 100,
        },
      ],
      sink: sink("db"),
      sinks: [sink("db"), sink("cache")],
    },
  });
}

/** Microseconds of processor time of one call. */
function cost(work: () => unknown, times: number): number {
  for (let i = 0; i < times; i++) work();
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / times;
}

const alone = cost(batch, 20_000);
const log = new QueryLog();
publish("query.started", { ...about, timestamp: new Date().toISOString(), plan });
const watched = cost(batch, 20_000) - alone;
const query = log.query(about.id)!;
const drawing = await drawingOf(query);
const message = cost(() => JSON.stringify(summarize(query, Date.now())), 2_000);
const page = cost(() => JSON.stringify(detail(query, drawing, Date.now())), 500);
log.close();
const share = (watched * BATCHES_PER_SECOND + message * MESSAGES_PER_SECOND + page * DETAILS_PER_SECOND) / 1e6;
report({
  benchmark: "observe",
  what: `one processor's time for ${BATCHES_PER_SECOND} batches/s with a page open`,
  value: share * 100,
  unit: "%",
  goal: "< 2 %",
  detail: { batchMicros: watched, messageMicros: message, detailMicros: page },
});
