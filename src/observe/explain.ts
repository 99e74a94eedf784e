/**
 * What each number means, in one sentence: shown by the dashboard beside the number, as HELP in `/metrics` and in docs/metrics.md. The names
 * are those of the API: the kind of thing, a dot, the field. Written for somebody who sees the number for the first time.
 */
export const EXPLANATIONS = {
  "process.startedAt": "When this process started.",
  "process.memoryBytes": "Memory that the process holds, with everything that is embedded in it.",

  "query.state":
    "Running: reads and writes; idle: nothing new to read; restarting: waits to start again after a failure; ended: stopped or done; failed: ended by an error.",
  "query.startedAt": "When this run of the query started; totals go on over restarts.",
  "query.lastBatchAt": "When the last batch ended.",
  "query.batchId": "The number of the last batch; it rises by one with each batch and goes on after a restart.",
  "query.inputRowsPerSecond": "Rows read from all sources each second, over the last ten seconds.",
  "query.outputRowsPerSecond":
    "Rows of the result each second, over the last ten seconds; with several sinks each of them gets all.",
  "query.batchMs": "How long the last batch took, from planning to commit.",
  "query.batchMsP50": "Half of the batches that are kept took at most this long.",
  "query.batchMsP95": "19 of 20 of the batches that are kept took at most this long.",
  "query.lagRows": "Rows that the sources held at the last batch and the query had not read yet.",
  "query.lagTrend":
    "Whether the lag grew, shrank or stayed over the last ten batches; a tenth up or down counts as staying.",
  "query.lagSeconds": "How long reading the rows that wait would take at the present rate.",
  "query.watermark":
    "The event time up to which the query takes its input for complete: results up to there are final, rows from before it are late.",
  "query.watermarkDelaySeconds": "How far the watermark is behind the clock: how fresh the final results are.",
  "query.stateRows": "Rows that the stateful operators keep between batches, such as open windows or keys seen.",
  "query.stateBytes":
    "Size of the state: its files on disk for the embedded engine, what Spark reports on a Spark server.",
  "query.inputRows": "Rows read since the process started.",
  "query.outputRows": "Rows given to the sinks since the process started, each sink counted.",
  "query.lateRows": "Rows that came behind the watermark and were dropped, since the process started.",
  "query.batches": "Micro-batches that ended since the process started.",
  "query.restarts": "Times that the query started again after a failure, since the process started.",
  "query.lastError": "The last failure, with what to do; it stays here after the query has recovered.",
  "query.failures": "Failures of the query by error code.",
  "query.triggerMs": "Time between the starts of two batches; zero when one starts as soon as there is data.",
  "query.bottleneck": "Where the time of a batch goes while the query does not keep up.",
  "query.flows": "Rows each second over the last ten seconds; nothing where nobody counts.",

  "batch.batchId": "The number of the batch.",
  "batch.timestamp": "When the batch started.",
  "batch.ms": "How long the batch took, from planning to commit.",
  "batch.inputRows": "Rows that the batch read from all sources.",
  "batch.outputRows": "Rows of the batch's result.",
  "batch.lateRows": "Rows of the batch that came behind the watermark and were dropped.",
  "batch.stateRows": "Rows kept by the stateful operators after the batch.",
  "batch.watermark": "The watermark that the batch used.",
  "batch.phases": "Time spent in each phase of the batches, by Spark's names of the phases.",
  "phase.latestOffset": "Asking the sources how far they go.",
  "phase.getOffset": "Asking the sources how far they go.",
  "phase.walCommit": "Writing down which rows belong to the batch, before it is run.",
  "phase.getBatch": "Fetching the rows of the batch from the sources.",
  "phase.queryPlanning": "Planning the batch on the Spark server.",
  "phase.addBatch": "Computing the batch, updating the state and writing to the sinks.",
  "phase.commitBatch": "Committing the batch's state on the Spark server.",
  "phase.commitOffsets": "Writing down that the batch is done.",
  "phase.compute": "Computing the rows of the batch and its new state.",
  "phase.sink": "Writing the rows of the batch to a sink.",

  "source.inputRows": "Rows read from a source.",
  "source.lagRows": "Rows of the source that were there at the last batch and not read yet.",
  "source.lagSeconds":
    "How long the partition that is furthest behind would take to catch up at the rate at which it is read; the worst partition, as an average hides it.",
  "partition.read": "The next offset that the query will read.",
  "partition.latest": "The offset behind the newest row at the last batch.",
  "partition.lagRows": "Rows of a partition that were there at the last batch and not read yet.",

  "state.rows": "Rows that a stateful operator keeps.",
  "state.bounded": "Whether what the operator keeps stays bounded, and by what.",
  "late.rows": "Rows that a stateful operator dropped because they were behind the watermark.",
  "late.samples": "The newest late rows; of an aggregation, the groups that they would have gone into.",
  "bad.records":
    "Records that from_json was to read and that are no JSON; their values are null. A value of the wrong type is null too, and not counted.",

  "sink.outputRows": "Rows given to a sink.",
  "sink.retries": "Batches that a sink failed to take, and that were given to it again or are about to be.",
  "sink.guarantee": "What the sink promises when a batch is delivered again after a failure.",
  "sink.ms": "How long the sink took for the batch.",

  "topic.partitions": "Parts of the topic; each is read in order, all of them at the same time.",
  "topic.records": "End minus start over all partitions; compaction and transaction markers make it too large.",
  "topic.bytes": "Size on the brokers, compressed as it is, all copies counted.",
  "topic.recordsPerSecond": "Records that came in each second, over the last ten seconds in which somebody looked.",
  "topic.internal": "Made by Kafka itself or by Millrace for its own use.",
  "topic.readers": "Queries of this process that read the topic.",
  "topic.start": "The oldest offset that is still there.",
  "topic.end": "The offset behind the newest record.",
  "message.size": "Bytes of key and value.",

  "lake.rows": "Rows of the table, from its own metadata.",
  "lake.files": "Data files that the newest version of the table consists of; many small ones make reading slow.",
  "lake.bytes": "Bytes of the newest version's data files, compressed as they are.",
  "lake.version":
    "How often the table was changed; each commit is a version that can still be read until its files are removed.",
  "lake.modifiedAt": "When the newest version was committed.",
  "lake.rowsAdded": "Rows that the version added, as its writer said.",
  "lake.filesAdded": "Data files that the version added.",
  "lake.filesRemoved": "Data files that the version took out.",
  "lake.writer": "The query and batch that wrote the version.",

  "database.estimatedRows":
    "PostgreSQL's own estimate, from its last look at the table; counting would read the whole table.",
  "database.bytes": "Size of the table on disk, with its indexes.",

  "view.rows": "Rows that the view shows now.",
  "view.clients": "Readers that follow the view now.",
  "view.resets":
    "Readers that had to begin with a new snapshot, by reason: what they missed was no longer there, or the view had changed.",

  "cache.total": "All keys of the cache.",
  "cache.ttlSeconds": "Seconds until the key goes by itself; nothing when it stays.",
} as const satisfies Readonly<Record<string, string>>;

/** The name of a number that is explained. */
export type Explained = keyof typeof EXPLANATIONS;

/** The sentence for a number. */
export function explain(name: Explained): string {
  return EXPLANATIONS[name];
}
