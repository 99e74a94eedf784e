import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeBatch, encodeBatch, parseBatchHeader, readBatchHeader } from "../wire/record-batch.ts";
import { PartitionLog } from "./partition-log.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "millrace-log-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const CONFIG = { segmentBytes: 1 << 30, indexIntervalBytes: 4096 };

interface BatchOptions {
  producerId?: number;
  sequence?: number;
  timestamp?: number;
}

function batch(
  values: readonly string[],
  { producerId = -1, sequence = -1, timestamp = 1000 }: BatchOptions = {},
): Buffer {
  return encodeBatch({
    records: values.map((value, i) => ({ value, timestamp: timestamp + i })),
    producerId,
    producerEpoch: producerId < 0 ? -1 : 0,
    baseSequence: sequence,
  });
}

function append(log: PartitionLog, bytes: Buffer): number {
  return log.append(bytes, parseBatchHeader(bytes, 0)!, Date.now());
}

/** Every record of a log, read in pieces of about `maxBytes`. */
function everything(log: PartitionLog, maxBytes = 1000): { offset: number; value: string }[] {
  const found: { offset: number; value: string }[] = [];
  let offset = log.logStartOffset;
  for (;;) {
    const read = log.read(offset, maxBytes, true);
    if (read === undefined) break;
    for (let at = 0; at < read.bytes.length; ) {
      const { header, records } = decodeBatch(read.bytes, at);
      for (const r of records) if (r.offset >= offset) found.push({ offset: r.offset, value: r.value!.toString() });
      at += header.size;
    }
    offset = read.nextOffset;
  }
  expect(offset).toBe(Math.max(log.logStartOffset, log.highWatermark));
  return found;
}

const valuesOf = (log: PartitionLog): string[] => everything(log).map((r) => r.value);

/** The log as another process finds it after this one was killed. */
function reopened(log: PartitionLog, config = CONFIG): PartitionLog {
  log.abandon();
  return PartitionLog.open(log.directory, "t-0", config);
}

test("batches are stored as they came but for offset and epoch, and found again from any offset", async () => {
  const log = PartitionLog.open(join(root, "0"), "t-0", CONFIG);
  const first = batch(["a", "b"]);
  const sent = Buffer.from(first);
  expect(append(log, first)).toBe(0);
  expect(append(log, batch(["c", "d", "e"]))).toBe(2);
  expect(append(log, batch(["f"]))).toBe(5);
  expect(log.logEndOffset).toBe(6);
  const read = log.read(0, 1, true)!;
  expect(read.bytes.subarray(16)).toEqual(sent.subarray(16));
  expect(readBatchHeader(read.bytes, 0)).toMatchObject({ baseOffset: 0, partitionLeaderEpoch: 0 });
  // An offset inside a batch gives that whole batch.
  const inside = log.read(3, 1, true)!;
  expect(readBatchHeader(inside.bytes, 0)).toMatchObject({ baseOffset: 2, recordCount: 3 });
  expect(inside.nextOffset).toBe(5);
  expect(log.read(6, 1000, true)).toBeUndefined();
  expect(log.read(0, 1, false)).toBeUndefined();
  expect(valuesOf(log)).toEqual(["a", "b", "c", "d", "e", "f"]);
  await log.close();
});

