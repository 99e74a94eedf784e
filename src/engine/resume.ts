import type { Conf } from "../backend.ts";
import type { Offset, SinkMarker, StreamSource } from "../connectors/connector.ts";
import { MillraceError } from "../errors.ts";
import type { OpenSink } from "../streaming/sinks.ts";
import { type OffsetsFile, pinnedConf } from "./checkpoint.ts";
import type { QuerySetup } from "./query-setup.ts";
import type { StoredBatch } from "./query-state.ts";
import { type RecoveryAction, recover } from "./recovery.ts";
import type { StreamPlan } from "./stream-plan.ts";
import { WatermarkTracker } from "./watermark.ts";

/** Where a query goes on. */
export interface ResumePoint {
  /** What recovery found to be done first. */
  readonly action: RecoveryAction;
  readonly nextId: number;
  /** Ends of the batch before the next one, by source. */
  readonly position: Offset[];
  readonly tracker: WatermarkTracker;
  /** The watermark that the batch before the next one used. */
  readonly lateMs: number;
  /** Settings pinned in the checkpoint. */
  readonly conf: Conf;
}

/** What is open when a query looks where to go on. */
export interface Opened {
  readonly plan: StreamPlan;
  readonly sources: readonly StreamSource[];
  readonly sinks: readonly OpenSink[];
  readonly staged: boolean;
  readonly stored: StoredBatch | undefined;
}

/** Reads the checkpoint and asks the sinks, and finds by the recovery table where to go on. */
export async function resume(setup: QuerySetup, opened: Opened): Promise<ResumePoint> {
  const { checkpoint } = setup;
  const { plan, sinks, stored } = opened;
  const latest = checkpoint.latestOffsetsId();
  const commit = checkpoint.latestCommitId();
  const files = new Map<number, OffsetsFile | undefined>();
  const offsets = (id: number): OffsetsFile | undefined => {
    if (!files.has(id)) files.set(id, checkpoint.readOffsets(id));
    return files.get(id);
  };
  const markers: (SinkMarker | undefined)[] = [];
  for (const { sink } of sinks) markers.push(await sink.lastBatch());
  const action = recover({
    checkpoint: checkpoint.path,
    latestOffsets: latest,
    previousOffsets: latest !== undefined && latest > 0 && offsets(latest - 1) !== undefined,
    latestCommit: commit,
    state: opened.staged ? (stored ?? "none") : "unused",
    stateful: plan.operators.length > 0,
    sinks: sinks.map(({ name }, i) => ({ name, marker: markers[i] })),
    offsetsHash: (id) => offsets(id)?.hash,
  });
  if (commit !== undefined) refuseLostRows(setup, sinks, markers);
  // Nothing may depend on what it says when there is state, but a damaged file tells of a damaged checkpoint.
  if (commit !== undefined) checkpoint.readCommit(commit);

  const last = latest === undefined ? undefined : offsets(latest);
  const conf = pinnedConf(setup.conf, last?.conf);
  const policy = conf["spark.sql.streaming.multipleWatermarkPolicy"]?.toLowerCase() === "max" ? "max" : "min";
  const tracker = new WatermarkTracker(plan.delaysMs, policy);
  let lateMs = 0;
  if (stored !== undefined) {
    tracker.restore(stored.watermarks);
    lateMs = stored.lateMs;
  } else if (latest !== undefined && last !== undefined) {
    // no state to ask: Spark's files know the global watermark
    const done = commit === latest;
    const next = done ? (checkpoint.readCommit(latest)?.nextBatchWatermarkMs ?? 0) : last.batchWatermarkMs;
    tracker.restore({ globalMs: Math.max(next, last.batchWatermarkMs), operators: [] });
    lateMs = done ? last.batchWatermarkMs : (offsets(latest - 1)?.batchWatermarkMs ?? 0);
  }

  const nextId = action.kind === "start" ? 0 : action.batchId;
  const before = nextId === 0 ? undefined : offsets(nextId - 1);
  if (before !== undefined) checkSources(setup, before, opened.sources.length);
  const position: Offset[] = [];
  for (const [i, source] of opened.sources.entries()) {
    position.push(before?.offsets[i] ?? (await source.initialOffset()));
  }
  return { action, nextId, position, tracker, lateMs, conf };
}

/** @throws MillraceError CHECKPOINT_INCOMPATIBLE when a batch was planned for another number of sources */
export function checkSources(setup: QuerySetup, file: OffsetsFile, sources: number): void {
  if (file.offsets.length === sources) return;
  throw new MillraceError(
    "CHECKPOINT_INCOMPATIBLE",
    `The checkpoint ${setup.checkpoint.path} was written by a query with ${file.offsets.length} source(s); this one has ${sources}.`,
    { hint: "Use a checkpointLocation of its own for each query." },
  );
}

/** Rows that only a process that is gone has held cannot be carried on; in complete mode the next batch has them all. */
function refuseLostRows(
  setup: QuerySetup,
  sinks: readonly OpenSink[],
  markers: readonly (SinkMarker | undefined)[],
): void {
  if (setup.target.outputMode === "complete") return;
  const lost = sinks.find(({ factory }, i) => factory.durability === "process" && markers[i] === undefined);
  if (lost === undefined) return;
  throw new MillraceError(
    "CHECKPOINT_INCOMPATIBLE",
    `The checkpoint ${setup.checkpoint.path} has delivered batches to the sink ${lost.name}, whose rows lived in a process that is gone.`,
    { hint: "Such a sink cannot go on from a checkpoint: use a new checkpointLocation, or none." },
  );
}
