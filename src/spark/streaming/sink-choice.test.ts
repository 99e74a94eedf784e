import { describe, expect, test } from "vitest";
import type { SinkTarget } from "../../backend.ts";
import { chooseSinks } from "./sink-choice.ts";

const sink = (format: string, options: Record<string, string> = {}, more: Partial<SinkTarget> = {}): SinkTarget => ({
  name: format,
  format,
  options,
  path: undefined,
  partitionBy: [],
  ...more,
});
const choose = (sinks: SinkTarget[], conf: Record<string, string> = {}) =>
  chooseSinks({ sinks, outputMode: "append" }, conf);

describe("who writes the sinks of a query on Spark", () => {
  test.each(["parquet", "json", "csv", "delta", "noop", "memory"])(
    "%s alone: Spark, with the same promise",
    (format) => {
      const { by, sinks, native } = choose([sink(format, {}, { path: "/out" })]);
      expect([by, sinks[0]!.by, native!.format]).toEqual(["spark", "spark", format]);
      expect(sinks[0]!.guarantee).toBe("exactly-once");
    },
  );

  test("what Spark has not, functions and several sinks: the bridge", () => {
    const postgres = sink("postgres", { url: "postgres://h/d", dbtable: "t", key: "id" });
    expect(choose([postgres])).toMatchObject({
      by: "bridge",
      native: undefined,
      sinks: [{ guarantee: "exactly-once", reason: "Spark has no sink of that format" }],
    });
    expect(choose([sink("foreachBatch", {}, { foreachBatch: () => undefined })])).toMatchObject({
      by: "bridge",
      sinks: [{ format: "foreachBatch", guarantee: "at-least-once", reason: "the function runs in this process" }],
    });
    const several = choose([postgres, sink("delta", {}, { path: "/out" })]);
    expect(several.by).toBe("bridge");
    expect(several.sinks.map(({ by, guarantee }) => [by, guarantee])).toEqual([
      ["bridge", "exactly-once"],
      ["bridge", "exactly-once"],
    ]);
  });

  test("kafka: rows as values are ours; what our own sink promises more for is ours too, unless it is left to Spark", () => {
    const options = { "kafka.bootstrap.servers": "b:9092", topic: "t" };
    expect(choose([sink("kafka", { ...options, valueFormat: "json" })])).toMatchObject({
      by: "bridge",
      sinks: [{ reason: "Spark's sink does not know its options" }],
    });
    const plain = choose([sink("kafka", options)]);
    const own = plain.sinks[0]!.by === "bridge";
    if (own) expect(plain.sinks[0]!.reason).toBe("Spark's own sink promises at-least-once only");
    else expect(plain.sinks[0]!.guarantee).toBe("at-least-once");
    expect(choose([sink("kafka", options)], { "spark.millrace.bridge.native": "kafka, console" })).toMatchObject({
      by: "spark",
      sinks: [{ guarantee: "at-least-once" }],
    });
  });

  test("console prints here; a format that only the server knows is the server's", () => {
    expect(choose([sink("console")])).toMatchObject({ by: "bridge" });
    expect(choose([sink("console")], { "spark.millrace.bridge.native": "console" })).toMatchObject({ by: "spark" });
    expect(choose([sink("iceberg", { "fanout-enabled": "true" })])).toMatchObject({
      by: "spark",
      sinks: [{ guarantee: undefined, reason: "a format of the server's" }],
    });
  });
});
