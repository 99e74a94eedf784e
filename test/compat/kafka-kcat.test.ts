import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type KafkaServer, startKafkaServer } from "../../src/kafka/server.ts";
import { needs } from "../needs.ts";

const directory = mkdtempSync(join(tmpdir(), "millrace-kcat-"));
let kafka: KafkaServer;

interface Output {
  code: number | null;
  stdout: string;
  stderr: string;
}

function kcat(args: readonly string[], stdin = "", timeoutMs = 20_000): Promise<Output> {
  const child = spawn("kcat", ["-b", `127.0.0.1:${kafka.port}`, ...args]);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(stdin);
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
  });
}

const lines = (text: string): string[] => text.split("\n").filter((line) => line !== "");

describe.skipIf(!needs("kcat"))("kcat", () => {
  beforeAll(async () => {
    kafka = await startKafkaServer({ directory, port: 0 });
  });
  afterAll(async () => {
    await kafka.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test("-L shows the node and the topics", async () => {
    await kcat(["-P", "-t", "listed"], "x\n");
    const { code, stdout } = await kcat(["-L"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`broker 1 at 127.0.0.1:${kafka.port} (controller)`);
    expect(stdout).toContain('topic "listed" with 4 partitions:');
  });

  test.each(["none", "gzip", "snappy", "lz4", "zstd"])("%s: 5,000 records there and back", async (codec) => {
    const sent = Array.from({ length: 5000 }, (_, i) => `key ${i}:value ${i} of ${codec} ${"x".repeat(i % 100)}`);
    const topic = `codec-${codec}`;
    expect(await kcat(["-P", "-t", topic, "-z", codec, "-K", ":"], sent.join("\n"))).toMatchObject({ code: 0 });
    const { stdout } = await kcat(["-C", "-t", topic, "-e", "-q", "-f", "%k:%s\n", "-o", "beginning"]);
    expect(lines(stdout).sort()).toEqual([...sent].sort());
  });

  test("keys, headers, null values and times", async () => {
    await kcat(["-P", "-t", "full", "-p", "1", "-K", ":", "-Z", "-H", "a=1", "-H", "b=two"], "k:v\nnothing:\n");
    const { stdout } = await kcat(["-C", "-t", "full", "-p", "1", "-e", "-q", "-f", "%o %k %S %h\n"]);
    expect(lines(stdout)).toEqual(["0 k 1 a=1,b=two", "1 nothing -1 a=1,b=two"]);
  });

  test("an idempotent producer", async () => {
    const sent = Array.from({ length: 1000 }, (_, i) => `${i}`);
    const produced = await kcat(["-P", "-t", "once", "-p", "0", "-X", "enable.idempotence=true"], sent.join("\n"));
    expect(produced).toMatchObject({ code: 0 });
    const { stdout } = await kcat(["-C", "-t", "once", "-p", "0", "-e", "-q"]);
    expect(lines(stdout)).toEqual(sent);
  });

  test("a transactional producer is told at once that there are no transactions", async () => {
    const { code, stderr } = await kcat(["-P", "-t", "tx", "-X", "transactional.id=t"], "x\n", 10_000);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/[Tt]ransactional [Ii]d|authorization/);
  });

  test("-G: a group reads everything once, and goes on where it stopped", async () => {
    const group = ["-G", "readers", "-e", "-q", "-X", "auto.offset.reset=earliest", "grouped"];
    await kcat(["-P", "-t", "grouped"], Array.from({ length: 300 }, (_, i) => `${i}`).join("\n"));
    expect(
      lines((await kcat(group)).stdout)
        .map(Number)
        .sort((a, b) => a - b),
    ).toEqual(Array.from({ length: 300 }, (_, i) => i));
    await kcat(["-P", "-t", "grouped"], "more\n");
    expect(lines((await kcat(group)).stdout)).toEqual(["more"]);
  });

  test("-G: two members share the partitions", async () => {
    await kcat(["-P", "-t", "shared", "-p", "0"], "warm up\n");
    const args = ["-G", "pair", "-q", "-u", "-c", "20", "-X", "auto.offset.reset=latest", "-f", "%p\n", "shared"];
    const members = [kcat(args), kcat(args)];
    // Both have partitions when each got records; produce until then.
    let open = 2;
    for (const m of members) void m.then(() => open--);
    while (open > 0) for (let p = 0; p < 4; p++) await kcat(["-P", "-t", "shared", "-p", `${p}`], "a\nb\nc\n");
    const [a, b] = (await Promise.all(members)).map(({ stdout }) => new Set(lines(stdout)));
    expect(a!.size).toBeGreaterThan(0);
    expect(b!.size).toBeGreaterThan(0);
  }, 60_000);

  test("-G: a group goes on where it stopped after its broker was killed", async () => {
    const program = fileURLToPath(new URL("../kafka/broker-process.ts", import.meta.url));
    const start = async (): Promise<{ child: ChildProcess; address: string[] }> => {
      const child = spawn(process.execPath, [program, join(directory, "killed"), "0", "100"], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const [line] = (await once(child.stdout, "data")) as [Buffer];
      return { child, address: ["-b", `127.0.0.1:${line.toString().trim()}`] };
    };
    const read = ["-G", "g", "-e", "-q", "-X", "auto.offset.reset=earliest", "t"];
    for (let round = 0; round < 3; round++) {
      const { child, address } = await start();
      try {
        const sent = Array.from({ length: 100 }, (_, i) => `${round}: ${i}`);
        expect(await kcat([...address, "-P", "-t", "t"], sent.join("\n"))).toMatchObject({ code: 0 });
        expect(lines((await kcat([...address, ...read])).stdout).sort()).toEqual([...sent].sort());
      } finally {
        child.kill("SIGKILL");
        await once(child, "exit");
      }
    }
  }, 60_000);

  test("offsets by time: -o s@ and -Q", async () => {
    for (const value of ["early", "late"]) await kcat(["-P", "-t", "timed", "-p", "0"], `${value}\n`);
    const { stdout } = await kcat(["-C", "-t", "timed", "-p", "0", "-e", "-q", "-f", "%T %s\n"]);
    const [, late] = lines(stdout).map((line) => Number(line.split(" ")[0]));
    expect(lines((await kcat(["-C", "-t", "timed", "-p", "0", "-e", "-q", "-o", `s@${late}`])).stdout)).toEqual([
      "late",
    ]);
    const query = async (time: number): Promise<string> => (await kcat(["-Q", "-t", `timed:0:${time}`])).stdout.trim();
    expect(await query(late!)).toBe("timed [0] offset 1");
    expect(await query(-2)).toBe("timed [0] offset 0");
    expect(await query(-1)).toBe("timed [0] offset 2");
  });

  test("records larger than the broker takes are refused by name", async () => {
    const { code, stderr } = await kcat(
      ["-P", "-t", "large", "-X", "message.max.bytes=5000000"],
      "x".repeat(2_000_000),
    );
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/too large/i);
  });
});
