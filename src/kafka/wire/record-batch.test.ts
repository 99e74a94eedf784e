import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MillraceError } from "../../errors.ts";
import { Codec, type CodecId, compress, decompress } from "./compression.ts";
import { crc32c } from "./crc32c.ts";
import { murmur2, partitionForKey } from "./murmur2.ts";
import {
  batchRecords,
  decodeBatch,
  type EncodeRecord,
  encodeBatch,
  parseBatchHeader,
  RecordWalker,
  readBatchHeader,
} from "./record-batch.ts";

const bytes = fc.uint8Array({ maxLength: 300 });
const record: fc.Arbitrary<Required<EncodeRecord>> = fc.record({
  key: fc.option(fc.oneof(bytes, fc.string({ unit: "binary" }))),
  value: fc.option(fc.oneof(bytes, fc.string({ unit: "binary", maxLength: 200 }))),
  timestamp: fc.oneof(
    fc.integer({ min: -1, max: 2 ** 31 - 1 }),
    fc.maxSafeInteger().map((n) => Math.trunc(n / 4) + 0),
  ),
  headers: fc.array(
    fc.record({ key: fc.string({ unit: "grapheme" }), value: fc.option(bytes) }, { requiredKeys: ["key", "value"] }),
    { maxLength: 4 },
  ),
});
const codec = fc.constantFrom(...(Object.values(Codec) as CodecId[]));

const plain = (value: Uint8Array | string | null | undefined): string | null =>
  value === null || value === undefined ? null : Buffer.from(value as Uint8Array).toString("hex");

