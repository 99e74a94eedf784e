import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { client } from "../../src/client/index.ts";
import { expr, SparkSession } from "../../src/index.ts";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";
import { startWorld, type World } from "./setup.ts";

const server = given(await sharedSpark());

describe.skipIf(server === undefined)("live views of what a query on Spark writes", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
  });

  test("batches over the bridge show as those of the embedded engine do", async () => {
    const spark = SparkSession.builder().remote(server!.url).getOrCreate();
    // Not by looking at the table again and again, as at one that no query writes.
    const views = { ticks: spark.view("ticks", { table: "ticks", key: "id", refreshMs: 600_000 }) };
    const query = await spark.readStream
      .format("rate")
      .option("rowsPerSecond", "20")
      .load()
      .select(expr("value % 5 as id"), expr("value"), expr("timestamp as at"))
      .writeStream.outputMode("update")
      .sink("database", "postgres", { dbtable: "ticks", key: "id" })
      .option("checkpointLocation", world.checkpoint())
      .start();
    const live = client<typeof views>(world.observer.url);
    const ticks = live.view("ticks");
    const batches = new Set<number>();
    ticks.subscribe((view, { kind }) => kind === "changes" && batches.add(view.batch!));
    await expect.poll(() => batches.size, { timeout: 90_000 }).toBeGreaterThan(2);
    await query.stop();
    const { rows } = await world.database.query("SELECT id, value, at FROM ticks ORDER BY id");
    const stored = rows.map((row) => ({ id: BigInt(row.id), value: BigInt(row.value), at: row.at }));
    await expect.poll(() => ticks.rows, { timeout: 10_000 }).toEqual(stored);
    live.close();
    await spark.stop();
  }, 180_000);
});
