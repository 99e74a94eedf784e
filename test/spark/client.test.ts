import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, toBinary } from "@bufbuild/protobuf";
import { tableFromIPC } from "@uwdata/flechette";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { type RunningSpark, type SparkVersion, startSpark } from "../../services/spark.ts";
import type { MillraceError } from "../../src/errors.ts";
import { type ExecuteOptions, SparkConnectClient, type SparkConnectOptions } from "../../src/spark/client/client.ts";
import { LocalRelationSchema, type Plan, PlanSchema } from "../../src/spark/proto/spark-connect_pb.ts";
import { given } from "../needs.ts";
import { full, sharedSpark } from "../shared-spark.ts";
import { tcpProxy } from "../tcp-proxy.ts";

// A server's first queries are slow, the more so beside other tests.
vi.setConfig({ testTimeout: 120_000 });

const sql = (query: string): Plan =>
  create(PlanSchema, { opType: { case: "root", value: { relType: { case: "sql", value: { query } } } } });

/** Arrow's buffers must begin at multiples of eight; within a message they do not. */
const table = (data: Uint8Array) => tableFromIPC(data.slice());

const errorClass = (error: MillraceError): string => error.parameters.errorClass ?? error.code;

async function connect(url: string, options: SparkConnectOptions = {}): Promise<SparkConnectClient> {
  const client = await SparkConnectClient.connect(url, options);
  onTestFinished(() => client.close());
  return client;
}

/** The rows of a query, its columns as JavaScript has them. */
async function rows(client: SparkConnectClient, plan: Plan | string, options?: ExecuteOptions): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { responseType } of client.execute(typeof plan === "string" ? sql(plan) : plan, options)) {
    if (responseType.case === "arrowBatch") found.push(...table(responseType.value.data).toArray());
  }
  return found;
}

const failed = async (work: Promise<unknown>): Promise<MillraceError> =>
  await work.then(
    () => expect.unreachable("it succeeded"),
    (error) => error,
  );

/** A query that runs until it is stopped, and does nothing meanwhile. */
const FOREVER =
  "SELECT count(*) FROM range(0, 4, 1, 4) WHERE java_method('java.lang.Thread', 'sleep', 3600000L) IS NULL";

