// Runs one of `pipelines` of steps-pipelines.ts to its end; its place is a directory.
import { join } from "node:path";
import { TestSession } from "../pipelines/session.ts";
import { pipelineArguments } from "./killed-process.ts";
import { pipelines } from "./steps-pipelines.ts";

const { name, place } = pipelineArguments();
const session = new TestSession({ "spark.sql.streaming.minBatchesToRetain": "100" });
const pipeline = pipelines[name]!;
const query = await pipeline.start(session, place, join(place, "checkpoint"));
await query.awaitTermination();
