import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  BooleanDeserializer,
  DoubleDeserializer,
  FloatDeserializer,
  IntegerDeserializer,
  LongDeserializer,
  ShortDeserializer,
  StringDeserializer,
} from "../../src/dataframe/deserializers.ts";
import { KafkaClient, KafkaProducer } from "../../src/kafka/client/index.ts";
import { SparkSession } from "../../src/session.ts";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";
import { embeddedBroker, type TestBroker } from "./brokers.ts";

const server = given(await sharedSpark());

/** A consumer's settings without Spark's `kafka.`, as tutorials write them, on both engines. */
describe.each([
  ["embedded", undefined],
  ["on Spark", server?.url],
] as const)("a consumer's settings %s", { timeout: 240_000 }, (engine, remote) => {
  const root = mkdtempSync(join(tmpdir(), "millrace-params-"));
  const here = engine === "embedded" || remote !== undefined;
  const sessions: SparkSession[] = [];
  let broker: TestBroker;
  let client: KafkaClient;
  let producer: KafkaProducer;
  let number = 0;

  beforeAll(async () => {
    broker = await embeddedBroker();
    client = KafkaClient.connect({ "bootstrap.servers": broker.bootstrap });
    producer = new KafkaProducer(client);
  });
  afterEach(async () => {
    for (const open of sessions.splice(0)) await open.stop();
  });
  afterAll(async () => {
    await producer.close();
    client.close();
    await broker.stop();
    rmSync(root, { recursive: true, force: true });
  });

  const session = (): SparkSession => {
    const made = new SparkSession(remote === undefined ? {} : { remote });
    sessions.push(made);
    return made;
  };
  const topicOf = async (keys: (Uint8Array | string | null)[], values: (Uint8Array | string | null)[]) => {
    const topic = `params-${number++}`;
    await client.createTopics([{ name: topic, partitions: 1 }]);
    await producer.sendColumns(topic, 0, { keys, values });
    return topic;
  };
  const bytes = (write: (view: DataView) => void, length: number): Uint8Array => {
    const view = new DataView(new ArrayBuffer(length));
    write(view);
    return new Uint8Array(view.buffer);
  };
  /** The values that a deserializer makes of records. */
  const read = async (deserializer: string, values: (Uint8Array | string | null)[]): Promise<unknown[]> => {
    const topic = await topicOf(
      values.map(() => null),
      values,
    );
    const rows = await session()
      .read.format("kafka")
      .options({ "bootstrap.servers": broker.bootstrap, "value.deserializer": deserializer, subscribe: topic })
      .load()
      .orderBy("offset")
      .select("value")
      .collect();
    return rows.map((row) => row.value);
  };

  test.skipIf(!here)(
    "the tutorial's, in a stream: rows with text, from the end of the topic, on from its checkpoint",
    async () => {
      const topic = await topicOf(["before"], ["not read"]);
      const checkpoints = join(root, `${engine}-checkpoints`);
      const kafkaParams = {
        "bootstrap.servers": broker.bootstrap,
        "key.deserializer": StringDeserializer,
        "value.deserializer": StringDeserializer,
        "group.id": "real-time-pipeline",
        "auto.offset.reset": "latest",
        "enable.auto.commit": false,
      };
      const out = join(root, `${engine}-out`);
      const got = () => session().read.schema("key STRING, value STRING").parquet(out).orderBy("value").collect();
      const start = async () => {
        const spark = session();
        spark.conf.set("spark.sql.streaming.checkpointLocation", checkpoints);
        return await spark.readStream
          .format("kafka")
          .options(kafkaParams)
          .option("subscribe", topic)
          .load()
          .select("key", "value")
          .writeStream.queryName("tutorial")
          .format("parquet")
          .start(out);
      };
      const first = await start();
      await first.processAllAvailable();
      await producer.sendColumns(topic, 0, { keys: ["a", null], values: ["Zürich", null] });
      await first.processAllAvailable();
      expect(await got()).toEqual([
        { key: null, value: null },
        { key: "a", value: "Zürich" },
      ]);
      await first.stop();
      await producer.sendColumns(topic, 0, { keys: ["b"], values: ["while it was away"] });
      const second = await start();
      expect(second.id).toBe(first.id);
      await second.processAllAvailable();
      await second.stop();
      expect((await got()).slice(2)).toEqual([{ key: "b", value: "while it was away" }]);
    },
  );

  test.skipIf(!here)("numbers of every width", async () => {
    const each = <T>(values: readonly T[], length: number, write: (view: DataView, value: T) => void) =>
      values.map((value) => bytes((view) => write(view, value), length));
    const shorts = [0, 1, -1, 255, -32768, 32767];
    expect(
      await read(
        ShortDeserializer,
        each(shorts, 2, (v, x) => v.setInt16(0, x)),
      ),
    ).toEqual(shorts);
    const ints = [0, 1, -1, 65536, -(2 ** 31), 2 ** 31 - 1];
    expect(
      await read(
        IntegerDeserializer,
        each(ints, 4, (v, x) => v.setInt32(0, x)),
      ),
    ).toEqual(ints);
    const longs = [0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n];
    expect(await read(LongDeserializer, [...each(longs, 8, (v, x) => v.setBigInt64(0, x)), null])).toEqual([
      ...longs,
      null,
    ]);
    expect(
      await read(
        BooleanDeserializer,
        each([0, 1], 1, (v, x) => v.setInt8(0, x)),
      ),
    ).toEqual([false, true]);
    const special = [0, -0, 1, -1, 0.1, Math.PI, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 1e-310];
    const doubles = [...special, Infinity, -Infinity, NaN, ...fc.sample(fc.double(), 200)];
    expect(
      await read(
        DoubleDeserializer,
        each(doubles, 8, (v, x) => v.setFloat64(0, x)),
      ),
    ).toEqual(doubles);
    const floats = [...special, Infinity, -Infinity, NaN, ...fc.sample(fc.float(), 200)].map(Math.fround);
    expect(
      await read(
        FloatDeserializer,
        each(floats, 4, (v, x) => v.setFloat32(0, x)),
      ),
    ).toEqual(floats);
  });

  test.skipIf(!here)("bytes of another length fail the query and name the record", async () => {
    const error = await read(IntegerDeserializer, ["123"]).catch((e: Error) => e);
    expect(error).toMatchObject({ code: "USER_RAISED_EXCEPTION" });
    expect((error as Error).message).toMatch(
      /IntegerDeserializer takes 4 bytes.*params-\d+, partition 0, offset 0 is 0x313233/,
    );
  });

  test.skipIf(!here)("text in another encoding, a class as the deserializer, and bytes without one", async () => {
    class StringDeserializer {}
    const topic = await topicOf([new Uint8Array([0xfc])], ["v"]);
    const rows = await session()
      .read.format("kafka")
      .options({
        "bootstrap.servers": broker.bootstrap,
        "key.deserializer": StringDeserializer,
        "key.deserializer.encoding": "ISO-8859-1",
        subscribe: topic,
      })
      .load()
      .collect();
    expect(rows).toMatchObject([{ key: "ü", value: new Uint8Array([0x76]), topic, partition: 0, offset: 0n }]);
  });
});
