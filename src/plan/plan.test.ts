import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { catalog } from "../functions/index.ts";
import { avg, col, count, DataFrame, expr, from_json, lit, max, schema, sum, t, window } from "../index.ts";
import type { StructType } from "../types/data-type.ts";
import { analyze } from "./analyze.ts";
import { resolvedTree } from "./explain.ts";
import type { Expr } from "./expr.ts";
import { parseIntervalMicros } from "./interval.ts";
import { planFromJson, planToJson } from "./json.ts";
import { parseExpression } from "./parse.ts";
import type { Relation } from "./relation.ts";
import type { ResolvedRelation } from "./resolved.ts";
import { stateShape } from "./state-shape.ts";
import { checkBatch, checkStreaming } from "./streaming-rules.ts";
import { walkResolved } from "./walk.ts";

const kafka = schema({ key: t.binary, value: t.binary, topic: t.string, timestamp: t.timestamp });
const Flight = schema({ ts: t.timestamp, origin: t.string, delay: t.int });
const offline = {
  backend: () => Promise.reject(new Error("no engine")),
  command: () => Promise.reject(new Error("no engine")),
  confValues: () => ({}),
  register: () => {},
  views: new Map(),
  owner: {},
};

const read = (streaming: boolean, options: Record<string, string> = {}): DataFrame<any> =>
  new DataFrame(offline, { kind: "read", format: "kafka", options, paths: [], streaming });
const parsed = (streaming: boolean): DataFrame<any> =>
  read(streaming)
    .select(from_json(col("value").cast("string"), Flight).as("f"))
    .select("f.*");
const resolve = (df: DataFrame<any>): ResolvedRelation => resolvePlan(df.plan);
const resolvePlan = (plan: Relation): ResolvedRelation =>
  analyze(plan, {
    catalog,
    conf: {},
    scanSchema: (r): StructType => r.schema ?? kafka.dataType,
  });
const hourly = (df: DataFrame<any>, watermark = true): DataFrame<any> =>
  (watermark ? df.withWatermark("ts", "1 day") : df)
    .groupBy(window("ts", "1 hour"), "origin")
    .agg(count("*").as("flights"), avg("delay").as("delay"));