/** What every supported version does. */
function behaves(url: () => string, version: string): void {
  test("runs a query", async () => {
    const client = await connect(url());
    expect(client.serverVersion).toBe(version);
    expect(await rows(client, "SELECT id, id * 2 AS twice FROM range(3) ORDER BY id")).toEqual([
      { id: 0, twice: 0 },
      { id: 1, twice: 2 },
      { id: 2, twice: 4 },
    ]);
  });

  test("names Spark's error class, state and parameters, with the exception as cause", async () => {
    const client = await connect(url());
    const error = await failed(rows(client, "SELECT nope FROM range(1)"));
    expect(error).toMatchObject({
      code: "UNRESOLVED_COLUMN.WITH_SUGGESTION",
      sqlState: "42703",
      parameters: { objectName: "`nope`", proposal: "`id`" },
    });
    expect((error.cause as Error).stack).toMatch(
      /^org\.apache\.spark\.sql\.[\w.]+: [\s\S]*\n {4}at org\.apache\.spark/,
    );
    const thrown = await failed(rows(client, "SELECT raise_error('mine')"));
    expect(errorClass(thrown)).toBe("USER_RAISED_EXCEPTION");
    expect(thrown.message).toContain("mine");
    // A failure of a task comes with the job's as its cause.
    expect((await failed(rows(client, "SELECT 1 / (id - 5) FROM range(10)"))).code).toBe("DIVIDE_BY_ZERO");
  });

  test("answers questions about a plan", async () => {
    const client = await connect(url());
    const { result } = await client.analyze({ case: "schema", value: { plan: sql("SELECT 1 AS one") } });
    expect(result.case === "schema" && result.value.schema?.kind.case).toBe("struct");
    const error = await failed(client.analyze({ case: "schema", value: { plan: sql("SELEC 1") } }));
    expect(error.code).toBe("PARSE_SYNTAX_ERROR");
  });

  test("settings", async () => {
    const { conf } = await connect(url());
    expect(await conf.get("spark.sql.session.timeZone")).toBe("UTC");
    expect(await conf.set({ "spark.sql.session.timeZone": "Europe/Berlin", "my.own": "x" })).toEqual([]);
    expect(await conf.get("spark.sql.session.timeZone")).toBe("Europe/Berlin");
    expect(await conf.getOption("my.own")).toBe("x");
    await conf.unset("my.own");
    expect(await conf.getOption("my.own")).toBeUndefined();
    expect(errorClass(await failed(conf.get("my.own")))).toBe("SQL_CONF_NOT_FOUND");
    expect(await conf.isModifiable("spark.sql.shuffle.partitions")).toBe(true);
    expect(await conf.isModifiable("spark.sql.warehouse.dir")).toBe(false);
    expect(errorClass(await failed(conf.set({ "spark.sql.warehouse.dir": "x" })))).toMatch(/^CANNOT_MODIFY_/);
    expect((await failed(conf.set({ "spark.sql.session.timeZone": "Mars/Base" }))).message).toContain("Mars/Base");
  });

  test("artifacts: rows by their hash, a file from disk", async () => {
    const client = await connect(url());
    const schema = "n BIGINT";
    // The Arrow stream of another query's result.
    let data: Uint8Array = new Uint8Array();
    for await (const { responseType } of client.execute(sql("SELECT id AS n FROM range(0, 30000, 1, 1)"))) {
      if (responseType.case === "arrowBatch") data = responseType.value.data;
    }
    const relation = toBinary(
      LocalRelationSchema,
      create(LocalRelationSchema, { data: data as Uint8Array<ArrayBuffer>, schema }),
    );
    expect(relation.byteLength).toBeGreaterThan(64 << 10);
    const hash = createHash("sha256").update(relation).digest("hex");
    const name = `cache/${hash}`;
    expect((await client.artifactExists([name])).get(name)).toBe(false);
    await client.addArtifact(name, relation);
    expect((await client.artifactExists([name])).get(name)).toBe(true);
    const cached = create(PlanSchema, {
      opType: { case: "root", value: { relType: { case: "cachedLocalRelation", value: { hash } } } },
    });
    expect((await rows(client, cached)).length).toBeGreaterThan(1000);

    const folder = await mkdtemp(join(tmpdir(), "millrace-artifact-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const path = join(folder, "large.bin");
    await writeFile(path, Buffer.alloc(200_000, 7));
    await client.addArtifact("files/large.bin", { path });
    await client.addArtifact("files/large.bin", { path });
    await writeFile(path, Buffer.alloc(200_000, 8));
    expect((await failed(client.addArtifact("files/large.bin", { path }))).code).toBe("INVALID_ARGUMENT");
  });

  test.each(["tag", "operation", "all", "signal"])("a running query is interrupted by %s", async (by) => {
    const client = await connect(url());
    const operationId = randomUUID();
    const stop = new AbortController();
    const running = Promise.withResolvers<void>();
    const query = rows(client, FOREVER, {
      tags: ["slow"],
      operationId,
      signal: stop.signal,
      onProgress: (progress) => {
        if (progress.runningTasks > 0) running.resolve();
      },
    });
    const ended = failed(query);
    await running.promise;
    if (by === "signal") {
      stop.abort();
      expect((await ended).code).toBe("STOPPED");
      // The server was told: nothing is left to interrupt once that has arrived.
      await expect.poll(() => client.interrupt("all"), { timeout: 10_000 }).toEqual([]);
      return;
    }
    const target = by === "all" ? "all" : by === "tag" ? { tag: "slow" } : { operationId };
    expect(await client.interrupt(target)).toEqual([operationId]);
    const error = await ended;
    expect(errorClass(error)).toBe("OPERATION_CANCELED");
    expect(await client.interrupt({ tag: "other" })).toEqual([]);
  });

  test("a large result comes whole and in order", async () => {
    const client = await connect(url());
    let next = 0;
    let bytes = 0;
    for await (const { responseType } of client.execute(
      sql("SELECT id, repeat('x', 100) AS t FROM range(0, 400000, 1, 4)"),
    )) {
      if (responseType.case !== "arrowBatch") continue;
      bytes += responseType.value.data.byteLength;
      const ids = table(responseType.value.data).getChild("id");
      for (const id of ids) {
        if (id !== next) throw new Error(`row ${next} was due, ${id} came`);
        next++;
      }
    }
    expect(next).toBe(400_000);
    expect(bytes).toBeGreaterThan(40 << 20);
  });
}

const shared = given(await sharedSpark());

describe.skipIf(shared === undefined)("on Spark", () => {
  behaves(() => shared!.url, shared?.version ?? "");

  test("a result over connections that break has every row once", async () => {
    const { hostname, port } = new URL(shared!.url);
    let cuts = 0;
    // Every connection breaks after so many bytes of the server's; a batch below is smaller.
    const proxy = await tcpProxy(hostname, Number(port), ({ client, upstream }) => {
      let left = 2_500_000;
      client.on("data", (bytes) => upstream.write(bytes));
      upstream.on("data", (bytes) => {
        if (left <= 0) return;
        left -= bytes.length;
        if (left > 0) return void client.write(bytes);
        cuts++;
        // It ends behind what was sent: a reset could take whole batches along, and the waits before the next try grow while nothing comes.
        client.end(bytes);
      });
    });
    onTestFinished(() => proxy.close());
    const client = await connect(`sc://127.0.0.1:${proxy.port}`);
    let next = 0;
    const query = "SELECT id, repeat('x', 100) AS t FROM range(0, 200000, 1, 4)";
    for await (const { responseType } of client.execute(sql(query))) {
      if (responseType.case !== "arrowBatch") continue;
      for (const id of table(responseType.value.data).getChild("id")) {
        if (id !== next) throw new Error(`row ${next} was due, ${id} came`);
        next++;
      }
    }
    expect(next).toBe(200_000);
    expect(cuts).toBeGreaterThan(5);
  });

  test("a value larger than a message may be is an error that names the limit", async () => {
    const client = await connect(`${shared!.url}/;grpc_max_message_size=100000`);
    const error = await failed(rows(client, "SELECT repeat('x', 1000000) AS t"));
    expect(error.hint).toContain("grpc_max_message_size");
  });

  test("a session is joined by its id; another one has none of its settings", async () => {
    const client = await connect(shared!.url);
    await client.conf.set({ "my.mark": "here" });
    const joined = await connect(`${shared!.url}/;session_id=${client.sessionId}`);
    expect(await joined.conf.getOption("my.mark")).toBe("here");
    const other = await connect(shared!.url);
    expect(await other.conf.getOption("my.mark")).toBeUndefined();
  });

  test("TLS to a server without names the remedy", async () => {
    const error = await failed(connect(`${shared!.url}/;use_ssl=true`));
    expect(error.code).toBe("SPARK_UNREACHABLE");
    expect(error.hint).toContain("use_ssl");
  });
});

describe.skipIf(shared === undefined)("a server of our own", () => {
  let spark: RunningSpark | undefined;
  beforeAll(async () => {
    const started = await startSpark({
      brief: true,
      token: "right",
      // A stream ends after so many bytes, and the client attaches again.
      conf: { "spark.connect.execute.reattachable.senderMaxStreamSize": "1m" },
    });
    if ("unavailable" in started) throw new Error(started.unavailable);
    spark = started;
  });
  afterAll(() => spark?.stop());

  test("a wrong token is refused, and so is none", async () => {
    const { port } = spark!;
    for (const keys of ["/;token=wrong", ""]) {
      const error = await failed(connect(`sc://localhost:${port}${keys}`));
      expect(error.code).toBe("SPARK_AUTHENTICATION");
      expect(error.hint).toContain("spark.connect.authenticate.token");
    }
  });

  test("a result over many streams has every row once", async () => {
    const client = await connect(spark!.url);
    let next = 0;
    const query = "SELECT id, repeat('x', 100) AS t FROM range(0, 300000, 1, 4)";
    for await (const { responseType } of client.execute(sql(query))) {
      if (responseType.case !== "arrowBatch") continue;
      for (const id of table(responseType.value.data).getChild("id")) {
        if (id !== next) throw new Error(`row ${next} was due, ${id} came`);
        next++;
      }
    }
    expect(next).toBe(300_000);
  });

  test("killed in the middle of a query and started again: the session is lost, and the query does not run again", {
    timeout: 120_000,
  }, async () => {
    const running = spark!;
    const client = await connect(running.url);
    const started = Promise.withResolvers<void>();
    const ended = failed(
      rows(client, FOREVER, { onProgress: (progress) => void (progress.runningTasks > 0 && started.resolve()) }),
    );
    await started.promise;
    await running.kill("SIGKILL");
    await running.restart();
    const error = await ended;
    expect(error.code).toBe("SPARK_SESSION_LOST");
    expect(error.hint).toContain("checkpoints");
    expect((await failed(client.conf.get("spark.sql.session.timeZone"))).code).toBe("SPARK_SESSION_LOST");
    // A new session works.
    expect(await rows(await connect(running.url), "SELECT 1 AS one")).toEqual([{ one: 1 }]);
  });
});

test.skipIf(shared === undefined || !full)("a session without calls expires, unless it is kept alive", async () => {
  const spark = await startSpark({
    brief: true,
    conf: {
      "spark.connect.session.manager.defaultSessionTimeout": "5s",
      "spark.connect.session.manager.maintenanceInterval": "500ms",
    },
  });
  if ("unavailable" in spark) throw new Error(spark.unavailable);
  onTestFinished(() => spark.stop());
  const kept = await connect(spark.url, { keepAliveMs: 500 });
  const left = await connect(spark.url, { keepAliveMs: 0 });
  await expect.poll(() => spark.log(), { timeout: 60_000 }).toMatch(new RegExp(`Closing session.*${left.sessionId}`));
  expect(await kept.conf.get("spark.sql.session.timeZone")).toBe("UTC");
  const error = await failed(left.conf.get("spark.sql.session.timeZone"));
  expect(error.code).toBe("SPARK_SESSION_LOST");
  expect(error.message).toContain("the session ended");
});

describe.skipIf(!full).each<[SparkVersion]>([["4.0.0"], ["4.1.1"]])("on Spark %s", (version) => {
  let spark: RunningSpark | undefined;
  let url = "";
  beforeAll(async () => {
    const started = await startSpark({ version, brief: true });
    if ("unavailable" in started) throw new Error(started.unavailable);
    spark = started;
    url = started.url;
  }, 1_200_000);
  afterAll(() => spark?.stop());
  behaves(() => url, version);
});
