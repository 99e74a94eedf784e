import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DuckDBBlobValue, DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kafka } from "../../src/connectors/kafka.ts";
import { KafkaClient, KafkaProducer } from "../../src/kafka/client/index.ts";
import { type KafkaServer, startKafkaServer } from "../../src/kafka/server.ts";

let folder: string;
let server: KafkaServer;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-restart-"));
  server = await startKafkaServer({ directory: join(folder, "kafka"), port: 0 });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

async function restart(): Promise<void> {
  const { port } = server;
  await server.close();
  server = await startKafkaServer({ directory: join(folder, "kafka"), port });
}

test("a waiting source and a busy producer get over a restart of the broker", async () => {
  const settings = { "bootstrap.servers": `127.0.0.1:${server.port}`, "retry.backoff.ms": "20" };
  const client = KafkaClient.connect(settings);
  await client.createTopics([{ name: "t", partitions: 2 }]);
  const producer = new KafkaProducer(client, { batchBytes: 200 });
  const source = await kafka.source!.openStream!({
    options: {
      "kafka.bootstrap.servers": settings["bootstrap.servers"],
      "kafka.retry.backoff.ms": "20",
      subscribe: "t",
      startingOffsets: "earliest",
    },
    paths: [],
    schema: undefined,
    queryId: "q",
    metadataPath: join(folder, "source"),
    temporaryPath: join(folder, "temporary"),
    columns: ["partition", "value"],
  });
  const duckdb = await (await DuckDBInstance.create(":memory:")).connect();
  const got: string[][] = [[], []];
  let at = await source.initialOffset();
  const values = Array.from({ length: 600 }, (_, i) => `record ${i}`);
  const pump = async (): Promise<void> => {
    for (let from = 0; from < values.length; from += 50) {
      const part = values.slice(from, from + 50);
      await Promise.all([0, 1].map((partition) => producer.sendColumns("t", partition, { values: part })));
      if (from === 150 || from === 400) await restart();
    }
  };
  const pumping = pump();
  while (got[0]!.length + got[1]!.length < 2 * values.length) {
    await source.waitForData!(at, 1_000, new AbortController().signal);
    const { end } = await source.latestOffset(at, "options");
    const input = await source.read(at, end);
    if (input.kind !== "sql") throw new Error("not sql");
    const reader = await duckdb.runAndReadAll(`SELECT "partition", "value" FROM ${input.from}`);
    for (const [partition, value] of reader.getRows()) {
      got[partition as number]!.push(Buffer.from((value as DuckDBBlobValue).bytes).toString());
    }
    await input.release?.();
    at = end;
  }
  await pumping;
  expect(got).toEqual([values, values]);
  await source.close();
  await producer.close();
  client.close();
  duckdb.closeSync();
});
