// Runs one of `pipelines` of sinks-pipelines.ts to its end, and kills this process at a step of the batch protocol when it is told so.
// Arguments: pipeline, place as JSON, [step, batch id, sink].
import { subscribe } from "../../src/events.ts";
import { TestSession } from "../pipelines/session.ts";
import { pipelines } from "./sinks-pipelines.ts";

const [name, place, step, batchId, sink] = process.argv.slice(2);
const session = new TestSession();
if (step !== undefined) {
  subscribe("batch.step", (event) => {
    if (event.step === step && event.batchId === Number(batchId) && (sink === undefined || event.sink === sink)) {
      process.kill(process.pid, "SIGKILL");
    }
  });
}
const query = await pipelines[name!]!.start(session, JSON.parse(place!));
await query.awaitTermination();
process.exit(0);