describe("recovery", () => {
  test("cut at every byte behind the checkpoint: all complete batches are there and nothing else", async () => {
    const directory = join(root, "0");
    const log = PartitionLog.open(directory, "t-0", CONFIG);
    append(log, batch(["checkpointed 1", "checkpointed 2"]));
    await log.flush();
    const ends = [statSync(join(directory, LOG)).size];
    const counts = [2];
    for (let i = 0; i < 4; i++) {
      const values = Array.from({ length: i + 1 }, (_, n) => `batch ${i} record ${n}`);
      append(log, batch(values, { producerId: 7, sequence: counts.at(-1)! }));
      ends.push(statSync(join(directory, LOG)).size);
      counts.push(counts.at(-1)! + values.length);
    }
    const all = valuesOf(log);
    log.abandon();
    for (let size = ends[0]!; size <= ends.at(-1)!; size++) {
      const copy = join(root, `cut at ${size}`);
      cpSync(directory, copy, { recursive: true });
      truncateSync(join(copy, LOG), size);
      const cut = PartitionLog.open(copy, "t-0", CONFIG);
      const complete = counts[ends.filter((end) => end <= size).length - 1]!;
      expect(valuesOf(cut), `cut at ${size}`).toEqual(all.slice(0, complete));
      expect(cut.logEndOffset).toBe(complete);
      // It goes on where it ends.
      expect(append(cut, batch(["more"]))).toBe(complete);
      expect(valuesOf(cut)).toEqual([...all.slice(0, complete), "more"]);
      cut.abandon();
      rmSync(copy, { recursive: true });
    }
  });

  test("cut below the checkpoint, or without one: the log is checked from its start", async () => {
    const directory = join(root, "0");
    const log = PartitionLog.open(directory, "t-0", CONFIG);
    append(log, batch(["a"]));
    const end = statSync(join(directory, LOG)).size;
    append(log, batch(["b"]));
    await log.close();
    truncateSync(join(directory, LOG), end + 5);
    const cut = PartitionLog.open(directory, "t-0", CONFIG);
    expect(valuesOf(cut)).toEqual(["a"]);
    append(cut, batch(["c"]));
    await cut.close();
    writeFileSync(join(directory, "checkpoint"), "{ no JSON");
    const again = PartitionLog.open(directory, "t-0", CONFIG);
    expect(valuesOf(again)).toEqual(["a", "c"]);
    again.abandon();
  });

  test("any damaged byte behind the checkpoint ends the log in front of its batch", async () => {
    const directory = join(root, "0");
    const log = PartitionLog.open(directory, "t-0", CONFIG);
    append(log, batch(["a"]));
    await log.flush();
    const from = statSync(join(directory, LOG)).size;
    append(log, batch(["b", "c"]));
    const to = statSync(join(directory, LOG)).size;
    append(log, batch(["d"]));
    log.abandon();
    const sound = readFileSync(join(directory, LOG));
    for (let at = from; at < to; at++) {
      // The leader epoch is outside the checksum and means nothing here.
      if (at >= from + 12 && at < from + 16) continue;
      const bytes = Buffer.from(sound);
      bytes[at]! ^= 0x5a;
      const copy = join(root, `damaged at ${at}`);
      cpSync(directory, copy, { recursive: true });
      writeFileSync(join(copy, LOG), bytes);
      const damaged = PartitionLog.open(copy, "t-0", CONFIG);
      const values = valuesOf(damaged);
      // A base offset that was changed to a later one is a gap, which compaction leaves too.
      if (at >= from + 8) expect(values, `damaged at ${at}`).toEqual(["a"]);
      damaged.abandon();
      rmSync(copy, { recursive: true });
    }
  });

  test("zeros that a power failure left behind the end are no batches", () => {
    const log = PartitionLog.open(join(root, "0"), "t-0", CONFIG);
    append(log, batch(["a"]));
    const path = join(log.directory, LOG);
    log.abandon();
    writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.alloc(5000)]));
    const again = PartitionLog.open(log.directory, "t-0", CONFIG);
    expect(valuesOf(again)).toEqual(["a"]);
    expect(statSync(path).size).toBe(again.size);
    again.abandon();
  });

  test("whatever is appended, flushed, rolled and killed in whatever order, the log has exactly the appended records", () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.record({ records: fc.integer({ min: 1, max: 5 }), size: fc.nat(300) }) },
      { weight: 1, arbitrary: fc.constant("flush" as const) },
      { weight: 1, arbitrary: fc.constant("kill" as const) },
      { weight: 1, arbitrary: fc.constant("close" as const) },
    );
    let run = 0;
    return fc.assert(
      fc.asyncProperty(
        fc.array(action, { maxLength: 30 }),
        fc.integer({ min: 100, max: 2000 }),
        async (actions, segmentBytes) => {
          const config = { segmentBytes, indexIntervalBytes: 200 };
          let log = PartitionLog.open(join(root, `run ${run++}`), "t-0", config);
          const expected: { offset: number; value: string }[] = [];
          for (const a of actions) {
            if (a === "flush") await log.flush();
            else if (a === "kill") log = reopened(log, config);
            else if (a === "close") {
              await log.close();
              log = PartitionLog.open(log.directory, "t-0", config);
            } else {
              const values = Array.from({ length: a.records }, () => `${expected.length}`.padEnd(a.size, "x"));
              for (const value of values) expected.push({ offset: expected.length, value });
              append(log, batch(values));
            }
            expect(everything(log, 500)).toEqual(expected);
            for (const { offset } of expected) {
              const read = log.read(offset, 1, true)!;
              const header = readBatchHeader(read.bytes, 0)!;
              expect(header.baseOffset <= offset && offset <= header.baseOffset + header.lastOffsetDelta).toBe(true);
            }
          }
          log.abandon();
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("idempotent producers", () => {
  test("a batch sent again is recognised after a kill, with and without a checkpoint", async () => {
    let log = PartitionLog.open(join(root, "0"), "t-0", CONFIG);
    const send = (values: string[], sequence: number) => {
      const bytes = batch(values, { producerId: 42, sequence });
      const check = log.producers.check(parseBatchHeader(bytes, 0)!);
      return check ?? { appended: append(log, bytes) };
    };
    expect(send(["a", "b"], 0)).toEqual({ appended: 0 });
    expect(send(["c"], 2)).toEqual({ appended: 2 });
    log = reopened(log);
    expect(send(["a", "b"], 0)).toEqual({ duplicateOf: 0 });
    expect(send(["c"], 2)).toEqual({ duplicateOf: 2 });
    expect(send(["e"], 4)).toMatchObject({ error: 45 });
    expect(send(["d"], 3)).toEqual({ appended: 3 });
    await log.close();
    log = PartitionLog.open(log.directory, "t-0", CONFIG);
    expect(send(["d"], 3)).toEqual({ duplicateOf: 3 });
    for (let i = 4; i < 9; i++) expect(send([`${i}`], i)).toEqual({ appended: i });
    // Out of the window of five.
    expect(send(["d"], 3)).toMatchObject({ error: 45 });
    log.abandon();
  });

  test("sequence numbers start over behind the largest; a new epoch starts at 0; an old epoch is refused", () => {
    const log = PartitionLog.open(join(root, "0"), "t-0", CONFIG);
    const send = (count: number, sequence: number, epoch = 0) => {
      const bytes = encodeBatch({
        records: Array.from({ length: count }, () => ({ value: "v" })),
        producerId: 1,
        producerEpoch: epoch,
        baseSequence: sequence,
      });
      const check = log.producers.check(parseBatchHeader(bytes, 0)!);
      return check ?? { appended: append(log, bytes) };
    };
    expect(send(4, 2147483646)).toEqual({ appended: 0 });
    expect(send(1, 2)).toEqual({ appended: 4 });
    expect(send(4, 2147483646)).toEqual({ duplicateOf: 0 });
    expect(send(1, 5, 1)).toMatchObject({ error: 45 });
    expect(send(1, 0, 1)).toEqual({ appended: 5 });
    expect(send(1, 3, 0)).toMatchObject({ error: 47 });
    log.abandon();
  });
});

describe("times", () => {
  test("the first batch at or after a time, whatever the order of times, the segments and restarts", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 100, max: 1000 }),
        fc.nat(1100),
        (times, segmentBytes, wanted) => {
          const directory = join(root, `times ${Math.random()}`);
          const config = { segmentBytes, indexIntervalBytes: 100 };
          let log = PartitionLog.open(directory, "t-0", config);
          for (const timestamp of times) append(log, batch(["v"], { timestamp }));
          const expected = times.findIndex((t) => t >= wanted);
          for (let restart = 0; restart < 2; restart++) {
            const found = log.batchAtTime(wanted, 0);
            expect(found === undefined ? -1 : readBatchHeader(found.bytes, 0)!.baseOffset).toBe(expected);
            const max = Math.max(...times);
            expect(readBatchHeader(log.batchWithMaxTimestamp()!.bytes, 0)!.baseOffset).toBe(times.indexOf(max));
            log = reopened(log, config);
          }
          log.abandon();
          rmSync(directory, { recursive: true });
        },
      ),
      { numRuns: 150 },
    );
  });
});

