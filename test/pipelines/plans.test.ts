import { afterEach, describe, expect, test } from "vitest";
import { formatRows } from "../../src/connectors/console.ts";
import { memoryTable } from "../../src/connectors/memory.ts";
import { rowsAfter } from "../../src/connectors/rate.ts";
import { DataFrame } from "../../src/dataframe/dataframe.ts";
import { avg, col, count, lit } from "../../src/dataframe/functions.ts";
import { DataStreamReader } from "../../src/dataframe/reader.ts";
import { udf } from "../../src/dataframe/udf.ts";
import type { MillraceError } from "../../src/errors.ts";
import { MemoryStream } from "../../src/testing/memory-stream.ts";
import type { StructType } from "../../src/types/data-type.ts";
import { schema, t } from "../../src/types/schema.ts";
import { TestSession } from "./session.ts";

const EVENT: StructType = {
  kind: "struct",
  fields: [
    { name: "code", type: { kind: "string" }, nullable: true },
    { name: "n", type: { kind: "integer" }, nullable: true },
  ],
};
interface Event {
  code: string | null;
  n: number;
}

const sessions: TestSession[] = [];
afterEach(async () => {
  for (const session of sessions.splice(0)) await session.close();
});
function session(): TestSession {
  const made = new TestSession();
  sessions.push(made);
  return made;
}

let names = 0;

/** Runs a plan over two batches and gives the rows that it made. */
async function run(
  build: (df: DataFrame<any>, on: TestSession) => DataFrame<any>,
  mode: "append" | "complete" = "append",
) {
  const on = session();
  const stream = new MemoryStream<Event>(EVENT);
  const name = `plan${names++}`;
  const query = await build(stream.toDF(on), on).writeStream.format("memory").queryName(name).outputMode(mode).start();
  stream.addData({ code: "ATL", n: 1 }, { code: "SFO", n: 2 });
  await query.processAllAvailable();
  stream.addData({ code: "ATL", n: 3 }, { code: null, n: 4 });
  await query.processAllAvailable();
  return memoryTable(name)!.rows;
}

const airports = (on: TestSession): DataFrame<any> =>
  new DataFrame(on, {
    kind: "local",
    schema: {
      kind: "struct",
      fields: [
        { name: "code", type: { kind: "string" }, nullable: true },
        { name: "city", type: { kind: "string" }, nullable: true },
      ],
    },
    rows: [
      ["ATL", "Atlanta"],
      ["JFK", "New York"],
    ],
  });

describe("what a streaming query may do", () => {
  test("join a table", async () => {
    expect(await run((df, on) => df.join(airports(on), "code", "inner").select("code", "city", "n"))).toEqual([
      { code: "ATL", city: "Atlanta", n: 1 },
      { code: "ATL", city: "Atlanta", n: 3 },
    ]);
    expect(await run((df, on) => df.join(airports(on), "code", "left_outer").select("city", "n"))).toEqual([
      { city: "Atlanta", n: 1 },
      { city: null, n: 2 },
      { city: "Atlanta", n: 3 },
      { city: null, n: 4 },
    ]);
  });

  test("aggregate what it joined, sorted in complete mode", async () => {
    const rows = await run(
      (df, on) =>
        df
          .join(airports(on), "code", "left_outer")
          .groupBy("city")
          .agg(count("*").as("c"), avg("n").as("a"))
          .orderBy("a"),
      "complete",
    );
    expect(rows).toEqual([
      { city: "Atlanta", c: 2n, a: 2 },
      { city: null, c: 2n, a: 3 },
    ]);
  });

  test("call TypeScript functions, asynchronous ones too", async () => {
    const double = udf((n: number) => n * 2, t.int);
    const rows = await run((df) =>
      df
        .withColumn("twice", double("n"))
        .map((async (row: any) => ({ text: `${row.code}:${row.twice}` })) as any, schema({ text: t.string }))
        .filter(col("text").ne(lit("SFO:4"))),
    );
    expect(rows).toEqual([{ text: "ATL:2" }, { text: "ATL:6" }, { text: "null:8" }]);
  });

  test("read one stream twice", async () => {
    const rows = await run((df) => df.filter(col("n").lt(3)).union(df.filter(col("n").gt(1))));
    expect(rows.map((row) => row.n)).toEqual([1, 2, 2, 3, 4]);
  });
});

test("what it may not do is refused when it starts", async () => {
  const error = await run((df) => df.groupBy("code").count()).catch((e: MillraceError) => e);
  expect((error as MillraceError).code).toBe("STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION");
});

test("the rate source counts without gaps over batches", async () => {
  const on = session();
  const query = await new DataStreamReader(on)
    .format("rate-micro-batch")
    .option("rowsPerBatch", 10)
    .option("startTimestamp", 1_000_000)
    .load()
    .writeStream.format("memory")
    .queryName("rates")
    .trigger({ processingTime: "5 milliseconds" })
    .start();
  while ((query.lastProgress?.batchId ?? 0) < 3) await new Promise((resolve) => setImmediate(resolve));
  await query.stop();
  const rows = memoryTable("rates")!.rows;
  expect(rows.map((row) => Number(row.value))).toEqual(rows.map((_, i) => i));
  expect((rows[0]!.timestamp as Date).getTime()).toBe(1_000_000);
  expect((rows[10]!.timestamp as Date).getTime()).toBe(1_001_000);
});

test("the rate source's ramp grows to the full rate", () => {
  expect([0, 1, 2, 3].map((second) => rowsAfter(second, 10, 0))).toEqual([0, 10, 20, 30]);
  const ramp = [0, 1, 2, 3, 4, 5].map((second) => rowsAfter(second, 10, 4));
  expect(ramp).toEqual([0, 2, 6, 12, 20, 30]);
});

test("the console prints what Spark's show prints", () => {
  const fields: StructType = {
    kind: "struct",
    fields: [
      { name: "a", type: { kind: "integer" }, nullable: true },
      { name: "text", type: { kind: "string" }, nullable: true },
    ],
  };
  expect(
    formatRows(
      fields,
      [
        { a: 1, text: "a text of more than twenty characters" },
        { a: null, text: null },
      ],
      1,
      20,
    ),
  ).toBe(
    `+---+--------------------+
|  a|                text|
+---+--------------------+
|  1|a text of more th...|
+---+--------------------+
only showing top 1 row
`,
  );
});
