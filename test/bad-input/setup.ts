import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MillraceError, SparkSession } from "millrace";
import { expect } from "vitest";
import { KafkaClient, KafkaProducer } from "../../src/kafka/client/index.ts";
import { startKafkaServer } from "../../src/kafka/server.ts";
import { deleteRecords } from "../../src/kafka/wire/messages/topics.ts";

/** A session of the public API beside an embedded broker in this process, and a folder for all they write. */
export interface Bench {
  readonly spark: SparkSession;
  readonly root: string;
  readonly client: KafkaClient;
  /** A new topic of one partition that holds these values; undefined as a value is an empty one, null a tombstone. */
  topic(values: readonly (string | Uint8Array | null)[]): Promise<string>;
  put(topic: string, values: readonly (string | Uint8Array | null)[]): Promise<void>;
  /** Makes `offset` the first one there is. */
  forget(topic: string, offset: number): Promise<void>;
  path(...names: string[]): string;
  close(): Promise<void>;
}

let topics = 0;

export async function bench(): Promise<Bench> {
  const root = mkdtempSync(join(tmpdir(), "millrace-bad-input-"));
  const server = await startKafkaServer({ directory: join(root, "kafka"), port: 0, autoCreateTopics: false });
  const address = `${server.host}:${server.port}`;
  process.env.MILLRACE_KAFKA = address;
  const client = KafkaClient.connect({ "bootstrap.servers": address });
  const producer = new KafkaProducer(client);
  const spark = SparkSession.builder()
    .config("millrace.engine.threads", 1)
    .config("millrace.engine.memoryLimit", "512MiB")
    .getOrCreate();
  const put: Bench["put"] = (topic, values) => producer.sendColumns(topic, 0, { values: [...values] });
  return {
    spark,
    root,
    client,
    put,
    async topic(values) {
      const name = `topic-${topics++}`;
      await client.createTopics([{ name, partitions: 1 }]);
      if (values.length > 0) await put(name, values);
      return name;
    },
    async forget(topic, offset) {
      const connection = await client.connection(await client.leader(topic, 0), "control");
      const answer = await connection.request(deleteRecords, {
        topics: [{ name: topic, partitions: [{ partitionIndex: 0, offset }] }],
        timeoutMs: 10_000,
      });
      expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(0);
    },
    path: (...names) => join(root, ...names),
    async close() {
      await spark.stop();
      await producer.close();
      client.close();
      await server.close();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** The MillraceError that something ends with: of a failed query its cause. */
export async function failure(promise: Promise<unknown>): Promise<MillraceError> {
  const error = await promise.then(
    () => new Error("nothing was thrown"),
    (e: unknown) => e,
  );
  if (!(error instanceof MillraceError)) throw error;
  return error.code === "STREAM_FAILED" && error.cause instanceof MillraceError ? error.cause : error;
}

/** A file system of `size` at `path`, or undefined where this user may not mount one. */
export function smallDisk(path: string, size: string): { unmount(): void } | undefined {
  mkdirSync(path, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return { unmount: () => execFileSync("umount", [path]) };
}
