// Runs one of `pipelines` of sinks-pipelines.ts to its end; its place is given as JSON.
import { TestSession } from "../pipelines/session.ts";
import { pipelineArguments } from "./killed-process.ts";
import { pipelines } from "./sinks-pipelines.ts";

const { name, place } = pipelineArguments();
const query = await pipelines[name]!.start(new TestSession(), JSON.parse(place));
await query.awaitTermination();
process.exit(0);