describe("record batches", () => {
  test("what is encoded is decoded, with every codec", () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 40 }),
        codec,
        fc.maxSafeInteger().map((n) => Math.abs(n) >> 1),
        (records, codec, baseOffset) => {
          const batch = encodeBatch({ records, codec, baseOffset, producerId: 7, producerEpoch: 3, baseSequence: 11 });
          const { header, records: decoded } = decodeBatch(batch);
          expect(header.size).toBe(batch.length);
          expect([header.producerId, header.producerEpoch, header.baseSequence]).toEqual([7, 3, 11]);
          expect(header.maxTimestamp).toBe(Math.max(...records.map((r) => r.timestamp!)));
          expect(
            decoded.map((r) => [
              r.offset,
              r.timestamp,
              plain(r.key),
              plain(r.value),
              r.headers.map((h) => [h.key, plain(h.value)]),
            ]),
          ).toEqual(
            records.map((r, i) => [
              baseOffset + i,
              r.timestamp,
              plain(r.key),
              plain(r.value),
              r.headers!.map((h) => [h.key, plain(h.value)]),
            ]),
          );
        },
      ),
      { numRuns: 300 },
    );
  });

  test("records by column give the same bytes as records by row", () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 20 }), (records) => {
        const columns = {
          keys: records.map((r) => r.key ?? null),
          values: records.map((r) => r.value ?? null),
          timestamps: records.map((r) => r.timestamp!),
          headers: records.map((r) => r.headers),
        };
        expect(encodeBatch({ columns }).equals(encodeBatch({ records }))).toBe(true);
        const tail = encodeBatch({ columns, from: records.length - 1 });
        expect(tail.equals(encodeBatch({ records: records.slice(-1) }))).toBe(true);
      }),
    );
  });

  test("damaged bytes are KAFKA_CORRUPT_BATCH or cut off, never anything else", () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 10 }),
        codec,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (records, codec, where, flip, cut) => {
          const batch = encodeBatch({ records, codec });
          const at = where % batch.length;
          const damaged = cut ? batch.subarray(0, at) : Buffer.from(batch);
          if (!cut) damaged[at]! ^= flip;
          try {
            const { header, records: decoded } = decodeBatch(damaged);
            // Base offset and leader epoch are outside the checksum, so that a broker can set them.
            expect(cut).toBe(false);
            expect(at < 8 || (at >= 12 && at < 16)).toBe(true);
            expect(decoded).toHaveLength(header.recordCount);
          } catch (error) {
            expect(error).toBeInstanceOf(MillraceError);
            expect((error as MillraceError).code).toBe("KAFKA_CORRUPT_BATCH");
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("damage behind a valid checksum is KAFKA_CORRUPT_BATCH too", () => {
    fc.assert(
      fc.property(
        fc.array(record, { minLength: 1, maxLength: 10 }),
        codec,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (records, codec, where, flip) => {
          const batch = encodeBatch({ records, codec });
          batch[61 + (where % (batch.length - 61))]! ^= flip;
          batch.writeUInt32BE(crc32c(batch.subarray(21)), 17);
          try {
            decodeBatch(batch);
          } catch (error) {
            expect(error).toMatchObject({ code: "KAFKA_CORRUPT_BATCH" });
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test("a header is given when 61 bytes are there, a batch when all are", () => {
    const batch = encodeBatch({ records: [{ value: "x" }] });
    expect(parseBatchHeader(batch.subarray(0, 60), 0)).toBeUndefined();
    expect(parseBatchHeader(batch.subarray(0, 61), 0)).toMatchObject({ size: batch.length, recordCount: 1 });
    expect(readBatchHeader(batch.subarray(0, batch.length - 1), 0)).toBeUndefined();
    expect(readBatchHeader(Buffer.concat([Buffer.alloc(5), batch]), 5)).toMatchObject({ at: 5 });
  });

  test("older formats are refused by name", () => {
    const batch = encodeBatch({ records: [{ value: "x" }] });
    batch[16] = 1;
    expect(() => readBatchHeader(batch, 0)).toThrow(/format 1; only format 2/);
  });

  test("a batch without records has none", () => {
    const header = readBatchHeader(encodeBatch({ records: [{ value: "x" }] }), 0)!;
    const walker = new RecordWalker();
    walker.reset(Buffer.alloc(0), 0);
    expect(walker.next()).toBe(false);
    expect(header.recordCount).toBe(1);
    expect(() => encodeBatch({ records: [] })).toThrow(/at least one record/);
  });

  test("a record of 10 MB", () => {
    const value = Buffer.alloc(10 << 20, "ab");
    for (const codec of Object.values(Codec) as CodecId[]) {
      const batch = encodeBatch({ records: [{ key: "k", value }], codec });
      expect(decodeBatch(batch).records[0]!.value!.equals(value)).toBe(true);
    }
  });
});

describe("codecs", () => {
  test("what is packed is unpacked", () => {
    fc.assert(
      fc.property(
        codec,
        fc.uint8Array({ minLength: 1, maxLength: 100_000 }),
        fc.integer({ min: 1, max: 5 }),
        (codec, data, times) => {
          const buf = Buffer.concat(Array.from({ length: times }, () => data));
          expect(decompress(codec, compress(codec, buf)).equals(buf)).toBe(true);
        },
      ),
      { numRuns: 100 },
    );
  });

  test("snappy is read as a raw block too, as librdkafka writes it", () => {
    // Length 11, then a literal of 11 bytes.
    const raw = Buffer.concat([Buffer.from([11, 10 << 2]), Buffer.from("hello world")]);
    expect(decompress(Codec.snappy, raw).toString()).toBe("hello world");
  });

  test("snappy is written in Java's container", () => {
    const packed = compress(Codec.snappy, Buffer.alloc(100_000, "abc"));
    expect(packed.subarray(0, 8).toString("hex")).toBe("82534e4150505900");
    expect(decompress(Codec.snappy, packed)).toHaveLength(100_000);
  });

  test.each([
    ["gzip", Codec.gzip],
    ["snappy", Codec.snappy],
    ["lz4", Codec.lz4],
    ["zstd", Codec.zstd],
  ])("%s refuses nonsense and impossible lengths", (_name, codec) => {
    for (const buf of [
      Buffer.alloc(0),
      Buffer.from("nonsense"),
      Buffer.from("ffffffff0f00", "hex"),
      Buffer.from("82534e41505059000000000100000001ffffffff", "hex"),
    ]) {
      expect(() => decompress(codec, buf)).toThrow(expect.objectContaining({ code: "KAFKA_CORRUPT_BATCH" }));
    }
  });

  test("an unknown codec is refused", () => {
    expect(() => decompress(5, Buffer.from("x"))).toThrow(/unknown codec 5/);
    const batch = encodeBatch({ records: [{ value: "x" }] });
    batch.writeInt16BE(6, 21);
    expect(() => batchRecords(batch, readBatchHeader(batch, 0)!, false)).toThrow(/KAFKA_CORRUPT_BATCH/);
  });
});

test("CRC-32C of the check string", () => {
  expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
  expect(crc32c(Buffer.alloc(0))).toBe(0);
});

describe("murmur2", () => {
  // The values of Kafka's own UtilsTest.
  test.each([
    ["21", -973932308],
    ["foobar", -790332482],
    ["a-little-bit-long-string", -985981536],
    ["a-little-bit-longer-string", -1486304829],
    ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971],
    ["abc", 479470107],
  ])("%s", (text, hash) => {
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  test("a partition is within range and the same each time", () => {
    fc.assert(
      fc.property(bytes, fc.integer({ min: 1, max: 1000 }), (key, n) => {
        const partition = partitionForKey(key, n);
        expect(partition).toBeGreaterThanOrEqual(0);
        expect(partition).toBeLessThan(n);
        expect(partitionForKey(Uint8Array.from(key), n)).toBe(partition);
      }),
    );
  });
});
