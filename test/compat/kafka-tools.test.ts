import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { kafkaTools, type ToolResult } from "../../services/kafka.ts";
import { PartitionLog } from "../../src/kafka/log/partition-log.ts";
import { type KafkaServer, startKafkaServer } from "../../src/kafka/server.ts";
import { encodeBatch, parseBatchHeader } from "../../src/kafka/wire/record-batch.ts";
import { given } from "../needs.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-tools-"));
const tools = given(await kafkaTools());
let kafka: KafkaServer;

const MAIN = {
  topics: "org.apache.kafka.tools.TopicCommand",
  configs: "kafka.admin.ConfigCommand",
  producer: "org.apache.kafka.tools.ConsoleProducer",
  consumer: "org.apache.kafka.tools.consumer.ConsoleConsumer",
  groups: "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
  offsets: "org.apache.kafka.tools.GetOffsetShell",
  deleteRecords: "org.apache.kafka.tools.DeleteRecordsCommand",
} as const;

async function run(tool: keyof typeof MAIN, args: string[], stdin = ""): Promise<ToolResult> {
  const address = ["--bootstrap-server", `127.0.0.1:${kafka.port}`];
  const result = await tools!.run(MAIN[tool], [...address, ...args], { stdin });
  expect(result.code, `${tool} ${args.join(" ")}\n${result.stdout}\n${result.stderr}`).toBe(0);
  return result;
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line.trim() !== "");

