// Runs a query with two ledgers behind Spark to its end; its name is the server's address, its place a directory with `input`.
import { join } from "node:path";
import { pipelineArguments } from "../crash/killed-process.ts";
import { QuerySession } from "./query-session.ts";

const { name: url, place } = pipelineArguments();
const session = new QuerySession(url, {
  "spark.millrace.bridge.dir": join(place, "bridge"),
  "millrace.restart.initialDelayMs": "50",
});
const query = await session
  .files(join(place, "input"), "id BIGINT")
  // another value each time that it is computed
  .selectExpr("id", "rand() AS chance")
  .writeStream.sink("a", (sink) => sink.format("ledger").option("path", join(place, "a")))
  .sink("b", (sink) => sink.format("ledger").option("path", join(place, "b")))
  .trigger({ availableNow: true })
  .option("checkpointLocation", join(place, "checkpoint"))
  .start();
await query.awaitTermination();
await session.close();
