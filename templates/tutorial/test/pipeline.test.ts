import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { SparkSession, startStack } from "millrace";

// The whole pipeline runs here, on servers of its own in a folder of its own.
const folder = mkdtempSync(join(tmpdir(), "tutorial-"));
process.chdir(folder);
const stack = await startStack({ directory: join(folder, ".millrace"), ports: { kafka: 0, postgres: 0, redis: 0 } });
const spark = SparkSession.builder().getOrCreate();

after(async () => {
  await spark.stop();
  await stack.stop();
  process.chdir(tmpdir());
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

test("orders arrive in the lake and their sums in the database", { timeout: 120_000 }, async () => {
  const running = import("../src/pipeline.ts");
  running.catch(() => {}); // the queries say below what went wrong

  const orders = await rowsOf(() => spark.read.format("delta").load("orders").collect());
  for (const order of orders) assert.ok(order.amount > 0);
  const revenue = await rowsOf(() => spark.read.format("postgres").option("dbtable", "revenue").load().collect());
  for (const row of revenue) assert.ok(Math.abs(row.revenue / Number(row.orders) - row.average) < 0.01);

  for (const query of spark.streams.active) await query.stop();
  await running;
});

/** Asks until there are rows; before the first batch there is no table. */
async function rowsOf(ask: () => Promise<any[]>): Promise<any[]> {
  for (;;) {
    const rows = await ask().catch(() => []);
    if (rows.length > 0) return rows;
    for (const query of spark.streams.active) if (query.exception) throw query.exception;
    await setTimeout(200);
  }
}
