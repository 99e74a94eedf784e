import assert from "node:assert/strict";
import type { Guarantee, SinkBatch, StreamSink } from "../connectors/connector.ts";
import { MillraceError } from "../errors.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import type { ContractCase } from "./contract.ts";
import { sinkBatch } from "./sink-batch.ts";

/** One place that a sink writes to, empty at first. */
export interface SinkUnderTest {
  /** Opens the sink over this place, as the same query and sink name each time. */
  open(): Promise<StreamSink> | StreamSink;
  /** What an observer sees there now; rows as the sink shows them, in any order. */
  rows(): Promise<readonly unknown[]> | readonly unknown[];
  close?(): Promise<void> | void;
}

export interface SinkContractOptions {
  /** A new, empty place for each case. */
  create(): Promise<SinkUnderTest> | SinkUnderTest;
  readonly schema: StructType;
  /** At least four different rows; for a sink by key, with different keys. */
  readonly sample: readonly AnyRow[];
  readonly guarantee: Guarantee;
  /** Whether a batch appears as a whole: then one that breaks off leaves nothing. Default: for `exactly-once`. */
  readonly wholeBatches?: boolean;
}

/** What the engine relies on when it delivers to a sink (src/connectors/connector.ts, `StreamSink`). */
export function sinkContract(options: SinkContractOptions): ContractCase[] {
  const { schema, sample, guarantee } = options;
  const exactly = guarantee === "exactly-once";
  const half = Math.floor(sample.length / 2);
  const [first, second] = [sample.slice(0, half), sample.slice(half)];

  const cases: ContractCase[] = [];
  const on = (name: string, body: (place: SinkUnderTest) => Promise<void>): void => {
    cases.push({
      name,
      async run() {
        const place = await options.create();
        try {
          await body(place);
        } finally {
          await place.close?.();
        }
      },
    });
  };
  const deliver = async (
    sink: StreamSink,
    id: number,
    rows: readonly AnyRow[],
    offsetsHash?: string,
  ): Promise<void> => {
    await using batch = await sinkBatch({ id, schema, rows, ...(offsetsHash !== undefined && { offsetsHash }) });
    await sink.addBatch(batch);
  };
  const count = async (place: SinkUnderTest): Promise<number> => (await place.rows()).length;

  on("a new sink holds no batch and says who it is", async (place) => {
    const sink = await place.open();
    assert.equal(await sink.lastBatch(), undefined);
    assert.ok(sink.description.length > 0, "it has no description");
    await sink.close();
  });

  on("batches appear once each, in order", async (place) => {
    const sink = await place.open();
    await sink.lastBatch();
    await deliver(sink, 0, first);
    assert.equal(await count(place), first.length);
    await deliver(sink, 1, second);
    assert.equal(await count(place), sample.length);
    await sink.close();
  });

  on("batches without rows are taken", async (place) => {
    const sink = await place.open();
    await sink.lastBatch();
    await deliver(sink, 0, []);
    await deliver(sink, 1, first);
    await deliver(sink, 2, []);
    assert.equal(await count(place), first.length);
    await sink.close();
  });

  on("a batch whose rows nobody counted is taken", async (place) => {
    const sink = await place.open();
    await sink.lastBatch();
    await using batch = await sinkBatch({ id: 0, schema, rows: first, counted: false });
    await sink.addBatch(batch);
    assert.equal(await count(place), first.length);
    await sink.close();
  });

  if (guarantee !== "at-least-once") {
    on("a batch delivered again has no effect", async (place) => {
      const sink = await place.open();
      await sink.lastBatch();
      await deliver(sink, 0, first);
      await deliver(sink, 1, second);
      const before = await place.rows();
      await deliver(sink, 1, second);
      assert.deepEqual(await place.rows(), before);
      await sink.close();
    });

    on("a batch delivered again after the sink was opened anew has no effect", async (place) => {
      const sink = await place.open();
      await sink.lastBatch();
      await deliver(sink, 0, first);
      await sink.close();
      const again = await place.open();
      await again.lastBatch();
      const before = await place.rows();
      await deliver(again, 0, first);
      assert.deepEqual(await place.rows(), before);
      await deliver(again, 1, second);
      assert.equal(await count(place), sample.length);
      await again.close();
    });
  }

  if (exactly) {
    on("it remembers the last batch and its hash", async (place) => {
      const sink = await place.open();
      await sink.lastBatch();
      await deliver(sink, 0, first, "one");
      await deliver(sink, 1, second, "two");
      await sink.close();
      const again = await place.open();
      const marker = await again.lastBatch();
      assert.equal(marker?.batchId, 1);
      assert.ok(marker.hash === undefined || marker.hash === "two", `it remembers the hash ${marker.hash}`);
      await again.close();
    });

    on("the same number with another hash is refused with CHECKPOINT_DIVERGED", async (place) => {
      const sink = await place.open();
      await sink.lastBatch();
      await deliver(sink, 0, first, "one");
      const before = await place.rows();
      await assert.rejects(
        deliver(sink, 0, second, "other"),
        (error) => error instanceof MillraceError && error.code === "CHECKPOINT_DIVERGED",
      );
      assert.deepEqual(await place.rows(), before);
      await sink.close().catch(() => undefined);
    });
  }

  if (options.wholeBatches ?? exactly) {
    on("a batch that breaks off leaves nothing and can be delivered again", async (place) => {
      const sink = await place.open();
      await sink.lastBatch();
      await deliver(sink, 0, first);
      {
        await using batch = await sinkBatch({ id: 1, schema, rows: second });
        await assert.rejects(async () => {
          await sink.addBatch(breaking(batch));
        });
      }
      assert.equal(await count(place), first.length);
      await sink.close(new Error("it broke off")).catch(() => undefined);
      const again = await place.open();
      await again.lastBatch();
      await deliver(again, 1, second);
      assert.equal(await count(place), sample.length);
      await again.close();
    });
  }

  return cases;
}

/** The batch, but every way of reading it fails when the rows have been read. */
function breaking(batch: SinkBatch): SinkBatch {
  const fail = (): never => {
    throw new MillraceError("ENGINE_FAILED", "The batch breaks off, as a test asked for.");
  };
  async function* then<T>(rows: AsyncIterable<T>): AsyncGenerator<T> {
    yield* rows;
    fail();
  }
  return {
    id: batch.id,
    queryId: batch.queryId,
    sinkName: batch.sinkName,
    offsetsHash: batch.offsetsHash,
    timestampMs: batch.timestampMs,
    schema: batch.schema,
    outputMode: batch.outputMode,
    rowCount: batch.rowCount,
    rows: () => then(batch.rows()),
    columns: (select) => then(batch.columns(select)),
    query: (sql) => then(batch.query(sql)),
    async writeFiles(request) {
      await batch.writeFiles(request);
      return fail();
    },
  };
}
