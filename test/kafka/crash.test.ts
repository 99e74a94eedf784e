import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as after } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { subscribe } from "../../src/events.ts";
import { startKafkaServer } from "../../src/kafka/server.ts";
import { ErrorCode } from "../../src/kafka/wire/error-codes.ts";
import { fetch } from "../../src/kafka/wire/messages/fetch.ts";
import { metadata } from "../../src/kafka/wire/messages/metadata.ts";
import { offsetCommit, offsetFetch } from "../../src/kafka/wire/messages/offsets.ts";
import { initProducerId, produce } from "../../src/kafka/wire/messages/produce.ts";
import { deleteTopics } from "../../src/kafka/wire/messages/topics.ts";
import { decodeBatch, encodeBatch } from "../../src/kafka/wire/record-batch.ts";
import { RawClient } from "./raw-client.ts";

const root = mkdtempSync(join(tmpdir(), "millrace-crash-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function startProcess(directory: string, port: number): Promise<{ child: ChildProcess; port: number }> {
  const program = fileURLToPath(new URL("./broker-process.ts", import.meta.url));
  const child = spawn(process.execPath, [program, directory, String(port), "20"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(child.stdout!, "data")) as [Buffer];
  return { child, port: Number(line.toString().trim()) };
}

async function everything(client: RawClient, topic: string, partition: number): Promise<string[]> {
  const values: string[] = [];
  let fetchOffset = 0;
  for (;;) {
    const { responses } = await client.send(fetch, 12, {
      maxWaitMs: 0,
      minBytes: 1,
      topics: [{ topic, partitions: [{ partition, fetchOffset, partitionMaxBytes: 1 << 20 }] }],
    });
    const { records, highWatermark, errorCode } = responses[0]!.partitions[0]!;
    expect(errorCode).toBe(0);
    for (let at = 0; at < records!.length; ) {
      const { header, records: decoded } = decodeBatch(records!, at);
      for (const r of decoded) {
        expect(r.offset).toBe(values.length);
        values.push(r.value!.toString());
      }
      at += header.size;
    }
    fetchOffset = values.length;
    if (fetchOffset >= highWatermark) return values;
  }
}

test("kill -9 while an idempotent producer sends: every acknowledged record is there exactly once, in order", async () => {
  const directory = join(root, "killed");
  let broker = await startProcess(directory, 0);
  const { port } = broker;
  let client = await RawClient.connect(port);
  await client.send(metadata, 4, { topics: [{ name: "t" }], allowAutoTopicCreation: true });
  const { producerId, producerEpoch } = await client.send(initProducerId, 0, {
    transactionalId: null,
    transactionTimeoutMs: 0,
  });

  const PARTITIONS = 4;
  /** Batches of each partition, as values; those below `acked` are acknowledged. */
  const sent: string[][][] = Array.from({ length: PARTITIONS }, () => []);
  const acked = new Array<number>(PARTITIONS).fill(0);
  const committed = { offset: -1, tried: -1 };

  const sendBatch = async (partition: number, n: number): Promise<void> => {
    const values = sent[partition]![n]!;
    const baseSequence = sent[partition]!.slice(0, n).reduce((sum, b) => sum + b.length, 0);
    const batch = encodeBatch({
      records: values.map((value) => ({ value })),
      producerId,
      producerEpoch,
      baseSequence,
      codec: n % 2 === 0 ? 0 : 4,
    });
    const { responses } = await client.send(produce, 9, {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: "t", partitionData: [{ index: partition, records: [batch] as any }] }],
    });
    expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(0);
    acked[partition] = Math.max(acked[partition]!, n + 1);
  };
  /** Sends, at most five batches under way per partition, until the connection breaks. */
  const produceUntilKilled = async (): Promise<void> => {
    const pump = async (partition: number): Promise<void> => {
      for (let n = acked[partition]!; ; ) {
        const window = Array.from({ length: 5 }, () => {
          if (sent[partition]!.length === n) {
            sent[partition]!.push(
              Array.from({ length: 1 + (n % 7) }, (_, i) => `${partition}/${n}/${i} ${"x".repeat((n * 37) % 900)}`),
            );
          }
          return sendBatch(partition, n++);
        });
        const results = await Promise.allSettled(window);
        const failed = results.find((r) => r.status === "rejected");
        if (failed !== undefined) {
          if (!/closed/.test(String(failed.reason))) throw failed.reason;
          return;
        }
      }
    };
    const commit = async (): Promise<void> => {
      for (;;) {
        committed.tried++;
        try {
          await client.send(offsetCommit, 2, {
            groupId: "g",
            memberId: "",
            topics: [
              {
                name: "t",
                partitions: [{ partitionIndex: 0, committedOffset: committed.tried, committedMetadata: null }],
              },
            ],
          });
        } catch {
          return;
        }
        committed.offset = committed.tried;
      }
    };
    await Promise.all([...Array.from({ length: PARTITIONS }, (_, p) => pump(p)), commit()]);
  };

  for (let kill = 0; kill < 6; kill++) {
    const producing = produceUntilKilled();
    // A random moment of the work; nothing depends on which.
    await after(100 + Math.random() * 300);
    broker.child.kill("SIGKILL");
    await once(broker.child, "exit");
    await producing;
    client.close();
    broker = await startProcess(directory, port);
    client = await RawClient.connect(port);
    const { topics } = await client.send(offsetFetch, 5, { groupId: "g", topics: null });
    const offset = topics[0]?.partitions[0]?.committedOffset ?? -1;
    expect(offset === committed.offset || offset === committed.tried).toBe(true);
  }
  // The last unanswered batches once more; then the log has all that was sent, once.
  for (let p = 0; p < PARTITIONS; p++) {
    for (let n = acked[p]!; n < sent[p]!.length; n++) await sendBatch(p, n);
    expect(await everything(client, "t", p)).toEqual(sent[p]!.flat());
  }
  expect(acked.reduce((a, b) => a + b)).toBeGreaterThan(100);
  client.close();
  broker.child.kill("SIGKILL");
  await once(broker.child, "exit");
}, 60_000);

