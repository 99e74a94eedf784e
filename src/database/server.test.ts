import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { B, cstring, errorFields, F, MessageReader, message, messages, query, SYNC } from "./protocol.ts";
import { type PostgresServer, startPostgresServer } from "./server.ts";

let directory: string;
let server: PostgresServer;
const open: pg.Client[] = [];

async function client(config: pg.ClientConfig = {}): Promise<pg.Client> {
  const c = new pg.Client({ connectionString: server.url, ...config });
  c.on("error", () => {});
  await c.connect();
  open.push(c);
  return c;
}

/** A connection without a driver, for sequences that drivers do not send. */
async function raw(): Promise<{ socket: Socket; send(...m: Buffer[]): void; until(type: number): Promise<Buffer[]> }> {
  const socket = connect(server.port, server.host);
  await once(socket, "connect");
  const startup = Buffer.from("\0\0\0\0\0\x03\0\0user\0postgres\0\0", "latin1");
  startup.writeInt32BE(startup.length, 0);
  socket.write(startup);
  const reader = new MessageReader();
  const got: Buffer[] = [];
  let wake = (): void => {};
  socket.on("data", (chunk) => {
    const piece = reader.push(chunk);
    if (piece !== undefined) got.push(...messages(piece));
    wake();
  });
  socket.on("close", () => wake());
  socket.on("error", () => {});
  const until = async (type: number): Promise<Buffer[]> => {
    for (;;) {
      const at = got.findIndex((m) => m[0] === type);
      if (at >= 0) return got.splice(0, at + 1);
      if (socket.closed) return got.splice(0);
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  await until(B.ready);
  return { socket, send: (...m) => void socket.write(Buffer.concat(m)), until };
}

const parse = (name: string, sql: string): Buffer => message(F.parse, name, sql, Buffer.from([0, 0]));
const bind = (statement: string): Buffer => message(F.bind, "", statement, Buffer.alloc(6));
const execute = message(F.execute, "", Buffer.alloc(4));
const texts = (ms: Buffer[]): string[] => ms.filter((m) => m[0] === B.dataRow).map((m) => m.toString("utf8", 11));
const errors = (ms: Buffer[]): string[] => ms.filter((m) => m[0] === B.error).map((m) => errorFields(m).C!);

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-postgres-"));
  server = await startPostgresServer({
    directory,
    port: 0,
    idleInTransactionMs: 300,
    stalledWriteMs: 500,
    cancelGraceMs: 200,
  });
  await server.ready;
});

afterEach(async () => {
  await Promise.all(open.splice(0).map((c) => c.end().catch(() => {})));
});

