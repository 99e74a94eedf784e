import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DevProcess, FREE_PORTS } from "../cli/dev-process.ts";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";
import { addFile } from "./query-session.ts";

const server = given(await sharedSpark());

const PIPELINE = `import { SparkSession, col, count, lit } from "millrace";

const here = process.cwd();
const spark = SparkSession.builder()
  .config("spark.sql.streaming.checkpointLocation", here + "/checkpoints")
  .getOrCreate();
const events = spark.readStream.format("json").schema("id BIGINT").load(here + "/input");

await events.filter(col("id").lt(lit(10))).writeStream.queryName("kept").format("json").start(here + "/kept");
await events
  .groupBy(col("id").mod(lit(2)).as("odd"))
  .agg(count("*").as("n"))
  .writeStream.queryName("counts")
  .outputMode("update")
  .format("console")
  .start();
`;

describe.skipIf(server === undefined)("editing a pipeline that runs on Spark", { timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-spark-editing-"));
  const file = join(folder, "pipeline.ts");
  let dev: DevProcess;

  const edit = (from: string, to: string): Promise<any> => {
    const at = dev.events.length;
    const before = readFileSync(file, "utf8");
    expect(before).toContain(from);
    writeFileSync(file, before.replace(from, to));
    return dev.eventThat(at, (e) => e.event === "reload" || e.event === "reload.refused");
  };
  /** Both queries have read input since. */
  const read = async (since: number): Promise<void> => {
    for (const name of ["kept", "counts"]) {
      await dev.eventThat(since, (e) => e.event === "query.progress" && e.name === name && e.progress.numInputRows > 0);
    }
  };
  const add = async (number: number, ids: number[]): Promise<void> => {
    const at = dev.events.length;
    const rows = ids.map((id) => ({ id }));
    addFile(join(folder, "input"), number, rows);
    await read(at);
  };
  const kept = (): number[] =>
    readdirSync(join(folder, "kept"))
      .filter((name) => name.endsWith(".json"))
      .flatMap((name) =>
        readFileSync(join(folder, "kept", name), "utf8")
          .trim()
          .split("\n"),
      )
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line).id)
      .sort((a, b) => a - b);

  beforeAll(async () => {
    writeFileSync(file, PIPELINE);
    addFile(join(folder, "input"), 0, [{ id: 1 }, { id: 20 }]);
    dev = new DevProcess(["pipeline.ts", ...FREE_PORTS], { cwd: folder, env: { SPARK_REMOTE: server!.url } });
    await read(0);
  }, 120_000);
  afterAll(async () => {
    await dev?.end();
    rmSync(folder, { recursive: true, force: true });
  }, 60_000);

  test("a changed filter counts for what comes after it, and nothing is lost or doubled", async () => {
    expect(kept()).toEqual([1]);
    expect(await edit("lit(10)", "lit(100)")).toMatchObject({ event: "reload", changed: ["kept"], same: ["counts"] });
    await add(1, [2, 21, 200]);
    expect(kept()).toEqual([1, 2, 21]);
  });

  test("a change that the state does not survive is refused, and what ran goes on", async () => {
    expect(await edit('agg(count("*").as("n"))', 'agg(count("*").as("n"), count("id").as("m"))')).toMatchObject({
      event: "reload.refused",
      running: true,
      error: {
        code: "STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA",
        message: expect.stringContaining("new aggregate count(id)"),
        file: expect.stringContaining("pipeline.ts"),
      },
    });
    await add(2, [3]);
    expect(kept()).toEqual([1, 2, 3, 21]);
  });
});
