import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type DuckDBBlobValue, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kafkaTools, startRealKafka } from "../../services/kafka.ts";
import type { BatchInput, StreamSource } from "../../src/connectors/connector.ts";
import { kafka } from "../../src/connectors/kafka.ts";
import { KafkaClient } from "../../src/kafka/client/index.ts";
import { given } from "../needs.ts";

const PARTITIONS = 2;
const TOPIC = "transactions";

/** A random but repeatable history of several producers whose transactions overlap, and what a reader may see of it. */
function history(seed: number, steps: number): { lines: string[]; all: string[][]; committed: string[][] } {
  let state = seed;
  const random = (n: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
  const lines: string[] = [];
  const all: string[][] = [[], []];
  const visible = new Set<string>();
  const open = new Map<string, string[]>();
  const names = ["a", "b", "c"];
  for (let i = 0; i < steps; i++) {
    const name = names[random(names.length)]!;
    const pending = open.get(name);
    if (pending === undefined) {
      lines.push(`${name} begin`);
      open.set(name, []);
    } else if (pending.length === 0 || random(10) < 6) {
      const partition = random(PARTITIONS);
      const value = `${name}${i}`;
      lines.push(`${name} send ${partition} ${value}`);
      pending.push(value);
      all[partition]!.push(value);
    } else {
      const commit = random(2) === 0;
      lines.push(`${name} ${commit ? "commit" : "abort"}`);
      if (commit) for (const value of pending) visible.add(value);
      open.delete(name);
    }
  }
  for (const [name, pending] of open) {
    if (pending.length === 0) continue;
    lines.push(`${name} abort`);
  }
  // The last transaction of all stays open: nothing behind its first record is stable.
  lines.push("z begin", "z send 0 unstable");
  all[0]!.push("unstable");
  return { lines, all, committed: all.map((values) => values.filter((v) => visible.has(v))) };
}

let unavailable = "";
let bootstrap = "";
let stop: (() => Promise<void>) | undefined;
let folder: string;
const { lines, all, committed } = history(7, 300);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-committed-"));
  const tools = given(await kafkaTools());
  const broker = tools && given(await startRealKafka());
  if (tools === undefined || broker === undefined) {
    unavailable = "Apache Kafka is not available here";
    return;
  }
  ({ bootstrap, stop } = broker);
  const client = KafkaClient.connect({ "bootstrap.servers": bootstrap });
  await client.createTopics([{ name: TOPIC, partitions: PARTITIONS }]);
  client.close();
  const program = fileURLToPath(new URL("Transactions.java", import.meta.url));
  const result = await tools.run(program, [bootstrap, TOPIC], { stdin: `${lines.join("\n")}\n` });
  if (!result.stdout.includes("done")) throw new Error(result.stderr);
}, 120_000);

afterAll(async () => {
  await stop?.();
  await rm(folder, { recursive: true, force: true });
});

async function read(options: Record<string, string>, step: number): Promise<string[][]> {
  const source: StreamSource = await kafka.source!.openStream!({
    options: {
      "kafka.bootstrap.servers": bootstrap,
      subscribe: TOPIC,
      startingOffsets: "earliest",
      maxOffsetsPerTrigger: String(step),
      ...options,
    },
    paths: [],
    schema: undefined,
    queryId: "q",
    metadataPath: join(folder, `${Math.random()}`),
    temporaryPath: join(folder, "tmp"),
    columns: ["partition", "value"],
  });
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  const got: string[][] = [[], []];
  let at = await source.initialOffset();
  for (;;) {
    const { end } = await source.latestOffset(at, "options");
    if (JSON.stringify(end) === JSON.stringify(at)) break;
    const input: BatchInput = await source.read(at, end);
    if (input.kind !== "sql") throw new Error("not sql");
    const reader = await connection.runAndReadAll(`SELECT "partition", "value" FROM ${input.from}`);
    for (const [partition, value] of reader.getRows()) {
      got[partition as number]!.push(Buffer.from((value as DuckDBBlobValue).bytes).toString());
    }
    await input.release?.();
    at = end;
  }
  await source.close();
  connection.closeSync();
  return got;
}

test.for([
  [1_000_000, "8388608"],
  [1_000_000, "200"],
  [7, "8388608"],
  [3, "200"],
] as const)("%i offsets at a time, fetched by %s bytes", async ([step, bytes], context) => {
  if (unavailable !== "") return context.skip(unavailable);
  const options = { "kafka.max.partition.fetch.bytes": bytes };
  expect(await read({ ...options, "kafka.isolation.level": "read_committed" }, step)).toEqual(committed);
  expect(await read(options, step)).toEqual(all);
});
