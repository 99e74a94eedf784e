import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KafkaClient, KafkaProducer } from "../../src/kafka/client/index.ts";
import { type KafkaServer, startKafkaServer } from "../../src/kafka/server.ts";

const entry = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
let directory: string;
let kafka: KafkaServer;
let client: KafkaClient;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-produce-"));
  kafka = await startKafkaServer({ directory: join(directory, "kafka"), port: 0 });
  client = KafkaClient.connect({ "bootstrap.servers": `127.0.0.1:${kafka.port}` });
});
afterAll(async () => {
  client?.close();
  await kafka?.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

/** Runs `millrace` with a text on stdin. */
async function run(args: string[], input: string | Buffer = "") {
  const { MILLRACE_KAFKA, FORCE_COLOR, ...env } = process.env;
  const child = spawn(process.execPath, [entry, ...args], {
    cwd: directory,
    env: { ...env, MILLRACE_KAFKA: `127.0.0.1:${kafka.port}` },
  });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on("data", (d) => out.push(d));
  child.stderr.on("data", (d) => err.push(d));
  child.stdin.on("error", () => {}); // it may have ended before it read everything
  child.stdin.end(input);
  const [code] = await once(child, "close");
  return { code: code as number, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() };
}

const topic = (name: string, partitions = 1) => client.createTopics([{ name, partitions }]);
const shown = async (name: string, format: string) =>
  (await run(["peek", name, "-n", "100", "--format", format])).stdout.toString();

describe("produce", () => {
  test("sends a record for each line, with a key and headers for all", async () => {
    await topic("lines");
    const sent = await run(["produce", "lines", "-k", "a", "-H", "from=here", "-H", "n=1=2"], "one\ntwo\n\nlast");
    expect(sent.code).toBe(0);
    expect(sent.stdout.toString()).toBe("");
    expect(sent.stderr).toMatch(/^sent 4 records to lines in [\d.]+ s\n$/);
    expect(await shown("lines", "%k|%v|%h\\n")).toBe(
      ["one", "two", "", "last"].map((v) => `a|${v}|from=here,n=1=2\n`).join(""),
    );
  });

  test("what peek writes in a format, produce reads", async () => {
    await topic("tsv", 2);
    await topic("tsv-copy", 2);
    await run(["produce", "tsv", "-f", "%p %T %k\\t%v\\n"], "0 1000 a\tx y\n1 2000 \t{}\n");
    const written = await run(["peek", "tsv", "-f", "%p %T %k\\t%v\\n"]);
    expect(written.stdout.toString()).toBe("0 1000 a\tx y\n1 2000 \t{}\n");
    await run(["produce", "tsv-copy", "-f", "%p %T %k\\t%v\\n"], written.stdout);
    expect(await shown("tsv-copy", "%p %T %k\\t%v\\n")).toBe("0 1000 a\tx y\n1 2000 \t{}\n");
  });

  test("peek --json into produce --json makes the same records: headers, nulls, bytes, times, partitions", async () => {
    await topic("from", 3);
    const producer = new KafkaProducer(client);
    const values = ["text", '"quoted"', "null", '{"n":9007199254740993}', ' {"a": 1} ', '{\n"b":2}', "5", ""];
    await producer.send("from", [
      ...values.map((value, i) => ({ partition: i % 3, key: value, value, timestamp: 1000 + i })),
      { partition: 0, key: null, value: null, timestamp: 2000 },
      { partition: 1, key: new Uint8Array([0, 255]), value: new Uint8Array([1, 254]), timestamp: 2001 },
      {
        partition: 2,
        key: "h",
        value: "h",
        timestamp: 2002,
        headers: [
          { key: "same", value: Buffer.from("1") },
          { key: "same", value: null },
          { key: "bin", value: new Uint8Array([128]) },
          { key: "json", value: Buffer.from('{"a": 1}') },
        ],
      },
    ]);
    await producer.close();
    const lines = await run(["peek", "from", "-n", "100", "--json"]);
    await topic("to");
    const sent = await run(["produce", "to", "--json", "-X", "client.id=me"], lines.stdout);
    expect(sent.code).toBe(2);
    expect(JSON.parse(sent.stderr).error.message).toMatch(/^The topic to has no partition [12]; it has 1\.$/);
    expect(JSON.parse(sent.stderr).error.hint).toContain("--by-key");

    await topic("to3", 3);
    const again = await run(["produce", "to3", "--json"], lines.stdout);
    expect(JSON.parse(again.stdout.toString())).toMatchObject({ topic: "to3", sent: 11, failed: 0 });
    expect((await run(["peek", "to3", "-n", "100", "--json"])).stdout.toString()).toBe(lines.stdout.toString());
  });

  test("--count and --rate bound what is sent", async () => {
    await topic("bounded");
    const startedAt = performance.now();
    const input = "x\n".repeat(1000);
    const sent = await run(["produce", "bounded", "-n", "40", "-r", "40", "--json", "-f", "%v\\n"], input);
    expect(JSON.parse(sent.stdout.toString())).toMatchObject({ sent: 40, bytes: 40 });
    expect(performance.now() - startedAt).toBeGreaterThan(900);
  });

  test("a million bytes in, every record once and in order", async () => {
    await topic("many");
    const lines = Array.from({ length: 100_000 }, (_, i) => `${i}`);
    const sent = await run(["produce", "many", "-z", "zstd", "--create"], lines.join("\n"));
    expect(sent.stderr).toContain("sent 100,000 records");
    const { stdout } = await run(["peek", "many", "-n", "200000", "-f", "%v\\n"]);
    expect(stdout.toString().trim().split("\n")).toEqual(lines);
  });

  test.each([
    [["produce", "nosuch"], "x\n", 1, 'The Kafka topic "nosuch" does not exist.'],
    [["produce", "lines", "--json"], '{"value":1}\n{"valeu":1}\n', 2, "Line 2 is no record: A record has no "],
    [["produce", "lines", "-f", "%k:%v"], "a:b\nc\n", 2, 'Record 2 does not fit the format: ":" is missing.'],
    [["produce", "lines", "-p", "7"], "x\n", 2, "The topic lines has no partition 7; it has 1."],
    [["produce", "lines", "-H", "x"], "x\n", 2, '--header cannot be "x"'],
    [["produce", "lines", "-z", "brotli"], "", 2, "Allowed choices are none, gzip, snappy, lz4, zstd"],
    [["produce", "lines", "--kafka", "127.0.0.1:1", "-X", "default.api.timeout.ms=200"], "x\n", 3, "127.0.0.1:1"],
  ])("%j says what is wrong", async (args, input, code, message) => {
    const ended = await run(args, input);
    expect(ended.stderr).toContain(message);
    expect(ended.code).toBe(code);
  });
});

describe("peek", () => {
  beforeAll(async () => {
    await topic("timed", 2);
    const producer = new KafkaProducer(client);
    const at = (minute: number) => Date.UTC(2026, 0, 31, 10, minute);
    for (const minute of [0, 1, 2, 3, 4, 5]) {
      await producer.send("timed", [
        { partition: minute % 2, key: `k${minute}`, value: `v${minute}`, timestamp: at(minute) },
      ]);
    }
    await producer.send("timed", [{ partition: 0, key: "now", value: "new", timestamp: Date.now() - 60_000 }]);
    await producer.close();
  });

  test.each([
    [["--since", "2026-01-31T10:03"], "v3 v4 v5 new"],
    [["--since", "2026-01-31T10:01:30Z", "--until", "2026-01-31T10:04"], "v2 v3"],
    [["--until", "2026-01-31 10:02"], "v0 v1"],
    [["--since", "5m"], "new"],
    [["--since", "10s"], ""],
    [["--grep", "4"], "v4"],
    [["--grep", "k", "-n", "2"], "v0 v1"],
    [["-o", "-1"], "v5 new"],
  ])("%j", async (args, expected) => {
    const { code, stdout } = await run(["peek", "timed", "-f", "%v ", ...args]);
    expect(stdout.toString().trim()).toBe(expected);
    expect(code).toBe(0);
  });

  test("--since and --offset exclude each other", async () => {
    const { code, stderr } = await run(["peek", "timed", "--since", "1h", "-o", "5"]);
    expect(code).toBe(2);
    expect(stderr).toContain("--since and --offset both say where to start.");
  });
});
