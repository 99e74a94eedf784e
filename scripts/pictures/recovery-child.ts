/** The program of the picture of a recovery: `node recovery-child.ts FOLDER [BATCH STEP]`; with both it kills itself there. */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { SparkSession, sum } from "millrace";
import { subscribe } from "../../src/events.ts";

const [folder, batch, step] = process.argv.slice(2) as [string, string?, string?];
const note = (line: string): void => appendFileSync(join(folder, "steps.txt"), `${line}\n`);

note(`start ${Date.now()}`);
subscribe("batch.step", (event) => {
  note(`${event.batchId} ${event.step} ${Date.now()}`);
  // Nothing of the process is left: no handler runs, no file is closed.
  if (String(event.batchId) === batch && event.step === step) process.kill(process.pid, "SIGKILL");
});

const spark = SparkSession.builder().getOrCreate();
const query = await spark.readStream
  .schema("id BIGINT, amount BIGINT")
  .option("maxFilesPerTrigger", 1)
  .json(join(folder, "input"))
  .groupBy("id")
  .agg(sum("amount").as("total"))
  .writeStream.format("delta")
  .outputMode("complete")
  .trigger({ availableNow: true })
  .option("checkpointLocation", join(folder, "checkpoint"))
  .start(join(folder, "out"));
await query.awaitTermination();
const [row] = await spark.read.format("delta").load(join(folder, "out")).selectExpr("sum(total) AS total").collect();
note(`total ${row.total}`);
await spark.stop();
