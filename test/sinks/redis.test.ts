import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { Redis } from "iovalkey";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startRedis } from "../../services/redis.ts";
import { startCacheServer } from "../../src/cache/server.ts";
import type { StreamSink } from "../../src/connectors/connector.ts";
import { redis } from "../../src/connectors/redis.ts";
import type { DataType, StructType } from "../../src/types/data-type.ts";
import { given } from "../needs.ts";
import { breakingProxy } from "./breaking-proxy.ts";
import { localBatch } from "./local-batch.ts";

type Server = { url: string; port: number; stop(): Promise<void> };

const struct = (fields: Record<string, DataType>): StructType => ({
  kind: "struct",
  fields: Object.entries(fields).map(([name, type]) => ({ name, type, nullable: true })),
});
const delays = struct({
  hour: { kind: "timestamp" },
  origin: { kind: "string" },
  flights: { kind: "long" },
  delay: { kind: "double" },
});
const rowsSql = (...rows: [hour: string, origin: string, flights: number, delay: number | null][]): string =>
  `SELECT * FROM (VALUES ${rows.map(([h, o, f, d]) => `(TIMESTAMPTZ '2001-01-01 ${h}Z', '${o}', ${f}::BIGINT, ${d ?? "NULL"}::DOUBLE)`).join(", ")}) v(hour, origin, flights, delay)`;

const servers: Record<string, () => Promise<Server | { unavailable: string }>> = {
  Redis: startRedis,
  "the embedded cache": async () => {
    const directory = await mkdtemp(join(tmpdir(), "millrace-cache-"));
    const running = await startCacheServer({ directory, port: 0 });
    return {
      url: `redis://127.0.0.1:${running.port}`,
      port: running.port,
      async stop() {
        await running.close();
        await rm(directory, { recursive: true, force: true });
      },
    };
  },
};