describe.skipIf(tools === undefined)("Apache Kafka's own tools", () => {
  beforeAll(async () => {
    kafka = await startKafkaServer({ directory, port: 0 });
  });
  afterAll(async () => {
    await kafka?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test("topics: create, list, describe, alter, delete", async () => {
    await run("topics", ["--create", "--topic", "made", "--partitions", "3", "--config", "retention.ms=1000"]);
    expect(lines((await run("topics", ["--list"])).stdout)).toContain("made");
    const { stdout } = await run("topics", ["--describe", "--topic", "made"]);
    expect(stdout).toMatch(
      /Topic: made\s+TopicId: \S{22}\s+PartitionCount: 3\s+ReplicationFactor: 1\s+Configs: retention.ms=1000/,
    );
    expect(stdout).toMatch(/Partition: 2\s+Leader: 1\s+Replicas: 1\s+Isr: 1/);
    await run("topics", ["--alter", "--topic", "made", "--partitions", "5"]);
    expect((await run("topics", ["--describe", "--topic", "made"])).stdout).toContain("PartitionCount: 5");
    await run("topics", ["--delete", "--topic", "made"]);
    expect(lines((await run("topics", ["--list"])).stdout)).not.toContain("made");
  }, 60_000);

  test("configs: alter and describe", async () => {
    await run("topics", ["--create", "--topic", "tuned"]);
    const entity = ["--entity-type", "topics", "--entity-name", "tuned"];
    await run("configs", ["--alter", ...entity, "--add-config", "max.message.bytes=2000"]);
    expect((await run("configs", ["--describe", ...entity])).stdout).toContain("max.message.bytes=2000");
    await run("configs", ["--alter", ...entity, "--delete-config", "max.message.bytes"]);
    expect((await run("configs", ["--describe", ...entity])).stdout).not.toContain("max.message.bytes");
    expect(
      (await run("configs", ["--describe", "--entity-type", "brokers", "--entity-name", "1", "--all"])).stdout,
    ).toContain("num.partitions=4");
  }, 60_000);

  test.each(["none", "gzip", "snappy", "lz4", "zstd"])(
    "console producer (idempotent, %s) and console consumer",
    async (codec) => {
      const sent = Array.from({ length: 500 }, (_, i) => `record ${i} ${"x".repeat(i % 50)}`);
      const topic = `console-${codec}`;
      await run("producer", ["--topic", topic, "--compression-codec", codec], `${sent.join("\n")}\n`);
      const { stdout } = await run("consumer", [
        "--topic",
        topic,
        "--from-beginning",
        "--max-messages",
        "500",
        "--timeout-ms",
        "20000",
      ]);
      expect(lines(stdout).sort()).toEqual([...sent].sort());
    },
    60_000,
  );

  test("a consumer that reads only what is committed", async () => {
    await run(
      "producer",
      ["--topic", "committed", "--property", "parse.key=true", "--property", "key.separator=:"],
      "k:v\n",
    );
    const { stdout } = await run("consumer", [
      ...["--topic", "committed", "--from-beginning", "--max-messages", "1", "--timeout-ms", "20000"],
      ...["--isolation-level", "read_committed", "--property", "print.key=true", "--property", "print.partition=true"],
    ]);
    expect(stdout).toMatch(/Partition:\d\tk\tv/);
  }, 60_000);

  test("consumer groups: list, describe, reset, delete offsets, delete", async () => {
    await run("topics", ["--create", "--topic", "grouped", "--partitions", "2"]);
    await run("producer", ["--topic", "grouped"], Array.from({ length: 40 }, (_, i) => `${i}\n`).join(""));
    const read = ["--topic", "grouped", "--group", "readers", "--timeout-ms", "20000"];
    const first = await run("consumer", [...read, "--from-beginning", "--max-messages", "40"]);
    expect(lines(first.stdout)).toHaveLength(40);
    expect(lines((await run("groups", ["--list"])).stdout)).toContain("readers");
    const described = (await run("groups", ["--describe", "--group", "readers"])).stdout;
    // GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG
    const rows = lines(described)
      .filter((line) => line.startsWith("readers"))
      .map((line) => line.split(/\s+/));
    expect(rows.reduce((sum, row) => sum + Number(row[3]), 0)).toBe(40);
    expect(rows.every((row) => row[5] === "0")).toBe(true);
    expect((await run("groups", ["--describe", "--group", "readers", "--state"])).stdout).toMatch(/readers.*Empty/);
    await run("groups", ["--reset-offsets", "--to-earliest", "--group", "readers", "--topic", "grouped", "--execute"]);
    const again = await run("consumer", [...read, "--max-messages", "40"]);
    expect(lines(again.stdout)).toHaveLength(40);
    await run("groups", ["--delete-offsets", "--group", "readers", "--topic", "grouped"]);
    await run("groups", ["--delete", "--group", "readers"]);
    expect(lines((await run("groups", ["--list"])).stdout)).not.toContain("readers");
  }, 120_000);

  test("offsets by time, and records deleted up to an offset", async () => {
    await run("topics", ["--create", "--topic", "old", "--partitions", "1"]);
    await run("producer", ["--topic", "old"], "a\nb\nc\n");
    expect((await run("offsets", ["--topic", "old", "--time", "-1"])).stdout.trim()).toBe("old:0:3");
    const plan = join(directory, "delete.json");
    writeFileSync(plan, JSON.stringify({ version: 1, partitions: [{ topic: "old", partition: 0, offset: 2 }] }));
    await run("deleteRecords", ["--offset-json-file", plan]);
    expect((await run("offsets", ["--topic", "old", "--time", "-2"])).stdout.trim()).toBe("old:0:2");
    expect((await run("offsets", ["--topic", "old", "--time", "-3"])).stdout.trim()).toMatch(/^old:0:2$/);
    expect((await run("offsets", ["--topic", "old", "--time", "0"])).stdout.trim()).toBe("old:0:2");
  }, 60_000);

  test("dump-log reads the log files and finds their indexes sound", async () => {
    const folder = join(directory, "dumped-0");
    const log = PartitionLog.open(folder, "dumped-0", { segmentBytes: 1 << 30, indexIntervalBytes: 4096 });
    for (let i = 0; i < 1000; i++) {
      // Times that go back and forth.
      const records = Array.from({ length: 1 + (i % 9) }, (_, n) => ({
        value: "x".repeat(i % 300),
        timestamp: 1e12 + i * 10 - ((i * 7 + n) % 50),
      }));
      const batch = encodeBatch({ records });
      log.append(batch, parseBatchHeader(batch, 0)!, Date.now());
    }
    await log.close();
    for (const kind of ["log", "index", "timeindex"]) {
      const args = ["--files", join(folder, `00000000000000000000.${kind}`)];
      const { code, stdout, stderr } = await tools!.run("kafka.tools.DumpLogSegments", args);
      expect(code, stderr).toBe(0);
      expect(stdout).not.toMatch(/isvalid: false|Found|Mismatches|mismatch|Indexed offset|found log/);
      expect(lines(stdout).length).toBeGreaterThan(20);
      if (kind === "log") expect(stdout.match(/isvalid: true/g)).toHaveLength(1000);
    }
  }, 60_000);
});
