import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { MillraceError } from "../errors.ts";
import { offsetsHash } from "../streaming/checkpoint.ts";
import { Checkpoint, formatOffsets, parseOffsets, pinnedConf } from "./checkpoint.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "millrace-checkpoint-test-"));
  folders.push(path);
  return path;
}

function failure(action: () => unknown): MillraceError {
  try {
    action();
  } catch (error) {
    return error as MillraceError;
  }
  throw new Error("nothing was thrown");
}

// sql/core/src/test/resources/structured-streaming/checkpoint-version-4.0.0/hdfs/agg/offsets/1 of Apache Spark
const SPARK_OFFSETS = `v1
{"batchWatermarkMs":0,"batchTimestampMs":1719290659041,"conf":{"spark.sql.streaming.stateStore.providerClass":"org.apache.spark.sql.execution.streaming.state.HDFSBackedStateStoreProvider","spark.sql.streaming.stateStore.rocksdb.formatVersion":"5","spark.sql.streaming.statefulOperator.useStrictDistribution":"true","spark.sql.streaming.flatMapGroupsWithState.stateFormatVersion":"2","spark.sql.streaming.multipleWatermarkPolicy":"min","spark.sql.streaming.aggregation.stateFormatVersion":"2","spark.sql.shuffle.partitions":"5","spark.sql.streaming.join.stateFormatVersion":"2","spark.sql.streaming.stateStore.compression.codec":"lz4"}}
1`;

describe("Spark's format", () => {
  test("an offsets file of Spark's is read and written back byte for byte", () => {
    const file = parseOffsets("offsets/1", SPARK_OFFSETS);
    expect(file.batchTimestampMs).toBe(1719290659041);
    expect(file.offsets).toEqual([1]);
    expect(file.conf["spark.sql.shuffle.partitions"]).toBe("5");
    expect(formatOffsets(file, file.offsets)).toBe(SPARK_OFFSETS);
    expect(file.hash).toBe(offsetsHash(SPARK_OFFSETS));
  });

  test("one line for each source, - where it has no offset yet, objects as JSON", () => {
    const text = formatOffsets({ batchWatermarkMs: 5, batchTimestampMs: 6, conf: {} }, [
      { events: { "0": 123, "2": 40 } },
      undefined,
      -1,
    ]);
    expect(text.split("\n").slice(2)).toEqual(['{"events":{"0":123,"2":40}}', "-", "-1"]);
    expect(parseOffsets("x", text).offsets).toEqual([{ events: { "0": 123, "2": 40 } }, undefined, -1]);
  });

  test("the pinned conf: Spark's defaults, the session's values, and over both what the log says, unknown keys too", () => {
    const fresh = pinnedConf({ "spark.sql.shuffle.partitions": "8", "spark.app.name": "x" }, undefined);
    expect(fresh["spark.sql.shuffle.partitions"]).toBe("8");
    expect(fresh["spark.app.name"]).toBeUndefined();
    expect(Object.keys(fresh)).toHaveLength(11);
    const later = pinnedConf(
      { "spark.sql.shuffle.partitions": "8" },
      { "spark.sql.shuffle.partitions": "5", new: "y" },
    );
    expect(later).toMatchObject({ "spark.sql.shuffle.partitions": "5", new: "y" });
  });

  test("the layout of the directory", () => {
    const checkpoint = new Checkpoint(join(folder(), "a", "b"));
    const id = checkpoint.open();
    checkpoint.writeOffsets(0, { batchWatermarkMs: 0, batchTimestampMs: 1, conf: {} }, [3]);
    checkpoint.writeCommit(0, 42);
    expect(readFileSync(join(checkpoint.path, "metadata"), "utf8")).toBe(`{"id":"${id}"}`);
    expect(readFileSync(join(checkpoint.path, "commits", "0"), "utf8")).toBe('v1\n{"nextBatchWatermarkMs":42}');
    expect(readdirSync(join(checkpoint.path, "offsets"))).toEqual(["0"]);
    expect(checkpoint.readCommit(0)).toEqual({ nextBatchWatermarkMs: 42 });
    expect(new Checkpoint(checkpoint.path).open()).toBe(id);
  });
});

test("a file is never overwritten: the second writer learns that it is not alone", () => {
  const checkpoint = new Checkpoint(folder());
  checkpoint.open();
  checkpoint.writeOffsets(3, { batchWatermarkMs: 0, batchTimestampMs: 1, conf: {} }, [3]);
  const error = failure(() => checkpoint.writeOffsets(3, { batchWatermarkMs: 0, batchTimestampMs: 2, conf: {} }, [4]));
  expect(error.code).toBe("CONCURRENT_QUERY");
  expect(checkpoint.readOffsets(3)?.offsets).toEqual([3]);
});

