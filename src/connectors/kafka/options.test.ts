import { describe, expect, test } from "vitest";
import { parseKafkaOptions, parseServers } from "../../kafka/client/index.ts";
import { kafka } from "../kafka.ts";
import { KAFKA_OPTIONS, kafkaSettings, parseSourceOptions } from "./options.ts";

const base = { "kafka.bootstrap.servers": "localhost:9092", subscribe: "flights" };

describe("source options", () => {
  test("defaults of a stream and of a batch", () => {
    expect(parseSourceOptions(base, "stream")).toMatchObject({
      subscription: { kind: "subscribe", topics: ["flights"] },
      starting: { kind: "latest" },
      failOnDataLoss: true,
      maxOffsetsPerTrigger: undefined,
      maxTriggerDelayMs: 900_000,
      pollTimeoutMs: 120_000,
      includeHeaders: false,
    });
    expect(parseSourceOptions(base, "batch")).toMatchObject({
      starting: { kind: "earliest" },
      ending: { kind: "latest" },
    });
  });

  test("a time wins over times per partition, which win over offsets", () => {
    const json = '{"flights":{"0":5}}';
    const all = { ...base, startingOffsets: json, startingOffsetsByTimestamp: json, startingTimestamp: "7" };
    expect(parseSourceOptions(all, "stream").starting).toEqual({ kind: "timestamp", timestamp: 7 });
    const { startingTimestamp: _, ...two } = all;
    expect(parseSourceOptions(two, "stream").starting.kind).toBe("timestamps");
  });

  test.each<[string, Record<string, string>, string]>([
    ["no topic", { subscribe: undefined as never }, "MISSING_OPTION"],
    ["two subscriptions", { subscribePattern: "f.*" }, "INVALID_OPTION"],
    ["an empty subscription", { subscribe: " " }, "INVALID_OPTION"],
    ["only commas", { subscribe: " , " }, "INVALID_OPTION"],
    ["a broken pattern", { subscribe: undefined as never, subscribePattern: "(" }, "INVALID_OPTION"],
    ["assign that is no JSON", { subscribe: undefined as never, assign: "flights:0" }, "INVALID_OPTION"],
    ["startingOffsets that is no JSON", { startingOffsets: "soon" }, "INVALID_OPTION"],
    ["startingOffsets with text", { startingOffsets: '{"flights":{"0":"5"}}' }, "INVALID_OPTION"],
    ["an ending in a stream", { endingOffsets: "latest" }, "INVALID_OPTION"],
    ["min above max", { minOffsetsPerTrigger: "5", maxOffsetsPerTrigger: "4" }, "INVALID_OPTION"],
    ["max of zero", { maxOffsetsPerTrigger: "0" }, "INVALID_OPTION"],
    ["minPartitions of zero", { minPartitions: "0" }, "INVALID_OPTION"],
    ["a strange strategy", { startingOffsetsByTimestampStrategy: "guess" }, "INVALID_OPTION"],
    ["a strange duration", { maxTriggerDelay: "soon" }, "INVALID_OPTION"],
    ["a strange boolean", { failOnDataLoss: "maybe" }, "INVALID_OPTION"],
    ["a negative time", { startingTimestamp: "-1" }, "INVALID_OPTION"],
    ["no broker", { "kafka.bootstrap.servers": "" }, "MISSING_OPTION"],
    ["a broker without a port number", { "kafka.bootstrap.servers": "host:http" }, "INVALID_OPTION"],
  ])("%s is refused", (_name, options, code) => {
    const given = Object.fromEntries(Object.entries({ ...base, ...options }).filter(([, v]) => v !== undefined));
    expect(() => parseSourceOptions(given, "stream")).toThrow(expect.objectContaining({ code }));
  });

  test("durations in words and letters", () => {
    const delay = (maxTriggerDelay: string): number =>
      parseSourceOptions({ ...base, maxTriggerDelay }, "stream").maxTriggerDelayMs;
    expect(["90s", "2 minutes", "1 hour", "500ms", "1d", "250"].map(delay)).toEqual([
      90_000, 120_000, 3_600_000, 500, 86_400_000, 250,
    ]);
  });

  test.each([
    ["kafka.auto.offset.reset", "startingOffsets"],
    ["kafka.key.deserializer", "cast the column"],
    ["kafka.value.deserializer", "cast the column"],
    ["kafka.enable.auto.commit", "checkpoint"],
    ["KAFKA.Interceptor.Classes", "break"],
  ])("%s is refused with advice", (name, advice) => {
    expect(() => parseSourceOptions({ ...base, [name]: "x" }, "stream")).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", hint: expect.stringContaining(advice) }),
    );
    // They mean nothing to a sink, but do no harm there.
    expect(kafkaSettings({ ...base, [name]: "x" }, "sink")).toHaveProperty(name.toLowerCase().slice(6));
  });

  test("a serializer is refused by the sink", () => {
    expect(() => kafkaSettings({ ...base, "kafka.value.serializer": "x" }, "sink")).toThrow(/not supported/);
  });
});

