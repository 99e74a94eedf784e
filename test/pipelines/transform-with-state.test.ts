import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { StreamingQueryHandle } from "../../src/backend.ts";
import { memoryTable } from "../../src/connectors/memory.ts";
import { MillraceError } from "../../src/errors.ts";
import { readLedger } from "../../src/testing/ledger.ts";
import { ManualClock } from "../../src/testing/manual-clock.ts";
import { MemoryStream } from "../../src/testing/memory-stream.ts";
import type { StructType } from "../../src/types/data-type.ts";
import { schema, t } from "../../src/types/schema.ts";
import type {
  ExpiredTimer,
  ListState,
  MapState,
  StatefulProcessor,
  StatefulProcessorHandle,
  TimerValues,
  ValueState,
} from "../../src/types/stateful.ts";
import { TestSession } from "./session.ts";

const EVENT: StructType = {
  kind: "struct",
  fields: [
    { name: "user", type: { kind: "string" }, nullable: true },
    { name: "ts", type: { kind: "timestamp" }, nullable: true },
    { name: "n", type: { kind: "integer" }, nullable: true },
  ],
};
interface Event {
  user: string | null;
  ts: Date;
  n: number;
}

let root: string;
const sessions: TestSession[] = [];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "millrace-tws-"));
});
afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
  rmSync(root, { recursive: true, force: true });
});

function session(...args: ConstructorParameters<typeof TestSession>): TestSession {
  const made = new TestSession(...args);
  sessions.push(made);
  return made;
}

const SAYS = schema({ user: t.string, says: t.string });
type Says = { user: string | null; says: string };
type Processor = StatefulProcessor<string | null, Event, Says>;

let names = 0;

/** Runs a processor and gives what it says, batch by batch. */
class Harness {
  readonly stream = new MemoryStream<Event>(EVENT);
  readonly clock = new ManualClock(1_000_000);
  readonly name = `tws${names++}`;
  #seen = 0;
  query!: StreamingQueryHandle;

  async start(
    processor: () => Processor,
    options: { timeMode?: "none" | "processingTime" | "eventTime"; orderBy?: "ts" | "n"; watermark?: string } = {},
  ): Promise<this> {
    const { watermark, ...rest } = options;
    let df = this.stream.toDF(session({}, { clock: this.clock }));
    if (watermark !== undefined) df = df.withWatermark("ts", watermark);
    this.query = await df
      .groupByKey("user")
      .transformWithState(processor, { schema: SAYS, ...rest })
      .writeStream.format("memory")
      .queryName(this.name)
      .start();
    return this;
  }

