import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { col, count, SparkSession } from "../../src/index.ts";
import { KafkaClient, KafkaProducer } from "../../src/kafka/client/index.ts";
import { type KafkaServer, startKafkaServer } from "../../src/kafka/server.ts";
import { runCli } from "./cli-process.ts";

let directory: string;
let kafka: KafkaServer;
let client: KafkaClient;
let producer: KafkaProducer;
let spark: SparkSession;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-state-"));
  kafka = await startKafkaServer({ directory: join(directory, "kafka"), port: 0 });
  client = KafkaClient.connect({ "bootstrap.servers": `127.0.0.1:${kafka.port}` });
  producer = new KafkaProducer(client);
  spark = new SparkSession();
});
afterAll(async () => {
  await spark?.stop();
  await producer?.close();
  client?.close();
  await kafka?.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

const state = (...args: string[]) =>
  runCli(["state", ...args, "--dir", directory], {
    cwd: directory,
    env: { MILLRACE_KAFKA: `127.0.0.1:${kafka.port}` },
  });

const send = (topic: string, ...values: string[]) =>
  producer.send(
    topic,
    values.map((value) => ({ partition: 0, key: value, value })),
  );

const words = (topic: string) =>
  spark.readStream
    .format("kafka")
    .option("kafka.bootstrap.servers", `127.0.0.1:${kafka.port}`)
    .option("subscribe", topic)
    .option("startingOffsets", "earliest")
    .load()
    .select(col("value").cast("string").as("word"));

/** Copies the topic to a table, to its end. */
async function copy(topic: string): Promise<string[]> {
  const query = await words(topic)
    .writeStream.format("delta")
    .option("checkpointLocation", join(directory, "checkpoints", topic))
    .trigger({ availableNow: true })
    .start(join(directory, `table-${topic}`));
  await query.awaitTermination();
  const rows = await spark.read
    .format("delta")
    .load(join(directory, `table-${topic}`))
    .collect();
  return rows.map((row) => String(row.word)).sort();
}

/** Counts the words of the topic; gives what changed. */
async function countWords(topic: string): Promise<Record<string, number>> {
  const changed: Record<string, number> = {};
  const query = await words(topic)
    .groupBy("word")
    .agg(count("*").as("n"))
    .writeStream.outputMode("update")
    .foreachBatch((rows) => {
      for (const row of rows) changed[String(row.word)] = Number(row.n);
    })
    .option("checkpointLocation", join(directory, "checkpoints", topic))
    .trigger({ availableNow: true })
    .start();
  await query.awaitTermination();
  return changed;
}

describe("state", () => {
  test("lists checkpoints with batch, state and offsets, and shows rows of the state", async () => {
    await client.createTopics([{ name: "counted", partitions: 1 }]);
    await client.createTopics([{ name: "plain", partitions: 1 }]);
    await send("counted", "a", "b", "a");
    await send("plain", "x");
    expect(await countWords("counted")).toEqual({ a: 2, b: 1 });
    expect(await copy("plain")).toEqual(["x"]);

    const listed = await state("--json");
    expect(listed.code).toBe(0);
    expect(JSON.parse(listed.stdout).checkpoints).toMatchObject([
      {
        name: "counted",
        batchId: 0,
        committedBatchId: 0,
        offsets: [{ counted: { 0: 3 } }],
        running: false,
        state: { rows: 2, operators: [{ operator: 0, part: "state", rows: 2, columns: ["word", "count()"] }] },
      },
      { name: "plain", batchId: 0, watermark: null, offsets: [{ plain: { 0: 1 } }], state: null },
    ]);
    expect((await state()).stdout).toMatch(/^counted\s+0\s+\S+Z\s+-\s+2\s+.*counted 3$/m);

    const shown = await state("show", "counted", "--json");
    expect(
      shown.stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { operator: 0, part: "state", word: "a", "count()": 2 },
      { operator: 0, part: "state", word: "b", "count()": 1 },
    ]);
    const one = await state("show", "counted", "--key", "b");
    expect(one.stdout).toMatch(/^operator 0, state: aggregate by \[.*\n.*\n.*\nb +1\n$/);
    expect(one.stderr).toContain("1 row");
  });

  test("what runs is left alone, and says so", async () => {
    await client.createTopics([{ name: "running", partitions: 1 }]);
    await send("running", "r");
    const query = await words("running")
      .groupBy("word")
      .count()
      .writeStream.format("noop")
      .outputMode("update")
      .option("checkpointLocation", join(directory, "checkpoints/running"))
      .start();
    await query.processAllAvailable();
    expect((await state()).stdout).toMatch(/^running\s.*\srunning\s/m);
    for (const args of [
      ["show", "running"],
      ["reset", "running", "--yes"],
    ]) {
      const { code, stderr } = await state(...args);
      expect(code).toBe(2);
      expect(stderr).toContain(`The query running runs: The checkpoint`);
      expect(stderr).toContain(`(process ${process.pid})`);
    }
    await query.stop();
    expect((await state("show", "running", "--json")).stdout).toContain('"word":"r"');
  });

  test("--to latest skips what was not read; the state goes on", async () => {
    await client.createTopics([{ name: "skipped", partitions: 1 }]);
    await send("skipped", "a", "a");
    expect(await countWords("skipped")).toEqual({ a: 2 });
    await send("skipped", "a", "a", "a");
    const { code, stderr } = await state("reset", "skipped", "--to", "latest", "--yes");
    expect({ code, stderr }).toMatchObject({ code: 0, stderr: expect.stringContaining("reset skipped") });
    await send("skipped", "a");
    expect(await countWords("skipped")).toEqual({ a: 3 });
    expect(await countWords("skipped")).toEqual({});
  });

  test("--to batch N and --to earliest deliver again; a query with state cannot go back", async () => {
    await client.createTopics([{ name: "again", partitions: 1 }]);
    for (const word of ["a", "b", "c"]) {
      await send("again", word);
      await copy("again");
    }
    expect((await state("reset", "again", "--to", "batch", "0", "--yes")).code).toBe(0);
    expect(await copy("again")).toEqual(["a", "b", "b", "c", "c"]);
    expect((await state("reset", "again", "--to", "earliest", "--yes")).code).toBe(0);
    expect(await copy("again")).toEqual(["a", "a", "b", "b", "b", "c", "c", "c"]);
    expect(await copy("again")).toEqual(["a", "a", "b", "b", "b", "c", "c", "c"]);
    const missing = await state("reset", "again", "--to", "batch", "99", "--yes");
    expect(missing.stderr).toContain("again has no batch 99 any more.");
    const back = await state("reset", "counted", "--to", "earliest", "--yes");
    expect(back.code).toBe(2);
    expect(back.stderr).toContain("counted keeps state, which is that of its last batch: it cannot go back.");
  });

  test("without --to it begins anew; what was before is kept aside, and nothing happens unasked", async () => {
    const asked = await state("reset", "counted");
    expect(asked.code).toBe(2);
    expect(asked.stderr).toContain("counted begins anew: it forgets its offsets and its state");
    expect(existsSync(join(directory, "checkpoints/counted"))).toBe(true);
    const done = await state("reset", "counted", "--yes", "--json");
    const { before } = JSON.parse(done.stdout);
    expect(readdirSync(before)).toContain("offsets");
    expect(await countWords("counted")).toEqual({ a: 2, b: 1 });
    expect((await state()).stdout).not.toContain("removed-");
  });

  test.each([
    [["show", "contued"], "Did you mean counted?"],
    [["show", "plain"], "The query plain keeps no state."],
    [["show", "counted", "--operator", "7"], "counted has no operator 7."],
    [["reset", "counted", "--to", "yesterday"], '--to cannot be "yesterday".'],
  ])("%j says what is wrong", async (args, message) => {
    const { code, stderr, stdout } = await state(...args);
    expect(stderr).toContain(message);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});
