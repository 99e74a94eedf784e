import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { col, count } from "millrace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startCacheServer } from "../../src/cache/server.ts";
import { startPostgresServer } from "../../src/database/server.ts";
import { KafkaClient, KafkaProducer } from "../../src/kafka/client/index.ts";
import { startKafkaServer } from "../../src/kafka/server.ts";
import { type Bench, bench, failure, smallDisk } from "./setup.ts";

let b: Bench;
beforeAll(async () => {
  b = await bench();
  writeFileSync(b.path("file"), "");
});
afterAll(() => b.close());

const words = (topic: string) =>
  b.spark.readStream
    .format("kafka")
    .option("subscribe", topic)
    .option("startingOffsets", "earliest")
    .load()
    .select("offset", col("value").cast("string").as("word"));

const SERVERS = [
  ["kafka", startKafkaServer],
  ["database", startPostgresServer],
  ["cache", startCacheServer],
] as const;

describe("directories that cannot be written", () => {
  test.each(["checkpoint", "checkpoint/below"])("a checkpointLocation that is a file: %s", async (name) => {
    const path = b.path("file", ...name.split("/").slice(1));
    const topic = await b.topic(["a"]);
    const error = await failure(words(topic).writeStream.format("noop").option("checkpointLocation", path).start());
    expect(error.code).toBe("DIRECTORY_NOT_WRITABLE");
    expect(error.message).toContain(path);
  });

  test.each(["delta", "parquet", "json", "csv"])("the folder of a %s sink, stream and batch", async (format) => {
    const path = b.path("file", "out");
    const topic = await b.topic(["a"]);
    const stream = async (): Promise<void> => {
      const query = await words(topic)
        .writeStream.format(format)
        .option("checkpointLocation", b.path(`checkpoint-${format}`))
        .trigger({ availableNow: true })
        .start(path);
      await query.awaitTermination();
    };
    const batch = (): Promise<void> => b.spark.range(3).write.format(format).save(path);
    for (const run of [stream, batch]) {
      const error = await failure(run());
      expect(error.code).toMatch(/^DIRECTORY_NOT_WRITABLE$|^PATH_ALREADY_EXISTS$/);
      expect(error.message).toContain(path);
    }
  });

  test.each(SERVERS)("the directory of the embedded %s", async (_name, start) => {
    const directory = b.path("file", "data");
    const error = await failure(start({ directory, port: 0 }));
    expect(error.code).toBe("DIRECTORY_NOT_WRITABLE");
    expect(error.message).toContain(directory);
  });
});

describe("two at once", () => {
  test.each(SERVERS)("two of the embedded %s on one directory, or one port", async (name, start) => {
    const directory = b.path(`${name}-data`);
    const first = await start({ directory, port: 0 });
    try {
      const second = await failure(start({ directory, port: 0 }));
      expect(second.code).toBe("DIRECTORY_IN_USE");
      expect(second.message).toContain(directory);
      const third = await failure(start({ directory: b.path(`${name}-other`), port: first.port }));
      expect(third.code).toBe("PORT_IN_USE");
      expect(third.message).toContain(String(first.port));
    } finally {
      await first.close();
    }
    // Both are free again.
    await (await start({ directory, port: first.port })).close();
  });

  test("a port that a stranger has", async () => {
    const stranger = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => stranger.once("listening", resolve));
    const { port } = stranger.address() as { port: number };
    try {
      for (const [name, start] of SERVERS) {
        const error = await failure(start({ directory: b.path(`${name}-stranger`), port }));
        expect(error.code).toBe("PORT_IN_USE");
        expect(error.hint).toBeDefined();
      }
    } finally {
      stranger.close();
    }
  });
});

