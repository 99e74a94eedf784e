import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Bench, bench, failure } from "./setup.ts";

let b: Bench;
let topic: string;
beforeAll(async () => {
  b = await bench();
  topic = await b.topic(["{}"]);
});
afterAll(() => b.close());

type Given = Record<string, string>;

const READ: Record<string, Given> = {
  kafka: { subscribe: "t" },
  rate: {},
  parquet: { path: "in" },
  json: { path: "in" },
  csv: { path: "in" },
  delta: { path: "in" },
};
const WRITE: Record<string, Given> = {
  kafka: { topic: "t", valueFormat: "json" },
  delta: { path: "out" },
  postgres: { url: "postgres://u:hidden@127.0.0.1:1/d", dbtable: "t" },
  redis: { url: "redis://:hidden@127.0.0.1:1", key: "k:{value}" },
  parquet: { path: "out" },
  json: { path: "out" },
  csv: { path: "out" },
  console: {},
  noop: {},
};

const source = async (format: string, options: Given) => {
  const reader = b.spark.readStream.format(format).options(options);
  const query = await (format === "kafka" || format === "rate" ? reader : reader.schema("value INT"))
    .load()
    .writeStream.format("noop")
    .start();
  await query.stop();
};
const sink = async (format: string, options: Given) => {
  const query = await b.spark.readStream
    .format("rate")
    .load()
    .writeStream.format(format)
    .option("checkpointLocation", b.path(`checkpoint-${format}`))
    .options(options)
    .start();
  await query.stop();
};

describe("a misspelt option is named with the nearest valid one, and nothing is started", () => {
  test.each([
    ["kafka", "subscibe", "t", "subscribe"],
    ["kafka", "startingOffset", "earliest", "startingOffsets"],
    ["kafka", "failOnDataloss_", "true", "failOnDataLoss"],
    ["kafka", "maxOffsetPerTrigger", "5", "maxOffsetsPerTrigger"],
    ["rate", "rowPerSecond", "5", "rowsPerSecond"],
    ["json", "maxFilePerTrigger", "1", "maxFilesPerTrigger"],
    ["csv", "heder", "true", "header"],
    ["parquet", "mergeShema", "true", "mergeSchema"],
  ])("source %s: %s", async (format, name, value, nearest) => {
    const error = await failure(source(format, { ...READ[format], [name]: value }));
    expect(error.code).toBe("UNKNOWN_OPTION");
    expect(error.message).toContain(`\`${name}\``);
    expect(error.hint).toContain(`\`${nearest}\``);
  });

  test.each([
    ["kafka", "topc", "topic"],
    ["delta", "mergeShema", "mergeSchema"],
    ["postgres", "dbtabel", "dbtable"],
    ["postgres", "chekpointLocation", "checkpointLocation"],
    ["redis", "tll", "ttl"],
    ["json", "compresion", "compression"],
    ["console", "numRow", "numRows"],
    ["noop", "checkpointlocaton", "checkpointLocation"],
    ["noop", "queryNam", "queryName"],
  ])("sink %s: %s", async (format, name, nearest) => {
    const error = await failure(sink(format, { ...WRITE[format], [name]: "1" }));
    expect(error.code).toBe("UNKNOWN_OPTION");
    expect(error.message).toContain(`\`${name}\``);
    expect(error.hint).toContain(`\`${nearest}\``);
  });

  test.each([
    ["kafak", "kafka"],
    ["parket", "parquet"],
  ])("a format: %s", async (name, nearest) => {
    const error = await failure(source(name, {}));
    expect(error.code).toBe("DATA_SOURCE_NOT_FOUND");
    expect(error.hint).toContain(nearest);
    expect((await failure(sink(name, {}))).code).toBe("DATA_SOURCE_NOT_FOUND");
  });
});

describe("a missing option is named, with what it means", () => {
  test.each([
    ["kafka", {}, "subscribe"],
    ["kafka", { subscribe: "t", "kafka.bootstrap.servers": "" }, "kafka.bootstrap.servers"],
  ])("source %s", async (format, options, name) => {
    const error = await failure(source(format, options as Given));
    expect(error.code).toBe("MISSING_OPTION");
    expect(error.message).toContain(name);
  });

  test.each([
    ["delta", {}, "path"],
    ["parquet", {}, "path"],
    ["json", {}, "path"],
    ["postgres", { url: "postgres://u:hidden@127.0.0.1:1/d" }, "dbtable"],
    ["postgres", { dbtable: "t" }, "url"],
    ["redis", { url: "redis://127.0.0.1:1" }, "key"],
  ])("sink %s: %j", async (format, options, name) => {
    const error = await failure(sink(format, options as Given));
    expect(error.code).toBe("MISSING_OPTION");
    expect(error.message).toContain(name);
    expect(error.message).not.toContain("hidden");
  });

  test("the checkpointLocation of a sink whose rows stay", async () => {
    const rate = b.spark.readStream.format("rate").load();
    const error = await failure(rate.writeStream.format("delta").start(b.path("lake")));
    expect(error.code).toBe("MISSING_OPTION");
    expect(error.message).toContain("checkpointLocation");
  });
});

describe("a wrong value is shown beside what is expected", () => {
  test.each([
    ["kafka", "failOnDataLoss", "maybe", "true or false"],
    ["kafka", "maxOffsetsPerTrigger", "many", "whole number"],
    ["kafka", "maxOffsetsPerTrigger", "0", "above zero"],
    ["kafka", "startingOffsets", "earlyest", "earliest"],
    ["kafka", "startingOffsets", '{"t":{"0":"x"}}', "JSON"],
    ["kafka", "kafka.security.protocol", "TLS", "SASL_SSL"],
    ["rate", "rowsPerSecond", "-5", "above 0"],
  ])("source %s: %s = %s", async (format, name, value, expected) => {
    const error = await failure(source(format, { ...READ[format], [name]: value }));
    expect(error.code).toBe("INVALID_OPTION");
    expect(error.message).toContain(name);
    expect(error.message).toContain(JSON.stringify(value).slice(1, -1).replaceAll("\\", ""));
    expect(error.message).toContain(expected);
  });

  test("a password never appears", async () => {
    const wrong = [
      sink("postgres", { url: "postgres//u:hidden@h/d", dbtable: "t" }),
      sink("redis", { url: "http://:hidden@h", key: "k" }),
      source("kafka", {
        subscribe: topic,
        "kafka.security.protocol": "SASL_PLAINTEXT",
        "kafka.sasl.mechanism": "PLAINN",
        "kafka.sasl.username": "u",
        "kafka.sasl.password": "hidden",
      }),
    ];
    for (const done of wrong.map((p) => failure(p))) {
      const error = await done;
      expect(error.code).toBe("INVALID_OPTION");
      expect(`${error.message} ${JSON.stringify(error.parameters)}`).not.toContain("hidden");
    }
  });
});