/** A file system of a few megabytes that can be filled up; only root can make one. */
function smallDisk(name: string): string | undefined {
  const path = join(root, name);
  mkdirSync(path);
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=3m", "tmpfs", path]);
  return mounted.status === 0 && statfsSync(path).blocks * statfsSync(path).bsize < 4 << 20 ? path : undefined;
}

const disk = smallDisk("small");

describe.skipIf(disk === undefined)("a full disk", () => {
  afterAll(() => {
    spawnSync("umount", [disk!]);
  });

  test("is told to the producer and by an event, leaves the log whole, and is over when there is room", async () => {
    const errors: string[] = [];
    const stop = subscribe("server.error", ({ error }) => errors.push(error.message));
    const directory = join(disk!, "kafka");
    let kafka = await startKafkaServer({ directory, port: 0, inProcess: true });
    let client = await RawClient.connect(kafka.port);
    await client.send(metadata, 4, { topics: [{ name: "t" }, { name: "filler" }], allowAutoTopicCreation: true });
    const send = async (name: string, value: string) => {
      const records = [encodeBatch({ records: [{ value }] })] as any;
      const { responses } = await client.send(produce, 9, {
        acks: -1,
        timeoutMs: 1000,
        topicData: [{ name, partitionData: [{ index: 0, records }] }],
      });
      return responses[0]!.partitionResponses[0]!;
    };
    const stored: string[] = [];
    await send("filler", "f".repeat(500_000));
    for (let i = 0; ; i++) {
      const value = `${i}`.padEnd(100_000, "x");
      const answer = await send("t", value);
      if (answer.errorCode === 0) {
        stored.push(value);
        continue;
      }
      expect(answer.errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
      expect(answer.errorMessage).toMatch(/ENOSPC/);
      break;
    }
    expect(stored.length).toBeGreaterThan(5);
    // Reported once, however often it is tried.
    await send("t", "y".repeat(200_000));
    expect(errors.filter((e) => e.includes("ENOSPC"))).toHaveLength(1);
    expect(await everything(client, "t", 0)).toEqual(stored);
    // Writing the list of topics needs a little room itself; the log left some at its end.
    const deleted = await client.send(deleteTopics, 1, { topicNames: ["filler"], timeoutMs: 1000 });
    expect(deleted.responses[0]!.errorCode).toBe(0);
    client.close();
    await kafka.close();
    kafka = await startKafkaServer({ directory, port: 0, inProcess: true });
    client = await RawClient.connect(kafka.port);
    expect(await send("t", "again")).toMatchObject({ errorCode: 0, baseOffset: stored.length });
    expect(await everything(client, "t", 0)).toEqual([...stored, "again"]);
    client.close();
    await kafka.close();
    stop();
  });
});
