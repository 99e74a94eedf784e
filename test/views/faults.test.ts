import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type Client, client } from "../../src/client/index.ts";
import { openTargets, wroteBeside } from "../../src/connectors/written.ts";
import { subscribe } from "../../src/events.ts";
import { startObserver } from "../../src/observe/server.ts";
import { MemoryStream } from "../../src/testing/memory-stream.ts";
import { schema, t } from "../../src/types/schema.ts";
import { breakingProxy } from "../sinks/breaking-proxy.ts";
import { tcpProxy } from "../tcp-proxy.ts";
import { startWorld, type World } from "./setup.ts";

let world: World;
/** The machine may be busy. */
const soon = <T>(f: () => T, options: { readonly timeout?: number } = {}) =>
  expect.poll(f, { timeout: 10_000, interval: 10, ...options });
const clients: Client<any>[] = [];
const follow = (url: string = world.observer.url, options?: Parameters<typeof client>[1]): Client<any> => {
  const c = client(url, options);
  clients.push(c);
  return c;
};
beforeAll(async () => {
  world = await startWorld();
});
afterEach(() => {
  for (const c of clients.splice(0)) c.close();
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** `delays=k3f.17` of a table with rows 1 to n. */
async function numbers(table: string, n: number): Promise<void> {
  await world.database.query(
    `CREATE TABLE ${table} AS SELECT i AS n, 'row ' || i AS text FROM generate_series(1, ${n}) AS i`,
  );
  await world.database.query(`ALTER TABLE ${table} ADD PRIMARY KEY (n)`);
}

describe("what is not there", () => {
  test("a table that does not exist yet: the reader is told, and sees it when it comes", async () => {
    world.spark.view("later", { table: "later" });
    const later = follow().view("later");
    await soon(() => later.error).toMatchObject({
      code: "TABLE_OR_VIEW_NOT_FOUND",
      message: "The table later of the view later does not exist (yet).",
      hint: expect.stringContaining("It is looked for again by itself"),
    });
    expect(later.status).toBe("connecting");
    await numbers("later", 2);
    await later.ready;
    expect(later.rows).toEqual([
      { n: 1, text: "row 1" },
      { n: 2, text: "row 2" },
    ]);
    expect(later.error).toBeNull();
  });

  test("a name that is not declared keeps no other view waiting, and comes by itself", async () => {
    await numbers("known", 1);
    world.spark.view("known", { table: "known" });
    const c = follow();
    const [known, unborn] = [c.view("known"), c.view("unborn")];
    await known.ready;
    await soon(() => unborn.error?.code).toBe("NOT_FOUND");
    expect(unborn.error!.hint).toMatch(/There are: .*known/);
    world.spark.view("unborn", { table: "known", columns: ["text"] });
    await unborn.ready;
    expect(unborn.rows).toEqual([{ n: 1, text: "row 1" }]);
    expect(known.status).toBe("live");
  });

  test("columns, keys and schemas that do not fit are said with those that are there", async () => {
    await numbers("fits", 1);
    await world.database.query("CREATE TABLE keyless (a int, b int)");
    await world.database.query("INSERT INTO keyless VALUES (1, 1), (1, 2)");
    const { spark } = world;
    spark.view("misspelt", { table: "fits", columns: ["txt"] });
    spark.view("misordered", { table: "fits", orderBy: "nn" });
    spark.view("mistyped", { table: "fits", schema: schema({ n: t.int, text: t.timestamp }) });
    spark.view("keyless", { table: "keyless" });
    spark.view("twice", { table: "keyless", key: "a" });
    const c = follow();
    const told = async (name: string): Promise<string> => {
      await soon(() => c.view(name).error).not.toBeNull();
      return `${c.view(name).error!.message} ${c.view(name).error!.hint}`;
    };
    expect(await told("misspelt")).toBe(
      'columns of the view misspelt names "txt"; there are n, text. Did you mean text?',
    );
    expect(await told("misordered")).toMatch(
      'orderBy of the view misordered names the column "nn"; its rows have n, text. Did you mean n?',
    );
    expect(await told("mistyped")).toBe(
      "The schema of the view mistyped does not fit the table fits: text is string, the schema says timestamp. The table has n int, text string.",
    );
    expect(await told("keyless")).toMatch("has no key, and the table keyless no primary key. Name the columns");
    expect(await told("twice")).toMatch(
      "The key (a) of the view twice is not unique in the table keyless: [1] is there",
    );
  });

  test("declarations that cannot be are refused at once", () => {
    const { spark } = world;
    const refused = (options: object, name = "v"): string => {
      try {
        spark.view(name, options);
      } catch (error) {
        return (error as Error).message;
      }
      return "taken";
    };
    expect(refused({})).toMatch(/neither a table nor the cache.*Give one of them/);
    expect(refused({ table: "a", cache: "b:*" })).toMatch(/a table and of the cache/);
    expect(refused({ table: "a" }, "a b")).toMatch(/The name of a view is "a b"/);
    expect(refused({ table: "a" }, "stream")).toMatch(/Choose another/);
    expect(refused({ table: "a", limit: 0 })).toMatch(/The limit of the view v is 0/);
    expect(refused({ table: "a", where: () => true })).toMatch(/For a table it is SQL/);
    expect(refused({ cache: "a:*", where: "x > 1" })).toMatch(/For the cache it is a function/);
    expect(refused({ cache: "a:*", key: "b:{x}" })).toMatch(/Let both mean the same keys/);
    expect(refused({ cache: "a:*:*", key: "x" })).toMatch(/Name a column for each star/);
    expect(refused({ table: "a", options: { usr: "me" } })).toMatch(/no option "usr".*Did you mean user\?/);
  });
});

describe("what goes away and comes back", () => {
  test("the server restarts: rows stay, and the reader goes on where it was", async () => {
    await numbers("steady", 3);
    world.spark.view("steady", { table: "steady", refreshMs: 50 });
    const first = await startObserver({ port: 0 });
    const steady = follow(first.url).view("steady");
    await steady.ready;
    const kinds: string[] = [];
    steady.subscribe((_, change) => kinds.push(change.kind));
    await first.close();
    await soon(() => steady.error?.code).toBe("UNREACHABLE");
    expect(steady.status).toBe("stale");
    expect(steady.rows).toHaveLength(3);
    await world.database.query("INSERT INTO steady VALUES (4, 'row 4')");
    const second = await startObserver({ port: first.port });
    expect(second.port).toBe(first.port);
    await soon(() => steady.rows.length).toBe(4);
    expect(steady.status).toBe("live");
    // Only what changed was sent.
    expect(kinds.filter((kind) => kind !== "state")).toEqual(["rows", "changes"]);
    await second.close();
  });

  test("the view is redefined: the reader gets the new one", async () => {
    await numbers("shape", 3);
    world.spark.view("shape", { table: "shape" });
    const shape = follow().view("shape");
    await shape.ready;
    expect(shape.rows[0]).toEqual({ n: 1, text: "row 1" });
    world.spark.view("shape", { table: "shape", columns: ["n"], orderBy: "n desc", where: "n > 1" });
    await soon(() => shape.rows).toEqual([{ n: 3 }, { n: 2 }]);
    const metrics = await (await fetch(new URL("/metrics", world.observer.url))).text();
    expect(metrics).toMatch(/millrace_live_resets_total\{reason="redefined"\} [1-9]/);
    expect(metrics).toMatch(/millrace_live_clients\{view="shape"\} 1/);
  });

  test("the pipeline is stopped: the view is gone, rows stay, and it comes again with the next one", async () => {
    await numbers("session", 2);
    const session = world.spark.newSession();
    session.view("of_session", { table: "session" });
    const view = follow().view("of_session");
    await view.ready;
    await session.stop();
    await soon(() => view.error?.code).toBe("NOT_FOUND");
    expect(view.status).toBe("stale");
    expect(view.rows).toHaveLength(2);
    world.spark.view("of_session", { table: "session" });
    await soon(() => view.status).toBe("live");
    expect(view.error).toBeNull();
  });

  test("the database is down: the reader is told and sees what changed meanwhile", async () => {
    await numbers("down", 1);
    const real = new URL(process.env.MILLRACE_POSTGRES!);
    const open = () =>
      tcpProxy(real.hostname, Number(real.port), ({ client, upstream }) => {
        client.pipe(upstream);
        upstream.pipe(client);
      });
    const proxy = await open();
    const url = new URL(real);
    url.port = `${proxy.port}`;
    world.spark.view("down", { table: "down", refreshMs: 50, options: { url: url.href } });
    const down = follow().view("down");
    await down.ready;
    await proxy.close();
    await soon(() => down.error?.code).toBe("POSTGRES_UNREACHABLE");
    expect(down.error!.message).not.toContain(url.password || "no password");
    expect(down.status).toBe("stale");
    expect(down.rows).toEqual([{ n: 1, text: "row 1" }]);
    await world.database.query("UPDATE down SET text = 'new'");
    const answer = await fetch(new URL("/api/views/down", world.observer.url));
    expect(answer.status).toBe(503);
    expect(await answer.json()).toMatchObject({ error: { code: "POSTGRES_UNREACHABLE" } });
    // The same port again.
    const { createServer, connect } = await import("node:net");
    const again = createServer((c) => {
      const upstream = connect(Number(real.port), real.hostname);
      c.pipe(upstream);
      upstream.pipe(c);
      c.on("error", () => upstream.destroy());
      upstream.on("error", () => c.destroy());
      c.on("close", () => upstream.destroy());
    });
    await new Promise<void>((resolve) => again.listen(proxy.port, "127.0.0.1", resolve));
    await soon(() => down.rows, { timeout: 15_000 }).toEqual([{ n: 1, text: "new" }]);
    expect(down.status).toBe("live");
    world.spark.view("down", { table: "down" });
    again.close();
  });
});

describe("what others write", () => {
  test("a table that no query writes is looked at again", async () => {
    await numbers("polled", 2);
    world.spark.view("polled", { table: "polled", refreshMs: 20 });
    const polled = follow().view("polled");
    await polled.ready;
    const seen: unknown[] = [];
    polled.subscribe((_, { kind, upserted, removed }) => kind === "changes" && seen.push({ upserted, removed }));
    await world.database.query("BEGIN; DELETE FROM polled WHERE n = 1; INSERT INTO polled VALUES (3, 'three'); COMMIT");
    await soon(() => seen).toEqual([{ upserted: [{ n: 3, text: "three" }], removed: [{ n: 1, text: "row 1" }] }]);
    await world.database.query("DROP TABLE polled");
    await soon(() => polled.error?.code).toBe("TABLE_OR_VIEW_NOT_FOUND");
    expect(polled.rows).toHaveLength(2);
  });

  test("keys of the cache: typed, of every kind, gone when their time is over", async () => {
    const { cache, spark } = world;
    await cache.hset("plane:a:1", { seats: "180", built: "2001-02-03", speed: "nan" });
    await cache.set(
      "plane:c:2",
      JSON.stringify({ seats: "x", tags: ["\u{1F6EB}", null] }).replace('"x"', "9007199254740993"),
    );
    await cache.set("plane:c:2:_version", "7");
    await cache.set("plane:text:3", "no JSON");
    await cache.hset("plane:d:4:5", { seats: "1" });
    const Plane = schema({ seats: t.long, built: t.date, speed: t.double, tags: t.array(t.string), no: t.int });
    const warnings: string[] = [];
    const off = subscribe("warning", (w) => warnings.push(w.message));
    const view = spark.view("planes", { cache: "plane:*", key: "plane:{model}:{no}", schema: Plane, refreshMs: 20 });
    const planes = follow().view("planes");
    await planes.ready;
    expect(view.source).toBe("cache plane:*");
    // 4:5 is no number.
    expect(planes.rows.map((row: any) => row.model)).toEqual(["a", "c"]);
    const byModel = new Map(planes.rows.map((row: any) => [row.model, row]));
    expect(byModel.get("c")).toEqual({
      model: "c",
      seats: 9007199254740993n,
      built: null,
      speed: null,
      tags: ["\u{1F6EB}", null],
      no: 2,
    });
    expect(byModel.get("a")).toEqual({
      model: "a",
      seats: 180n,
      built: new Date("2001-02-03"),
      speed: Number.NaN,
      tags: null,
      no: 1,
    });
    expect(warnings).toEqual([expect.stringContaining("leaves out keys such as plane:")]);
    off();
    await cache.pexpire("plane:c:2", 50);
    await soon(() => planes.rows.length).toBe(1);
    await cache.hset("plane:a:1", "seats", "181");
    await soon(() => (planes.rows[0] as any).seats).toBe(181n);
  });

  test("a prefix without a schema: the fields that are there, as text", async () => {
    const { cache, spark } = world;
    spark.view("texts", { cache: "text:*", refreshMs: 20 });
    const texts = follow().view("texts");
    await texts.ready;
    expect(texts.rows).toEqual([]);
    await cache.hset("text:1", { a: "x" });
    await soon(() => texts.rows).toEqual([{ key: "1", a: "x" }]);
    await cache.hset("text:2", { b: "y" });
    await soon(() => texts.rows).toEqual([
      { key: "1", a: "x", b: null },
      { key: "2", a: null, b: "y" },
    ]);
  });

  test("a function chooses among keys", async () => {
    const { cache, spark } = world;
    const Row = schema({ id: t.string, n: t.int });
    await cache.hset("odd:a", { n: "1" });
    await cache.hset("odd:b", { n: "2" });
    spark.view("odd_keys", {
      cache: "odd:*",
      key: "odd:{id}",
      schema: Row,
      refreshMs: 20,
      where: (row) => (row.n ?? 0) % 2 === 1,
    });
    const odd = follow().view("odd_keys");
    await odd.ready;
    expect(odd.rows).toEqual([{ id: "a", n: 1 }]);
    await cache.hset("odd:b", { n: "3" });
    await soon(() => odd.rows).toEqual([
      { id: "a", n: 1 },
      { id: "b", n: 3 },
    ]);
  });
});

describe("large and strange", () => {
  test("of 100,000 rows the first 10,000 stay, and it is said once", async () => {
    await numbers("large", 100_000);
    const warnings: string[] = [];
    const off = subscribe("warning", ({ code, message }) => code === "VIEW_CUT" && warnings.push(message));
    world.spark.view("large", { table: "large", orderBy: "n desc", refreshMs: 20 });
    const large = follow().view("large");
    await large.ready;
    expect(large.rows).toHaveLength(10_000);
    expect(large.rows[0]).toEqual({ n: 100_000, text: "row 100000" });
    expect(large.rows.at(-1)).toEqual({ n: 90_001, text: "row 90001" });
    await world.database.query("DELETE FROM large WHERE n = 95000; INSERT INTO large VALUES (100001, 'x')");
    await soon(() => large.rows[0]).toEqual({ n: 100_001, text: "x" });
    expect(large.rows).toHaveLength(10_000);
    expect(large.rows.at(-1)).toEqual({ n: 90_001, text: "row 90001" });
    expect(warnings).toEqual(["The view large shows the first 10,000 rows of the table large."]);
    off();
  });

  test("keys and values of every kind arrive as they were", async () => {
    const { database, spark } = world;
    await database.query(`CREATE TABLE strange ("Käy" text, big bigint, price numeric(30,10), at timestamptz, wall timestamp,
      day date, yes boolean, bytes bytea, ratio double precision, small real, id uuid, doc jsonb, list int[], UNIQUE ("Käy", big, price, at))`);
    const at = "2001-02-03T04:05:06.123456Z";
    await database.query(
      `INSERT INTO strange VALUES
        ($1, 9223372036854775807, 12345678901234567890.0123456789, $2, '2001-02-03 04:05:06', '0001-01-01', true, '\\x00ff', 'NaN', 0.1,
          'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{"a": 12345678901234567890}', '{1,null}'),
        (NULL, -1, NULL, NULL, NULL, NULL, NULL, NULL, '-Infinity', NULL, NULL, NULL, NULL),
        ('', 0, 0, '2001-02-03 04:05:06.5+02', NULL, NULL, false, '', 1e300, 1, NULL, '[]', '{}')`,
      ["\u{1F6EB} \"quoted\",\n\u0001\\ 'x'", at],
    );
    const Strange = schema({
      Käy: t.string,
      big: t.long,
      price: t.decimal(30, 10),
      at: t.timestamp({ mode: "micros" }),
      wall: t.timestampNtz,
      day: t.date,
      yes: t.boolean,
      bytes: t.binary,
      ratio: t.double,
      small: t.float,
      id: t.string,
      doc: t.struct({ a: t.decimal(20, 0) }),
      list: t.array(t.int),
    });
    spark.view("strange", { table: "strange", key: ["Käy", "big", "price", "at"], schema: Strange, refreshMs: 20 });
    const strange = follow().view("strange");
    await strange.ready;
    const micros = BigInt(Date.parse(at)) * 1000n + 456n;
    const first = {
      Käy: "\u{1F6EB} \"quoted\",\n\u0001\\ 'x'",
      big: 9223372036854775807n,
      price: "12345678901234567890.0123456789",
      at: micros,
      wall: new Date("2001-02-03T04:05:06Z"),
      day: new Date("0001-01-01"),
      yes: true,
      bytes: new Uint8Array([0, 255]),
      ratio: Number.NaN,
      small: 0.1,
      id: "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
      doc: { a: "12345678901234567890" },
      list: [1, null],
    };
    expect(strange.get([first.Käy, first.big, first.price, micros])).toEqual(first);
    expect(strange.rows[0]).toMatchObject({
      Käy: "",
      at: BigInt(Date.parse("2001-02-03T02:05:06.5Z")) * 1000n,
      ratio: 1e300,
    });
    expect(strange.rows[2]).toMatchObject({
      Käy: null,
      big: -1n,
      price: null,
      at: null,
      ratio: Number.NEGATIVE_INFINITY,
    });
    await database.query("DELETE FROM strange WHERE big = -1; UPDATE strange SET yes = false WHERE yes");
    await soon(() => strange.rows.map((row: any) => row.yes)).toEqual([false, false]);
  });

  test("a condition that fails on a row does not stop the query that writes it", async () => {
    const { spark } = world;
    const Row = schema({ id: t.int, n: t.int });
    spark.view("divided", { table: "divided", schema: Row, where: "10 / n > 1" });
    const source = new MemoryStream(Row);
    const query = await source
      .toDF(spark)
      .writeStream.outputMode("update")
      .sink("database", "postgres", { dbtable: "divided", key: "id" })
      .option("checkpointLocation", world.checkpoint())
      .start();
    source.addData({ id: 1, n: 2 });
    await query.processAllAvailable();
    const divided = follow().view("divided");
    await divided.ready;
    source.addData({ id: 2, n: 0 });
    await query.processAllAvailable();
    await soon(() => divided.error?.message).toMatch(/division by zero/);
    source.addData({ id: 2, n: 1 });
    await query.processAllAvailable();
    expect(query.exception).toBeNull();
    await soon(() => divided.rows).toEqual([
      { id: 1, n: 2 },
      { id: 2, n: 1 },
    ]);
    await query.stop();
  });

  test("an answer is lost after the batch was written: it shows once", async () => {
    const { spark } = world;
    const real = new URL(process.env.MILLRACE_POSTGRES!);
    const proxy = await breakingProxy(real.hostname, Number(real.port));
    const url = new URL(real);
    url.port = `${proxy.port}`;
    const Row = schema({ id: t.int, n: t.int });
    spark.view("lost", { table: "lost", schema: Row, options: { url: url.href } });
    const source = new MemoryStream(Row);
    const query = await source
      .toDF(spark)
      .writeStream.outputMode("update")
      .sink("database", "postgres", { dbtable: "lost", key: "id", url: url.href })
      .option("checkpointLocation", world.checkpoint())
      .start();
    source.addData({ id: 1, n: 1 });
    await query.processAllAvailable();
    const lost = follow().view("lost");
    await lost.ready;
    proxy.breakAt("WITH marker", "unanswered");
    source.addData({ id: 2, n: 2 }, { id: 1, n: 3 });
    await soon(() => lost.rows).toEqual([
      { id: 1, n: 3 },
      { id: 2, n: 2 },
    ]);
    await query.processAllAvailable();
    expect(proxy.broken).toBe(1);
    source.addData({ id: 2, n: 4 });
    await soon(() => lost.get(2)).toEqual({ id: 2, n: 4 });
    await query.stop();
    await proxy.close();
  });

  test("the cache holds half of a batch that failed: nobody sees it, not even who reads anew", async () => {
    const { spark, cache } = world;
    const real = new URL(process.env.MILLRACE_REDIS!);
    const proxy = await breakingProxy(real.hostname, Number(real.port));
    const url = `redis://127.0.0.1:${proxy.port}`;
    const Row = schema({ id: t.string, n: t.int });
    spark.view("half_written", { cache: "part:*", key: "part:{id}", schema: Row, options: { url } });
    const source = new MemoryStream(Row);
    const query = await source
      .toDF(spark)
      .writeStream.outputMode("update")
      .sink("cache", "redis", { key: "part:{id}", batchsize: "1", url })
      .option("checkpointLocation", world.checkpoint())
      .start();
    const both = (n: number): void => void source.addData({ id: "a", n }, { id: "b", n });
    both(1);
    await query.processAllAvailable();
    const c = follow();
    const seen: string[] = [];
    const watch = (view: { rows: readonly any[]; subscribe(listener: () => void): unknown }): void => {
      view.subscribe(() => seen.push(view.rows.map((row) => `${row.id}${row.n}`).join(" ")));
    };
    const view = c.view("half_written");
    watch(view);
    await view.ready;
    for (let n = 2; n < 5; n++) {
      // The second key of the batch is lost on its way.
      proxy.breakAt("hset\r\n$6\r\npart:b", "lost");
      both(n);
      await soon(async () => (await cache.hget("part:a", "n")) === String(n)).toBe(true);
      for (const target of openTargets()) wroteBeside(target);
      watch(follow().view("half_written"));
      await soon(() => view.get("b")?.n).toBe(n);
    }
    expect(proxy.broken).toBe(3);
    expect([...new Set(seen)].sort()).toEqual(["a1 b1", "a2 b2", "a3 b3", "a4 b4"]);
    await query.stop();
    await proxy.close();
  });

  test("half of a batch that fails while the cache is read: the read is made again", async () => {
    const { spark, cache } = world;
    const real = new URL(process.env.MILLRACE_REDIS!);
    const proxy = await breakingProxy(real.hostname, Number(real.port));
    const url = `redis://127.0.0.1:${proxy.port}`;
    const Row = schema({ id: t.string, n: t.int });
    spark.view("read_beside", { cache: "beside:*", key: "beside:{id}", schema: Row, options: { url } });
    const source = new MemoryStream(Row);
    const query = await source
      .toDF(spark)
      .writeStream.outputMode("update")
      .sink("cache", "redis", { key: "beside:{id}", batchsize: "1", url })
      .option("checkpointLocation", world.checkpoint())
      .start();
    source.addData({ id: "a", n: 1 }, { id: "b", n: 1 });
    await query.processAllAvailable();

    const read = proxy.holdAt("hgetall");
    const view = follow().view("read_beside");
    const seen: string[] = [];
    view.subscribe(() => seen.push(view.rows.map((row) => `${row.id}${row.n}`).join(" ")));
    await read.held;
    // The second key of the batch is lost on its way, and the read goes on when the batch has failed.
    const failed = new Promise<void>((resolve) => {
      const off = subscribe("query.restarting", () => {
        off();
        resolve();
      });
    });
    proxy.breakAt("hset\r\n$8\r\nbeside:b", "lost");
    source.addData({ id: "a", n: 2 }, { id: "b", n: 2 });
    await failed;
    expect([await cache.hget("beside:a", "n"), await cache.hget("beside:b", "n")]).toEqual(["2", "1"]);
    read.release();
    await soon(() => view.get("b")?.n).toBe(2);
    expect(proxy.broken).toBe(1);
    expect(seen.filter((rows) => rows !== "")).toEqual(["a2 b2"]);
    await query.stop();
    await proxy.close();
  });

  test("complete mode replaces everything; what a restart delivers again changes nothing", async () => {
    const { spark, database } = world;
    const Row = schema({ word: t.string });
    spark.view("words", { table: "words", key: "word" });
    const source = new MemoryStream(Row);
    const checkpoint = world.checkpoint();
    const start = () =>
      source
        .toDF(spark)
        .groupBy("word")
        .count()
        .writeStream.outputMode("complete")
        .sink("database", "postgres", { dbtable: "words", key: "word" })
        .option("checkpointLocation", checkpoint)
        .start();
    const query = await start();
    source.addData({ word: "a" }, { word: "b" }, { word: "a" });
    await query.processAllAvailable();
    const words = follow().view("words");
    await words.ready;
    expect(words.rows).toEqual([
      { word: "a", count: 2n },
      { word: "b", count: 1n },
    ]);
    source.addData({ word: "b" });
    await query.processAllAvailable();
    await soon(() => words.get("b")).toEqual({ word: "b", count: 2n });
    await query.stop();
    const batch = words.batch;
    // The last batch is delivered once more.
    const { readdirSync, rmSync } = await import("node:fs");
    const last = readdirSync(`${checkpoint}/commits`)
      .filter((name) => /^\d+$/.test(name))
      .sort()
      .at(-1)!;
    rmSync(`${checkpoint}/commits/${last}`);
    const again = await start();
    await again.processAllAvailable();
    expect(words.batch).toBe(batch);
    source.addData({ word: "c" });
    await again.processAllAvailable();
    await soon(() => words.get("c")).toEqual({ word: "c", count: 1n });
    expect((await database.query("SELECT count(*)::int AS n FROM words")).rows[0].n).toBe(3);
    await again.stop();
  });

  test("a batch too large to be handed on is read from the store", async () => {
    const { spark } = world;
    const Row = schema({ id: t.int });
    spark.view("wide", { table: "wide", key: "id", limit: 20_000 });
    const source = new MemoryStream(Row);
    const query = await source
      .toDF(spark)
      .writeStream.outputMode("update")
      .sink("database", "postgres", { dbtable: "wide", key: "id" })
      .option("checkpointLocation", world.checkpoint())
      .start();
    source.addData({ id: -1 });
    await query.processAllAvailable();
    const wide = follow().view("wide");
    await wide.ready;
    source.addData(...Array.from({ length: 12_000 }, (_, id) => ({ id })));
    await query.processAllAvailable();
    await soon(() => wide.rows.length).toBe(12_001);
    await query.stop();
  });
});

describe("over HTTP", () => {
  test("a snapshot has an ETag, and is not sent twice", async () => {
    await numbers("tagged", 1);
    world.spark.view("tagged", { table: "tagged" });
    const url = new URL("/api/views/tagged", world.observer.url);
    const first = await fetch(url);
    const tag = first.headers.get("etag")!;
    const body = (await first.json()) as { epoch: string; batch: number };
    expect(tag).toBe(`"${body.epoch}.${body.batch}"`);
    expect(body).toMatchObject({
      view: "tagged",
      watermark: null,
      key: ["n"],
      columns: [
        { name: "n", type: "int" },
        { name: "text", type: "string" },
      ],
      orderBy: [{ column: "n", descending: false }],
      rows: [{ n: 1, text: "row 1" }],
    });
    const second = await fetch(url, { headers: { "if-none-match": tag } });
    expect(second.status).toBe(304);
    expect(await second.text()).toBe("");
    const list = (await (await fetch(new URL("/api/views", world.observer.url))).json()) as { name: string }[];
    expect(list.find((info) => info.name === "tagged")).toMatchObject({
      source: "table tagged",
      key: ["n"],
      rows: 1,
      clients: 0,
    });
  });

  test("unknown names: 404 with those there are; no name: 400", async () => {
    const get = async (path: string) => {
      const response = await fetch(new URL(path, world.observer.url));
      return [response.status, ((await response.json()) as any).error] as const;
    };
    expect(await get("/api/views/none")).toEqual([
      404,
      expect.objectContaining({ code: "NOT_FOUND", hint: expect.stringMatching(/There are: .*tagged/) }),
    ]);
    expect((await get("/api/views/stream?view=tagged&view=none"))[0]).toBe(404);
    expect(await get("/api/views/stream")).toEqual([400, expect.objectContaining({ message: "Which views?" })]);
  });

  test("a token is asked for, other pages are refused, and the client says so and goes on trying", async () => {
    await numbers("secret", 1);
    world.spark.view("secret", { table: "secret" });
    const guarded = await startObserver({ port: 0, token: "abc" });
    const address = new URL("/", guarded.url).origin;
    const without = follow(address).view("secret");
    await soon(() => without.error?.code).toBe("TOKEN_NEEDED");
    expect(without.status).toBe("connecting");
    const withToken = follow(address, { token: "abc" }).view("secret");
    await withToken.ready;
    // The address as it is printed carries it.
    await follow(guarded.url).view("secret").ready;
    const response = await fetch(`${address}/api/views/stream?view=secret`, {
      headers: { authorization: "Bearer abc", origin: "http://evil.example" },
    });
    expect(response.status).toBe(403);
    await guarded.close();
  });

  test("a reader that takes nothing for a while gets later what changed, as one message", async () => {
    await numbers("slow", 1);
    await world.database.query("UPDATE slow SET text = repeat('x', 100000)");
    world.spark.view("slow", { table: "slow", refreshMs: 10 });
    const { connect } = await import("node:net");
    const { host, port } = new URL(world.observer.url);
    const socket = connect(Number(port), "127.0.0.1");
    socket.write(`GET /api/views/stream?view=slow HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    const batches = (): { batch: number; skipped: number; upsert: { text: string }[] }[] =>
      text
        .split("\n\n")
        .slice(0, -1)
        .filter((frame) => frame.startsWith("event: changes"))
        .map((frame) => JSON.parse(frame.slice(frame.indexOf("data: ") + 6)));
    await soon(() => text).toContain("event: ready");
    socket.pause();
    const follower = follow().view("slow");
    await follower.ready;
    // More than any buffer between here and there holds.
    for (let i = 0; i < 40; i++) {
      await world.database.query("UPDATE slow SET text = $1 || repeat('y', 400000)", [`${i} `]);
      await soon(() => (follower.rows[0] as any).text.startsWith(`${i} `)).toBe(true);
    }
    socket.resume();
    await soon(() => batches().at(-1)?.upsert[0]?.text.startsWith("39 ")).toBe(true);
    expect(batches().some((message) => message.skipped > 10)).toBe(true);
    expect(batches().length).toBeLessThan(40);
    socket.destroy();
  }, 60_000);
});
