// Runs one of `pipelines` to its end, and kills this process at a step of the batch protocol when it is told so.
// Arguments: pipeline, directory, [step, batch id, sink].
import { join } from "node:path";
import { subscribe } from "../../src/events.ts";
import { TestSession } from "../pipelines/session.ts";
import { pipelines } from "./steps-pipelines.ts";

const [name, directory, step, batchId, sink] = process.argv.slice(2);
const session = new TestSession({ "spark.sql.streaming.minBatchesToRetain": "100" });

if (step !== undefined) {
  subscribe("batch.step", (event) => {
    if (event.step === step && event.batchId === Number(batchId) && (sink === undefined || event.sink === sink)) {
      process.kill(process.pid, "SIGKILL");
    }
  });
}

const pipeline = pipelines[name!]!;
const query = await pipeline.start(session, directory!, join(directory!, "checkpoint"));
await query.awaitTermination();
