import { spawn } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { col, count, type MillraceError } from "millrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bench, bench, failure } from "./setup.ts";

let b: Bench;
beforeAll(async () => {
  b = await bench();
});
afterAll(() => b.close());

/** Counts by value in complete mode into a lake: a query with state whose result is easy to say. */
async function pipeline(name: string) {
  const topic = await b.topic(["a", "b", "a"]);
  const checkpoint = b.path(name);
  const lake = b.path(`${name}-lake`);
  const run = async (): Promise<void> => {
    const query = await b.spark.readStream
      .format("kafka")
      .option("subscribe", topic)
      .option("startingOffsets", "earliest")
      .load()
      .groupBy(col("value").cast("string").as("word"))
      .agg(count("*").as("n"))
      .writeStream.format("delta")
      .outputMode("complete")
      .option("checkpointLocation", checkpoint)
      .trigger({ availableNow: true })
      .start(lake);
    await query.awaitTermination();
  };
  const result = async () =>
    Object.fromEntries((await b.spark.read.delta(lake).collect()).map((r: any) => [r.word, Number(r.n)]));
  return { topic, checkpoint, lake, run, result };
}

describe("a damaged file in the checkpoint is named, and what was written stays", () => {
  const damages: readonly (readonly [string, (file: string) => void])[] = [
    ["empty", (file) => writeFileSync(file, "")],
    ["cut off", (file) => truncateSync(file, Math.floor(readFileSync(file).length / 2))],
    ["overwritten", (file) => writeFileSync(file, "\u0000\u0001 garbage")],
  ];
  const files = ["metadata", "offsets/1", "commits/1", "_millrace/state.duckdb"];
  test.each(files.flatMap((file) => damages.map(([how]) => [file, how] as const)))("%s %s", async (file, how) => {
    const { topic, checkpoint, run, result } = await pipeline(`${file.replaceAll("/", "-")}-${how}`);
    await run();
    await b.put(topic, ["c"]);
    await run();
    const path = join(checkpoint, file);
    expect(existsSync(path)).toBe(true);
    cpSync(checkpoint, `${checkpoint}-good`, { recursive: true });
    damages.find(([name]) => name === how)![1](path);
    await b.put(topic, ["d"]);
    const error = await failure(run());
    expect(error.code).toMatch(/^CHECKPOINT_(CORRUPT|DIVERGED)$/);
    expect(error.message).toContain(path);
    expect(error.hint).toBeDefined();
    expect(await result()).toEqual({ a: 2, b: 1, c: 1 });
    // The hint is good advice: with the file restored all goes on.
    rmSync(checkpoint, { recursive: true });
    cpSync(`${checkpoint}-good`, checkpoint, { recursive: true });
    await run();
    expect(await result()).toEqual({ a: 2, b: 1, c: 1, d: 1 });
  });

  // Where a query starts, asked for as long as batch 0 is not done.
  test.each(damages)("sources/0/0 %s", async (how, damage) => {
    const topic = await b.topic(["a"]);
    let rows = 0;
    const run = async (works: boolean): Promise<void> => {
      const query = await b.spark.readStream
        .format("kafka")
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        .load()
        .writeStream.foreachBatch((batch) => {
          if (!works) throw new Error("down");
          rows += batch.length;
        })
        .option("checkpointLocation", b.path(`start-${how}`))
        .trigger({ availableNow: true })
        .start();
      await query.awaitTermination();
    };
    expect((await failure(run(false))).message).toContain("down");
    const file = b.path(`start-${how}`, "sources/0/0");
    const good = readFileSync(file);
    damage(file);
    const error = await failure(run(true));
    expect(error.code).toBe("CHECKPOINT_CORRUPT");
    expect(error.message).toContain(file);
    expect(rows).toBe(0);
    writeFileSync(file, good);
    await run(true);
    expect(rows).toBe(1);
  });

  test.each(["metadata", "offsets/0", "commits/1", "_millrace/state.duckdb"])("%s missing", async (file) => {
    const { topic, checkpoint, run, result } = await pipeline(`no-${file.replaceAll("/", "-")}`);
    await run();
    await b.put(topic, ["c"]);
    await run();
    rmSync(join(checkpoint, file));
    if (file === "commits/1") {
      // As after a crash before the commit: the batch is delivered again, to no effect.
      await run();
    } else {
      const error = await failure(run());
      expect(error.code).toMatch(/^CHECKPOINT_(CORRUPT|DIVERGED)$/);
      expect(error.message).toContain(checkpoint);
    }
    expect(await result()).toEqual({ a: 2, b: 1, c: 1 });
  });

  test("a half-written file that a crash left behind does no harm", async () => {
    const { topic, checkpoint, run, result } = await pipeline("leftover");
    await run();
    const left = ".1.0f0f0f0f-0000-4000-8000-000000000000.tmp";
    writeFileSync(join(checkpoint, "offsets", left), "v1");
    await b.put(topic, ["c"]);
    await run();
    expect(await result()).toEqual({ a: 2, b: 1, c: 1 });
    expect(readdirSync(join(checkpoint, "offsets"))).not.toContain(left);
  });
});

