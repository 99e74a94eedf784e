import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBBlobValue, type DuckDBConnection, DuckDBInstance, DuckDBTimestampTZValue } from "@duckdb/node-api";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Codec, type CodecId } from "../../wire/compression.ts";
import { type EncodeRecord, encodeBatch, readBatchHeader } from "../../wire/record-batch.ts";
import { ColumnFile, KAFKA_COLUMNS, type KafkaColumn } from "./columns.ts";

let connection: DuckDBConnection;
let folder: string;
let number = 0;
beforeAll(async () => {
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
  });
  connection = await instance.connect();
  folder = mkdtempSync(join(tmpdir(), "millrace-columns-"));
});
afterAll(() => {
  connection.closeSync();
  rmSync(folder, { recursive: true, force: true });
});

interface Placed {
  batch: Buffer;
  topic: string;
  partition: number;
  from: number;
  to: number;
}

async function rows(batches: Placed[], columns: readonly KafkaColumn[] = KAFKA_COLUMNS): Promise<unknown[][]> {
  const path = join(folder, `${number++}.parquet`);
  const file = new ColumnFile(path, new Set(columns));
  for (const { batch, topic, partition, from, to } of batches) {
    file.addBatch(batch, readBatchHeader(batch, 0)!, topic, partition, from, to, true);
  }
  file.finish();
  const list = columns.map((c) => `"${c}"`).join(", ");
  const reader = await connection.runAndReadAll(`SELECT ${list} FROM read_parquet('${path}')`);
  expect(reader.currentRowCount).toBe(file.rowCount);
  rmSync(path);
  return reader.getRows().map((row) => row.map(plain));
}

function plain(value: unknown): unknown {
  if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes).toString("hex");
  if (value instanceof DuckDBTimestampTZValue) return value.micros;
  if (typeof value === "bigint") return Number(value);
  if (value !== null && typeof value === "object" && "items" in value) return (value.items as unknown[]).map(plain);
  if (value !== null && typeof value === "object" && "entries" in value) {
    return Object.values(value.entries as object).map(plain);
  }
  return value;
}

const hex = (value: Uint8Array | string | null | undefined): string | null =>
  value === null || value === undefined ? null : Buffer.from(value as Uint8Array).toString("hex");

const bytes = fc.uint8Array({ maxLength: 300 });
const record: fc.Arbitrary<Required<EncodeRecord>> = fc.record({
  key: fc.option(bytes),
  value: fc.option(bytes),
  timestamp: fc.integer({ min: -1, max: 9_000_000_000_000 }),
  headers: fc.array(fc.record({ key: fc.string(), value: fc.option(bytes) }, { requiredKeys: ["key", "value"] }), {
    maxLength: 3,
  }),
});

describe("columns", () => {
  test("DuckDB sees what was in the batches, whatever the codec, nulls, headers and bounds", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            records: fc.array(record, { minLength: 1, maxLength: 20 }),
            codec: fc.constantFrom(...(Object.values(Codec) as CodecId[])),
            baseOffset: fc.nat(2 ** 40),
            topic: fc.constantFrom("flights", "ünïcode", "a.b"),
            partition: fc.nat(300),
            cutFront: fc.nat(5),
            cutBack: fc.nat(5),
            timestampType: fc.constantFrom(0 as const, 1 as const),
          }),
          { minLength: 1, maxLength: 6 },
        ),
        async (batches) => {
          const placed: Placed[] = [];
          const expected: unknown[][] = [];
          for (const b of batches) {
            const { records, codec, baseOffset, topic, partition, timestampType } = b;
            const batch = encodeBatch({ records, codec, baseOffset, timestampType });
            const from = baseOffset + b.cutFront;
            const to = baseOffset + records.length - b.cutBack;
            placed.push({ batch, topic, partition, from, to });
            const appendTime = Math.max(...records.map((r) => r.timestamp!));
            records.forEach((r, i) => {
              const offset = baseOffset + i;
              if (offset < from || offset >= to) return;
              expected.push([
                hex(r.key),
                hex(r.value),
                topic,
                partition,
                offset,
                BigInt(timestampType === 1 ? appendTime : r.timestamp!) * 1000n,
                timestampType,
                r.headers!.length === 0 ? null : r.headers!.map((h) => [h.key, hex(h.value)]),
              ]);
            });
          }
          expect(await rows(placed)).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  test("several row groups, with nulls here and there", async () => {
    const values = Array.from({ length: 300_001 }, (_, i) => (i % 7 === 0 ? null : `value ${i}`));
    const batch = encodeBatch({ columns: { values, timestamps: values.map((_, i) => i) } });
    const got = await rows(
      [{ batch, topic: "t", partition: 0, from: 0, to: values.length }],
      ["value", "offset", "timestamp", "partition"],
    );
    expect(got).toHaveLength(values.length);
    const wrong = got.findIndex((row, i) => row[0] !== hex(values[i]) || row[1] !== i || row[2] !== BigInt(i) * 1000n);
    expect(wrong).toBe(-1);
  });

  test("records of 10 MB", async () => {
    const values = Array.from({ length: 8 }, (_, i) => Buffer.alloc(10_000_000, 97 + i));
    const placed = values.map((value, i) => {
      const batch = encodeBatch({ records: [{ value }], baseOffset: i, codec: Codec.zstd });
      return { batch, topic: "t", partition: 0, from: 0, to: 100 };
    });
    const got = await rows(placed, ["offset", "value"]);
    expect(got.map((row) => [row[0], (row[1] as string).length / 2, (row[1] as string).slice(0, 2)])).toEqual(
      values.map((value, i) => [i, 10_000_000, value[0]!.toString(16)]),
    );
  });

  test("no column asked for: only the number of rows", async () => {
    const batch = encodeBatch({ records: Array.from({ length: 10 }, () => ({ value: "x" })) });
    const path = join(folder, `${number++}.parquet`);
    const file = new ColumnFile(path, new Set());
    file.addBatch(batch, readBatchHeader(batch, 0)!, "t", 0, 0, 100, true);
    file.addBatch(batch, readBatchHeader(batch, 0)!, "t", 0, 3, 5, true);
    file.finish();
    const reader = await connection.runAndReadAll(`SELECT count(*) FROM read_parquet('${path}')`);
    expect(reader.getRows()).toEqual([[12n]]);
  });

  test("a timestamp that no calendar holds does not stop the query", async () => {
    const placed = [9_100_000_000_000_000, -9_000_000_000_000_000, -1].map((timestamp, i) => {
      const batch = encodeBatch({ records: [{ value: "a", timestamp }], baseOffset: i });
      return { batch, topic: "t", partition: 0, from: 0, to: 9 };
    });
    const got = await rows(placed, ["timestamp"]);
    expect(got[2]).toEqual([-1000n]);
    expect(got[0]![0]).toBeGreaterThan(9n * 10n ** 18n);
    expect(got[1]![0]).toBeLessThanOrEqual(-9n * 10n ** 18n);
  });

  test("a damaged batch is KAFKA_CORRUPT_BATCH", () => {
    const batch = encodeBatch({ records: [{ value: "xxxxxxxxxx" }] });
    batch[batch.length - 3]! ^= 1;
    const file = new ColumnFile(join(folder, `${number++}.parquet`), new Set(["value"]));
    expect(() => file.addBatch(batch, readBatchHeader(batch, 0)!, "t", 0, 0, 9, true)).toThrow(/KAFKA_CORRUPT_BATCH/);
    file.abandon();
  });
});
