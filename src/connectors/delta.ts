import type { Connector } from "./connector.ts";
import { deltaSchema, openDeltaBatch } from "./delta/source.ts";
import { openDeltaSink, writeDelta } from "./delta/stream-sink.ts";
import { openDeltaStream } from "./delta/stream-source.ts";
import { validateDelta } from "./delta/target.ts";

export { optimize, vacuum } from "./delta/maintenance.ts";

/**
 * Delta Lake tables in a local folder, readable by Spark, delta-rs, DuckDB and Trino. Each batch is one commit that carries Spark's `txn`
 * action, so that a batch which is delivered again is recognised: exactly once, also when a query moves between Spark and Millrace.
 *
 * @example df.writeStream.format("delta").partitionBy("day").start("flights")
 */
export const delta: Connector = {
  name: "delta",
  summary: "Delta Lake tables: exactly-once appends, compaction, batch reads with time travel.",
  options: [
    {
      name: "path",
      for: ["source", "sink"],
      type: "string",
      doc: "Folder of the table, when start, load or save got none.",
    },
    {
      name: "root",
      for: ["source", "sink"],
      type: "string",
      env: "MILLRACE_LAKE",
      doc: "Folder that relative paths start from. Default: the working directory.",
    },
    {
      name: "mergeSchema",
      for: ["sink"],
      type: "boolean",
      default: "false",
      doc: "Add the rows' new columns to the table.",
    },
    {
      name: "overwriteSchema",
      for: ["sink"],
      type: "boolean",
      default: "false",
      doc: "A write that replaces everything may replace schema and partitioning too.",
    },
    {
      name: "autoCompact",
      for: ["sink"],
      type: "boolean",
      default: "true",
      doc: "Merge small files behind the batches.",
    },
    {
      name: "autoCompactMinFiles",
      for: ["sink"],
      type: "int",
      default: "16",
      doc: "How many files of like size a partition has before they are merged.",
    },
    {
      name: "targetFileSize",
      for: ["sink"],
      type: "string",
      default: "64mb",
      doc: "Size up to which files are merged.",
    },
    {
      name: "txnAppId",
      for: ["sink"],
      type: "string",
      doc: "Batch write: with txnVersion, a write that the table already has is left out, as Delta does for writes in foreachBatch.",
    },
    {
      name: "txnVersion",
      for: ["sink"],
      type: "int",
      doc: "Batch write: rises with every write of txnAppId, such as the batch id.",
    },
    { name: "versionAsOf", for: ["source"], type: "int", doc: "Read this version of the table." },
    {
      name: "timestampAsOf",
      for: ["source"],
      type: "string",
      doc: "Read the newest version at this time, as 2024-01-31T10:00:00Z.",
    },
    {
      name: "startingVersion",
      for: ["source"],
      type: "string",
      doc: "Stream: the first version to read, or latest. Default: the whole table as it stands, then what is added.",
    },
    {
      name: "startingTimestamp",
      for: ["source"],
      type: "string",
      doc: "Stream: the first commit at or after this time is the first to read.",
    },
    {
      name: "maxFilesPerTrigger",
      for: ["source"],
      type: "int",
      default: "1000",
      doc: "Stream: files per batch at most.",
    },
    {
      name: "maxBytesPerTrigger",
      for: ["source"],
      type: "string",
      doc: "Stream: size of the files of a batch at most, as 1gb; one file at least.",
    },
    {
      name: "ignoreDeletes",
      for: ["source"],
      type: "boolean",
      default: "false",
      doc: "Stream: go on over commits that only delete.",
    },
    {
      name: "skipChangeCommits",
      for: ["source"],
      type: "boolean",
      default: "false",
      doc: "Stream: leave out commits that change or delete rows.",
    },
  ],
  source: {
    fixedSchema: true,
    schema: deltaSchema,
    openBatch: openDeltaBatch,
    openStream: openDeltaStream,
  },
  sink: {
    outputModes: ["append", "complete"],
    guarantee: () => "exactly-once",
    atomic: true,
    validate: validateDelta,
    openStream: openDeltaSink,
    writeBatch: writeDelta,
  },
};
