import type { SinkProgress } from "../backend.ts";
import type { StreamSource } from "../connectors/connector.ts";
import { hasListeners, publish } from "../events.ts";
import type { Delivered } from "../streaming/delivery.ts";
import type { TriggerReport } from "../streaming/progress.ts";
import type { PlannedBatch } from "./batch.ts";
import type { BatchOutcome } from "./batch-runner.ts";
import type { QueryState } from "./query-state.ts";

/** What progress says of the sources of a batch. */
export function sourcesProgress(
  sources: readonly StreamSource[],
  batch: PlannedBatch,
  rowCounts: readonly number[],
): TriggerReport["sources"] {
  return sources.map((source, i) => ({
    description: source.description,
    startOffset: batch.starts[i],
    endOffset: batch.ends[i],
    latestOffset: batch.latest[i] ?? batch.ends[i],
    numInputRows: rowCounts[i]!,
    metrics: source.metrics?.(batch.ends[i]!) ?? {},
  }));
}

/** What progress says of the sinks; -1 rows, as in Spark, where nobody counted. */
export function sinksProgress(sinks: readonly Delivered[], outcome: BatchOutcome): SinkProgress[] {
  return sinks.map(({ sink, metrics }) => ({
    name: sink.name,
    guarantee: sink.guarantee,
    description: sink.sink.description,
    numOutputRows: outcome.outputRows ?? Number(metrics?.numOutputRows ?? -1),
    metrics: metrics ?? {},
  }));
}

/** What the operators counted beside progress, for those who listen. */
export function publishMeasured(queryId: string, batchId: number, outcome: BatchOutcome, state: QueryState): void {
  const { measured: operators = [] } = outcome;
  if (operators.length === 0 || !hasListeners("batch.measured")) return;
  publish("batch.measured", { queryId, batchId, operators, stateBytes: state.bytes });
}
