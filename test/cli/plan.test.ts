import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ProgramReport } from "../../src/planning/report.ts";
import { runCli } from "./cli-process.ts";

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-plan-"));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

/** `millrace plan` of a program; the environment names no servers. */
async function plan(program: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  const file = join(directory, "program.ts");
  await writeFile(file, program);
  return await runCli(["plan", file, ...args], { cwd: directory, env });
}

const STREAM = `
import { SparkSession, col, count, from_json, schema, t, window } from "millrace";
const spark = SparkSession.builder().getOrCreate();
const events = spark.readStream.format("kafka").option("subscribe", "clicks").load()
  .select(from_json(col("value").cast("string"), schema({ ts: t.timestamp, page: t.string })).as("e")).select("e.*");
`;

test("where a query keeps its checkpoint, and that it needs one", async () => {
  const named = await plan(
    `${STREAM}
spark.conf.set("spark.sql.streaming.checkpointLocation", "checkpoints/");
await events.writeStream.queryName("named").format("delta").start("a");
await events.writeStream.format("delta").start("b");`,
    ["--json"],
  );
  const { queries }: ProgramReport = JSON.parse(named.stdout);
  expect(queries.map((q) => q.checkpointLocation)).toEqual(["checkpoints/named", "checkpoints/<new at each start>"]);
  expect(named.code).toBe(0);

  const without = await plan(`${STREAM}\nawait events.writeStream.format("delta").start("a");`);
  expect(without.code).toBe(1);
  expect(without.stdout).toMatch(/refused.*\n.*sink delta needs a checkpointLocation/);
});

