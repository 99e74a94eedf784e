import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type PostgresServer, startPostgresServer } from "../../src/database/server.ts";
import { needs } from "../needs.ts";

/** The embedded PostgreSQL under the client that everybody has. */
describe.skipIf(!needs("psql"))("psql", () => {
  let directory: string;
  let server: PostgresServer;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "millrace-psql-"));
    server = await startPostgresServer({ directory, port: 0, idleInTransactionMs: 500 });
  });
  afterAll(async () => {
    await server?.close();
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  });

  const psql = (script: string, ...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const child = execFile("psql", [server.url, "-X", "-A", "-t", ...args], (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
      );
      child.stdin!.end(script);
    });

  test("connects while the database still starts, and describes a table", async () => {
    const made = await psql(
      "CREATE TABLE delays (hour timestamptz, origin text, n bigint, PRIMARY KEY (hour, origin));",
    );
    expect(made).toEqual({ code: 0, stdout: "CREATE TABLE\n", stderr: "" });
    const { stdout } = await psql("\\t off\n\\d delays\n\\dt\n\\conninfo\n");
    expect(stdout).toContain("origin|text||not null|");
    expect(stdout).toContain('"delays_pkey" PRIMARY KEY');
    expect(stdout).toContain("public|delays|table|postgres");
  });

  test("COPY in and out, from standard input and \\copy", async () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => `${i}\trow ${i} äöü\n`).join("");
    const file = join(directory, "rows.tsv");
    await writeFile(file, rows);
    expect((await psql("CREATE TABLE many (n int, t text);")).code).toBe(0);
    expect((await psql(rows, "-c", "COPY many FROM STDIN")).stdout).toBe("COPY 50000\n");
    expect((await psql(`\\copy many FROM '${file}'\n`)).stdout).toBe("COPY 50000\n");
    expect((await psql("SELECT count(*), sum(n) FROM many;")).stdout).toBe("100000|2499950000\n");
    const { stdout } = await psql("", "-c", "COPY (SELECT * FROM many ORDER BY n, t LIMIT 4) TO STDOUT");
    expect(stdout).toBe("0\trow 0 äöü\n0\trow 0 äöü\n1\trow 1 äöü\n1\trow 1 äöü\n");
    const failed = await psql("1\tx\nnonsense\ty\n", "-c", "COPY many FROM STDIN");
    expect(failed.code).toBe(1);
    expect(failed.stderr).toContain('invalid input syntax for type integer: "nonsense"');
    expect((await psql("SELECT count(*) FROM many;")).stdout).toBe("100000\n");
  });

  test("an error in a transaction, ON_ERROR_STOP and a variable", async () => {
    const { stdout, stderr } = await psql(
      "BEGIN;\nSELECT nosuch;\nSELECT 1;\nROLLBACK;\n\\set x 7\nSELECT :x;\n\\echo :ENCODING\n",
    );
    expect(stderr).toContain('column "nosuch" does not exist');
    expect(stderr).toContain("current transaction is aborted");
    expect(stdout).toBe("BEGIN\nROLLBACK\n7\nUTF8\n");
    expect((await psql("SELECT nosuch;\nSELECT 1;\n", "-v", "ON_ERROR_STOP=1")).code).toBe(3);
  });

  test("encryption is declined politely", async () => {
    expect((await psql("SELECT 1;", "-d", `${server.url}?sslmode=prefer`)).stdout).toBe("1\n");
    const { code, stderr } = await psql("SELECT 1;", "-d", `${server.url}?sslmode=require`);
    expect(code).toBe(2);
    expect(stderr).toContain("server does not support SSL");
  });

  test("an idle BEGIN does not stop a writing sink for long", async () => {
    const sink = new pg.Client(server.url);
    await sink.connect();
    await sink.query("CREATE TABLE sunk (n int)");
    const idle = spawn("psql", [server.url, "-X", "-A", "-t"], { stdio: "pipe" });
    const lines = createInterface(idle.stdout)[Symbol.asyncIterator]();
    const stderr: Buffer[] = [];
    idle.stderr.on("data", (d) => stderr.push(d));
    idle.stdin.write("BEGIN;\nINSERT INTO sunk VALUES (-1);\n");
    expect((await lines.next()).value).toBe("BEGIN");
    expect((await lines.next()).value).toBe("INSERT 0 1");
    for (let i = 0; i < 20; i++) {
      await sink.query("BEGIN");
      await sink.query("INSERT INTO sunk VALUES ($1)", [i]);
      await sink.query("COMMIT");
    }
    idle.stdin.end("SELECT 1;\n");
    await once(idle, "close");
    expect(Buffer.concat(stderr).toString()).toContain("idle-in-transaction timeout");
    expect((await sink.query("SELECT count(*)::int AS n, min(n) FROM sunk")).rows).toEqual([{ n: 20, min: 0 }]);
    await sink.end();
  });

  test("Ctrl-C stops a statement, and the session goes on", async () => {
    const child = spawn("psql", [server.url, "-X", "-A", "-t"], { stdio: "pipe" });
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const stderr: Buffer[] = [];
    child.stderr.on("data", (d) => stderr.push(d));
    child.stdin.write("SELECT 'first';\n");
    expect((await lines.next()).value).toBe("first");
    child.stdin.write("\\echo before\nSELECT count(*) FROM generate_series(1, 10000000000);\n");
    expect((await lines.next()).value).toBe("before");
    const told = once(child.stderr, "data");
    const again = setInterval(() => child.kill("SIGINT"), 300);
    await told;
    clearInterval(again);
    await once(child.stderr, "data");
    expect(Buffer.concat(stderr).toString()).toContain("canceling statement due to user request");
    child.kill("SIGKILL");
    await once(child, "close");
    expect((await psql("SELECT 'still here';")).stdout).toBe("still here\n");
  });
});

