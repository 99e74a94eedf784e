import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Redis } from "iovalkey";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type CacheServer, startCacheServer } from "../../src/cache/server.ts";
import { needs } from "../needs.ts";

let directory: string;
let server: CacheServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-redis-"));
  server = await startCacheServer({ directory, port: 0 });
});
afterAll(async () => {
  await server?.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

describe.skipIf(!needs("redis-cli"))("redis-cli", () => {
  const cli = (args: string[], input = "") =>
    new Promise<string>((resolve, reject) => {
      const child = execFile("redis-cli", ["-p", String(server.port), ...args], (error, stdout, stderr) =>
        error ? reject(error) : resolve(stdout + stderr),
      );
      child.stdin!.end(input);
    });

  test.each([2, 3])("speaks to it, protocol %d", async (version) => {
    const one = (...args: string[]) => cli([`-${version}`, ...args]);
    expect(await one("SET", "airport:ATL", "busy", "EX", "100")).toBe("OK\n");
    expect(await one("GET", "airport:ATL")).toBe("busy\n");
    expect(await one("--no-raw", "TTL", "airport:ATL")).toMatch(/^\(integer\) \d+\n$/);
    await one("DEL", "h");
    expect(await one("HSET", "h", "flights", "12", "delay", "3.5")).toBe("2\n");
    expect(await one("--no-raw", "HGETALL", "h")).toContain('"flights"');
    expect(await one("NOSUCH", "x")).toContain("ERR unknown command 'NOSUCH', with args beginning with: 'x'");
    expect(await one("INFO", "server")).toContain("redis_version:");
    expect((await one("CONFIG", "GET", "databases")).split(/\s+/)).toEqual(["databases", "16", ""]);
  });

  test("its scan, its pipe and its database option", async () => {
    const commands = Array.from({ length: 1000 }, (_, i) => `SET scanned:${i} ${i}\r\n`).join("");
    expect(await cli(["-n", "4", "--pipe"], commands)).toContain("errors: 0, replies: 1000");
    const keys = (await cli(["-n", "4", "--scan", "--pattern", "scanned:*"])).trim().split("\n");
    expect(new Set(keys).size).toBe(1000);
    expect(await cli(["-n", "4", "DBSIZE"])).toBe("1000\n");
    expect(await cli(["-n", "4", "FLUSHDB"])).toBe("OK\n");
  });

  test("SUBSCRIBE hears PUBLISH", async () => {
    const child = spawn("redis-cli", ["-p", String(server.port), "SUBSCRIBE", "news"], { stdio: "pipe" });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async () => (await lines.next()).value;
    expect([await next(), await next(), await next()]).toEqual(["subscribe", "news", "1"]);
    expect(await cli(["PUBLISH", "news", "hello"])).toBe("1\n");
    expect([await next(), await next(), await next()]).toEqual(["message", "news", "hello"]);
    child.kill();
    await once(child, "close");
  });
});

describe("a Redis client library", () => {
  test("connects cleanly and runs what a sink runs", async () => {
    const redis = new Redis(server.url, { db: 2, connectionName: "sink", enableReadyCheck: true });
    await redis.hset("airport:JFK", { hour: "2001-01-01 10:00", delay: "4" });
    await redis.expire("airport:JFK", 60);
    expect(await redis.hgetall("airport:JFK")).toEqual({ hour: "2001-01-01 10:00", delay: "4" });
    const results = await redis.multi().set("a", "1").incr("a").hget("airport:JFK", "delay").exec();
    expect(results).toEqual([
      [null, "OK"],
      [null, 2],
      [null, "4"],
    ]);
    const other = redis.duplicate();
    await redis.watch("a");
    await other.set("a", "changed");
    expect(await redis.multi().set("a", "mine").exec()).toBe(null);
    const binary = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await redis.set(Buffer.from([0, 255, 10, 13]), binary);
    expect(await redis.getBuffer(Buffer.from([0, 255, 10, 13]))).toEqual(binary);
    await redis.set("umlaut", "äöü €");
    expect(await redis.get("umlaut")).toBe("äöü €");
    const found: string[] = [];
    for await (const keys of redis.scanStream({ match: "a*" })) found.push(...(keys as string[]));
    expect(found.sort()).toEqual(["a", "airport:JFK"]);
    redis.disconnect();
    other.disconnect();
  });

  test("ten thousand pipelined commands, and values of 20 MB", async () => {
    const redis = new Redis(server.url);
    const pipeline = redis.pipeline();
    for (let i = 0; i < 10_000; i++) pipeline.hset("many", `f${i}`, i);
    const results = await pipeline.exec();
    expect(results!.every(([error, n]) => error === null && n === 1)).toBe(true);
    expect(await redis.hlen("many")).toBe(10_000);
    const large = "x".repeat(20_000_000);
    await redis.set("large", large);
    expect((await redis.get("large")) === large).toBe(true);
    redis.disconnect();
  });
});

describe("the server", () => {
  const talk = async (bytes: string, port = server.port): Promise<string> => {
    const socket = connect(port, server.host);
    const got: Buffer[] = [];
    socket.on("data", (d) => got.push(d));
    socket.write(bytes, "latin1");
    await once(socket, "close");
    return Buffer.concat(got).toString("latin1");
  };

  test("answers typed lines, and what came before a fault", async () => {
    expect(await talk('SET typed "a b"\r\nGET typed\r\nQUIT\r\n')).toBe("+OK\r\n$3\r\na b\r\n+OK\r\n");
    expect(await talk("PING\r\n*1\r\nx\r\n")).toBe("+PONG\r\n-ERR Protocol error: expected '$', got 'x'\r\n");
  });

  test("keeps everything over a restart and takes one process per directory", async () => {
    const own = await mkdtemp(join(tmpdir(), "millrace-redis-"));
    const first = await startCacheServer({ directory: own, port: 0 });
    await expect(startCacheServer({ directory: own, port: 0 })).rejects.toMatchObject({ code: "DIRECTORY_IN_USE" });
    const redis = new Redis(first.url);
    await redis.mset("a", "1", "b", "2");
    await redis.hset("h", "f", "v");
    await redis.pexpire("b", 1);
    redis.disconnect();
    await first.close();
    const again = await startCacheServer({ directory: own, port: first.port });
    const reader = new Redis(again.url);
    expect(await reader.get("a")).toBe("1");
    expect(await reader.hgetall("h")).toEqual({ f: "v" });
    reader.disconnect();
    await expect(startCacheServer({ directory: join(own, "x"), port: again.port })).rejects.toMatchObject({
      code: "PORT_IN_USE",
    });
    await again.close();
    await rm(own, { recursive: true, force: true });
  });

  test.skipIf(process.platform === "win32")(
    "no room on the disk: writes are refused, reads go on, nothing answered is lost",
    async () => {
      const own = await mkdtemp(join(tmpdir(), "millrace-redis-"));
      const file = join(own, "server.ts");
      const source = new URL("../../src/cache/server.ts", import.meta.url).href;
      await writeFile(
        file,
        `import { startCacheServer } from ${JSON.stringify(source)};
       const server = await startCacheServer({ directory: process.argv[2], port: 0 });
       console.log(server.port);`,
      );
      // A limit of the size of files stands for a full disk: 256 KiB.
      const child = spawn("bash", ["-c", 'ulimit -f 256; exec "$0" "$@"', process.execPath, file, join(own, "data")], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const { value: port } = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
      const answered: number[] = [];
      let refused = "";
      try {
        for (let i = 0; refused === "" && i < 1000; i++) {
          const answer = await talk(`SET k${i} ${"v".repeat(1000)}\r\nQUIT\r\n`, Number(port));
          if (answer.startsWith("+OK")) answered.push(i);
          else if (answer.startsWith("-")) refused = answer;
          else expect(answer).toBe("");
        }
        expect(answered.length).toBeGreaterThan(200);
        expect(refused).toContain("-MISCONF Errors writing to the AOF file");
        expect(await talk("STRLEN k0\r\nQUIT\r\n", Number(port))).toBe(":1000\r\n+OK\r\n");
      } finally {
        child.kill("SIGKILL");
      }
      await once(child, "close");
      const again = await startCacheServer({ directory: join(own, "data"), port: 0 });
      const reader = new Redis(again.url);
      const values = await reader.mget(answered.map((i) => `k${i}`));
      expect(values.filter((v) => v?.length === 1000).length).toBe(answered.length);
      reader.disconnect();
      await again.close();
      await rm(own, { recursive: true, force: true });
    },
    60_000,
  );

  test("kill -9: every answered command is there", async () => {
    const own = await mkdtemp(join(tmpdir(), "millrace-redis-"));
    const file = join(own, "server.ts");
    const source = new URL("../../src/cache/server.ts", import.meta.url).href;
    await writeFile(
      file,
      `import { startCacheServer } from ${JSON.stringify(source)};
       const server = await startCacheServer({ directory: process.argv[2], port: 0, rewriteMinSize: 20000 });
       console.log(server.port);`,
    );
    let answered = 0;
    for (let round = 0; round < 3; round++) {
      const child = spawn(process.execPath, [file, join(own, "data")], { stdio: ["ignore", "pipe", "inherit"] });
      const { value: port } = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
      const redis = new Redis({ host: "127.0.0.1", port: Number(port), retryStrategy: () => null, lazyConnect: true });
      redis.on("error", () => {});
      await redis.connect();
      const found = Number((await redis.get("counter")) ?? 0);
      expect(found).toBeGreaterThanOrEqual(answered);
      expect(await redis.hlen("both")).toBe(found);
      answered = found;
      try {
        for (let i = found + 1; ; i++) {
          const done = redis.multi().set("counter", i).hset("both", `f${i}`, "x").exec();
          if (i === found + 400) setTimeout(() => child.kill("SIGKILL"), round);
          await done;
          answered = i;
        }
      } catch {
        // the server is gone
      }
      redis.disconnect();
      if (child.exitCode === null && child.signalCode === null) await once(child, "close");
    }
    expect(answered).toBeGreaterThanOrEqual(1200);
    await rm(own, { recursive: true, force: true });
  }, 60_000);
});