test("columns, steps, state and sinks of each query, as both engines would have them", async () => {
  const { code, stdout, stderr } = await plan(
    `${STREAM}
const limit = 3;
await events.withWatermark("ts", "10 minutes").groupBy(window("ts", "1 minute"), "page").agg(count("*").as("n"))
  .map((row) => ({ page: row.page, busy: row.n > limit }), schema({ page: t.string, busy: t.boolean }))
  .writeStream.queryName("busy").outputMode("update").option("checkpointLocation", "checkpoint")
  .sink("db", "postgres", { dbtable: "busy", key: "page" }).sink("lines", "console").start();
await events.groupBy("page").count().writeStream.queryName("all").format("delta").outputMode("complete")
  .trigger({ processingTime: "5 seconds" }).option("checkpointLocation", "other").start("lake/all");
await spark.streams.awaitAnyTermination();`,
    ["--json"],
  );
  expect(stderr).toBe("");
  expect(code).toBe(0);
  const { target, queries, stopped }: ProgramReport = JSON.parse(stdout);
  expect([target, stopped, queries.map((q) => q.name)]).toEqual(["embedded", undefined, ["busy", "all"]]);
  const [busy, all] = queries;
  expect(busy!.schema!.fields.map((f) => [f.name, f.type.kind])).toEqual([
    ["page", "string"],
    ["busy", "boolean"],
  ]);
  expect(busy!.steps.map((s) => s.kind)).toEqual(["source", "sql", "watermark", "sql", "state", "typescript"]);
  expect(busy!.steps.find((s) => s.kind === "state")!.state!.bounded).toBe(true);
  expect(all!.steps.find((s) => s.kind === "state")!.state).toEqual({
    bounded: false,
    reason: "complete mode keeps every group for ever",
  });
  expect([all!.trigger, all!.checkpointLocation]).toEqual(["every 5 seconds", "other"]);
  expect(busy!.engines.embedded).toMatchObject({ refusals: [], guarantees: { db: "exactly-once" } });
  expect(busy!.engines.spark.refusals).toEqual([]);
  expect(busy!.engines.spark.notes.join("\n")).toMatch(/Node\.js beside Spark's workers.*\n.*rows for db come to this/);
  expect(all!.engines.spark.notes.join("\n")).toContain("delta is written by Spark");
  // Nothing was made, read or started.
  expect(await readdir(directory)).toEqual(["program.ts"]);
});

test("what the target refuses is told with its reason, all at once, and ends with code 1", async () => {
  const program = `${STREAM}
await events.groupBy("page").count().writeStream.queryName("q").outputMode("append")
  .option("checkpointLocation", "checkpoint").sink("db", "postgres", { dbtabel: "n" }).start();`;
  const { code, stdout } = await plan(program, ["--json"]);
  expect(code).toBe(1);
  const { engines } = (JSON.parse(stdout) as ProgramReport).queries[0]!;
  const codes = engines.embedded.refusals.map((r) => r.code);
  expect(codes).toEqual(["STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION", "UNKNOWN_OPTION"]);
  expect(engines.embedded.refusals[1]!.message + engines.embedded.refusals[1]!.hint).toContain("dbtable");
  expect(engines.spark.refusals.map((r) => r.code)).toEqual(codes);
  const people = await plan(program);
  expect(people.stdout).toContain("refused");
  expect(people.stdout).toContain("streaming aggregations without watermark");
});

test("a function that cannot travel is refused on Spark only", async () => {
  const program = `${STREAM}
import { createConnection } from "node:net";
const socket = createConnection({ port: 9 }).on("error", () => {});
await events.filter((row) => socket.destroyed || row.page !== null).writeStream.queryName("q").format("noop")
  .option("checkpointLocation", "checkpoint").start();`;
  const { code, stdout } = await plan(program, ["--json"]);
  expect(code).toBe(0);
  const { engines } = (JSON.parse(stdout) as ProgramReport).queries[0]!;
  expect(engines.embedded.refusals).toEqual([]);
  expect(engines.spark.refusals).toMatchObject([{ code: "FUNCTION_NOT_PORTABLE" }]);
  expect(engines.spark.refusals[0]!.message).toContain("socket");
  const onSpark = await plan(program, [], { SPARK_REMOTE: "sc://127.0.0.1:1" });
  expect(onSpark.code).toBe(1);
});

test("wrong names are told with suggestions; a program that asks for rows is followed up to there", async () => {
  const { code, stdout } = await plan(
    `${STREAM}
await events.select("pag").writeStream.queryName("q").format("noop").option("checkpointLocation", "c").start();
const rows = await spark.range(3).collect();
console.error(rows.length);`,
    ["--json"],
  );
  expect(code).toBe(1);
  const { queries, stopped } = JSON.parse(stdout) as ProgramReport;
  expect(queries[0]!.engines.embedded.refusals).toMatchObject([{ code: "UNRESOLVED_COLUMN.WITH_SUGGESTION" }]);
  expect(queries[0]!.engines.embedded.refusals[0]!.message).toContain("`page`");
  expect(stopped!.reason).toContain("planning reads no data");
});

test("views are followed, commands that change tables are told and not run", async () => {
  const { code, stdout } = await plan(
    `${STREAM}
events.createOrReplaceTempView("clicks");
spark.sql("CREATE TABLE kept (n INT) USING parquet");
await spark.sql("SELECT page, ts FROM clicks WHERE page <> ''").writeStream.queryName("q").format("noop")
  .option("checkpointLocation", "c").start();
await spark.range(3).write.saveAsTable("numbers");`,
    ["--json"],
  );
  expect(code).toBe(0);
  const { queries, commands } = JSON.parse(stdout) as ProgramReport;
  expect(queries.map((q) => [q.kind, q.schema!.fields.map((f) => f.name)])).toEqual([
    ["stream", ["page", "ts"]],
    ["write", ["id"]],
  ]);
  expect(commands).toEqual(["CREATE TABLE kept (n INT) USING parquet"]);
  expect(await readdir(directory)).toEqual(["program.ts"]);
});

test("a program that starts nothing, and one that fails by itself", async () => {
  const nothing = await plan(STREAM);
  expect([nothing.code, nothing.stdout]).toEqual([1, ""]);
  expect(nothing.stderr).toContain("The program starts no query.");
  const broken = await plan(`throw new TypeError("my own");`);
  expect(broken.code).toBe(1);
  expect(broken.stderr).toMatch(/TypeError: my own[\s\S]*program\.ts:1/);
});
