import fc from "fast-check";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ClientOptions, client, type LiveView } from "../../src/client/index.ts";
import { openTargets, wroteBeside } from "../../src/connectors/written.ts";
import { MemoryStream } from "../../src/testing/memory-stream.ts";
import { type Infer, schema, t } from "../../src/types/schema.ts";
import { startWorld, type World } from "./setup.ts";

/** Every batch writes pairs: two rows of the same number with the same value. A reader that sees them differ, saw half of a batch. */
const Half = schema({ pair: t.int, side: t.string, value: t.long, version: t.int });

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** A connection that is cut and held up at will. */
function unsteady(): { fetch: NonNullable<ClientOptions["fetch"]>; cut(): void; hold(ms: number): void } {
  let cutNow = (): void => {};
  let heldUntil = 0;
  return {
    cut: () => cutNow(),
    hold: (ms) => {
      heldUntil = performance.now() + ms;
    },
    async fetch(url, { headers, signal }) {
      const cutter = new AbortController();
      cutNow = () => cutter.abort();
      const response = await fetch(url, { headers, signal: AbortSignal.any([signal, cutter.signal]) });
      const slow = new TransformStream<Uint8Array, Uint8Array>(
        {
          async transform(chunk, controller) {
            while (performance.now() < heldUntil) await new Promise((resolve) => setTimeout(resolve, 5));
            controller.enqueue(chunk);
          },
        },
        { highWaterMark: 1 },
        { highWaterMark: 0 },
      );
      return new Response(response.body?.pipeThrough(slow) ?? null, response);
    },
  };
}

type HalfRow = Infer<typeof Half>;

function watchPairs(view: LiveView<HalfRow>, faults: string[]): void {
  view.subscribe(() => {
    const left = new Map(view.rows.filter((row) => row.side === "left").map((row) => [row.pair, row.value]));
    for (const row of view.rows) {
      if (row.side === "right" && left.get(row.pair) !== row.value) {
        faults.push(`${view.name} batch ${view.batch}: pair ${row.pair} is ${left.get(row.pair)} and ${row.value}`);
      }
    }
  });
}

const batch = fc.uniqueArray(
  fc.record({ pair: fc.integer({ min: 0, max: 12 }), version: fc.integer({ min: 0, max: 30 }) }),
  { minLength: 1, maxLength: 6, selector: (row) => row.pair },
);
const step = fc.oneof(
  { weight: 6, arbitrary: batch.map((rows) => ({ kind: "batch" as const, rows })) },
  { weight: 2, arbitrary: fc.integer({ min: 0, max: 2 }).map((reader) => ({ kind: "cut" as const, reader })) },
  {
    weight: 2,
    arbitrary: fc
      .record({ reader: fc.integer({ min: 0, max: 2 }), ms: fc.integer({ min: 20, max: 300 }) })
      .map((hold) => ({ kind: "hold" as const, ...hold })),
  },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 2 }).map((reader) => ({ kind: "anew" as const, reader })) },
  // Something else is said to have written there: the views read their stores again, beside the batches that follow.
  { weight: 3, arbitrary: fc.constant({ kind: "beside" as const }) },
  { weight: 2, arbitrary: fc.integer({ min: 5, max: 120 }).map((ms) => ({ kind: "rest" as const, ms })) },
);

test("once all is quiet readers have what the store has, and they never saw half a batch", async () => {
  const { spark, observer, database, cache } = world;
  const views = {
    halves: spark.view("halves", { table: "halves", schema: Half }),
    cached: spark.view("cached", { cache: "half:*", key: "half:{pair}:{side}", schema: Half }),
    newest: spark.view("newest", { table: "halves", schema: Half, orderBy: "version desc, pair", limit: 7 }),
    odd: spark.view("odd", { table: "halves", schema: Half, where: "value % 2 = 1" }),
  };
  const source = new MemoryStream(Half);
  const query = await source
    .toDF(spark, { maxBlocksPerTrigger: 1 })
    .writeStream.outputMode("update")
    .sink("database", "postgres", { dbtable: "halves", key: "pair,side" })
    .sink("cache", "redis", { key: "half:{pair}:{side}", version: "version" })
    .option("checkpointLocation", world.checkpoint())
    .start();
  const faults: string[] = [];
  let value = 0n;

  const open = () => {
    const connection = unsteady();
    const c = client<typeof views>(observer.url, { fetch: connection.fetch });
    const followed = {
      halves: c.view("halves"),
      cached: c.view("cached"),
      newest: c.view("newest"),
      odd: c.view("odd"),
    };
    for (const view of [followed.halves, followed.cached, followed.odd]) watchPairs(view, faults);
    return { ...connection, ...followed, close: () => c.close() };
  };
  const readers = [open(), open(), open()];

  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 25 }), async (steps) => {
      for (const step of steps) {
        if (step.kind === "batch") {
          source.addData(
            ...step.rows.flatMap(({ pair, version }) => {
              value++;
              return ["left", "right"].map((side) => ({ pair, side, value, version }));
            }),
          );
        } else if (step.kind === "cut") readers[step.reader]!.cut();
        else if (step.kind === "hold") readers[step.reader]!.hold(step.ms);
        else if (step.kind === "beside") for (const target of openTargets()) wroteBeside(target);
        else if (step.kind === "rest") await new Promise((resolve) => setTimeout(resolve, step.ms));
        else {
          readers[step.reader]!.close();
          readers[step.reader] = open();
        }
      }
      await query.processAllAvailable();
      const stored = async (rest: string): Promise<unknown[]> => {
        const { rows } = await database.query(`SELECT pair, side, value, version FROM halves ${rest}`);
        return rows.map((row) => ({ ...row, value: BigInt(row.value) }));
      };
      const exists = await database.query("SELECT to_regclass('halves') IS NOT NULL AS yes");
      if (!exists.rows[0].yes || value === 0n) return;
      const expected = {
        halves: await stored("ORDER BY pair, side"),
        newest: await stored("ORDER BY version DESC, pair, side LIMIT 7"),
        odd: await stored("WHERE value % 2 = 1 ORDER BY pair, side"),
        cached: (await Promise.all((await cache.keys("half:*")).map((key) => cache.hgetall(key))))
          .map((h) => ({ pair: Number(h.pair), side: h.side, value: BigInt(h.value!), version: Number(h.version) }))
          .sort((a, b) => a.pair - b.pair || (a.side! < b.side! ? -1 : 1)),
      };
      for (const reader of readers) {
        for (const name of ["halves", "cached", "newest", "odd"] as const) {
          await expect.poll(() => reader[name].rows, { timeout: 9_000, interval: 10 }).toEqual(expected[name]);
        }
      }
      expect(faults).toEqual([]);
    }),
    { numRuns: Number(process.env.MILLRACE_VIEW_RUNS ?? 15), endOnFailure: true },
  );
  for (const reader of readers) reader.close();
  await query.stop();
}, 300_000);
