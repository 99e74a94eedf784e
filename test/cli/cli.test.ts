import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KafkaClient, KafkaProducer } from "../../src/kafka/client/index.ts";
import { type KafkaServer, startKafkaServer } from "../../src/kafka/server.ts";
import { ended, entry, startCli } from "./cli-process.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-cli-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

const start = (args: string[], env: Record<string, string> = {}) => startCli(args, { cwd: directory, env });
const run = (args: string[], env: Record<string, string> = {}) => ended(start(args, env));

describe("help and mistakes", () => {
  test.each([
    [["--help"]],
    [["dev", "--help"]],
    [["run", "--help"]],
    [["plan", "--help"]],
    [["peek", "--help"]],
    [["topics", "--help"]],
    [["topics", "create", "--help"]],
  ])("%j shows examples", async (args) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("Usage: millrace");
    expect(stdout).toContain("Examples:\n  $ ");
  });

  test("every command of every help example exists, with its options", async () => {
    const pages = await Promise.all(
      [[], ["dev"], ["run"], ["plan"], ["peek"], ["topics"], ["topics", "create"]].map(
        async (c) => (await run([...c, "--help"])).stdout,
      ),
    );
    const examples = pages.flatMap((p) =>
      [...p.matchAll(/\$ (?:\w+=\S+ )?millrace ([^#|\n]*)/g)].map((m) => m[1]!.trim()),
    );
    expect(examples.length).toBeGreaterThan(10);
    // --help wins over running it, but not over an option or command that does not exist.
    const results = await Promise.all(examples.map((e) => run([...e.split(/\s+/), "--help"])));
    expect(results.map((r) => r.code)).toEqual(examples.map(() => 0));
    const options = new Set(examples.flatMap((e) => e.match(/--[\w-]+/g) ?? []));
    for (const option of options) expect(pages.join("\n")).toContain(option);
  });

  test("--help loads no engine and no server", async () => {
    const child = spawn(
      process.execPath,
      [
        "--trace-uncaught",
        "--import",
        `data:text/javascript,
      import { registerHooks } from "node:module";
      registerHooks({ load: (url, c, next) => { if (url.startsWith("file:")) process.stderr.write(url + "\\n"); return next(url, c); } });`,
        entry,
        "--help",
      ],
      { stdio: ["ignore", "pipe", "pipe"] },
    );
    const { stderr } = await ended(child);
    const loaded = stderr.trim().split("\n");
    expect(loaded.filter((u) => !/\/src\/(cli|errors|plan\/site)|\/commander\//.test(u))).toEqual([]);
    expect(loaded.length).toBeGreaterThan(3);
  });

  test.each([
    [["topcs"], "unknown command 'topcs'", "Did you mean topics?"],
    [["dev", "--dri", "x"], "unknown option '--dri'", "Did you mean --dir?"],
    [["topics", "descibe", "x"], "unknown command 'descibe' of topics", "Did you mean describe?"],
    [["peek"], "missing required argument 'topic'", "millrace peek --help"],
    [["topics", "create", "t", "-p", "2"], "unknown option '-p'", "millrace topics create --help"],
    [["peek", "t", "-n", "many"], "must be a whole number from 1", ""],
    [["peek", "t", "--offset", "newest"], '--offset cannot be "newest"', "earliest, latest"],
    [["dev", "--kafka-port", "70000"], "must be a whole number from 0 to 65535", ""],
    [["topics", "create", "t", "--config", "nonsense"], "must be name=value", ""],
    [["run", "nosuch.ts"], "There is no file nosuch.ts", ""],
    [[], "No command was given", "millrace --help"],
  ])("%j is a usage error", async (args, message, hint) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
    expect(stderr).not.toMatch(/\n\s+at .*node:internal/);
  });

  test("with --json an error is one JSON object on stderr", async () => {
    const { code, stdout, stderr } = await run(["peek", "--json", "--nosuch"]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(JSON.parse(stderr)).toEqual({
      error: { code: "USAGE", message: expect.stringContaining("--nosuch"), hint: expect.any(String) },
    });
  });

  test("a broker that is not there is exit code 3", async () => {
    const { code, stderr } = await run(["topics", "--kafka", "127.0.0.1:1", "--json"]);
    expect(code).toBe(3);
    expect(JSON.parse(stderr).error).toMatchObject({ code: "KAFKA_UNREACHABLE" });
  });
});

describe("topics and peek", () => {
  let kafka: KafkaServer;
  let address: string;

  beforeAll(async () => {
    kafka = await startKafkaServer({ directory: join(directory, "kafka"), port: 0 });
    address = `127.0.0.1:${kafka.port}`;
    const client = KafkaClient.connect({ "bootstrap.servers": address });
    await client.createTopics([{ name: "flights", partitions: 2 }]);
    const producer = new KafkaProducer(client);
    const send = (partition: number, key: string | null, value: string | Uint8Array | null, timestamp: number) =>
      producer.send("flights", [{ partition, key, value, timestamp }]);
    await Promise.all([
      send(0, "ATL", '{"origin":"ATL","delay":9007199254740993}', 1000),
      send(1, "JFK", "plain text", 2000),
      send(0, null, null, 3000),
      send(1, "bin", new Uint8Array([0xff, 0x00, 0x80]), 4000),
      send(0, "ATL", "[broken json", 5000),
    ]);
    await producer.close();
    client.close();
  });
  afterAll(() => kafka?.close());

  test("list, describe, create, delete", async () => {
    const env = { MILLRACE_KAFKA: address };
    const listed = await run(["topics"], env);
    expect(listed.stdout).toMatch(/^topic\s+partitions\s+records\nflights\s+2\s+5\n$/);
    const described = await run(["topics", "describe", "flights", "--json"], env);
    expect(JSON.parse(described.stdout).topics[0].partitions).toMatchObject([
      { partition: 0, earliest: 0, latest: 3, records: 3 },
      { partition: 1, earliest: 0, latest: 2, records: 2 },
    ]);
    expect((await run(["topics", "create", "other", "--partitions", "3", "--json"], env)).stdout).toBe(
      '{"created":["other"]}\n',
    );
    const again = await run(["topics", "create", "other"], env);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain("other");
    expect((await run(["topics", "create", "other", "--if-not-exists"], env)).code).toBe(0);
    expect(JSON.parse((await run(["topics", "--json"], env)).stdout).topics).toEqual([
      { name: "flights", partitions: 2, records: 5 },
      { name: "other", partitions: 3, records: 0 },
    ]);
    expect((await run(["topics", "delete", "other"], env)).code).toBe(0);
    const missing = await run(["topics", "describe", "flihgts"], env);
    expect(missing.code).toBe(1);
    expect(missing.stderr).toContain('Did you mean "flights"?');
  });

  test("peek shows keys, JSON as it was written, bytes that are no text, and tombstones", async () => {
    const { code, stdout, stderr } = await run(["peek", "flights", "--kafka", address, "--json"]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.trim().split("\n")).toEqual([
      '{"partition":0,"offset":0,"timestamp":"1970-01-01T00:00:01.000Z","key":"ATL","value":{"origin":"ATL","delay":9007199254740993}}',
      '{"partition":1,"offset":0,"timestamp":"1970-01-01T00:00:02.000Z","key":"JFK","value":"plain text"}',
      '{"partition":0,"offset":1,"timestamp":"1970-01-01T00:00:03.000Z","key":null,"value":null}',
      '{"partition":1,"offset":1,"timestamp":"1970-01-01T00:00:04.000Z","key":"bin","valueHex":"ff0080"}',
      '{"partition":0,"offset":2,"timestamp":"1970-01-01T00:00:05.000Z","key":"ATL","value":"[broken json"}',
    ]);
    const people = await run(["peek", "flights", "--kafka", address]);
    expect(people.stdout).toContain('0:0        1970-01-01T00:00:01.000Z ATL {"origin"');
    expect(people.stdout).toContain("bin 0xff0080");
  });

  test.each([
    [
      ["-n", "2"],
      ["0:0", "1:0"],
    ],
    [
      ["-o", "-1"],
      ["1:1", "0:2"],
    ],
    [
      ["-o", "1", "-p", "0"],
      ["0:1", "0:2"],
    ],
    [["-o", "latest"], []],
    [["-o", "99"], []],
  ])("peek %j", async (args, expected) => {
    const { code, stdout } = await run(["peek", "flights", "--kafka", address, "--json", ...args]);
    const places = stdout
      .split("\n")
      .filter(Boolean)
      .map((l) => JSON.parse(l))
      .map((r) => `${r.partition}:${r.offset}`);
    expect({ code, places }).toEqual({ code: 0, places: expected });
  });

  test("peek --follow goes on until Ctrl-C", async () => {
    const child = start(["peek", "flights", "--kafka", address, "--json", "--follow", "-o", "latest"]);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const client = KafkaClient.connect({ "bootstrap.servers": address });
    const producer = new KafkaProducer(client);
    // Whatever is sent before it has started is not seen, so send until something is.
    let sent = 0;
    const timer = setInterval(() => {
      producer.send("flights", [{ partition: 0, key: null, value: `${++sent}` }]).catch(() => {});
    }, 100);
    const first = JSON.parse((await lines.next()).value!);
    const second = JSON.parse((await lines.next()).value!);
    expect(second.value).toBe(first.value + 1);
    clearInterval(timer);
    child.kill("SIGINT");
    expect((await once(child, "close"))[0]).toBe(130);
    await producer.close();
    client.close();
  });
});

describe("dev and run", () => {
  const ports = ["--kafka-port", "0", "--postgres-port", "0", "--redis-port", "0"];

  async function pipeline(name: string, text: string): Promise<string> {
    const file = join(directory, name);
    await writeFile(file, text);
    return file;
  }

  /** Reads the events of `--json` until one of that name. */
  async function until(lines: AsyncIterator<string>, event: string): Promise<any> {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`no ${event}`);
      const parsed = JSON.parse(value);
      if (parsed.event === event) return parsed;
    }
  }

  const endless = `
    import { SparkSession } from "millrace";
    const spark = SparkSession.builder().appName("endless").getOrCreate();
    await spark.readStream.format("rate").option("rowsPerSecond", "100").load()
      .writeStream.format("noop").queryName("rates").option("checkpointLocation", process.env.CHECKPOINT).start();
    await spark.streams.awaitAnyTermination();
  `;

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 0],
  ] as const)(
    "dev: servers, a pipeline from anywhere, %s stops both in order",
    async (signal, code) => {
      const file = await pipeline("endless.ts", endless);
      const child = start(["dev", file, "--json", "--dir", `dev-${signal}`, ...ports], {
        CHECKPOINT: join(directory, `checkpoint-${signal}`),
      });
      const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
      const ready = await until(lines, "ready");
      expect(ready.layers.map((l: any) => [l.name, l.owner])).toEqual([
        ["kafka", "embedded"],
        ["postgres", "embedded"],
        ["redis", "embedded"],
        ["lake", "embedded"],
      ]);
      const client = new pg.Client(ready.layers[1].address);
      await client.connect();
      expect((await client.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
      await client.end();
      const second = await run(["dev", "--json", "--dir", `dev-${signal}`, ...ports]);
      expect(second.code).toBe(1);
      expect(JSON.parse(second.stderr).error.code).toBe("DIRECTORY_IN_USE");
      expect((await until(lines, "query.progress")).name).toBe("rates");
      child.kill(signal);
      expect(await until(lines, "query.terminated")).toMatchObject({ name: "rates", error: null });
      expect((await once(child, "close"))[0]).toBe(code);
    },
    60_000,
  );

  test("dev for people: addresses, whose they are, passwords hidden, a taken port", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await once(holder, "listening");
    const taken = (holder.address() as { port: number }).port;
    const child = start(["dev", "--dir", "people", "--redis-port", String(taken), "--kafka-port", "0"], {
      MILLRACE_POSTGRES: "postgres://me:s3cret@db.example.com/x",
    });
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    child.stdout.on("data", (d) => out.push(d));
    await new Promise<void>((resolve) => {
      child.stderr.on("data", (d) => {
        err.push(d);
        if (Buffer.concat(err).toString().includes("lake")) resolve();
      });
    });
    child.kill("SIGINT");
    await once(child, "close");
    holder.close();
    const stderr = Buffer.concat(err).toString();
    expect(stderr).toMatch(/^millrace ready in \d+ ms\n/m);
    expect(stderr).toContain("postgres  postgres://me:***@db.example.com/x  yours, from MILLRACE_POSTGRES");
    expect(stderr).toMatch(new RegExp(`redis +redis://127\\.0\\.0\\.1:\\d+ +\\(${taken} is taken`));
    expect(stderr).not.toContain("s3cret");
    expect(Buffer.concat(out).toString()).toBe("");
    expect(stderr).not.toContain("\x1b[");
  }, 60_000);

  test("run ends with its pipeline, and needs no servers that it does not use", async () => {
    const file = await pipeline(
      "batch.ts",
      `import { SparkSession } from "millrace";
       const spark = SparkSession.builder().getOrCreate();
       console.log(JSON.stringify(await spark.range(3).collect(), (_, v) => typeof v === "bigint" ? Number(v) : v));`,
    );
    const { code, stdout, stderr } = await run(["run", file]);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '[{"id":0},{"id":1},{"id":2}]\n', stderr: "" });
  }, 60_000);

  test.each([
    ["throws", `throw new Error("went wrong here");`, "went wrong here"],
    [
      "throws later",
      `setTimeout(() => { throw new TypeError("late"); }, 10); await new Promise(() => setTimeout(() => {}, 1e6));`,
      "TypeError: late",
    ],
    [
      "forgets a rejection",
      `Promise.reject(new Error("forgotten")); await new Promise(() => setTimeout(() => {}, 1e6));`,
      "forgotten",
    ],
    ["does not parse", `const = 3;`, "at fails-does-not-parse.ts:1:7"],
    ["names what is not there", `import { SparkSesion } from "millrace";`, "at fails-names-what-is-not-there.ts:1:10"],
    ["imports what is not there", `import "no-such-package-here";`, "no-such-package-here"],
    [
      "has a failing query",
      `import { SparkSession } from "millrace";
       const spark = SparkSession.builder().getOrCreate();
       const rates = spark.readStream.format("rate").option("rowsPerSecond", "10").load();
       await rates.writeStream.queryName("bad").foreachBatch(() => { throw new Error("sink broke"); })
         .option("checkpointLocation", process.env.CHECKPOINT).start();`,
      "sink broke",
    ],
  ])(
    "run of a pipeline that %s: one message, exit code 1",
    async (name, text, message) => {
      const file = await pipeline(`fails-${name.replaceAll(" ", "-")}.ts`, text);
      const env = { CHECKPOINT: join(directory, "checkpoint-fails") };
      const { code, stderr } = await run(["run", file], env);
      expect(code).toBe(1);
      expect(stderr).toContain(message);
      expect(stderr).not.toMatch(/^\s+at .*\n\s+at /m);
      const verbose = await run(["run", file, "--verbose"], env);
      expect(verbose.code).toBe(1);
      if (name !== "does not parse" && !/^(imports|names)/.test(name)) expect(verbose.stderr).toMatch(/\n\s+at /);
    },
    60_000,
  );
});