describe("Kafka's settings", () => {
  const settings = { "bootstrap.servers": "a:1,b:2 , [::1]:3,c" };

  test("addresses", () => {
    expect(parseServers("a:1,b:2 , [::1]:3,c,PLAINTEXT://d:4")).toEqual([
      { host: "a", port: 1 },
      { host: "b", port: 2 },
      { host: "::1", port: 3 },
      { host: "c", port: 9092 },
      { host: "d", port: 4 },
    ]);
    for (const wrong of ["", "a:b", "a:0", "a:70000", "a b:1", ":9092"]) {
      expect(() => parseServers(wrong)).toThrow(expect.objectContaining({ code: "INVALID_OPTION" }));
    }
  });

  test("user and password from JAAS or by themselves", () => {
    const jaas =
      'org.apache.kafka.common.security.scram.ScramLoginModule required username="al\\"ice" password="p=w;d\\\\";';
    expect(
      parseKafkaOptions({
        ...settings,
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.jaas.config": jaas,
      }),
    ).toMatchObject({ sasl: { mechanism: "SCRAM-SHA-512", username: 'al"ice', password: "p=w;d\\" }, tls: {} });
    expect(
      parseKafkaOptions({
        ...settings,
        "security.protocol": "sasl_plaintext",
        "sasl.username": "bob",
        "sasl.password": "secret",
      }),
    ).toMatchObject({ sasl: { mechanism: "PLAIN", username: "bob", password: "secret" }, tls: undefined });
  });

  test.each([
    [{ "security.protocol": "TLS" }, "INVALID_OPTION"],
    [{ "security.protocol": "SASL_PLAINTEXT" }, "MISSING_OPTION"],
    [{ "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "GSSAPI" }, "INVALID_OPTION"],
    [
      { "security.protocol": "SSL", "ssl.truststore.location": "x.jks", "ssl.truststore.type": "JKS" },
      "INVALID_OPTION",
    ],
    [{ "security.protocol": "SSL", "ssl.ca.location": "/no/such/file" }, "INVALID_OPTION"],
    [{ acks: "2" }, "INVALID_OPTION"],
    [{ acks: "1", "enable.idempotence": "true" }, "INVALID_OPTION"],
    [{ "compression.type": "brotli" }, "INVALID_OPTION"],
    [{ "isolation.level": "serializable" }, "INVALID_OPTION"],
    [{ "request.timeout.ms": "soon" }, "INVALID_OPTION"],
    [{ "max.in.flight.requests.per.connection": "6" }, "INVALID_OPTION"],
  ])("%j is refused", (given, code) => {
    expect(() => parseKafkaOptions({ ...settings, ...given } as never)).toThrow(expect.objectContaining({ code }));
  });

  test("secrets never appear in messages", () => {
    const secret = "hunter2";
    for (const given of [
      { "sasl.jaas.config": `x required password="${secret}";`, "security.protocol": "SASL_SSL" },
      { "sasl.password": secret, "security.protocol": "SASL_PLAINTEXT" },
      { "ssl.keystore.key": secret, "ssl.keystore.location": "/no/such/file", "security.protocol": "SSL" },
    ]) {
      let message = "";
      try {
        parseKafkaOptions({ ...settings, ...given } as never);
      } catch (error) {
        message = String((error as Error).stack) + JSON.stringify(error);
      }
      expect(message).not.toBe("");
      expect(message).not.toContain(secret);
    }
    for (const option of KAFKA_OPTIONS.filter((o) => /password|jaas|\.key$/.test(o.name))) {
      expect(option).toMatchObject({ secret: true });
    }
  });
});

test("the connector's schema", async () => {
  const names = async (options: Record<string, string>): Promise<string[]> =>
    (await kafka.source!.schema({ options, paths: [], schema: undefined }))!.fields.map(
      (f) => `${f.name} ${f.type.kind}`,
    );
  const columns = [
    "key binary",
    "value binary",
    "topic string",
    "partition integer",
    "offset long",
    "timestamp timestamp",
    "timestampType integer",
  ];
  expect(await names(base)).toEqual(columns);
  expect(await names({ ...base, includeHeaders: "true" })).toEqual([...columns, "headers array"]);
});