describe.each(Object.entries(servers))("the redis sink on %s", (_name, start) => {
  let server: Server;
  let unavailable: string | undefined;
  let client: Redis;

  beforeAll(async () => {
    const started = given(await start());
    if (started === undefined) unavailable = "the server is not available here";
    else {
      server = started;
      client = new Redis(server.url);
    }
  });
  afterAll(async () => {
    client?.disconnect();
    await server?.stop();
  });
  beforeEach(async (context) => {
    context.skip(unavailable !== undefined, unavailable);
    const keys = await client.keys("*");
    if (keys.length > 0) await client.del(...keys);
  });

  const open = async (options: Record<string, string>, schema = delays): Promise<StreamSink> => {
    const request = {
      options: { url: server.url, key: "airport:{origin}", ...options },
      path: undefined,
      partitionBy: [],
      schema,
      outputMode: "update" as const,
      queryId: "q",
      sinkName: "cache",
      sole: false,
      queryName: null,
      temporaryPath: "/nonexistent",
    };
    redis.sink!.validate!(request);
    return await redis.sink!.openStream!(request);
  };

  it("writes the newest row of each key as a hash and removes fields that are null", async () => {
    const sink = await open({ version: "hour" });
    await sink.addBatch(
      await localBatch({
        id: 0,
        schema: delays,
        sql: rowsSql(["05:00:00", "ATL", 2, 1.5], ["04:00:00", "ATL", 9, 9], ["05:00:00", "ORD", 1, 3]),
      }),
    );
    expect(await client.hgetall("airport:ATL")).toEqual({
      hour: "2001-01-01T05:00:00Z",
      origin: "ATL",
      flights: "2",
      delay: "1.5",
      _version: "2001-01-01T05:00:00.000000Z",
    });
    await sink.addBatch(await localBatch({ id: 1, schema: delays, sql: rowsSql(["06:00:00", "ATL", 3, null]) }));
    await sink.close();
    expect(await client.hget("airport:ATL", "delay")).toBeNull();
    expect(await client.hget("airport:ATL", "flights")).toBe("3");
    expect(await client.hget("airport:ORD", "flights")).toBe("1");
  });

  it.each(["hash", "string"])("never lets an older version overwrite a newer one (%s)", async (type) => {
    const sink = await open({ version: "hour", type });
    const flights = async (): Promise<unknown> =>
      type === "hash"
        ? Number(await client.hget("airport:ATL", "flights"))
        : JSON.parse((await client.get("airport:ATL"))!).flights;
    await sink.addBatch(await localBatch({ id: 0, schema: delays, sql: rowsSql(["05:00:00", "ATL", 1, 1]) }));
    const result = await sink.addBatch(
      await localBatch({ id: 1, schema: delays, sql: rowsSql(["04:00:00", "ATL", 2, 1]) }),
    );
    expect(result.metrics).toEqual({ keysWritten: "0", olderVersionsSkipped: "1" });
    expect(await flights()).toBe(1);
    await sink.addBatch(await localBatch({ id: 2, schema: delays, sql: rowsSql(["05:00:00", "ATL", 3, 1]) }));
    expect(await flights()).toBe(3);
    await sink.addBatch(await localBatch({ id: 3, schema: delays, sql: rowsSql(["05:00:00.5", "ATL", 4, 1]) }));
    expect(await flights()).toBe(4);
    await sink.close();
  });

  it("writes JSON with the chosen fields, and lets keys expire", async () => {
    const sink = await open({
      type: "string",
      fields: "hour, flights,delay",
      ttl: "1 hour",
      keyPrefix: "live:",
      key: "origin,flights",
    });
    await sink.addBatch(await localBatch({ schema: delays, sql: rowsSql(["05:00:00.25", "ATL", 2, null]) }));
    expect(JSON.parse((await client.get("live:ATL:2"))!)).toEqual({ hour: "2001-01-01T05:00:00.250000Z", flights: 2 });
    expect(await client.pttl("live:ATL:2")).toSatisfy((ms: number) => ms > 3_500_000 && ms <= 3_600_000);
    await sink.close();
  });

  it("sets the time to live of hashes anew with every write", async () => {
    const sink = await open({ ttl: "90 seconds", version: "hour" });
    await sink.addBatch(await localBatch({ schema: delays, sql: rowsSql(["05:00:00", "ATL", 2, 1]) }));
    await client.persist("airport:ATL");
    await sink.addBatch(await localBatch({ schema: delays, sql: rowsSql(["06:00:00", "ATL", 2, 1]) }));
    expect(await client.pttl("airport:ATL")).toSatisfy((ms: number) => ms > 80_000 && ms <= 90_000);
    await sink.close();
  });

  it("writes the same state however often a batch comes", async () => {
    const batch = await localBatch({
      id: 3,
      schema: delays,
      sql: rowsSql(["05:00:00", "ATL", 1, 1], ["05:00:00", "ATL", 2, 2], ["05:00:00", "JFK", 1, null]),
    });
    const sink = await open({ version: "hour" });
    await sink.addBatch(batch);
    const first = [await client.hgetall("airport:ATL"), await client.hgetall("airport:JFK")];
    await sink.addBatch(batch);
    expect([await client.hgetall("airport:ATL"), await client.hgetall("airport:JFK")]).toEqual(first);
    expect(first[0]).toMatchObject({ flights: "2" });
    expect(await sink.lastBatch()).toBeUndefined();
    await sink.close();
  });

  it("writes many keys in several transactions", async () => {
    const schema = struct({ k: { kind: "long" }, v: { kind: "long" } });
    const sink = await open({ key: "n:{k}", version: "v", batchsize: "700" }, schema);
    await sink.addBatch(await localBatch({ schema, sql: "SELECT i % 5000 AS k, i AS v FROM range(20000) t(i)" }));
    await sink.close();
    expect(await client.dbsize()).toBe(5000);
    expect(await client.hgetall("n:7")).toEqual({ k: "7", v: "15007", _version: "15007" });
  });

  it("agrees with another writer on the newest version, whoever comes first", async () => {
    const schema = struct({ k: { kind: "string" }, v: { kind: "integer" } });
    const versions = 300;
    const sinks = await Promise.all([0, 1].map(() => open({ key: "race:{k}", version: "v" }, schema)));
    const write = async (sink: StreamSink, parity: number): Promise<void> => {
      for (let v = parity; v < versions; v += 2) {
        const shuffled = (v * 7919) % versions;
        await sink.addBatch(
          await localBatch({
            id: v,
            schema,
            sql: `SELECT 'x' || (i % 5) AS k, ${shuffled}::INTEGER AS v FROM range(5) t(i)`,
          }),
        );
      }
    };
    await Promise.all(sinks.map((sink, i) => write(sink, i)));
    for (const sink of sinks) await sink.close();
    expect(await client.hgetall("race:x3")).toEqual({ k: "x3", v: `${versions - 1}`, _version: `${versions - 1}` });
  });

  it("ends with the highest version of any sequence of batches", async () => {
    const schema = struct({ k: { kind: "string" }, v: { kind: "long" }, p: { kind: "long" } });
    const sink = await open({ key: "prop:{k}", version: "v" }, schema);
    const row = fc.record({ k: fc.constantFrom("a", "b"), v: fc.integer({ min: -3, max: 3 }), p: fc.nat(100) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(row, { minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 5 }),
        async (batches) => {
          await client.del("prop:a", "prop:b");
          const expected = new Map<string, { v: number; p: number }>();
          for (const [id, rows] of batches.entries()) {
            for (const r of rows) {
              const held = expected.get(r.k);
              if (held === undefined || r.v >= held.v) expected.set(r.k, r);
            }
            const values = rows.map((r) => `('${r.k}', ${r.v}::BIGINT, ${r.p}::BIGINT)`).join(", ");
            await sink.addBatch(await localBatch({ id, schema, sql: `SELECT * FROM (VALUES ${values}) t(k, v, p)` }));
          }
          for (const [k, { v, p }] of expected) {
            expect(await client.hgetall(`prop:${k}`)).toEqual({ k, v: `${v}`, p: `${p}`, _version: `${v}` });
          }
        },
      ),
      { numRuns: 25 },
    );
    await sink.close();
  });

  it.each([
    ["before the transaction arrives", "exec", "lost"],
    ["after it, without an answer", "exec", "unanswered"],
    ["while it asks for the versions", "watch", "lost"],
  ] as const)("ends in the same state when the connection dies %s", async (_what, text, how) => {
    const proxy = await breakingProxy("127.0.0.1", server.port);
    try {
      const sink = await open({ url: `redis://127.0.0.1:${proxy.port}`, version: "hour", batchsize: "1" });
      const batch = await localBatch({
        id: 3,
        schema: delays,
        sql: rowsSql(["05:00:00", "ATL", 1, 1], ["05:00:00", "JFK", 2, 2], ["05:00:00", "ORD", 3, null]),
      });
      proxy.breakAt(text, how);
      await expect(sink.addBatch(batch)).rejects.toMatchObject({ code: "REDIS_UNREACHABLE", retryable: true });
      expect(proxy.broken).toBe(1);
      await sink.addBatch(batch);
      await sink.addBatch(batch);
      await sink.close();
    } finally {
      await proxy.close();
    }
    expect((await client.keys("*")).sort()).toEqual(["airport:ATL", "airport:JFK", "airport:ORD"]);
    expect(await client.hget("airport:ORD", "flights")).toBe("3");
  });

  it("names a row without a key, and a key that holds something else", async () => {
    const sink = await open({});
    await expect(
      sink.addBatch(
        await localBatch({
          id: 5,
          schema: delays,
          sql: `SELECT now() AS hour, NULL::VARCHAR AS origin, 1::BIGINT AS flights, 1.0::DOUBLE AS delay`,
        }),
      ),
    ).rejects.toMatchObject({
      code: "REDIS_FAILED",
      retryable: false,
      message: expect.stringMatching(/batch 5 .*airport:\{origin\}/),
    });
    await client.set("airport:ATL", "not a hash");
    await expect(
      sink.addBatch(await localBatch({ schema: delays, sql: rowsSql(["05:00:00", "ATL", 1, 1]) })),
    ).rejects.toMatchObject({
      code: "REDIS_FAILED",
      message: expect.stringContaining("choose another key template"),
    });
    await sink.close();
  });
});