describe("kill -9", () => {
  const program = `
    import { startPostgresServer } from ${JSON.stringify(new URL("../../src/database/server.ts", import.meta.url).href)};
    const server = await startPostgresServer({ directory: process.argv[2], port: 0 });
    await server.ready;
    console.log(server.url);
  `;

  async function start(directory: string): Promise<{ child: ChildProcess; url: string }> {
    const file = join(directory, "server.ts");
    await writeFile(file, program);
    const child = spawn(process.execPath, [file, join(directory, "database")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const { value: url } = await createInterface(child.stdout!)[Symbol.asyncIterator]().next();
    return { child, url: url! };
  }

  test("what was committed is there, what was not is not, three times over", async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-kill-"));
    let { child, url } = await start(directory);
    let committed = -1;
    for (let round = 0; round < 3; round++) {
      const c = new pg.Client(url);
      c.on("error", () => {});
      await c.connect();
      await c.query("CREATE TABLE IF NOT EXISTS written (batch int, n int, PRIMARY KEY (batch, n))");
      const { rows } = await c.query("SELECT batch, count(*)::int AS n FROM written GROUP BY batch ORDER BY batch");
      // A batch whose answer was lost may be there, but then whole.
      expect(rows.length - 1).toBeGreaterThanOrEqual(committed);
      expect(rows.length - 1).toBeLessThanOrEqual(committed + 1);
      expect(rows).toEqual(rows.map((_, i) => ({ batch: i, n: 200 })));
      const from = rows.length;
      const killAt = from + 15 + round * 7;
      try {
        for (let batch = from; ; batch++) {
          await c.query("BEGIN");
          await c.query("INSERT INTO written SELECT $1, i FROM generate_series(1, 200) i", [batch]);
          if (batch === killAt) child.kill("SIGKILL");
          await c.query("COMMIT");
          committed = batch;
        }
      } catch {
        // the server is gone
      }
      await once(child, "close");
      ({ child, url } = await start(directory));
    }
    expect(committed).toBeGreaterThan(20);
    const c = new pg.Client(url);
    await c.connect();
    const { rows } = await c.query("SELECT count(DISTINCT batch)::int AS batches, count(*)::int AS rows FROM written");
    expect(rows[0].rows).toBe(rows[0].batches * 200);
    expect(rows[0].batches).toBeGreaterThanOrEqual(committed + 1);
    await c.end();
    child.kill("SIGKILL");
    await once(child, "close");
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  }, 120_000);
});