test("half-written files of a killed process are cleared away, Hadoop's checksums and strangers' files are not batches", () => {
  const path = folder();
  const checkpoint = new Checkpoint(path);
  checkpoint.open();
  const offsets = join(path, "offsets");
  writeFileSync(join(offsets, ".7.01234567-89ab-cdef-0123-456789abcdef.tmp"), "v1\n{");
  writeFileSync(join(offsets, ".6.crc"), "");
  writeFileSync(join(offsets, "notes.txt"), "");
  checkpoint.writeOffsets(6, { batchWatermarkMs: 0, batchTimestampMs: 1, conf: {} }, [3]);
  const again = new Checkpoint(path);
  again.open();
  expect(again.latestOffsetsId()).toBe(6);
  expect(readdirSync(offsets).sort()).toEqual([".6.crc", "6", "notes.txt"]);
  again.purge(7);
  expect(readdirSync(offsets)).toEqual(["notes.txt"]);
});

test("purging keeps what is asked for", () => {
  const checkpoint = new Checkpoint(folder());
  checkpoint.open();
  for (let id = 0; id < 12; id++) {
    checkpoint.writeOffsets(id, { batchWatermarkMs: 0, batchTimestampMs: 1, conf: {} }, [id]);
    checkpoint.writeCommit(id, 0);
  }
  checkpoint.purge(9);
  expect(
    readdirSync(join(checkpoint.path, "offsets"))
      .map(Number)
      .sort((a, b) => a - b),
  ).toEqual([9, 10, 11]);
  expect(
    readdirSync(join(checkpoint.path, "commits"))
      .map(Number)
      .sort((a, b) => a - b),
  ).toEqual([9, 10, 11]);
});

describe("bad checkpoints are named", () => {
  test.each([
    ["", "is empty"],
    ["v1", "cut off"],
    ['v1\n{"batchWatermarkMs":0,"batchTime', "cut off"],
    ['v1\n{"batchWatermarkMs":0,"batchTime\n1', "not complete JSON"],
    ['v1\n{"batchWatermarkMs":0}\n{"events":{"0":1', "not complete JSON"],
    ["hello\n{}\n1", "first line"],
    ['v1\n{"batchWatermarkMs":"x"}\n1', "second line"],
  ])("offsets %j", (text, message) => {
    const path = folder();
    const checkpoint = new Checkpoint(path);
    checkpoint.open();
    writeFileSync(join(path, "offsets", "4"), text);
    const error = failure(() => checkpoint.readOffsets(4));
    expect(error.code).toBe("CHECKPOINT_CORRUPT");
    expect(error.message).toContain(join(path, "offsets", "4"));
    expect(error.message).toContain(message);
  });

  test("commits", () => {
    const path = folder();
    const checkpoint = new Checkpoint(path);
    checkpoint.open();
    writeFileSync(join(path, "commits", "4"), 'v1\n{"nextBatch');
    expect(failure(() => checkpoint.readCommit(4)).code).toBe("CHECKPOINT_CORRUPT");
    writeFileSync(join(path, "commits", "5"), "v1");
    expect(checkpoint.readCommit(5)).toEqual({ nextBatchWatermarkMs: 0 });
  });

  test("metadata that is cut off, or missing under batches", () => {
    const path = folder();
    const checkpoint = new Checkpoint(path);
    checkpoint.open();
    checkpoint.writeOffsets(0, { batchWatermarkMs: 0, batchTimestampMs: 1, conf: {} }, [3]);
    writeFileSync(join(path, "metadata"), '{"id":"abc');
    expect(failure(() => new Checkpoint(path).open()).message).toContain(join(path, "metadata"));
    rmSync(join(path, "metadata"));
    const error = failure(() => new Checkpoint(path).open());
    expect(error.code).toBe("CHECKPOINT_CORRUPT");
    expect(existsSync(join(path, "metadata"))).toBe(false);
  });

  test("state that Spark wrote, and formats of later versions, are incompatible", () => {
    const path = folder();
    mkdirSync(join(path, "state", "0", "0"), { recursive: true });
    expect(failure(() => new Checkpoint(path).open()).code).toBe("CHECKPOINT_INCOMPATIBLE");
    expect(failure(() => parseOffsets("offsets/1", "v2\n{}\nx:1")).code).toBe("CHECKPOINT_INCOMPATIBLE");
  });

  test("a checkpoint location that is a file", () => {
    const path = join(folder(), "file");
    writeFileSync(path, "");
    expect(failure(() => new Checkpoint(path).open()).code).toBe("DIRECTORY_NOT_WRITABLE");
  });
});
