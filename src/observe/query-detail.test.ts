import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { publish } from "../events.ts";
import { col, count, SparkSession, schema, t, window } from "../index.ts";
import { MemoryStream } from "../testing/index.ts";
import type { BatchDetail, GraphNode, QueryDetail } from "./api.ts";
import { type Observer, startObserver } from "./server.ts";

let folder: string;
let spark: SparkSession;
let observer: Observer;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-detail-"));
  spark = new SparkSession();
});
beforeEach(async () => {
  observer = await startObserver({ port: 0 });
  return () => observer.close();
});
afterAll(async () => {
  await spark.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function get<T>(path: string): Promise<T> {
  const response = await fetch(`${observer.url}api/${path}`);
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

/** `title -> title` of each edge, with the rows on it. */
function lines(detail: QueryDetail): Record<string, boolean> {
  const title = (id: string): string => detail.graph!.nodes.find((n) => n.id === id)!.title;
  return Object.fromEntries(
    detail.graph!.edges.map((e) => [`${title(e.from)} -> ${title(e.to)}`, detail.flows[e.id] !== null]),
  );
}

test("a query shows its graph with who counts, its late rows, the times of a batch", async () => {
  const stream = new MemoryStream(schema({ ts: t.timestamp, name: t.string, secret: t.binary }));
  const query = await stream
    .toDF(spark)
    .filter(col("name").isNotNull())
    .withWatermark("ts", "10 seconds")
    .groupBy(window(col("ts"), "10 seconds"), col("name"))
    .agg(count("*").as("n"))
    .writeStream.queryName("windows")
    .outputMode("append")
    .sink("first", (to) => to.format("noop"))
    .sink("kept", (to) => to.format("noop"))
    .option("checkpointLocation", join(folder, "windows"))
    .start();
  const row = (second: number, name: string) => ({
    ts: new Date(Date.UTC(2024, 0, 1, 10, 0, second)),
    name,
    secret: new Uint8Array(3),
  });
  for (const rows of [[row(0, "a"), row(41, "a")], [row(42, "b")], [row(1, "late"), row(2, "late"), row(43, "b")]]) {
    stream.addData(...rows);
    await query.processAllAvailable();
  }
  const detail = await get<QueryDetail>("queries/windows");
  const kinds = detail.graph!.nodes.map((n) => n.kind);
  expect(kinds).toEqual(["source", "sql", "watermark", "sql", "state", "sink", "sink"]);
  const state = detail.graph!.nodes.find((n) => n.kind === "state")!;
  expect(state).toMatchObject({ operator: "0 stateStoreSave", state: { bounded: true } });
  expect(detail.plan).toContain("Aggregate");
  expect(detail.stateBytes).toBeGreaterThan(0);
  // every place has its own: no two nodes overlap, lines go from one to the other
  const overlap = (a: GraphNode, b: GraphNode): boolean =>
    a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;
  for (const [i, a] of detail.graph!.nodes.entries()) {
    expect(detail.graph!.nodes.slice(i + 1).filter((b) => overlap(a, b))).toEqual([]);
  }
  for (const edge of detail.graph!.edges) expect(edge.points.length).toBeGreaterThanOrEqual(2);

  expect(detail.late).toEqual([
    {
      operator: "0 stateStoreSave",
      rows: 2,
      samples: [
        {
          window: { start: "2024-01-01T10:00:00.000Z", end: "2024-01-01T10:00:10.000Z" },
          name: "late",
          "(rows)": 2,
        },
      ],
    },
  ]);
  // what the filter drops nobody counts, what comes to the watermark neither; what goes into the state is counted, and holds up to the watermark
  expect(lines(detail)).toEqual({
    "memory-stream -> Filter": true,
    "Filter -> EventTimeWatermark": false,
    "EventTimeWatermark -> TimeWindow": false,
    "TimeWindow -> Aggregate": true,
    "Aggregate -> first (noop)": true,
    "Aggregate -> kept (noop)": true,
  });

  const batch = await get<BatchDetail>(`queries/windows/batches/${detail.history.at(-1)!.batchId}`);
  expect(batch.spans.map((s) => s.phase)).toEqual(
    expect.arrayContaining(["latestOffset", "walCommit", "getBatch", "compute", "sink", "commitOffsets"]),
  );
  for (const span of batch.spans) {
    expect(span.startMs).toBeGreaterThanOrEqual(0);
    expect(span.startMs + span.ms).toBeLessThanOrEqual(batch.ms + 5);
  }
  expect((await fetch(`${observer.url}api/queries/windows/batches/99999`)).status).toBe(404);
  expect((await fetch(`${observer.url}api/queries/windows/batches/x`)).status).toBe(404);
  await query.stop();
});

test("a union and a stream used twice branch, and their sums hold", async () => {
  const stream = new MemoryStream(schema({ n: t.int }));
  const all = stream.toDF(spark);
  const query = await all
    .select("n")
    .union(all.filter(col("n").gt(1)).select("n"))
    .writeStream.queryName("branches")
    .format("noop")
    .start();
  stream.addData({ n: 1 }, { n: 2 });
  await query.processAllAvailable();
  await get("queries/branches");
  const detail = await get<QueryDetail>("queries/branches");
  const of = (kind: GraphNode["kind"]): number => detail.graph!.nodes.filter((n) => n.kind === kind).length;
  expect([of("source"), of("sink")]).toEqual([1, 1]);
  // a lone sink is called the same everywhere
  expect(detail.sinks.map((s) => s.name)).toEqual(detail.graph!.nodes.flatMap((n) => n.sink ?? []));
  const source = detail.graph!.nodes.find((n) => n.kind === "source")!;
  expect(detail.graph!.edges.filter((e) => e.from === source.id)).toHaveLength(2);
  await query.stop();
});

test("failures come with code, cause and remedy, and no password", async () => {
  const about = { id: "f-1", runId: "r", name: "failing" };
  publish("query.started", { ...about, timestamp: "2024-01-01T00:00:00.000Z" });
  for (let i = 0; i < 30; i++) {
    const error = new Error(`attempt ${i} at postgres://u:geheim@h/db`, { cause: new Error("password=geheim") });
    publish("query.restarting", { ...about, attempt: i, delayMs: 1, error });
  }
  const detail = await get<QueryDetail>("queries/failing");
  expect(detail.failures).toHaveLength(20);
  expect(detail.failures[0]).toMatchObject({ code: "Error", message: "attempt 29 at postgres://u:***@h/db" });
  expect(JSON.stringify(detail)).not.toContain("geheim");
});

test.each([
  [[], "Computing and writing to the sinks takes 89 % of a batch: 890 ms of 1.0 s."],
  [["ingested", "sink-before", "sink-after"], "Computing and writing to the sink db takes"],
  [["ingested", "state-committed", "sink-before", "sink-after"], "Writing to the sink db takes"],
] as const)("a query that falls behind names what takes its time: %j", async (steps, words) => {
  const about = { id: `b-${steps.length}`, runId: "r", name: "behind" };
  const start = Date.now() - 10_000;
  publish("query.started", { ...about, timestamp: new Date(start).toISOString() });
  for (let i = 0; i < 10; i++) {
    for (const step of steps) {
      publish("batch.step", { queryId: about.id, batchId: i, step, sink: "db" });
      // the sink takes longer than what was before it
      const until = performance.now() + (step === "sink-before" ? 3 : 0);
      while (performance.now() < until);
    }
    publish("query.progress", {
      ...about,
      progress: {
        ...about,
        timestamp: new Date(start + i * 1_000).toISOString(),
        batchId: i,
        batchDuration: 1_000,
        numInputRows: 10,
        durationMs: {
          latestOffset: steps.length > 0 ? 0 : 10,
          getBatch: steps.length > 0 ? 0 : 90,
          addBatch: 890,
          commitOffsets: 0,
          triggerExecution: 1_000,
        },
        stateOperators: [],
        sources: [
          {
            description: "KafkaV2[Subscribe[t]]",
            startOffset: { t: { 0: i * 10 } },
            endOffset: { t: { 0: i * 10 + 10 } },
            latestOffset: { t: { 0: (i + 1) * 100 } },
            numInputRows: 10,
          },
        ],
        sink: { description: "noop", numOutputRows: 10 },
      },
    });
  }
  const detail = await get<QueryDetail>("queries/behind");
  expect(detail.bottleneck).toContain(words);
  expect(detail.partitions).toEqual([
    {
      source: "KafkaV2[Subscribe[t]]",
      partition: "t-0",
      read: "100",
      latest: "1000",
      lagRows: 900,
      lagSeconds: expect.closeTo(90, -2),
    },
  ]);
});
