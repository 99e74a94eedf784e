import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { col, count, expr, MillraceError, max, SparkSession, schema, sum, t } from "../../src/index.ts";
import type { AnyRow } from "../../src/types/data-type.ts";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";
import { plans, sample } from "./plans.ts";
import { typedRow } from "./typed-values.ts";

const server = given(await sharedSpark());
// A server that many use at a time answers slowly.
vi.setConfig({ testTimeout: 180_000 });

describe.skipIf(server === undefined)("plans on a real Spark", () => {
  let spark: SparkSession;
  let embedded: SparkSession;
  let folder: string;

  beforeAll(async () => {
    spark = SparkSession.builder().remote(server!.url).getOrCreate();
    embedded = SparkSession.builder().remote("").getOrCreate();
    folder = await mkdtemp(join(tmpdir(), "millrace-spark-"));
  });
  afterAll(async () => {
    await spark.stop();
    await embedded.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const failure = async (action: () => Promise<unknown>): Promise<MillraceError> => {
    const error = await action().then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(MillraceError);
    return error as MillraceError;
  };

  test.each(Object.entries(plans))("%s: the same rows as embedded", async (_, plan) => {
    const on = async (s: SparkSession): Promise<unknown> => plan(sample(s), s).collect();
    expect(await on(spark)).toEqual(await on(embedded));
  });

  test("values of every type go there and come back, with their types", async () => {
    await fc.assert(
      fc.asyncProperty(
        typedRow.chain(({ type, values }) =>
          fc.record({ type: fc.constant(type), rows: fc.array(values, { maxLength: 6 }) }),
        ),
        async ({ type, rows }) => {
          const df = spark.createDataFrame(rows as AnyRow[], type);
          expect(await df.schema()).toEqual(type);
          expect(await df.collect()).toEqual(rows);
        },
      ),
      { numRuns: 25 },
    );
  });

  test("names, types and nullability are Spark's own", async () => {
    const df = sample(spark).select(
      expr("a + 1"),
      expr("coalesce(c, 0)"),
      expr("upper(b)"),
      expr("make_date(2024, a, 1)"),
    );
    expect((await df.schema()).fields).toEqual([
      { name: "(a + 1)", type: { kind: "integer" }, nullable: true },
      { name: "coalesce(c, 0)", type: { kind: "double" }, nullable: false },
      { name: "upper(b)", type: { kind: "string" }, nullable: true },
      { name: "make_date(2024, a, 1)", type: { kind: "date" }, nullable: true },
    ]);
  });

  test("metadata of columns survives, and says how values stand in TypeScript", async () => {
    const Event = schema({ n: t.long({ mode: "number" }), at: t.timestamp({ mode: "micros" }), l: t.array(t.long) });
    const rows = [
      { n: 7, at: 978307200000001n, l: [1n] },
      { n: null, at: null, l: null },
    ];
    const events = spark.createDataFrame(rows as any, Event);
    expect(await events.collect()).toEqual(rows);
    // Spark keeps no metadata over a function; our own analysis knows.
    expect(await events.select(max("n").as("m"), max("at").as("at")).collect()).toEqual([{ m: 7, at: rows[0]!.at }]);
    expect((await events.schema()).fields[0]!.metadata).toEqual({ "millrace:mode": "number" });
  });

  describe("actions", () => {
    test("count, first, take, head, isEmpty, columns", async () => {
      const df = sample(spark);
      expect(await df.count()).toBe(4);
      expect(await df.select("a").first()).toEqual({ a: 1 });
      expect(await df.select("a").take(2)).toEqual([{ a: 1 }, { a: 2 }]);
      expect(await df.filter("false").head()).toBeNull();
      expect(await df.isEmpty()).toBe(false);
      expect(await df.filter("false").isEmpty()).toBe(true);
      expect(await df.columns()).toEqual(["a", "b", "c", "d", "e", "m", "s"]);
    });

    test("show and printSchema print", async () => {
      const lines: string[] = [];
      const log = vi.spyOn(console, "log").mockImplementation((text) => void lines.push(String(text)));
      try {
        await sample(spark).select("a", "b").show(2);
        await sample(spark).select("a").printSchema();
        await sample(spark).filter("a > 1").explain("extended");
      } finally {
        log.mockRestore();
      }
      expect(lines[0]).toContain("only showing top 2 rows");
      expect(lines[1]).toContain("|-- a: integer (nullable = true)");
      expect(lines[2]).toContain("== Optimized Logical Plan ==");
    });

    test("a result is read as it is taken, and may be left", async () => {
      const seen: bigint[] = [];
      for await (const row of spark.range(2_000_000).toLocalIterator()) {
        seen.push(row.id);
        if (seen.length === 5) break;
      }
      expect(seen).toEqual([0n, 1n, 2n, 3n, 4n]);
      // The session is free again.
      expect(await spark.range(3).count()).toBe(3);
    });

    test("several at the same time", async () => {
      const counts = await Promise.all(Array.from({ length: 6 }, (_, i) => spark.range(i).count()));
      expect(counts).toEqual([0, 1, 2, 3, 4, 5]);
    });
  });

  test("large local data travels once, in chunks", async () => {
    const rows = Array.from({ length: 60_000 }, (_, i) => ({ id: i, text: `row ${i} ${"x".repeat(20)}` }));
    const df = spark.createDataFrame(rows, "id INT, text STRING");
    const [total] = await df.agg(count("*").as("n"), sum("id").as("s"), max("text").as("m")).collect();
    expect(total).toEqual({ n: 60_000n, s: 1_799_970_000n, m: `row 9999 ${"x".repeat(20)}` });
    expect(await df.filter("id >= 59998").collect()).toEqual(rows.slice(59_998));
    expect(
      await df
        .join(df.select(col("id"), col("text").as("again")), "id")
        .filter("text <> again")
        .count(),
    ).toBe(0);
  });

  test("few rows may be large, and not all alike", async () => {
    const rows = Array.from({ length: 300 }, (_, i) => ({ id: i, text: i < 280 ? "" : "y".repeat(1 << 20) }));
    const df = spark.createDataFrame(rows, "id INT, text STRING");
    expect(await df.agg(sum(expr("length(text)")).as("s"), count("*").as("n")).collect()).toEqual([
      { s: 20n << 20n, n: 300n },
    ]);
  });

  describe("tables of files", () => {
    test.each(["parquet", "json", "delta"])("%s, with every mode and partitions", async (format) => {
      const path = join(folder, `t-${format}`);
      const df = spark.createDataFrame([
        { k: "a", v: 1 },
        { k: "b", v: 2 },
      ]);
      await df.write.format(format).partitionBy("k").save(path);
      expect((await readdir(path)).filter((name) => name.startsWith("k="))).toEqual(["k=a", "k=b"]);
      expect((await failure(() => df.write.format(format).save(path))).code).toMatch(/PATH_ALREADY_EXISTS|SPARK_ERROR/);
      await df.write.format(format).mode("ignore").partitionBy("k").save(path);
      await df.filter("v = 1").write.format(format).mode("append").partitionBy("k").save(path);
      const read = (s: SparkSession) =>
        s.read.format(format).load(path).groupBy("k").agg(sum("v").as("s")).orderBy("k");
      const rows = [
        { k: "a", s: 2n },
        { k: "b", s: 2n },
      ];
      expect(await read(spark).collect()).toEqual(rows);
      // The other engine reads what Spark wrote.
      expect(await read(embedded).collect()).toEqual(rows);
      await df.limit(1).write.format(format).mode("overwrite").partitionBy("k").save(path);
      expect(await spark.read.format(format).load(path).count()).toBe(1);
    });

    test("csv with options and a schema", async () => {
      const path = join(folder, "t-csv");
      await spark
        .createDataFrame([{ a: 1, b: "x,y" }])
        .write.format("csv")
        .option("header", true)
        .option("sep", ";")
        .save(path);
      const read = spark.read.option("header", true).option("sep", ";").schema("a INT, b STRING").csv(path);
      expect(await read.collect()).toEqual([{ a: 1, b: "x,y" }]);
    });

    test("relative names of Delta tables lie below MILLRACE_LAKE", async () => {
      vi.stubEnv("MILLRACE_LAKE", folder);
      try {
        await spark.range(3).write.format("delta").save("below");
        expect(await readdir(join(folder, "below"))).toContain("_delta_log");
        expect(await spark.read.format("delta").load("below").count()).toBe(3);
        expect(await spark.read.format("delta").option("versionAsOf", 0).load("below").count()).toBe(3);
      } finally {
        vi.unstubAllEnvs();
      }
    });
  });

  describe("settings", () => {
    afterEach(() => {
      for (const name of Object.keys(spark.conf.values())) spark.conf.unset(name);
    });

    test("the time zone holds for each action from when it is set, UTC before", async () => {
      const text = () => spark.range(1).select(expr("cast(timestamp_seconds(0) as string)").as("t")).first();
      expect(await text()).toEqual({ t: "1970-01-01 00:00:00" });
      spark.conf.set("spark.sql.session.timeZone", "Europe/Berlin");
      expect(await text()).toEqual({ t: "1970-01-01 01:00:00" });
      spark.conf.unset("spark.sql.session.timeZone");
      expect(await text()).toEqual({ t: "1970-01-01 00:00:00" });
    });

    test("ours stay here, Spark's own errors come back", async () => {
      spark.conf.set("spark.millrace.anything", "1");
      spark.conf.set("spark.app.name", "test");
      expect(await spark.range(1).count()).toBe(1);
      spark.conf.set("spark.sql.warehouse.dir", "/elsewhere");
      expect((await failure(() => spark.range(1).count())).message).toContain('"spark.sql.warehouse.dir"');
      spark.conf.unset("spark.sql.warehouse.dir");
      spark.conf.set("spark.sql.ansi.enabled", false);
      expect(await spark.range(1).select(expr("1 / id").as("x")).first()).toEqual({ x: null });
    });

    test("sessions with another address have settings of their own", async () => {
      const url = `${server!.url}${server!.url.includes("/;") ? "" : "/"};user_id=other`;
      const second = SparkSession.builder()
        .remote(url)
        .config("spark.sql.session.timeZone", "Asia/Tokyo")
        .getOrCreate();
      try {
        expect(second).not.toBe(spark);
        const zone = (s: SparkSession) => s.range(1).select(expr("current_timezone()").as("z")).first();
        expect(await Promise.all([zone(second), zone(spark)])).toEqual([{ z: "Asia/Tokyo" }, { z: "UTC" }]);
        expect(second.version).toMatch(/^4\.\d+\.\d+/);
      } finally {
        await second.stop();
      }
    });
  });

  describe("errors", () => {
    test("of analysis have Spark's class, state and suggestion", async () => {
      const error = await failure(() => sample(spark).select("aa").collect());
      expect(error).toMatchObject({ code: "UNRESOLVED_COLUMN.WITH_SUGGESTION", sqlState: "42703" });
      expect(error.message).toMatch(/Did you mean.*`a`/);
      expect((await failure(() => sample(spark).select(expr("nope(a)")).schema())).code).toBe("UNRESOLVED_ROUTINE");
    });

    test("of a row stop the query", async () => {
      expect((await failure(() => spark.range(3).select(expr("1 div (id - 1)")).collect())).code).toBe(
        "DIVIDE_BY_ZERO",
      );
      expect((await failure(() => spark.range(1).select(expr("cast('x' as int)")).collect())).code).toBe(
        "CAST_INVALID_INPUT",
      );
    });

    test("a value that has no form in TypeScript names its column", async () => {
      const variant = await failure(() => spark.range(1).select(expr("parse_json('1')").as("v")).collect());
      expect(variant).toMatchObject({
        code: "UNSUPPORTED_DATATYPE",
        hint: expect.stringContaining('col("v").cast("string")'),
      });
      const interval = await failure(() => spark.range(1).select(expr("make_interval(1, 2, 3)").as("i")).collect());
      expect(interval).toMatchObject({ code: "UNSUPPORTED_DATATYPE", message: expect.stringContaining("`i`") });
    });

    test("files and packages that are not there", async () => {
      expect((await failure(() => spark.read.parquet(join(folder, "none")).collect())).code).toBe("PATH_NOT_FOUND");
      const avro = await failure(() => spark.read.format("avro").load(folder).collect());
      expect(avro).toMatchObject({
        code: "DATA_SOURCE_NOT_FOUND",
        hint: expect.stringContaining("--packages org.apache.spark:spark-avro_2.13:"),
      });
      const driver = await failure(() =>
        spark.read
          .format("postgres")
          .option("url", "postgres://u:p@localhost:1/db")
          .option("dbtable", "t")
          .load()
          .collect(),
      );
      expect(driver).toMatchObject({
        code: "DATA_SOURCE_NOT_FOUND",
        hint: expect.stringContaining("org.postgresql:postgresql"),
      });
    });

    test("what lives in this process cannot be read there; options of the embedded engine are refused", async () => {
      const memory = await failure(() => spark.read.format("memory-stream").option("id", "x").load().collect());
      expect(memory.code).toBe("UNSUPPORTED_FEATURE");
      const option = await failure(() => spark.range(1).write.format("delta").option("autoCompact", true).save(folder));
      expect(option).toMatchObject({
        code: "UNKNOWN_OPTION",
        hint: expect.stringContaining("delta.autoOptimize.autoCompact"),
      });
    });

    test("an address where nothing listens", async () => {
      const nowhere = SparkSession.builder().remote("sc://localhost:1").getOrCreate();
      try {
        expect((await failure(() => nowhere.range(1).collect())).code).toBe("SPARK_UNREACHABLE");
      } finally {
        await nowhere.stop();
      }
    });

    test("a session that was stopped", async () => {
      const own = SparkSession.builder()
        .remote(`${server!.url}${server!.url.includes("/;") ? "" : "/"};user_id=stopped`)
        .getOrCreate();
      expect(await own.range(2).count()).toBe(2);
      await own.stop();
      expect((await failure(() => own.range(1).collect())).code).toBe("STOPPED");
    });
  });
});
