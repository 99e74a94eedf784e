import type { StreamingQueryProgress } from "../backend.ts";
import type { QueryRecord } from "./query-log.ts";

/** Batches that are looked at. */
const BATCHES = 10;
/** A batch that takes less of the time than this leaves the query waiting. */
const BUSY = 0.5;

const PHASES: Readonly<Record<string, string>> = {
  latestOffset: "Asking the sources for new rows",
  getOffset: "Asking the sources for new rows",
  walCommit: "Writing down the offsets of the batch",
  getBatch: "Fetching rows from the sources",
  queryPlanning: "Planning on the Spark server",
  addBatch: "Computing and writing to the sinks",
  commitBatch: "Committing the state",
  commitOffsets: "Writing down that the batch is done",
  compute: "Computing the rows and the state",
};

/** Where the time of the last batches went, in a sentence; null before the first batch. Pure. */
export function bottleneck(q: QueryRecord): string | null {
  const batches = q.batches.slice(-BATCHES);
  const [first] = batches;
  const last = batches.at(-1);
  if (first === undefined || last === undefined) return null;
  const total = batches.reduce((n, p) => n + p.batchDuration, 0);
  const span = Date.parse(last.timestamp) + last.batchDuration - Date.parse(first.timestamp);
  if (batches.length > 1 && span > 0 && total / span < BUSY) {
    return `The query waits ${percent(1 - total / span)} of the time: its trigger, or a limit on the rows of a batch, holds it back.`;
  }
  const parts = new Map<string, number>();
  for (const p of batches) {
    for (const [what, ms] of partsOf(p, q)) parts.set(what, (parts.get(what) ?? 0) + ms);
  }
  const [what, ms] = [...parts].sort(([, a], [, b]) => b - a)[0] ?? [];
  if (what === undefined || ms === undefined || total <= 0) return null;
  return `${what} takes ${percent(Math.min(1, ms / total))} of a batch: ${duration(ms / batches.length)} of ${duration(total / batches.length)}.`;
}

/** How long each part of a batch took, in milliseconds. Sinks are written at the same time, so each counts by itself. */
function* partsOf(p: StreamingQueryProgress, q: QueryRecord): Generator<readonly [what: string, ms: number]> {
  const spans = q.extras.get(p.batchId)?.spans ?? [];
  // a plan without state, with one sink that reads its rows once, is computed while the sink takes them
  const writing = spans.some(({ phase }) => phase === "compute") ? "Writing" : "Computing and writing";
  let inSpans = 0;
  for (const { phase, sink, startMs, endMs } of spans) {
    if (phase !== "sink" && phase !== "compute") continue;
    inSpans++;
    yield [sink === null ? PHASES.compute! : `${writing} to the sink ${sink}`, endMs - startMs];
  }
  for (const [phase, ms] of Object.entries(p.durationMs)) {
    if (phase === "triggerExecution" || (phase === "addBatch" && inSpans > 0)) continue;
    yield [PHASES[phase] ?? `The phase ${phase}`, ms];
  }
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

function duration(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`;
}
