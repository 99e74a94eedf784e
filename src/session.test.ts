import { execFileSync } from "node:child_process";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { StreamingQueryHandle } from "./backend.ts";
import { SparkSession, schema, t } from "./index.ts";
import { StreamingQueryManager } from "./session.ts";

const sessions: SparkSession[] = [];
const session = (): SparkSession => {
  const s = SparkSession.builder().getOrCreate();
  sessions.push(s);
  return s;
};
afterEach(async () => {
  for (const s of sessions.splice(0)) await s.stop();
});

describe("the session", () => {
  test("is one for the process until it stops", async () => {
    const a = SparkSession.builder().appName("a").getOrCreate();
    const b = SparkSession.builder().config("spark.sql.session.timeZone", "Europe/Berlin").getOrCreate();
    expect(b).toBe(a);
    expect(a.conf.get("spark.app.name")).toBe("a");
    expect(a.conf.get("spark.sql.session.timeZone")).toBe("Europe/Berlin");
    expect(a.conf.get("none", "fallback")).toBe("fallback");
    await a.stop();
    await expect(a.range(1).collect()).rejects.toMatchObject({ code: "STOPPED" });
    expect(session()).not.toBe(a);
  });

  test("there is one for each Spark, and one embedded", async () => {
    const embedded = session();
    const remote = (url: string): SparkSession => SparkSession.builder().remote(url).getOrCreate();
    const a = remote("sc://a:15002/;token=hunter2");
    const b = remote("sc://b:15002");
    sessions.push(a, b);
    expect(new Set([embedded, a, b]).size).toBe(3);
    expect(remote("sc://a:15002/;token=hunter2")).toBe(a);
    expect(SparkSession.builder().remote("").getOrCreate()).toBe(embedded);
    expect(SparkSession.getActiveSession()).toBe(embedded);
    expect(embedded.remote).toBeUndefined();
    expect(a.remote).toBe("sc://a:15002/;token=***");
    await b.stop();
    expect(remote("sc://b:15002")).not.toBe(b);
    sessions.push(remote("sc://b:15002"));
  });

  test.each([
    ["http://host:15002", /Spark Connect server/],
    ["local[4]", /Leave .remote\(...\) out/],
    ["hostname", /sc:\/\/localhost:15002/],
  ])("the address %s is none of a Spark", (url, hint) => {
    expect(() => SparkSession.builder().remote(url).getOrCreate()).toThrow(
      expect.objectContaining({ code: "INVALID_OPTION", hint: expect.stringMatching(hint) }),
    );
  });

  test("an address that is refused is shown without its token", () => {
    const build = () => SparkSession.builder().remote("spark://host:7077/;token=hunter2").getOrCreate();
    expect(build).toThrow(/INVALID_OPTION/);
    expect(build).not.toThrow(/hunter2/);
  });

  test("importing it and building plans loads no engine", () => {
    const script = `
      import { registerHooks } from "node:module";
      const seen = [];
      registerHooks({ resolve(s, c, next) { const r = next(s, c); seen.push(r.url); return r; } });
      const { SparkSession, col } = await import(${JSON.stringify(new URL("./index.ts", import.meta.url).href)});
      SparkSession.builder().getOrCreate().range(5).select(col("id").plus(1)).filter("id > 2");
      console.log(seen.filter((u) => /@duckdb|@bufbuild|@connectrpc|flechette|\\/engine\\/|\\/spark\\//.test(u)).length);`;
    const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });
    expect(out.trim()).toBe("0");
  });
});