describe("a checkpoint that is not this query's, or not of this moment", () => {
  test("another query's state", async () => {
    const { topic, checkpoint, run, lake } = await pipeline("other");
    await run();
    const other = b.spark.readStream
      .format("kafka")
      .option("subscribe", topic)
      .load()
      .groupBy("partition")
      .agg(count("*").as("n"))
      .writeStream.format("delta")
      .outputMode("complete")
      .option("checkpointLocation", checkpoint)
      .start(`${lake}-2`);
    const error = await failure(other);
    expect(error.code).toBe("STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA");
    expect(error.message).toContain(checkpoint);
  });

  test("another topic under the same query: the topics that are gone are named", async () => {
    const { checkpoint, run } = await pipeline("topic");
    await run();
    const other = await b.topic(["x"]);
    const query = b.spark.readStream
      .format("kafka")
      .option("subscribe", other)
      .load()
      .groupBy(col("value").cast("string").as("word"))
      .agg(count("*").as("n"))
      .writeStream.format("noop")
      .outputMode("complete")
      .option("checkpointLocation", checkpoint)
      .trigger({ availableNow: true })
      .start();
    const error = await failure(query.then((q) => q.awaitTermination()));
    expect(error.code).toMatch(/^KAFKA_DATA_LOSS\.PARTITIONS_DELETED|^CHECKPOINT_/);
  });

  test("restored from an older copy: refused, nothing twice in the lake", async () => {
    const { topic, checkpoint, run, result } = await pipeline("older");
    await run();
    cpSync(checkpoint, `${checkpoint}-copy`, { recursive: true });
    await b.put(topic, ["c"]);
    await run();
    rmSync(checkpoint, { recursive: true });
    cpSync(`${checkpoint}-copy`, checkpoint, { recursive: true });
    await b.put(topic, ["d"]);
    const error: MillraceError = await failure(run());
    expect(error.code).toBe("CHECKPOINT_DIVERGED");
    expect(error.message).toContain("delta");
    expect(await result()).toEqual({ a: 2, b: 1, c: 1 });
  });

  test("a lake whose log is damaged: the file is named", async () => {
    const one = await pipeline("damaged-lake");
    await one.run();
    appendFileSync(join(one.lake, "_delta_log", "00000000000000000000.json"), "{ no json");
    const error = await failure(one.result());
    expect(error.code).toBe("DELTA_CORRUPT");
    expect(error.message).toContain("00000000000000000000.json");
  });
});

test.each(["gone", "cut off"])("a data file of the lake that is %s is named", async (how) => {
  const lake = b.path(`lake-${how}`);
  await b.spark.range(5).write.delta(lake);
  const file = join(lake, readdirSync(lake).find((name) => name.endsWith(".parquet"))!);
  if (how === "gone") rmSync(file);
  else truncateSync(file, 30);
  const error = await failure(b.spark.read.delta(lake).collect());
  expect(error.code).toBe("DELTA_CORRUPT");
  expect(error.message).toContain(file);
});

test("a memory limit that is none is not taken for a damaged checkpoint", async () => {
  b.spark.conf.set("millrace.engine.memoryLimit", "lots");
  try {
    const { run } = await pipeline("limit");
    const error = await failure(run());
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain("lots");
  } finally {
    b.spark.conf.set("millrace.engine.memoryLimit", "512MiB");
  }
});

describe("two at once", () => {
  const holder = (script: string) =>
    spawn(process.execPath, ["--input-type=module", "-e", script], {
      cwd: join(import.meta.dirname, "../.."),
      stdio: ["pipe", "pipe", "inherit"],
    });

  test("a second process on a checkpoint is told who holds it; when that one is killed it can go on", async () => {
    const { checkpoint, run, result } = await pipeline("held");
    const child = holder(`
      import { lockDirectory } from "./src/dir-lock.ts";
      await lockDirectory(${JSON.stringify(join(checkpoint, "_millrace"))});
      console.log("held");
      process.stdin.resume();
    `);
    const ended = new Promise((resolve) => child.once("exit", resolve));
    try {
      await new Promise((resolve) => child.stdout.once("data", resolve));
      const error = await failure(run());
      expect(error.code).toBe("CHECKPOINT_IN_USE");
      expect(error.message).toContain(checkpoint);
      expect(error.message).toContain(String(child.pid));
    } finally {
      child.kill("SIGKILL");
      await ended;
    }
    await run();
    expect(await result()).toEqual({ a: 2, b: 1 });
  });
});