describe("a full disk", () => {
  const onSmallDisk = (
    name: string,
    size: string,
    run: (disk: string, fill: () => void, free: () => void) => Promise<void>,
  ) =>
    test(name, async (context) => {
      const path = b.path(name.replaceAll(/\W+/g, "-"));
      const disk = smallDisk(path, size);
      context.skip(disk === undefined, "needs the right to mount a small file system");
      const ballast = join(path, "ballast");
      const fill = (): void => {
        for (let kb = 4096; kb >= 1; kb /= 2) {
          for (;;) {
            try {
              writeFileSync(ballast, Buffer.alloc(kb * 1024), { flag: "a" });
            } catch {
              break;
            }
          }
        }
      };
      try {
        await run(path, fill, () => rmSync(ballast, { force: true }));
      } finally {
        disk!.unmount();
      }
    });

  onSmallDisk("for the broker's log: refused, what was acknowledged stays", "8m", async (disk, fill, free) => {
    const directory = join(disk, "kafka");
    const server = await startKafkaServer({ directory, port: 0 });
    const client = KafkaClient.connect({
      "bootstrap.servers": `${server.host}:${server.port}`,
      "delivery.timeout.ms": "3000",
    });
    const producer = new KafkaProducer(client);
    await client.createTopics([{ name: "small", partitions: 1 }]);
    await producer.sendColumns("small", 0, { values: ["a", "b"] });
    fill();
    const error = await failure(producer.sendColumns("small", 0, { values: ["x".repeat(500_000)] }));
    expect(error.message).toMatch(/KAFKA_STORAGE_ERROR|space/);
    free();
    await producer.sendColumns("small", 0, { values: ["c"] });
    await producer.close();
    client.close();
    await server.close();
    const again = await startKafkaServer({ directory, port: 0 });
    const reader = KafkaClient.connect({ "bootstrap.servers": `${again.host}:${again.port}` });
    const values = await b.spark.read
      .format("kafka")
      .option("kafka.bootstrap.servers", `${again.host}:${again.port}`)
      .option("subscribe", "small")
      .load()
      .select(col("value").cast("string").as("v"))
      .collect();
    expect(values.map((r) => r.v)).toEqual(["a", "b", "c"]);
    reader.close();
    await again.close();
  });

  onSmallDisk(
    "for the checkpoint and its state: an error, and on when there is room",
    "24m",
    async (disk, fill, free) => {
      const topic = await b.topic(["a", "b", "a"]);
      const checkpoint = join(disk, "checkpoint");
      b.spark.conf.set("millrace.restart.enabled", false);
      const run = async (): Promise<void> => {
        const query = await words(topic)
          .groupBy("word")
          .agg(count("*").as("n"))
          .writeStream.format("delta")
          .outputMode("complete")
          .option("checkpointLocation", checkpoint)
          .trigger({ availableNow: true })
          .start(b.path("full-lake"));
        await query.awaitTermination();
      };
      try {
        await run();
        await b.put(
          topic,
          Array.from({ length: 20_000 }, (_, i) => `word ${i}`),
        );
        fill();
        const error = await failure(run());
        expect(error.code).toBe("DISK_FULL");
        expect(error.message).toContain(disk);
        free();
        await run();
        expect(await b.spark.read.delta(b.path("full-lake")).count()).toBe(20_002);
      } finally {
        b.spark.conf.unset("millrace.restart.enabled");
      }
    },
  );

  for (const format of ["parquet", "json", "csv", "delta"]) {
    onSmallDisk(
      `for a ${format} sink: an error, no partial file, and on when there is room`,
      "4m",
      async (disk, fill, free) => {
        const topic = await b.topic(Array.from({ length: 50_000 }, (_, i) => `${i} ${Math.random()}`));
        b.spark.conf.set("millrace.restart.enabled", false);
        const out = join(disk, "out");
        mkdirSync(out);
        const run = async (): Promise<void> => {
          const query = await words(topic)
            .writeStream.format(format)
            .option("checkpointLocation", b.path(`full-${format}`))
            .trigger({ availableNow: true })
            .start(out);
          await query.awaitTermination();
        };
        try {
          fill();
          const error = await failure(run());
          expect(error.code).toBe("DISK_FULL");
          expect(error.message).toContain(disk);
          free();
          await run();
          const df = b.spark.read.format(format).schema("offset BIGINT, word STRING");
          expect(await (format === "delta" ? b.spark.read.delta(out) : df.load(out)).count()).toBe(50_000);
        } finally {
          b.spark.conf.unset("millrace.restart.enabled");
        }
      },
    );
  }
});
