import { col, from_json, type MillraceError, schema, t } from "millrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { subscribe } from "../../src/events.ts";
import { type Bench, bench, failure } from "./setup.ts";

const Flight = schema({ ts: t.timestamp, origin: t.string, delay: t.int });

let b: Bench;
beforeAll(async () => {
  b = await bench();
});
afterAll(() => b.close());

const flights = (topic: string, options: Record<string, string> = {}) =>
  b.spark.readStream.format("kafka").option("subscribe", topic).option("startingOffsets", "earliest").options(options);
const parsed = (topic: string) =>
  flights(topic)
    .load()
    .select(
      col("offset"),
      col("value").isNull().as("tombstone"),
      from_json(col("value").cast("string"), Flight).as("f"),
    )
    .select("offset", "tombstone", col("f").isNull().as("none"), "f.*");

describe("records that are not what the schema says", () => {
  test("malformed, empty, cut off, of another shape, tombstones: nulls in their place, every record is there", async () => {
    const values = [
      '{"ts":"2001-01-01T00:00:00Z","origin":"ATL","delay":1}',
      "no json",
      "",
      '{"origin":"ATL","delay":',
      null,
      '{"origin":"ORD","delay":"late"}',
      '{"origin":"ORD","delay":3000000000}',
      "[1,2]",
      "17",
      '"text"',
      "null",
      Uint8Array.of(0xff, 0xfe, 0x00),
      '{"delay":2,"unknown":[1,{"x":2}]}',
      '{"ts":"2001-01-01T00:00:00Z","origin":"SFO","delay":9}',
    ];
    const topic = await b.topic(values);
    const told: (string | undefined)[] = [];
    const off = subscribe("record.bad", (e) => told.push(e.sample));
    const query = await parsed(topic)
      .writeStream.format("delta")
      .option("checkpointLocation", b.path("malformed"))
      .trigger({ availableNow: true })
      .start(b.path("malformed-lake"));
    await query.awaitTermination();
    off();
    // Whoever watches hears of what is no JSON, of each record once.
    expect(told).toEqual(["no json", '{"origin":"ATL","delay":', "\ufffd\ufffd\0"]);
    const rows = await b.spark.read.delta(b.path("malformed-lake")).orderBy("offset").collect();
    expect(rows.map((r: any) => [Number(r.offset), r.tombstone, r.none, r.origin, r.delay])).toEqual([
      [0, false, false, "ATL", 1],
      [1, false, false, null, null],
      [2, false, true, null, null],
      [3, false, false, null, null],
      [4, true, true, null, null],
      [5, false, false, "ORD", null],
      [6, false, false, "ORD", null],
      [7, false, false, null, null],
      [8, false, false, null, null],
      [9, false, false, null, null],
      [10, false, false, null, null],
      [11, false, false, null, null],
      [12, false, false, null, 2],
      [13, false, false, "SFO", 9],
    ]);
  });

  test("a record as large as the broker takes goes through, a larger one is refused by name, with its neighbours safe", async () => {
    const topic = await b.topic([]);
    const large = JSON.stringify({ origin: "x".repeat(1_000_000), delay: 1 });
    await b.put(topic, ['{"origin":"ATL"}', large, '{"origin":"SFO"}']);
    const error = await failure(b.put(topic, [JSON.stringify({ origin: "y".repeat(9_000_000) })]));
    expect(error.message).toMatch(/9,?000,?\d+|max\.request\.size|MESSAGE_TOO_LARGE|message\.max\.bytes/);
    const query = await parsed(topic)
      .writeStream.format("memory")
      .queryName("huge")
      .trigger({ availableNow: true })
      .start();
    await query.awaitTermination();
    expect(query.lastProgress!.numInputRows).toBe(3);
  });
});

describe("topics and offsets", () => {
  test("an unknown topic is named with the nearest one there is", async () => {
    const topic = await b.topic(["{}"]);
    const error = await failure(flights(`${topic}x`).load().writeStream.format("noop").start());
    expect(error.code).toBe("KAFKA_UNKNOWN_TOPIC");
    expect(error.message).toContain(`"${topic}x"`);
    expect(error.message).toContain(topic);
    expect((await failure(b.spark.read.format("kafka").option("subscribe", "absent").load().count())).code).toBe(
      "KAFKA_UNKNOWN_TOPIC",
    );
  });

  test("a topic that is deleted under a running query ends it under failOnDataLoss", async () => {
    const topic = await b.topic(["a"]);
    const query = await flights(topic).load().writeStream.format("noop").start();
    await query.processAllAvailable();
    await b.client.deleteTopics([topic]);
    const error = await failure(query.awaitTermination(20_000));
    expect(error.code).toMatch(/^KAFKA_(DATA_LOSS|UNKNOWN_TOPIC)/);
    expect(error.message).toContain(topic);
  });

  const resumed = async (name: string, options: Record<string, string>) => {
    const topic = await b.topic(["a", "b"]);
    const run = async () => {
      const query = await flights(topic, options)
        .load()
        .select("offset", col("value").cast("string").as("value"))
        .writeStream.format("delta")
        .option("checkpointLocation", b.path(name))
        .trigger({ availableNow: true })
        .start(b.path(`${name}-lake`));
      await query.awaitTermination();
    };
    const lake = async () =>
      (
        await b.spark.read
          .delta(b.path(`${name}-lake`))
          .orderBy("offset")
          .collect()
      ).map((r: any) => r.value);
    await run();
    await b.put(topic, ["c", "d", "e", "f"]);
    await b.forget(topic, 4);
    return { run, lake, topic };
  };

  test("offsets that are gone: an error that names them and the option; nothing is skipped", async () => {
    const { run, lake, topic } = await resumed("gone", {});
    const error: MillraceError = await failure(run());
    expect(error.code).toBe("KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE");
    expect(error.message).toContain(`${topic}`);
    expect(error.message).toContain("failOnDataLoss");
    expect(await lake()).toEqual(["a", "b"]);
    expect((await failure(run())).code).toBe(error.code);
  });

  test("failOnDataLoss false: a warning, and on with what is there", async () => {
    const { run, lake } = await resumed("gone-lenient", { failOnDataLoss: "false" });
    const warnings: string[] = [];
    const off = subscribe("warning", (w) => warnings.push(w.code));
    try {
      await run();
    } finally {
      off();
    }
    expect(warnings).toContain("KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE");
    expect(await lake()).toEqual(["a", "b", "e", "f"]);
  });

  test("a topic made anew, shorter than what was read", async () => {
    const topic = await b.topic(["a", "b", "c"]);
    const start = (failOnDataLoss: string) =>
      flights(topic, { failOnDataLoss })
        .load()
        .writeStream.format("noop")
        .option("checkpointLocation", b.path("anew"))
        .trigger({ availableNow: true })
        .start();
    await (await start("true")).awaitTermination();
    await b.client.deleteTopics([topic]);
    await b.client.createTopics([{ name: topic, partitions: 1 }]);
    await b.put(topic, ["d"]);
    const error = await failure(start("true").then((q) => q.awaitTermination()));
    expect(error.code).toMatch(/^KAFKA_DATA_LOSS\./);
    expect(error.message).toContain("went back from 3 to 1");
  });
});