describe("createDataFrame", () => {
  test("takes columns and types from the rows", async () => {
    const df = session().createDataFrame([
      { a: 1, b: "x", c: 2n, d: new Date(0), e: [1.5], f: { g: true }, h: null },
      { a: 2, b: null, c: null, d: null, e: null, f: null, h: null },
    ]);
    expect((await df.schema()).fields.map((f) => f.type.kind)).toEqual([
      "integer",
      "string",
      "long",
      "timestamp",
      "array",
      "struct",
      "string",
    ]);
    expect(await df.collect()).toHaveLength(2);
  });
  test("takes DDL, schemas and zod", async () => {
    const s = session();
    expect(await s.createDataFrame([[1, "x"]], "a BIGINT, b STRING").collect()).toEqual([{ a: 1n, b: "x" }]);
    expect(await s.createDataFrame([{ a: 1 }], schema({ a: t.int, b: t.string })).collect()).toEqual([
      { a: 1, b: null },
    ]);
    expect(await s.createDataFrame([{ a: 1 }], z.object({ a: z.int() })).collect()).toEqual([{ a: 1 }]);
  });
  test("refuses rows that do not fit", () => {
    const s = session();
    expect(() => s.createDataFrame([])).toThrow(/INVALID_SCHEMA.*must not be empty/);
    expect(() => s.createDataFrame([{ a: 1 }, { a: "x" }])).toThrow(/INVALID_SCHEMA.*"a".*different types/);
    expect(() => s.createDataFrame([{ a: null }], schema({ a: t.notNull(t.int) }) as any)).toThrow(
      /INVALID_VALUE.*Row 1.*"a"/,
    );
    expect(() => s.range(0, 5, 0)).toThrow(/step/);
  });
});

describe("building a query", () => {
  test("says what is wrong before anything runs", async () => {
    const s = session();
    const stream = s.readStream.format("rate").load();
    expect(() => stream.writeStream.outputMode("apend" as any)).toThrow(/STREAMING_OUTPUT_MODE\.INVALID/);
    expect(() => stream.writeStream.trigger({ processingTime: "1 month" })).toThrow(/INVALID_ARGUMENT/);
    expect(() => stream.writeStream.trigger({} as any)).toThrow(/one of processingTime/);
    expect(() => stream.writeStream.sink("a", "noop").sink("a", "noop")).toThrow(/two sinks/);
    expect(() => stream.writeStream.queryName(" ")).toThrow(/empty/);
    await expect(s.range(1).writeStream.format("noop").start()).rejects.toMatchObject({
      code: "UNSUPPORTED_OPERATION",
    });
    await expect(stream.write.parquet("never-written")).rejects.toMatchObject({ code: "UNSUPPORTED_OPERATION" });
    expect(() => s.range(1).write.mode("overwite" as any)).toThrow(/Did you mean "overwrite"/);
    expect(() => s.read.load()).toThrow(/MISSING_OPTION/);
    expect(() => s.range(1).write.option("a", {} as any)).toThrow(/INVALID_OPTION/);
    expect(() => s.range(1).join(s.range(1), "id", "outter" as any)).toThrow(/Unknown join type/);
    expect(() => s.range(1).groupBy("id").pivot("id", [])).toThrow(/values/);
  });
});

describe("spark.streams", () => {
  function query(runId: string): { handle: StreamingQueryHandle; end(error?: Error): void } {
    let settle!: (error?: Error) => void;
    let exception: Error | null = null;
    let isActive = true;
    const done = new Promise<boolean>((resolve, reject) => {
      settle = (error) => {
        isActive = false;
        exception = error ?? null;
        if (error) reject(error);
        else resolve(true);
      };
    });
    const handle = {
      id: `id-${runId}`,
      runId,
      name: null,
      get isActive() {
        return isActive;
      },
      get exception() {
        return exception;
      },
      awaitTermination: () => done,
    } as unknown as StreamingQueryHandle;
    return { handle, end: settle };
  }

  test("knows the running queries and waits for the first to end", async () => {
    const manager = new StreamingQueryManager();
    const a = query("a");
    const b = query("b");
    manager["~register"](a.handle);
    manager["~register"](b.handle);
    expect(manager.active.map((q) => q.runId)).toEqual(["a", "b"]);
    expect(manager.get("id-b")).toBe(b.handle);
    const ended = manager.awaitAnyTermination();
    a.end();
    expect(await ended).toBe(true);
    expect(manager.active.map((q) => q.runId)).toEqual(["b"]);
    manager.resetTerminated();
    expect(await manager.awaitAnyTermination(1)).toBe(false);
    const failing = manager.awaitAnyTermination();
    b.end(new Error("it broke"));
    await expect(failing).rejects.toThrow("it broke");
  });
});