describe("analysis", () => {
  test("names of the same select", () => {
    const fields = (df: DataFrame<any>): unknown => resolve(df).fields.map((f) => [f.name, f.type.kind, f.nullable]);
    const df = parsed(false);
    expect(fields(df.select(lit(1).as("z"), expr("z + 1"), expr("delay AS d"), expr("d * z AS e")))).toEqual([
      ["z", "integer", false],
      ["(lateralAliasReference(z) + 1)", "integer", false],
      ["d", "integer", true],
      ["e", "integer", true],
    ]);
    expect(() => resolve(df.select(expr("z + 1"), lit(1).as("z")))).toThrow(/UNRESOLVED_COLUMN/);
    expect(() => resolve(df.select(lit(1).as("z"), lit(2).as("z"), expr("z + 1")))).toThrow(
      /AMBIGUOUS_LATERAL_COLUMN_ALIAS/,
    );
    expect(() => resolve(df.agg(count("*").as("n"), sum("n")))).toThrow(/UNSUPPORTED_FEATURE.*lateral/);
    expect(resolvedTree(resolve(df.select(expr("rand() AS r"), expr("r - r AS d")))).match(/rand/g)).toHaveLength(1);
  });
  test("internal functions have no name", () => {
    expect(resolve(parsed(false).select(expr("array(1)[0]"))).fields).toHaveLength(1);
    expect(() => resolve(parsed(false).select(expr("array_item(array(1), 0)")))).toThrow(/UNRESOLVED_ROUTINE/);
  });
  test("a cast to a nested type makes its parts nullable", () => {
    const [field] = resolve(parsed(false).select(expr("CAST(array(1) AS ARRAY<INT>) AS a"))).fields;
    expect(field).toMatchObject({ type: { containsNull: true }, nullable: false });
  });
  test("the flagship: windows, watermarks and types", () => {
    const plan = resolve(
      hourly(parsed(true)).select(col("window.start").as("hour"), "origin", "flights", "delay", "window"),
    );
    expect(plan.fields.map((f) => [f.name, f.type.kind, f.nullable])).toEqual([
      ["hour", "timestamp", true],
      ["origin", "string", true],
      ["flights", "long", false],
      ["delay", "double", true],
      ["window", "struct", false],
    ]);
    expect(plan.fields[4]!.watermark).toEqual({ delayMicros: 86_400_000_000n });
    expect(plan.fields[0]!.watermark).toBeUndefined();
    expect([...walkResolved(plan)].map((n) => n.kind)).toEqual([
      "project",
      "aggregate",
      "time_window",
      "watermark",
      "project",
      "project",
      "scan",
    ]);
  });

  test("an aggregation in the order of its output has no projection above it", () => {
    expect(resolve(hourly(parsed(true))).kind).toBe("aggregate");
  });

  test("the same stream used twice is one source", () => {
    const a = read(true);
    const scans = (df: DataFrame<any>): number[] =>
      [...walkResolved(resolve(df))].flatMap((n) => (n.kind === "scan" ? [n.sourceIndex!] : []));
    expect(scans(a.union(a))).toEqual([0, 0]);
    expect(scans(a.union(read(true)))).toEqual([0, 1]);
  });

  test("ids are unique among the columns of a relation, whatever is selected twice", () => {
    for (const df of [parsed(true).select("ts", "ts", "*"), parsed(false).join(parsed(false), "origin")]) {
      const ids = resolve(df).fields.map((f) => f.id);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  test("windows are refused where they make no sense", () => {
    const bad = (...args: [string, string?, string?]): unknown =>
      resolve(
        parsed(true)
          .groupBy(window("ts", ...args))
          .count(),
      );
    expect(() => bad("1 month")).toThrow(/INVALID_ARGUMENT.*months/);
    expect(() => bad("1 hour", "2 hours")).toThrow(/must not be greater/);
    expect(() => bad("0 seconds")).toThrow(/greater than 0/);
    expect(() => resolve(parsed(true).groupBy(window("ts", "1 hour"), window("ts", "2 hours")).count())).toThrow(
      /cartesian/,
    );
    expect(() => resolve(parsed(true).groupBy(window("delay", "1 hour")).count())).toThrow(/UNEXPECTED_INPUT_TYPE/);
  });

  test("withWatermark needs a timestamp, once", () => {
    expect(() => resolve(parsed(true).withWatermark("origin", "1 hour"))).toThrow(
      /EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE/,
    );
    expect(() => resolve(parsed(true).withWatermark("ts", "-1 hour"))).toThrow(/negative/);
    expect(() => resolve(parsed(true).withWatermark("ts", "1 hour").withWatermark("ts", "1 hour"))).toThrow(/already/);
  });

  test("implicit casts are written out", () => {
    const condition = (sql: string): string => resolvedTree(resolve(parsed(true).filter(sql))).split("\n")[0]!;
    expect(condition("delay > 1.5")).toMatch(/cast\(delay#\d+ as decimal\(11,1\)\)/);
    expect(condition("delay = '5'")).toMatch(/cast\(delay#\d+ as bigint\)|cast\(5 as bigint\)/);
    expect(condition("ts > '2001-01-01'")).toMatch(/cast\(2001-01-01 as timestamp\)/);
    expect(condition("delay > 15")).not.toMatch(/cast/);
  });
});

describe("streaming rules", () => {
  const ok = (df: DataFrame<any>, mode: "append" | "update" | "complete"): void =>
    checkStreaming(resolve(df), mode, catalog);
  const agg = hourly(parsed(true));
  const static_ = parsed(false);

  test("what Spark runs passes", () => {
    for (const mode of ["append", "update", "complete"] as const) ok(agg, mode);
    ok(parsed(true), "append");
    ok(parsed(true), "update");
    ok(hourly(parsed(true), false), "update");
    ok(agg.orderBy("flights"), "complete");
    ok(parsed(true).join(static_, "origin"), "append");
    ok(parsed(true).join(static_, "origin", "left"), "append");
    ok(agg.groupByKey("origin").transformWithState({ init() {}, *handleInputRows() {} }, { schema: Flight }), "append");
    ok(hourly(agg.select(col("window"), "origin", "delay").withColumnRenamed("window", "ts"), false), "append");
  });

  const refusals: [string, () => void, RegExp][] = [
    [
      "append aggregation without watermark",
      () => ok(hourly(parsed(true), false), "append"),
      /STREAMING_OUTPUT_MODE\.UNSUPPORTED_OPERATION.*without watermark/,
    ],
    [
      "complete without aggregation",
      () => ok(parsed(true), "complete"),
      /STREAMING_OUTPUT_MODE\.UNSUPPORTED_OPERATION.*no streaming aggregations/,
    ],
    ["a batch plan", () => ok(static_, "append"), /writeStream/],
    ["a batch action on a stream", () => checkBatch(resolve(parsed(true))), /writeStream\.start\(\)/],
    ["sort", () => ok(parsed(true).orderBy("ts"), "append"), /Sorting is not supported/],
    ["limit in update", () => ok(parsed(true).limit(1), "update"), /Limits/],
    ["offset", () => ok(parsed(true).offset(1), "append"), /Offset/],
    ["sample", () => ok(parsed(true).sample(0.5), "append"), /Sampling/],
    ["union of stream and batch", () => ok(parsed(true).union(static_), "append"), /Union between streaming and batch/],
    [
      "right outer join with a table",
      () => ok(parsed(true).join(static_, "origin", "right"), "append"),
      /Right outer join/,
    ],
    [
      "left outer join of a table with a stream",
      () => ok(static_.join(parsed(true), "origin", "left"), "append"),
      /Left outer join/,
    ],
    [
      "stream-stream join",
      () => ok(parsed(true).join(parsed(true), "origin"), "append"),
      /UNSUPPORTED_FEATURE.*two streams/,
    ],
    [
      "stream-stream join in update",
      () => ok(parsed(true).join(parsed(true), "origin"), "update"),
      /STREAMING_OUTPUT_MODE/,
    ],
    [
      "distinct aggregate",
      () => ok(parsed(true).selectExpr("count(distinct origin)"), "update"),
      /approx_count_distinct/,
    ],
    ["rollup", () => ok(parsed(true).rollup("origin").count(), "update"), /rollup/],
    ["row_number", () => ok(parsed(true).selectExpr("row_number() over (order by ts)"), "append"), /NON_TIME_WINDOW/],
    [
      "median",
      () =>
        ok(
          parsed(true)
            .groupBy("origin")
            .agg(max("delay"), col("delay") as any),
          "update",
        ),
      /MISSING_AGGREGATION/,
    ],
    [
      "percentile over a stream",
      () => ok(parsed(true).selectExpr("percentile(delay, 0.5)"), "update"),
      /UNSUPPORTED_FEATURE.*percentile/,
    ],
    [
      "dropDuplicatesWithinWatermark without watermark",
      () => ok(parsed(true).dropDuplicatesWithinWatermark("origin"), "append"),
      /without watermark/,
    ],
    ["two aggregations in update", () => ok(agg.groupBy("origin").agg(sum("flights")), "update"), /correctness/],
    [
      "session windows",
      () => ok(parsed(true).selectExpr("session_window(ts, '5 minutes')"), "append"),
      /UNSUPPORTED_FEATURE.*session_window/,
    ],
    ["pivot", () => ok(parsed(true).groupBy("origin").pivot("delay", [1]).count(), "update"), /pivot/],
  ];
  for (const [name, run, message] of refusals) test(`refused: ${name}`, () => expect(run).toThrow(message));
});

describe("explain", () => {
  test("draws the tree and hides secrets", () => {
    const df = read(true, { subscribe: "t", "kafka.sasl.password": "hunter2", url: "postgres://u:hunter2@h/db" });
    const text = resolvedTree(
      resolve(hourly(df.select(from_json(col("value").cast("string"), Flight).as("f")).select("f.*"))),
    );
    expect(text).not.toContain("hunter2");
    expect(text.replaceAll(/#\d+/g, "")).toMatch(
      /^Aggregate \[window-T86400000ms, origin\], \[count\(\) AS flights, avg\(delay\) AS delay\]\n\+- TimeWindow window-T86400000ms over ts, 1 hour, slide 1 hour\n {3}\+- EventTimeWatermark ts-T86400000ms, 1 day\n/,
    );
  });
});

describe("the shape of the state", () => {
  const print = (df: DataFrame<any>): string => stateShape(resolve(df)).join("\n");
  test("filters, projections and names of results may change", () => {
    const base = print(hourly(parsed(true)));
    expect(print(hourly(parsed(true).filter("delay > 0")))).toBe(base);
    expect(print(hourly(parsed(true)).select("flights"))).toBe(base);
    expect(print(hourly(parsed(true).withColumn("more", col("delay"))))).toBe(base);
    const Longer = schema({ ts: t.timestamp, origin: t.string, delay: t.int, more: t.string });
    const longer = read(true)
      .select(from_json(col("value").cast("string"), Longer).as("f"))
      .select("f.*");
    expect(print(hourly(longer))).toBe(base);
    const renamed = parsed(true).withColumnRenamed("origin", "o").withColumnRenamed("o", "origin");
    expect(print(hourly(renamed))).toBe(base);
  });
  test("keys, aggregates, windows and their types may not", () => {
    const shapes = [
      hourly(parsed(true)),
      hourly(parsed(true), false),
      parsed(true)
        .withWatermark("ts", "1 day")
        .groupBy(window("ts", "2 hours"), "origin")
        .agg(count("*").as("flights"), avg("delay").as("delay")),
      parsed(true)
        .withWatermark("ts", "1 day")
        .groupBy(window("ts", "1 hour"))
        .agg(count("*").as("flights"), avg("delay").as("delay")),
      parsed(true)
        .withWatermark("ts", "1 day")
        .groupBy(window("ts", "1 hour"), "origin")
        .agg(count("*").as("flights"), max("delay").as("delay")),
      hourly(parsed(true).withColumn("delay", col("delay").cast("double"))),
      parsed(true).dropDuplicates("origin"),
      parsed(true).dropDuplicates("ts"),
      parsed(true),
    ];
    expect(new Set(shapes.map(print)).size).toBe(shapes.length);
  });
});

describe("a plan survives JSON", () => {
  test("the flagship gives the same analysed plan", () => {
    const plan = hourly(parsed(true)).select("origin", "flights").plan;
    expect(resolvePlan(planFromJson(planToJson(plan)))).toEqual(resolvePlan(plan));
  });
  test("a source used twice stays one", () => {
    const a = read(true);
    const plan = planFromJson(planToJson(a.union(a).plan));
    const scans = [...walkResolved(resolvePlan(plan))].filter((n) => n.kind === "scan");
    expect(scans.map((s) => s.sourceIndex)).toEqual([0, 0]);
  });

  const value = fc.oneof(
    fc.string(),
    fc.boolean(),
    fc.double(),
    fc.bigInt(),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array(),
    fc.constant(null),
  );
  const { expr } = fc.letrec<{ expr: Expr }>((tie) => ({
    expr: fc.oneof(
      { maxDepth: 4 },
      fc.record({ kind: fc.constant("attribute" as const), name: fc.string({ minLength: 1 }) }),
      value.map((v): Expr => ({ kind: "literal", value: v as any, type: { kind: "string" } })),
      fc.record({
        kind: fc.constant("call" as const),
        name: fc.string(),
        args: fc.array(tie("expr"), { maxLength: 3 }),
      }),
      fc.record({
        kind: fc.constant("alias" as const),
        child: tie("expr"),
        name: fc.string(),
        metadata: fc.dictionary(fc.string(), fc.string()),
      }),
      fc.record({ kind: fc.constant("extract" as const), child: tie("expr"), extraction: tie("expr") }),
      fc.record({ kind: fc.constant("lambda" as const), params: fc.array(fc.string()), body: tie("expr") }),
    ),
  }));
  test("any expressions and values do", () => {
    fc.assert(
      fc.property(fc.array(expr, { maxLength: 3 }), fc.array(fc.array(value), { maxLength: 3 }), (exprs, rows) => {
        const plan: Relation = {
          kind: "project",
          planId: 2,
          input: { kind: "local", schema: Flight.dataType, rows: rows as any, planId: 1 },
          exprs,
        };
        expect(planFromJson(planToJson(plan))).toEqual(plan);
      }),
    );
  });
  test("functions go by name and source, and are asked for", () => {
    const plan = parsed(true).filter((r: any) => r.delay > 1).plan;
    expect(() => planFromJson(planToJson(plan))).toThrow(/needs the function/);
  });
});

test("intervals", () => {
  expect(parseIntervalMicros("1 hour")).toBe(3_600_000_000n);
  expect(parseIntervalMicros("INTERVAL 1 day 2 HOURS 3 minutes 4.5 seconds")).toBe(93_784_500_000n);
  expect(parseIntervalMicros("-5 milliseconds")).toBe(-5_000n);
  for (const bad of ["", "hour", "1", "1 fortnight", "1 hour x", "1.5 hours"]) {
    expect(() => parseIntervalMicros(bad)).toThrow(/INVALID_ARGUMENT/);
  }
});

test("text of expressions parses back to the same text", () => {
  const again = (sql: string): unknown => parseExpression(sql);
  expect(again("a + 1")).toEqual(again("(a) + 1"));
});
