import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lockDirectory } from "../dir-lock.ts";
import { SparkSession } from "../session.ts";
import { Program } from "./program.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "millrace-program-"));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

/** A program as its module would be: what it starts. */
const rates = (name: string, checkpoint: string, condition = "value >= 0") =>
  SparkSession.builder()
    .getOrCreate()
    .readStream.format("rate")
    .option("rowsPerSecond", 100)
    .load()
    .filter(condition)
    .writeStream.queryName(name)
    .format("noop")
    .option("checkpointLocation", join(folder, checkpoint))
    .start();

test("a version that is given up while it starts a query leaves nothing behind", async () => {
  const program = new Program();
  // Let go of the load at the very moment when its query is being opened.
  const first = program.exchange(async () => {
    const starting = rates("a", "given-up");
    await new Promise((resolve) => setImmediate(resolve));
    program.supersede();
    await starting;
  });
  expect(await first).toMatchObject({ kind: "refused", running: false, error: { code: "STOPPED" } });
  // The checkpoint is free again.
  expect(await program.exchange(() => rates("a", "given-up"))).toMatchObject({
    kind: "loaded",
    queries: { added: ["a"] },
  });
  await program.stop();
});

test("a new version that cannot start leaves the old queries as they were", async () => {
  const program = new Program();
  await program.exchange(async () => {
    await rates("a", "a");
    await rates("b", "b");
  });
  const other = await lockDirectory(join(folder, "held", "_millrace"));
  const before = program.queries;
  // It takes a checkpoint that another process has: known only when it starts, after the old ones have ended.
  const refused = await program.exchange(async () => {
    await rates("a", "a", "value > 1");
    await rates("b", "held");
  });
  expect(refused).toMatchObject({ kind: "refused", running: true, error: { code: "CHECKPOINT_IN_USE" } });
  expect(program.queries).toEqual(before);
  await other.release();
  const loaded = await program.exchange(async () => {
    await rates("a", "a", "value > 1");
    await rates("b", "b");
  });
  expect(loaded).toMatchObject({ kind: "loaded", queries: { changed: ["a"], same: ["b"] } });
  await program.stop();
});

test("the program of an old version hears nothing of the end of its queries", async () => {
  const program = new Program();
  let woken = false;
  const load = (condition: string) => async () => {
    const query = await rates("a", "silent", condition);
    void query.awaitTermination().then(() => {
      woken = true;
    });
  };
  await program.exchange(load("value > 0"));
  const changed = await program.exchange(load("value > 1"));
  expect(changed).toMatchObject({ queries: { changed: ["a"], anew: [] } });
  expect(woken).toBe(false);
  await program.stop();
  // Of the version that runs, it does.
  await expect.poll(() => woken).toBe(true);
});

test("a query that only calls other TypeScript is started again, from its checkpoint", async () => {
  const program = new Program();
  const load = (limit: number) => () =>
    SparkSession.builder()
      .getOrCreate()
      .readStream.format("rate")
      .load()
      .filter((row) => row.value > limit)
      .writeStream.queryName("f")
      .format("noop")
      .option("checkpointLocation", join(folder, "functions"))
      .start();
  await program.exchange(load(1));
  expect(await program.exchange(load(2))).toMatchObject({
    queries: { restarted: ["f"], changed: [], same: [], anew: [] },
  });
  await program.stop();
});
