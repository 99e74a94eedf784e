import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MillraceError } from "../errors.ts";
import { kafkaParams } from "./kafka-params.ts";

/** As the tutorials have it. */
const PARAMS = {
  "bootstrap.servers": "localhost:9092",
  "key.deserializer": "org.apache.kafka.common.serialization.StringDeserializer",
  "value.deserializer": "org.apache.kafka.common.serialization.StringDeserializer",
  "group.id": "real-time-pipeline",
  "auto.offset.reset": "latest",
  "enable.auto.commit": "false",
};

const failure = (options: Record<string, string>, use: "stream" | "batch" = "stream"): MillraceError => {
  try {
    kafkaParams(options, use);
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError);
    return error as MillraceError;
  }
  throw new Error("nothing was thrown");
};

test("a consumer's settings get Spark's names and meaning", () => {
  const cast = (name: string) => ({
    name,
    expr: { kind: "cast", child: { kind: "attribute", name }, type: { kind: "string" }, mode: "ansi" },
  });
  expect(kafkaParams({ ...PARAMS, subscribe: "orders" }, "stream")).toEqual({
    options: {
      "kafka.bootstrap.servers": "localhost:9092",
      groupIdPrefix: "real-time-pipeline",
      startingOffsets: "latest",
      subscribe: "orders",
    },
    columns: [cast("key"), cast("value")],
  });
});

test("Spark's spelling stays as it is", () => {
  const options = {
    "kafka.bootstrap.servers": "a:1",
    "Kafka.Security.Protocol": "SSL",
    subscribe: "orders",
    startingOffsets: "earliest",
    "kafkaConsumer.pollTimeoutMs": "5",
    "fetchOffset.numRetries": "5",
  };
  expect(kafkaParams(options, "stream")).toEqual({ options, columns: [] });
});

test("other settings of a consumer go to its client", () => {
  const { options } = kafkaParams(
    {
      "max.poll.records": "500",
      "Session.Timeout.Ms": "1000",
      "security.protocol": "SASL_SSL",
      "sasl.jaas.config": "secret",
      "ssl.truststore.location": "/ca.pem",
      "fetch.max.bytes": "1",
      "isolation.level": "read_committed",
    },
    "stream",
  );
  expect(options).toEqual({
    "kafka.max.poll.records": "500",
    "kafka.session.timeout.ms": "1000",
    "kafka.security.protocol": "SASL_SSL",
    "kafka.sasl.jaas.config": "secret",
    "kafka.ssl.truststore.location": "/ca.pem",
    "kafka.fetch.max.bytes": "1",
    "kafka.isolation.level": "read_committed",
  });
});

test("whatever the case and the order: nothing of a consumer's is left, and doing it again changes nothing", () => {
  const setting = fc.constantFrom(
    ...Object.entries(PARAMS),
    ["max.poll.records", "500"],
    ["session.timeout.ms", "45000"],
    ["sasl.mechanism", "PLAIN"],
    ["client.id", "me"],
    ["subscribe", "orders"],
    ["includeHeaders", "true"],
  ) as fc.Arbitrary<[string, string]>;
  const cased = fc
    .tuple(setting, fc.boolean())
    .map(([[name, value], upper]) => [upper ? name.toUpperCase() : name, value]);
  const options = fc.uniqueArray(cased, { selector: ([name]) => name!.toLowerCase() });
  fc.assert(
    fc.property(options, (given) => {
      const use = "stream";
      const once = kafkaParams(Object.fromEntries(given), use);
      for (const name of Object.keys(once.options)) expect(name).toMatch(/^kafka\.|^[A-Za-z]+$/);
      expect(kafkaParams(once.options, use)).toEqual({ options: once.options, columns: [] });
      const reversed = kafkaParams(Object.fromEntries(given.toReversed()), use);
      expect(reversed.options).toEqual(once.options);
      expect(new Set(reversed.columns.map((c) => c.name))).toEqual(new Set(once.columns.map((c) => c.name)));
    }),
  );
});

describe("both spellings", () => {
  test("that agree are one", () => {
    const { options } = kafkaParams({ "bootstrap.servers": "a:1", "kafka.bootstrap.servers": "a:1" }, "stream");
    expect(options).toEqual({ "kafka.bootstrap.servers": "a:1" });
    expect(kafkaParams({ "group.id": "g", "kafka.group.id": "g" }, "stream").options).toEqual({
      "kafka.group.id": "g",
    });
    expect(kafkaParams({ "auto.offset.reset": "Earliest", startingoffsets: "earliest" }, "stream").options).toEqual({
      startingoffsets: "earliest",
    });
  });

  test.each([
    [{ "bootstrap.servers": "a:1", "kafka.bootstrap.servers": "b:1" }, "kafka.bootstrap.servers"],
    [{ "auto.offset.reset": "latest", startingOffsets: "earliest" }, "startingOffsets"],
    [{ "auto.offset.reset": "latest", startingOffsets: '{"a":{"0":5}}' }, "startingOffsets"],
    [{ "group.id": "a", "kafka.group.id": "b" }, "kafka.group.id"],
    [{ "group.id": "a", groupIdPrefix: "b" }, "groupIdPrefix"],
  ] as Record<string, string>[][] as [Record<string, string>, string][])(
    "%j contradict each other",
    (options, other) => {
      const error = failure(options);
      expect(error.code).toBe("INVALID_OPTION");
      expect(error.message).toContain(other);
    },
  );
});

test.each([
  ["enable.auto.commit", "true", /contradicts exactly once.*checkpoint/],
  ["enable.auto.commit", "maybe", /"maybe"/],
  ["auto.offset.reset", "none", /committed no offset.*Write earliest or latest/],
  ["auto.offset.reset", "by_duration:PT1H", /startingTimestamp/],
  ["auto.offset.reset", "smallest", /earliest or latest/],
  ["interceptor.classes", "x", /not supported/],
  ["value.deserializer", "io.confluent.kafka.serializers.KafkaJsonDeserializer", /from_json\(col\("value"\)/],
  ["value.deserializer", "io.confluent.kafka.serializers.KafkaAvroDeserializer", /bytes/],
  ["key.deserializer", "Number", /how many bytes/],
  ["key.deserializer", "StrinDeserializer", /Did you mean StringDeserializer/],
  ["key.deserializer", "com.example.OrderDeserializer", /It is one of StringDeserializer/],
])("%s = %s is refused with the reason", (name, value, reason) => {
  const error = failure({ [name]: value });
  expect(error.code).toBe("INVALID_OPTION");
  expect(error.message).toMatch(reason);
  expect(error.hint).toBeDefined();
});

test("latest means nothing to a read that ends", () => {
  expect(failure({ "auto.offset.reset": "latest" }, "batch").message).toContain("would find nothing");
  expect(kafkaParams({ "auto.offset.reset": "earliest" }, "batch").options).toEqual({ startingOffsets: "earliest" });
});

test.each([
  ["bootstrap.server", "bootstrap.servers"],
  ["auto.offset.rest", "auto.offset.reset"],
  ["enable.autocommit", "enable.auto.commit"],
  ["value.serializer", "value.deserializer"],
  ["my.own.setting", "kafka.my.own.setting"],
])("%s is a slip: %s", (name, meant) => {
  const error = failure({ [name]: "x" });
  expect(error.code).toBe("UNKNOWN_OPTION");
  expect(error.hint).toContain(`\`${meant}\``);
});
