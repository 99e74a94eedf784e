import { describe, expect, test } from "vitest";
import { sparkSink, sparkSource } from "./formats.ts";

const none = {};

describe("sources on Spark", () => {
  test("addresses that are not given come from the environment", () => {
    const environment = { MILLRACE_KAFKA: "broker:9092" };
    expect(sparkSource("kafka", { subscribe: "t" }, [], environment)).toEqual({
      format: "kafka",
      options: { subscribe: "t", "kafka.bootstrap.servers": "broker:9092" },
      paths: [],
    });
    expect(sparkSource("kafka", { "Kafka.Bootstrap.Servers": "mine:1" }, [], environment).options).toEqual({
      "Kafka.Bootstrap.Servers": "mine:1",
    });
    // What has no address is left to Spark's own error.
    expect(sparkSource("kafka", {}, [], none).options).toEqual({});
  });

  test.each([
    [{ root: "/lake" }, "flights", "/lake/flights"],
    [{ root: "/lake" }, "/elsewhere", "/elsewhere"],
    [{ root: "/lake" }, "s3://b/t", "s3://b/t"],
    [{ root: "s3://b/lake/" }, "flights", "s3://b/lake/flights"],
    [{}, "flights", "/from/env/flights"],
  ])("a Delta table with %j at %s lies at %s", (options, path, expected) => {
    const source = sparkSource("delta", options, [path], { MILLRACE_LAKE: "/from/env" });
    expect(source).toEqual({ format: "delta", options: {}, paths: [expected] });
  });

  test("without a folder a relative name is the server's business", () => {
    expect(sparkSource("delta", {}, ["flights"], none).paths).toEqual(["flights"]);
    expect(sparkSource("parquet", {}, ["a", "/b"], none).paths).toEqual(["a", "/b"]);
  });

  test("formats that Millrace does not know are Spark's", () => {
    expect(sparkSource("iceberg", { x: "1" }, ["t"], none)).toEqual({
      format: "iceberg",
      options: { x: "1" },
      paths: ["t"],
    });
  });

  test("PostgreSQL is read by Spark's jdbc", () => {
    const url = "postgres://me:p%40ss@db:5433/air?sslmode=require";
    expect(sparkSource("postgres", { url, dbtable: "t", fetchsize: "10" }, [], none)).toEqual({
      format: "jdbc",
      options: {
        driver: "org.postgresql.Driver",
        url: "jdbc:postgresql://db:5433/air",
        user: "me",
        password: "p@ss",
        sslmode: "require",
        dbtable: "t",
        fetchsize: "10",
      },
      paths: [],
    });
    expect(sparkSource("jdbc", { url: "jdbc:h2:mem", driver: "org.h2.Driver" }, [], none).options).toEqual({
      url: "jdbc:h2:mem",
      driver: "org.h2.Driver",
    });
    expect(sparkSource("postgres", {}, [], { MILLRACE_POSTGRES: "postgres://h/d" }).options.url).toBe(
      "jdbc:postgresql://h/d",
    );
    expect(() => sparkSource("postgres", {}, [], none)).toThrow(expect.objectContaining({ code: "MISSING_OPTION" }));
    expect(() => sparkSource("postgres", { url: "no address" }, [], none)).toThrow(/INVALID_OPTION/);
  });

  test("what lives in this process is refused, with what to do", () => {
    expect(() => sparkSource("memory-stream", { id: "x" }, [], none)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_FEATURE", hint: expect.stringContaining("Kafka") }),
    );
    expect(() => sparkSource("redis", {}, [], none)).toThrow(
      expect.objectContaining({ code: "UNSUPPORTED_OPERATION" }),
    );
  });

  test("options of the embedded engine alone are refused, in any spelling", () => {
    expect(() => sparkSource("kafka", { LAGREPORTINGGROUP: "g" }, [], none)).toThrow(
      expect.objectContaining({ code: "UNKNOWN_OPTION", hint: expect.stringContaining("maxOffsetsBehindLatest") }),
    );
  });
});

describe("sinks on Spark", () => {
  test("Spark's own take the options as they are", () => {
    expect(sparkSink("parquet", { compression: "zstd" }, "/t", none)).toEqual({
      format: "parquet",
      options: { compression: "zstd" },
      paths: ["/t"],
    });
    expect(sparkSink("delta", { root: "/lake", mergeSchema: "true" }, "t", none)).toEqual({
      format: "delta",
      options: { mergeSchema: "true" },
      paths: ["/lake/t"],
    });
    expect(sparkSink("orc", {}, "/t", none)?.format).toBe("orc");
  });

  test.each(["postgres", "jdbc", "redis"])("%s is ours: the rows come here", (format) => {
    expect(sparkSink(format, {}, undefined, none)).toBeUndefined();
  });

  test("records that are made of whole rows go through our own Kafka sink", () => {
    expect(sparkSink("kafka", { topic: "t" }, undefined, none)?.options).toEqual({ topic: "t" });
    expect(sparkSink("kafka", { topic: "t", valueFormat: "json" }, undefined, none)).toBeUndefined();
  });
});