afterAll(async () => {
  await server?.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

describe("several clients", () => {
  test("transactions of eight clients do not mix", async () => {
    const first = await client();
    await first.query("CREATE TABLE counter (n int); INSERT INTO counter VALUES (0)");
    const clients = await Promise.all(Array.from({ length: 8 }, () => client()));
    await Promise.all(
      clients.map(async (c) => {
        for (let i = 0; i < 10; i++) {
          await c.query("BEGIN");
          const { rows } = await c.query("SELECT n FROM counter");
          await c.query("UPDATE counter SET n = $1", [rows[0].n + 1]);
          await c.query(i % 5 === 4 ? "ROLLBACK" : "COMMIT");
        }
      }),
    );
    expect((await first.query("SELECT n FROM counter")).rows).toEqual([{ n: 64 }]);
  });

  test("statements of one name belong to their clients", async () => {
    const [a, b] = [await client(), await client()];
    for (let i = 0; i < 3; i++) {
      expect((await a.query({ name: "q", text: "SELECT $1::int + 1 AS x", values: [i] })).rows).toEqual([{ x: i + 1 }]);
      expect((await b.query({ name: "q", text: "SELECT $1::text AS y", values: ["v"] })).rows).toEqual([{ y: "v" }]);
    }
    await b.query("DEALLOCATE ALL");
    expect((await a.query({ name: "q", text: "SELECT $1::int + 1 AS x", values: [7] })).rows).toEqual([{ x: 8 }]);
  });

  test("the unnamed statement survives another client's", async () => {
    const [a, b] = [await raw(), await raw()];
    a.send(parse("", "SELECT 'of a'"), SYNC);
    await a.until(B.ready);
    b.send(parse("", "SELECT 'of b'"), SYNC);
    await b.until(B.ready);
    a.send(bind(""), execute, SYNC);
    const answer = await a.until(B.ready);
    expect(texts(answer)).toEqual(["of a"]);
    expect(answer.map((m) => String.fromCharCode(m[0]!)).join("")).toBe("2DCZ");
    a.socket.destroy();
    b.socket.destroy();
  });

  test("a name that is taken or unknown gives PostgreSQL's errors, per client", async () => {
    const [a, b] = [await raw(), await raw()];
    a.send(parse("s", "SELECT 1"), SYNC);
    await a.until(B.ready);
    b.send(bind("s"), execute, SYNC);
    expect(errors(await b.until(B.ready))).toEqual(["26000"]);
    b.send(parse("s", "SELECT 2"), SYNC);
    expect(errors(await b.until(B.ready))).toEqual([]);
    a.send(parse("s", "SELECT 3"), SYNC);
    expect(errors(await a.until(B.ready))).toEqual(["42P05"]);
    a.send(bind("s"), execute, SYNC);
    expect(texts(await a.until(B.ready))).toEqual(["1"]);
    a.send(message(F.close, Buffer.from("S"), "s"), SYNC);
    await a.until(B.ready);
    b.send(bind("s"), execute, SYNC);
    expect(texts(await b.until(B.ready))).toEqual(["2"]);
    a.socket.destroy();
    b.socket.destroy();
  });

  test("PREPARE in SQL is kept per client too", async () => {
    const [a, b] = [await client(), await client()];
    await a.query("PREPARE p AS SELECT 'a' AS who");
    await b.query("PREPARE p AS SELECT 'b' AS who");
    expect((await a.query("EXECUTE p")).rows).toEqual([{ who: "a" }]);
    expect((await b.query("EXECUTE p")).rows).toEqual([{ who: "b" }]);
    await b.query("DEALLOCATE p");
    await expect(b.query("EXECUTE p")).rejects.toMatchObject({ code: "26000" });
    expect((await a.query("EXECUTE p")).rows).toEqual([{ who: "a" }]);
  });

  test("a sequence without Sync is not interrupted by others", async () => {
    const [a, b] = [await raw(), await client()];
    a.send(parse("", "SELECT 'x'"), message(F.flush));
    await a.until(B.parseComplete);
    const other = b.query("SELECT 1 AS one");
    a.send(bind(""), execute, message(F.flush));
    expect(texts(await a.until(B.commandComplete))).toEqual(["x"]);
    a.send(SYNC);
    await a.until(B.ready);
    expect((await other).rows).toEqual([{ one: 1 }]);
    a.socket.destroy();
  });
});

describe("transactions", () => {
  test("a client that dies in one loses it, and the next goes on", async () => {
    const [a, b] = [await client(), await client()];
    await b.query("CREATE TABLE lost (n int)");
    await a.query("BEGIN");
    await a.query("INSERT INTO lost VALUES (1)");
    const waiting = b.query("SELECT count(*)::int AS n FROM lost");
    (a as unknown as { connection: { stream: Socket } }).connection.stream.destroy();
    expect((await waiting).rows).toEqual([{ n: 0 }]);
  });

  test("an idle one ends when somebody waits, with PostgreSQL's code, and not before", async () => {
    const [idle, writer] = [await client(), await client()];
    await writer.query("CREATE TABLE kept (n int)");
    await idle.query("BEGIN");
    await idle.query("INSERT INTO kept VALUES (1)");
    // Nobody waits: longer than the limit is fine.
    await new Promise((resolve) => setTimeout(resolve, 600));
    await idle.query("INSERT INTO kept VALUES (2)");
    const ended = once(idle, "error");
    await writer.query("INSERT INTO kept VALUES (3)");
    expect((await ended)[0]).toMatchObject({ code: "25P03" });
    expect((await writer.query("SELECT n FROM kept")).rows).toEqual([{ n: 3 }]);
  });

  test("an error inside fails it until its end", async () => {
    const c = await client();
    await c.query("BEGIN");
    await c.query("CREATE TABLE never (n int)");
    await expect(c.query("SELECT nosuch")).rejects.toMatchObject({ code: "42703" });
    await expect(c.query("SELECT 1")).rejects.toMatchObject({ code: "25P02" });
    await c.query("ROLLBACK");
    await expect(c.query("SELECT * FROM never")).rejects.toMatchObject({ code: "42P01" });
    await c.query("BEGIN; CREATE TABLE partly (n int); SAVEPOINT s; INSERT INTO partly VALUES (1)");
    await expect(c.query("SELECT 1/0")).rejects.toMatchObject({ code: "22012" });
    await c.query("ROLLBACK TO s; COMMIT");
    expect((await c.query("SELECT * FROM partly")).rows).toEqual([]);
  });
});

describe("session state", () => {
  test("settings belong to their client and survive turns of others", async () => {
    const [a, b] = [await client(), await client({ application_name: "b", options: "-c timezone=Asia/Tokyo" })];
    await a.query("SET timezone = 'America/New_York'");
    await a.query("SELECT set_config('my.key', 'va''lue', false)");
    const read = "SELECT current_setting('timezone') AS tz, current_setting('my.key', true) AS k";
    expect((await b.query(read)).rows).toEqual([{ tz: "Asia/Tokyo", k: expect.toBeOneOf([null, ""]) }]);
    expect((await a.query(read)).rows).toEqual([{ tz: "America/New_York", k: "va'lue" }]);
    expect((await b.query("SHOW application_name")).rows).toEqual([{ application_name: "b" }]);
    await a.query("BEGIN");
    await a.query("SET timezone = 'UTC'");
    await a.query("ROLLBACK");
    await b.query("SELECT 1");
    expect((await a.query(read)).rows[0].tz).toBe("America/New_York");
    const c = await client();
    expect((await c.query(read)).rows[0].tz).toBe("UTC");
  });

  test("an invalid setting at the start is refused", async () => {
    await expect(client({ options: "-c timezone=Nowhere/Never" })).rejects.toMatchObject({ code: "22023" });
    expect((await (await client()).query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("a role set by one client is not another's", async () => {
    const [a, b] = [await client(), await client()];
    await a.query("CREATE ROLE reader");
    await a.query("SET ROLE reader");
    expect((await b.query("SELECT current_user AS u")).rows).toEqual([{ u: "postgres" }]);
    expect((await a.query("SELECT current_user AS u")).rows).toEqual([{ u: "reader" }]);
    await a.query("RESET ROLE");
  });

  test("temporary tables go with their client", async () => {
    const a = await client();
    await a.query("CREATE TEMP TABLE scratch (n int)");
    await a.query("SELECT * FROM scratch");
    await a.end();
    const b = await client();
    await expect(b.query("SELECT * FROM scratch")).rejects.toMatchObject({ code: "42P01" });
  });

  test("DISCARD ALL resets its client and leaves the others alone", async () => {
    const [a, b] = [await client(), await client()];
    await b.query("LISTEN things");
    await b.query("SET timezone = 'Asia/Tokyo'");
    await b.query({ name: "n", text: "SELECT 'b' AS who" });
    await a.query("SET timezone = 'Europe/Berlin'");
    await a.query("DISCARD ALL");
    expect((await a.query("SHOW timezone")).rows).toEqual([{ TimeZone: "UTC" }]);
    expect((await b.query("SHOW timezone")).rows).toEqual([{ TimeZone: "Asia/Tokyo" }]);
    expect((await b.query({ name: "n", text: "SELECT 'b' AS who" })).rows).toEqual([{ who: "b" }]);
    const told = once(b, "notification");
    await a.query("NOTIFY things, 'still'");
    expect((await told)[0]).toMatchObject({ channel: "things", payload: "still" });
  });

  test("NOTIFY reaches the clients that listen, and no other", async () => {
    const [a, b, c] = [await client(), await client(), await client()];
    const heard: string[] = [];
    for (const [name, one] of Object.entries({ a, b, c })) {
      one.on("notification", (n) => heard.push(`${name} ${n.channel} ${n.payload}`));
    }
    await a.query('LISTEN orders; LISTEN "Mixed"');
    await b.query("LISTEN orders");
    await c.query("SELECT pg_notify('orders', '1')");
    await b.query("UNLISTEN orders");
    await c.query("NOTIFY orders, '2'");
    await c.query("BEGIN");
    await c.query(`NOTIFY "Mixed", '3'`);
    await c.query("ROLLBACK");
    await c.query(`NOTIFY "Mixed", '4'`);
    await Promise.all([a, b, c].map((one) => one.query("SELECT 1")));
    expect(heard.sort()).toEqual(["a Mixed 4", "a orders 1", "a orders 2", "b orders 1"]);
  });
});

describe("COPY", () => {
  test("a client that vanishes in the middle leaves nothing", async () => {
    const [a, b] = [await raw(), await client()];
    await b.query("CREATE TABLE copied (n int)");
    a.send(query("COPY copied FROM STDIN"));
    await a.until(B.copyIn);
    a.send(message(F.copyData, Buffer.from("1\n")));
    const waiting = b.query("SELECT count(*)::int AS n FROM copied");
    a.socket.destroy();
    expect((await waiting).rows).toEqual([{ n: 0 }]);
  });

  test("one that pauses while others wait is ended; in pieces it works, CopyFail undoes it", async () => {
    const [a, b] = [await raw(), await client()];
    await b.query("CREATE TABLE pieces (n int, t text)");
    a.send(query("COPY pieces FROM STDIN"));
    await a.until(B.copyIn);
    for (let i = 0; i < 50; i++) a.send(message(F.copyData, Buffer.from(`${i}\t${"x".repeat(1000)}\n`)));
    a.send(message(F.copyDone));
    await a.until(B.ready);
    a.send(query("COPY pieces FROM STDIN"));
    await a.until(B.copyIn);
    a.send(message(F.copyData, Buffer.from("100\ty\n")), message(F.copyFail, "changed my mind"));
    expect(errors(await a.until(B.ready))).toEqual(["57014"]);
    a.send(query("COPY pieces FROM STDIN"));
    await a.until(B.copyIn);
    expect((await b.query("SELECT count(*)::int AS n FROM pieces")).rows).toEqual([{ n: 50 }]);
    expect(errors(await a.until(B.error))).toEqual(["25P03"]);
  });
});

describe("cancelling", () => {
  const cancel = async (c: pg.Client): Promise<void> => {
    const { processID, secretKey } = c as unknown as { processID: number; secretKey: number };
    const packet = Buffer.alloc(16);
    [16, 80877102, processID, secretKey].forEach((n, i) => {
      packet.writeInt32BE(n, i * 4);
    });
    const socket = connect(server.port, server.host);
    socket.end(packet);
    await once(socket, "close");
  };

  test("a statement that puts out rows", async () => {
    const c = await client();
    const running = c.query("SELECT repeat('x', 100) FROM generate_series(1, 100000000)");
    running.catch(() => {});
    await cancel(c);
    await expect(running).rejects.toMatchObject({ code: "57014" });
    expect((await c.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("a statement that only computes: the database restarts under it, sessions go on", async () => {
    const [c, other] = [await client(), await client()];
    await other.query("CREATE TABLE survives (n int); INSERT INTO survives VALUES (1)");
    await other.query("SET timezone = 'Asia/Tokyo'; LISTEN after");
    await other.query({ name: "n", text: "SELECT n FROM survives" });
    const running = c.query("SELECT count(*) FROM generate_series(1, 1000000000)");
    running.catch(() => {});
    const waiting = other.query({ name: "n", text: "SELECT n FROM survives" });
    await cancel(c);
    await expect(running).rejects.toMatchObject({ code: "57014" });
    expect((await waiting).rows).toEqual([{ n: 1 }]);
    expect((await other.query("SHOW timezone")).rows).toEqual([{ TimeZone: "Asia/Tokyo" }]);
    const told = once(other, "notification");
    await c.query("NOTIFY after, 'restart'");
    expect((await told)[0]).toMatchObject({ payload: "restart" });
  });

  test("a statement that waits for its turn", async () => {
    const [a, b] = [await client(), await client()];
    await a.query("BEGIN");
    const waiting = b.query("SELECT 1");
    waiting.catch(() => {});
    await cancel(b);
    await expect(waiting).rejects.toMatchObject({ code: "57014" });
    await a.query("COMMIT");
    expect((await b.query("SELECT 2 AS two")).rows).toEqual([{ two: 2 }]);
  });
});

describe("large and strange", () => {
  test("20 MB in and out", async () => {
    const c = await client();
    const { rows } = await c.query("SELECT length($1::text) AS n, $1::text AS t", ["é".repeat(10_000_000)]);
    expect(rows[0].n).toBe(10_000_000);
    expect(rows[0].t.length).toBe(10_000_000);
  });

  test("a client that does not read is dropped when others wait", async () => {
    const slow = await raw();
    slow.socket.pause();
    slow.send(query("SELECT repeat('x', 1000) FROM generate_series(1, 200000)"));
    const other = await client();
    expect((await other.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    slow.socket.destroy();
  });

  test.each([
    ["an HTTP request", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    ["zeros", Buffer.alloc(64)],
    ["a huge length", Buffer.from([0x7f, 0xff, 0xff, 0xff, 0, 3, 0, 0])],
    ["protocol 2", Buffer.from([0, 0, 0, 8, 0, 2, 0, 0])],
  ])("%s is answered by an error", async (_, bytes) => {
    const socket = connect(server.port, server.host);
    const got: Buffer[] = [];
    socket.on("data", (d) => got.push(d));
    socket.write(bytes);
    await once(socket, "close");
    const answer = Buffer.concat(got);
    expect(answer[0]).toBe(B.error);
    expect(cstring(answer, 6).text).toBe("FATAL");
  });

  test("a broken message ends its connection only", async () => {
    const a = await raw();
    a.send(Buffer.from([F.query, 0, 0, 0, 1]));
    expect(errors(await a.until(B.error))).toEqual(["08P01"]);
    expect((await (await client()).query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
  });

  test("any password and any database name are accepted", async () => {
    const c = new pg.Client(`postgres://someone:secret@${server.host}:${server.port}/whatever`);
    await c.connect();
    expect((await c.query("SELECT current_user AS u")).rows).toEqual([{ u: "postgres" }]);
    await c.end();
  });
});

describe("the server", () => {
  test("can be stopped while it starts, and starts again", async () => {
    const own = await mkdtemp(join(tmpdir(), "millrace-postgres-"));
    const first = await startPostgresServer({ directory: own, port: 0 });
    const early = new pg.Client(first.url);
    const refused = early.connect();
    refused.catch(() => {});
    await first.close();
    await expect(first.ready).rejects.toMatchObject({ code: "STOPPED" });
    await expect(refused).rejects.toThrow();
    const again = await startPostgresServer({ directory: own, port: 0 });
    const c = new pg.Client(again.url);
    await c.connect();
    expect((await c.query("SELECT 1 AS one")).rows).toEqual([{ one: 1 }]);
    await c.end();
    await again.close();
    await rm(own, { recursive: true, force: true, maxRetries: 3 });
  });

  test("a damaged directory is an error that says so", async () => {
    const own = await mkdtemp(join(tmpdir(), "millrace-postgres-"));
    await mkdir(join(own, "data"));
    await writeFile(join(own, "data", "PG_VERSION"), "9\n");
    const broken = await startPostgresServer({ directory: own, port: 0 });
    await expect(broken.ready).rejects.toMatchObject({ code: "POSTGRES_FAILED" });
    await expect(new pg.Client(broken.url).connect()).rejects.toThrow();
    await broken.close();
    await rm(own, { recursive: true, force: true, maxRetries: 3 });
  });

  test("refuses a directory and a port in use", async () => {
    await expect(startPostgresServer({ directory, port: 0 })).rejects.toMatchObject({ code: "DIRECTORY_IN_USE" });
    const other = await mkdtemp(join(tmpdir(), "millrace-postgres-"));
    await expect(startPostgresServer({ directory: other, port: server.port })).rejects.toMatchObject({
      code: "PORT_IN_USE",
    });
    await rm(other, { recursive: true });
  });
});
