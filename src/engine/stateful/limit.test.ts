import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import type { SparkSession } from "../../index.ts";
import { SparkSession as Session } from "../../session.ts";
import { MemoryStream } from "../../testing/memory-stream.ts";

const spark: SparkSession = new Session();
const folder = mkdtempSync(join(tmpdir(), "millrace-limit-"));
afterAll(async () => {
  await spark.stop();
  rmSync(folder, { recursive: true, force: true });
});

it("counts the rows of all batches, also over a restart", async () => {
  const numbers = new MemoryStream<{ n: number }>({
    kind: "struct",
    fields: [{ name: "n", type: { kind: "integer" }, nullable: true }],
  });
  const seen: number[][] = [];
  const start = () =>
    numbers
      .toDF(spark.range(1).session)
      .limit(4)
      .writeStream.foreachBatch((rows: readonly { n: number }[]) => {
        seen.push(rows.map((row) => row.n));
      })
      .option("checkpointLocation", folder)
      .start();
  const first = await start();
  numbers.addData({ n: 1 }, { n: 2 });
  await first.processAllAvailable();
  await first.stop();
  const second = await start();
  numbers.addData({ n: 3 }, { n: 4 }, { n: 5 });
  await second.processAllAvailable();
  numbers.addData({ n: 6 });
  await second.processAllAvailable();
  await second.stop();
  expect(seen).toEqual([[1, 2], [3, 4], []]);
});
