import { delta } from "../../src/connectors/delta.ts";
import type { StructType } from "../../src/types/data-type.ts";
import { localBatch } from "./local-batch.ts";

/** Appends batches 0 to total - 1 of a hundred numbers to a table, going on behind the last one that is there; killed by its parent now and then. */
const [path, total] = [process.argv[2]!, Number(process.argv[3])];
const schema: StructType = { kind: "struct", fields: [{ name: "n", type: { kind: "long" }, nullable: true }] };
const sink = await delta.sink!.openStream!({
  options: { autoCompactMinFiles: "5" },
  path,
  partitionBy: [],
  schema,
  outputMode: "append",
  queryId: "killed",
  sinkName: "lake",
  sole: true,
  queryName: null,
  temporaryPath: path,
});
const tell = (message: object): Promise<void> =>
  new Promise((resolve, reject) =>
    process.send!(message, (error: Error | null) => (error ? reject(error) : resolve())),
  );
// As the engine does: the last batch is delivered again when it is not known to be there.
const last = await sink.lastBatch();
for (let id = last?.batchId ?? 0; id < total; id++) {
  const batch = await localBatch({
    id,
    schema,
    sql: `SELECT i AS n FROM range(${id * 100}, ${id * 100 + 100}) t(i)`,
    before: () => tell({ before: id }),
  });
  await sink.addBatch(batch);
  await tell({ done: id });
}
await sink.close();
process.exit(0);