describe("the redis sink without a server", () => {
  const request = (options: Record<string, string>) => ({
    options: { url: "redis://:geheim@127.0.0.1:1", key: "airport:{origin}", ...options },
    path: undefined,
    partitionBy: [],
    schema: delays,
    outputMode: "update" as const,
    queryId: "q",
    sinkName: "cache",
    sole: false,
    queryName: null,
    temporaryPath: "/nonexistent",
  });

  it.each([
    [{ key: "" }, /needs the option key/],
    [{ key: "airport:{orgin}" }, /Did you mean origin/],
    [{ key: "airport" }, /"airport"/],
    [{ key: "airport:{}" }, /names the column ""/],
    [{ key: "a{origin" }, /braces/],
    [{ fields: "flights,nope" }, /nope/],
    [{ type: "list" }, /hash and string/],
    [{ ttl: "soon" }, /36 hours/],
    [{ url: "localhost" }, /redis:\/\//],
  ] as [Record<string, string>, RegExp][])("refuses %j", (options, message) => {
    expect(() => redis.sink!.validate!(request(options))).toThrow(message);
  });

  it("says that it cannot be reached, without the password", async () => {
    const error = await Promise.resolve(redis.sink!.openStream!(request({}))).catch((e) => e);
    expect(error).toMatchObject({
      code: "REDIS_UNREACHABLE",
      retryable: true,
      message: expect.stringContaining("127.0.0.1:1"),
    });
    expect(`${error.message}${JSON.stringify(error)}`).not.toContain("geheim");
  });

  it("goes on when the server comes back, and tells a wrong password from an absent server", async (context) => {
    const first = given(await startRedis({ password: "geheim" }));
    if (first === undefined) return context.skip("there is no Redis here");
    const wrong = await Promise.resolve(
      redis.sink!.openStream!(request({ url: first.url.replace("geheim", "falsch") })),
    ).catch((e) => e);
    expect(wrong).toMatchObject({
      code: "REDIS_FAILED",
      retryable: false,
      message: expect.stringContaining("username and password"),
    });
    const sink = await redis.sink!.openStream!(request({ url: first.url }));
    await sink.addBatch(await localBatch({ id: 0, schema: delays, sql: rowsSql(["05:00:00", "ATL", 1, 1]) }));
    await first.stop();
    const next = await localBatch({ id: 1, schema: delays, sql: rowsSql(["06:00:00", "ATL", 2, 1]) });
    await expect(sink.addBatch(next)).rejects.toMatchObject({ code: "REDIS_UNREACHABLE", retryable: true });
    const second = await startRedis({ password: "geheim", port: first.port });
    if ("unavailable" in second) throw new Error(second.unavailable);
    try {
      await sink.addBatch(next);
      const client = new Redis(second.url);
      expect(await client.hget("airport:ATL", "flights")).toBe("2");
      client.disconnect();
    } finally {
      await sink.close();
      await second.stop();
    }
  });
});