  async batch(...rows: [user: string | null, second: number, n: number][]): Promise<string[]> {
    if (rows.length > 0)
      this.stream.addData(...rows.map(([user, second, n]) => ({ user, ts: new Date(second * 1000), n })));
    await this.query.processAllAvailable();
    const all = memoryTable(this.name)?.rows ?? [];
    const fresh = all.slice(this.#seen).map((row) => `${row.user}: ${row.says}`);
    this.#seen = all.length;
    return fresh;
  }
}

describe("state variables", () => {
  test("a value is kept for each key, null too, and can be cleared", async () => {
    class Sum implements Processor {
      #sum!: ValueState<number>;
      init(handle: StatefulProcessorHandle): void {
        this.#sum = handle.getValueState<number>("sum", t.long as any);
      }
      *handleInputRows(user: string | null, rows: Iterable<Event>) {
        for (const { n } of rows) {
          if (n < 0) this.#sum.clear();
          else this.#sum.update((BigInt(this.#sum.get() ?? 0) + BigInt(n)) as any);
        }
        yield { user, says: this.#sum.exists() ? String(this.#sum.get()) : "nothing" };
      }
    }
    const harness = await new Harness().start(() => new Sum());
    expect(await harness.batch(["b", 1, 2], ["a", 1, 1], [null, 1, 5], ["a", 2, 10])).toEqual([
      "null: 5",
      "a: 11",
      "b: 2",
    ]);
    expect(await harness.batch(["a", 3, 1], [null, 3, 1])).toEqual(["null: 6", "a: 12"]);
    expect(await harness.batch(["a", 4, -1])).toEqual(["a: nothing"]);
    expect(await harness.batch(["a", 5, 3], ["b", 5, 1])).toEqual(["a: 3", "b: 3"]);
    expect(harness.query.lastProgress?.stateOperators[0]).toMatchObject({
      operatorName: "transformWithStateExec",
      numRowsTotal: 3,
      numRowsUpdated: 2,
    });
  });

  test("lists keep their order and can be appended to, replaced and cleared", async () => {
    class Recent implements Processor {
      #list!: ListState<number>;
      init(handle: StatefulProcessorHandle): void {
        this.#list = handle.getListState<number>("list", t.int);
      }
      *handleInputRows(user: string | null, rows: Iterable<Event>) {
        for (const { n } of rows) {
          if (n === 0) this.#list.clear();
          else if (n < 0) this.#list.put([n, n]);
          else this.#list.appendList([n]);
        }
        yield { user, says: this.#list.get().join(" ") };
      }
    }
    const harness = await new Harness().start(() => new Recent());
    expect(await harness.batch(["a", 1, 3], ["a", 2, 1])).toEqual(["a: 3 1"]);
    expect(await harness.batch(["a", 3, 2], ["b", 3, 9])).toEqual(["a: 3 1 2", "b: 9"]);
    expect(await harness.batch(["a", 4, -7], ["a", 5, 4])).toEqual(["a: -7 -7 4"]);
    expect(await harness.batch(["a", 6, 5])).toEqual(["a: -7 -7 4 5"]);
    expect(await harness.batch(["a", 7, 0])).toEqual(["a: "]);
    expect(await harness.batch(["a", 8, 1], ["b", 8, 8])).toEqual(["a: 1", "b: 9 8"]);
  });

  test("maps, with structured keys and values", async () => {
    class Pairs implements Processor {
      #map!: MapState<{ n: number }, { seen: number; last: Date }>;
      init(handle: StatefulProcessorHandle): void {
        this.#map = handle.getMapState(
          "map",
          schema({ n: t.int }) as any,
          schema({ seen: t.int, last: t.timestamp }) as any,
        );
      }
      *handleInputRows(user: string | null, rows: Iterable<Event>) {
        for (const { n, ts } of rows) {
          if (n < 0) this.#map.removeKey({ n: -n });
          else this.#map.updateValue({ n }, { seen: (this.#map.getValue({ n })?.seen ?? 0) + 1, last: ts });
        }
        const all = [...this.#map.entries()].map(
          ([key, value]) => `${key.n}x${value.seen}@${value.last.getTime() / 1000}`,
        );
        yield { user, says: all.sort().join(" ") };
      }
    }
    const harness = await new Harness().start(() => new Pairs());
    expect(await harness.batch(["a", 1, 3], ["a", 2, 1], ["a", 3, 3])).toEqual(["a: 1x1@2 3x2@3"]);
    expect(await harness.batch(["a", 4, 3], ["a", 5, -1])).toEqual(["a: 3x3@4"]);
    expect(await harness.batch(["a", 6, 1])).toEqual(["a: 1x1@6 3x3@4"]);
  });

  test("survive a stop, in the middle of a key's life", async () => {
    class Count implements StatefulProcessor<string, Event, Says> {
      #n!: ValueState<number>;
      init(handle: StatefulProcessorHandle): void {
        this.#n = handle.getValueState<number>("n", t.int);
      }
      async *handleInputRows(user: string, rows: Iterable<Event>) {
        const n = (this.#n.get() ?? 0) + [...rows].length;
        await Promise.resolve();
        this.#n.update(n);
        yield { user, says: String(n) };
      }
    }
    const stream = new MemoryStream<Event>(EVENT);
    for (let run = 0; run < 3; run++) {
      const query = await stream
        .toDF(session())
        .groupByKey("user")
        .transformWithState(Count as any, { schema: SAYS })
        .writeStream.format("ledger")
        .option("checkpointLocation", join(root, "checkpoint"))
        .start(join(root, "out"));
      stream.addData({ user: "a", ts: new Date(run), n: 1 }, { user: "a", ts: new Date(run), n: 1 });
      await query.processAllAvailable();
      await query.stop();
    }
    expect(readLedger(join(root, "out")).flatMap((batch) => batch.rows)).toEqual([
      { user: "a", says: "2" },
      { user: "a", says: "4" },
      { user: "a", says: "6" },
    ]);
  });

  test("values with a time to live are gone when it has passed", async () => {
    class Session implements Processor {
      #n!: ValueState<number>;
      init(handle: StatefulProcessorHandle): void {
        this.#n = handle.getValueState<number>("n", t.int, { ttlMs: 10_000 });
      }
      *handleInputRows(user: string | null, rows: Iterable<Event>) {
        const n = (this.#n.get() ?? 0) + [...rows].length;
        this.#n.update(n);
        yield { user, says: String(n) };
      }
    }
    const harness = await new Harness().start(() => new Session(), { timeMode: "processingTime" });
    expect(await harness.batch(["a", 1, 1], ["b", 1, 1])).toEqual(["a: 1", "b: 1"]);
    harness.clock.advance(6_000);
    expect(await harness.batch(["a", 2, 1])).toEqual(["a: 2"]);
    harness.clock.advance(6_000);
    expect(await harness.batch(["a", 3, 1], ["b", 3, 1])).toEqual(["a: 3", "b: 1"]);
    harness.clock.advance(10_000);
    expect(await harness.batch(["a", 4, 1])).toEqual(["a: 1"]);
    expect(harness.query.lastProgress?.stateOperators[0]?.numRowsTotal).toBe(1);
  });
});

describe("rows and keys", () => {
  class Echo implements Processor {
    init(): void {}
    *handleInputRows(user: string | null, rows: Iterable<Event>) {
      yield { user, says: [...rows].map(({ n }) => n).join(" ") };
    }
  }

  test("come in order of arrival, or as asked for; keys in their own order", async () => {
    const rows: [string, number, number][] = [
      ["b", 3, 1],
      ["a", 3, 2],
      ["b", 1, 3],
      ["a", 2, 4],
      ["b", 2, 5],
    ];
    expect(await (await new Harness().start(() => new Echo())).batch(...rows)).toEqual(["a: 2 4", "b: 1 3 5"]);
    expect(await (await new Harness().start(() => new Echo(), { orderBy: "ts" })).batch(...rows)).toEqual([
      "a: 4 2",
      "b: 3 5 1",
    ]);
  });

  test("a TypeScript filter before it has dropped its rows", async () => {
    const stream = new MemoryStream<Event>(EVENT);
    const query = await stream
      .toDF(session())
      .filter((row) => row.n !== 2)
      .groupByKey("user")
      .transformWithState(() => new Echo(), { schema: SAYS })
      .writeStream.format("memory")
      .queryName("filtered")
      .start();
    for (const user of ["a", "b"]) {
      stream.addData(...[1, 2, 3].map((n) => ({ user, ts: new Date(0), n })));
      await query.processAllAvailable();
    }
    expect(memoryTable("filtered")?.rows.map((row) => row.says)).toEqual(["1 3", "1 3"]);
  });

  test("many keys and rows in one batch", async () => {
    const harness = await new Harness().start(() => new Echo());
    const rows = Array.from(
      { length: 30_000 },
      (_, i) => [`k${String(i % 15_000).padStart(5, "0")}`, i, i] as [string, number, number],
    );
    const said = await harness.batch(...rows);
    expect(said).toHaveLength(15_000);
    expect(said[7]).toBe("k00007: 7 15007");
  });
});

describe("timers", () => {
  /** Says so when a user has been silent for ten seconds. */
  class Silence implements Processor {
    #last!: ValueState<number>;
    #handle!: StatefulProcessorHandle;
    init(handle: StatefulProcessorHandle): void {
      this.#handle = handle;
      this.#last = handle.getValueState<number>("last", t.double);
    }
    *handleInputRows(user: string | null, rows: Iterable<Event>, timers: TimerValues) {
      for (const timer of this.#handle.listTimers()) this.#handle.deleteTimer(timer);
      const now = timers.processingTimeMs;
      this.#last.update(now);
      this.#handle.registerTimer(now + 10_000);
      yield { user, says: `${[...rows].length} rows` };
    }
    *handleExpiredTimer(user: string | null, timers: TimerValues, expired: ExpiredTimer) {
      yield {
        user,
        says: `silent since ${this.#last.get()}, due ${expired.expiryTimeMs}, now ${timers.processingTimeMs}`,
      };
      this.#last.clear();
    }
  }

  test("of the clock fire when their time has come, without any data", async () => {
    const harness = await new Harness().start(() => new Silence(), { timeMode: "processingTime" });
    expect(await harness.batch(["a", 1, 1], ["b", 1, 1])).toEqual(["a: 1 rows", "b: 1 rows"]);
    harness.clock.advance(5_000);
    expect(await harness.batch(["b", 1, 1])).toEqual(["b: 1 rows"]);
    harness.clock.advance(5_000);
    expect(await harness.batch()).toEqual(["a: silent since 1000000, due 1010000, now 1010000"]);
    expect(await harness.batch()).toEqual([]);
    harness.clock.advance(5_000);
    expect(await harness.batch(["a", 2, 1])).toEqual([
      "a: 1 rows",
      "b: silent since 1005000, due 1015000, now 1015000",
    ]);
    expect(harness.query.lastProgress?.stateOperators[0]?.numRowsTotal).toBe(1);
  });

  test("an idle query wakes for them", async () => {
    const harness = await new Harness().start(() => new Silence(), { timeMode: "processingTime" });
    await harness.batch(["a", 1, 1]);
    const fired = harness.query.lastProgress!.batchId + 1;
    // it sleeps until the timer is due, not for new data alone
    while (harness.clock.sleeping === 0) await new Promise((resolve) => setImmediate(resolve));
    harness.clock.advance(10_000);
    while ((harness.query.lastProgress?.batchId ?? 0) < fired) await new Promise((resolve) => setImmediate(resolve));
    expect(await harness.batch()).toEqual(["a: silent since 1000000, due 1010000, now 1010000"]);
  });

  test("of event time fire when the watermark reaches them, and late rows do not count", async () => {
    class Close implements Processor {
      #n!: ValueState<number>;
      #handle!: StatefulProcessorHandle;
      init(handle: StatefulProcessorHandle): void {
        this.#handle = handle;
        this.#n = handle.getValueState<number>("n", t.int);
      }
      handleInputRows(_user: string | null, rows: Iterable<Event>): Says[] {
        for (const { ts } of rows) {
          if (!this.#n.exists()) this.#handle.registerTimer(ts.getTime() + 10_000);
          this.#n.update((this.#n.get() ?? 0) + 1);
        }
        return [];
      }
      *handleExpiredTimer(user: string | null, timers: TimerValues, { expiryTimeMs }: ExpiredTimer) {
        yield { user, says: `${this.#n.get()} until ${expiryTimeMs / 1000} at ${timers.watermarkMs / 1000}` };
        this.#n.clear();
      }
    }
    const harness = await new Harness().start(() => new Close(), { timeMode: "eventTime", watermark: "5 seconds" });
    expect(await harness.batch(["a", 100, 1], ["b", 104, 1])).toEqual([]);
    expect(await harness.batch(["a", 108, 1])).toEqual([]);
    // the watermark becomes 112: a's timer at 110 is due
    expect(await harness.batch(["b", 117, 1])).toEqual(["a: 2 until 110 at 112"]);
    expect(await harness.batch(["a", 111, 1])).toEqual([]);
    expect(harness.query.lastProgress?.stateOperators[0]?.numRowsDroppedByWatermark).toBe(1);
    expect(await harness.batch(["c", 119, 1])).toEqual(["b: 2 until 114 at 114"]);
  });
});

describe("what is refused", () => {
  const refused = async (
    processor: () => Processor,
    options?: { timeMode?: "none" | "processingTime" },
  ): Promise<MillraceError> => {
    try {
      const harness = await new Harness().start(processor, options);
      await harness.batch(["a", 1, 1]);
    } catch (error) {
      const failed = error as MillraceError;
      return failed.code === "STREAM_FAILED" ? (failed.cause as MillraceError) : failed;
    }
    throw new Error("nothing was refused");
  };
  const processor =
    (parts: Partial<Processor>): (() => Processor) =>
    () => ({ init() {}, handleInputRows: () => [], ...parts });

  test("two variables of one name", async () => {
    const error = await refused(
      processor({
        init(handle) {
          handle.getValueState("x", t.int);
          handle.getListState("x", t.int);
        },
      }),
    );
    expect(error.code).toBe("STATEFUL_PROCESSOR_DUPLICATE_STATE_VARIABLE_DEFINED");
  });

  test("declaring outside init", async () => {
    let kept: StatefulProcessorHandle;
    const error = await refused(
      processor({
        init(handle) {
          kept = handle;
        },
        handleInputRows() {
          kept.getValueState("x", t.int);
          return [];
        },
      }),
    );
    expect(error.code).toBe("STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE");
  });

  test("timers without a time mode", async () => {
    let kept: StatefulProcessorHandle;
    const error = await refused(
      processor({
        init(handle) {
          kept = handle;
        },
        handleInputRows() {
          kept.registerTimer(1);
          return [];
        },
      }),
    );
    expect(error.code).toBe("STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE");
    expect(error.message).toContain("timeMode");
  });

  test("a value of another type, naming the variable", async () => {
    let state: ValueState<any>;
    const error = await refused(
      processor({
        init(handle) {
          state = handle.getValueState("x", t.int);
        },
        handleInputRows() {
          state.update("text");
          return [];
        },
      }),
    );
    expect(error.code).toBe("INVALID_VALUE");
  });

  test("an error in the processor names it", async () => {
    const error = await refused(
      processor({
        handleInputRows() {
          throw new Error("no luck");
        },
      }),
    );
    expect(error.code).toBe("USER_FUNCTION_FAILED");
    expect(error.message).toContain("no luck");
    expect(error).toBeInstanceOf(MillraceError);
  });

  test("results that are no rows", async () => {
    expect((await refused(processor({ handleInputRows: () => [5] as any }))).message).toContain("row");
    expect((await refused(processor({ handleInputRows: () => undefined as any }))).code).toBe("USER_FUNCTION_FAILED");
  });
});