test("records deleted from the start stay deleted, and their segments go", async () => {
  const config = { segmentBytes: 200, indexIntervalBytes: 100 };
  let log = PartitionLog.open(join(root, "0"), "t-0", config);
  for (let i = 0; i < 10; i++) append(log, batch([`${i}`]));
  const files = (): number => readdirSync(log.directory).filter((f) => f.endsWith(".log")).length;
  const before = files();
  await log.deleteRecordsBefore(7);
  expect(files()).toBeLessThan(before);
  expect(valuesOf(log)).toEqual(["7", "8", "9"]);
  log = reopened(log, config);
  expect(log.logStartOffset).toBe(7);
  expect(valuesOf(log)).toEqual(["7", "8", "9"]);
  await log.deleteRecordsBefore(10);
  expect(everything(log)).toEqual([]);
  log = reopened(log, config);
  expect(append(log, batch(["10"]))).toBe(10);
  expect(valuesOf(log)).toEqual(["10"]);
  log.abandon();
});

test("when each append is synced, nothing is visible or acknowledged before it is on disk", async () => {
  const log = PartitionLog.open(join(root, "0"), "t-0", { segmentBytes: 150, indexIntervalBytes: 100 }, true);
  let woken = 0;
  log.onVisible(() => woken++);
  for (let i = 0; i < 5; i++) append(log, batch([`${i}`]));
  expect(log.highWatermark).toBe(0);
  expect(log.read(0, 1000, true)).toBeUndefined();
  expect(woken).toBe(0);
  await log.acknowledged();
  expect(log.highWatermark).toBe(5);
  expect(valuesOf(log)).toEqual(["0", "1", "2", "3", "4"]);
  expect(woken).toBe(1);
  expect(log.visibleBytes).toBe(log.size);
  expect(log.acknowledged()).toBeUndefined();
  await log.close();
});

const LOG = "00000000000000000000.log";
