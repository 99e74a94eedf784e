import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import type { DataFrame } from "../../src/dataframe/dataframe.ts";
import { avg, col, count, max, sum, window } from "../../src/dataframe/functions.ts";
import { readLedger } from "../../src/testing/ledger.ts";
import { MemoryStream } from "../../src/testing/memory-stream.ts";
import type { StatefulProcessor, StatefulProcessorHandle, ValueState } from "../../src/types/stateful.ts";
import { EVENT, type Event as EventOf } from "./event.ts";
import { TestSession } from "./session.ts";

type Event = EventOf<null>;

/** Keeps a sum that depends on the order of the rows. */
class Chain implements StatefulProcessor<string | null, Event, { key: string | null; ts: Date; chain: number }> {
  #state!: ValueState<number>;

  init(handle: StatefulProcessorHandle): void {
    this.#state = handle.getValueState<number>("chain", { kind: "double" });
  }

  *handleInputRows(key: string | null, rows: Iterable<Event>) {
    for (const row of rows) {
      const chain = ((this.#state.get() ?? 1) * 31 + (row.value ?? 7)) % 1_000_003;
      this.#state.update(chain);
      yield { key, ts: row.ts, chain };
    }
  }
}

type Rows = Record<string, unknown>[];

/** Queries whose final result must not depend on how their input falls into batches. */
const queries: Record<
  string,
  { build(df: DataFrame<Event>): DataFrame<any>; mode: "append" | "update" | "complete"; result(rows: Rows): unknown }
> = {
  "projection and filter": {
    mode: "append",
    build: (df) => df.filter(col("value").gt(3)).select("key", col("value").plus(1).as("v")),
    result: sortedRows,
  },
  "windowed aggregation, update": {
    mode: "update",
    build: (df) => hourly(df),
    result: (rows) => sortedRows(lastByKey(rows, "start", "key")),
  },
  "windowed aggregation, append": { mode: "append", build: (df) => hourly(df), result: sortedRows },
  "aggregation without a watermark, complete": {
    mode: "complete",
    build: (df) => df.groupBy("key").agg(count("*").as("n"), sum("value").as("s"), avg("value").as("a")),
    result: sortedRows,
  },
  "sliding windows": {
    mode: "append",
    build: (df) =>
      df
        .withWatermark("ts", "1 day")
        .groupBy(window("ts", "1 hour", "30 minutes"))
        .agg(count("*").as("n"))
        .select(col("window.start").as("start"), "n"),
    result: sortedRows,
  },
  "first rows": {
    mode: "append",
    build: (df) => df.dropDuplicates("key", "value").select("key", "value"),
    result: sortedRows,
  },
  "first rows within a watermark": {
    mode: "append",
    build: (df) => df.withWatermark("ts", "1 day").dropDuplicatesWithinWatermark("key").select("key"),
    result: sortedRows,
  },
  "a chain of two stateful operators": {
    mode: "append",
    build: (df) =>
      df
        .withWatermark("ts", "1 day")
        .groupBy(window("ts", "10 minutes"), "key")
        .agg(count("*").as("n"))
        .groupBy(window("window", "1 hour"), "key")
        .agg(sum("n").as("n"), max("n").as("most"))
        .select(col("window.start").as("start"), "key", "n", "most"),
    result: sortedRows,
  },
  "a stateful TypeScript function": {
    mode: "append",
    build: (df) =>
      df.groupByKey("key").transformWithState(Chain, {
        schema: {
          kind: "struct",
          fields: [
            { name: "key", type: { kind: "string" }, nullable: true },
            { name: "ts", type: { kind: "timestamp" }, nullable: true },
            { name: "chain", type: { kind: "double" }, nullable: true },
          ],
        } as any,
        orderBy: "ts",
      }),
    result: sortedRows,
  },
  "two inputs": {
    mode: "append",
    build: (df) =>
      df
        .filter(col("value").lt(5))
        .select("key")
        .union(df.filter(col("value").ge(5)).select("key")),
    result: sortedRows,
  },
};

function hourly(df: DataFrame<Event>): DataFrame<any> {
  return df
    .withWatermark("ts", "1 day")
    .groupBy(window("ts", "1 hour"), "key")
    .agg(count("*").as("n"), avg("value").as("a"), max("value").as("m"))
    .select(col("window.start").as("start"), "key", "n", "a", "m");
}

function sortedRows(rows: Rows): string[] {
  return rows
    .map((row) => JSON.stringify(row, (_, v) => (typeof v === "number" ? Number(v.toPrecision(12)) : v)))
    .sort();
}

function lastByKey(rows: Rows, ...keys: string[]): Rows {
  return [...new Map(rows.map((row) => [JSON.stringify(keys.map((key) => row[key])), row])).values()];
}

const root = mkdtempSync(join(tmpdir(), "millrace-splits-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let runs = 0;

/**
 * Runs a query over blocks of rows, at most `perBatch` blocks a batch, and stops and starts it again after each number of blocks in
 * `stops`. Gives all rows delivered (of complete mode: the last batch).
 */
async function run(name: string, blocks: Event[][], perBatch: number, stops: number[]): Promise<unknown> {
  const query = queries[name]!;
  const path = join(root, String(runs++));
  const session = new TestSession();
  const stream = new MemoryStream<Event>(EVENT);
  const start = () =>
    query
      .build(stream.toDF(session, { maxBlocksPerTrigger: perBatch }))
      .writeStream.format("ledger")
      .outputMode(query.mode)
      .option("checkpointLocation", join(path, "checkpoint"))
      .start(join(path, "out"));
  let running = await start();
  for (const [i, block] of blocks.entries()) {
    stream.addData(...block);
    if (!stops.includes(i)) continue;
    await running.processAllAvailable();
    await running.stop();
    running = await start();
  }
  await running.processAllAvailable();
  await running.stop();
  const batches = readLedger(join(path, "out"));
  const rows = query.mode === "complete" ? batches.at(-1)!.rows : batches.flatMap((batch) => batch.rows);
  return query.result(rows as Rows);
}

const event = fc.record({
  // within half a day, so that nothing is late under a watermark of a day
  ts: fc.integer({ min: 0, max: 720 }).map((minute) => new Date(Date.UTC(2026, 0, 1, 0, minute))),
  key: fc.constantFrom("a", "b", "c", null),
  value: fc.option(fc.integer({ min: 0, max: 9 }), { nil: null }),
});

/** Closes all windows: far later than everything else. */
const END: Event[] = [{ ts: new Date(Date.UTC(2026, 0, 9)), key: "end", value: 99 }];

describe.each(Object.keys(queries))("%s", (name) => {
  test("gives the same result however its input falls into batches, and over stops at any batch", async () => {
    await fc.assert(
      fc.asyncProperty(
        // one time for each event, so that the order of a key's rows is the same in any split
        fc.uniqueArray(event, { minLength: 1, maxLength: 40, selector: (e) => e.ts.getTime() }),
        fc.array(fc.nat(40), { maxLength: 6 }),
        fc.integer({ min: 1, max: 3 }),
        async (events, cuts, perBatch) => {
          const ordered = name.includes("TypeScript")
            ? [...events].sort((a, b) => a.ts.getTime() - b.ts.getTime())
            : events;
          const whole = await run(name, [ordered, END], 1, []);
          const borders = [0, ...cuts.filter((cut) => cut < ordered.length), ordered.length].sort((a, b) => a - b);
          const blocks = borders.slice(1).map((to, i) => ordered.slice(borders[i], to));
          const split = await run(
            name,
            [...blocks, END],
            perBatch,
            blocks.map((_, i) => i).filter((i) => i % 2 === 1),
          );
          expect(split).toEqual(whole);
        },
      ),
      { numRuns: 5 },
    );
  });
});
