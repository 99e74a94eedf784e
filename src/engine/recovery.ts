import type { SinkMarker } from "../connectors/connector.ts";
import { MillraceError } from "../errors.ts";

/**
 * What a start finds on disk. `N` below is the latest batch in `offsets/`.
 */
export interface RecoveryFacts {
  /** The checkpoint's path, for messages. */
  readonly checkpoint: string;
  readonly latestOffsets: number | undefined;
  /** Whether `offsets/(N-1)` is there; irrelevant when N is 0 or undefined. */
  readonly previousOffsets: boolean;
  readonly latestCommit: number | undefined;
  /**
   * What the state database says: the last batch whose state and output rows it holds. `unused`: the plan stages nothing.
   * `none`: it holds no batch yet.
   */
  readonly state: { readonly batchId: number; readonly offsetsHash: string } | "none" | "unused";
  /** Whether the plan keeps state: then a missing state database under existing batches is a loss. */
  readonly stateful: boolean;
  readonly sinks: readonly { readonly name: string; readonly marker: SinkMarker | undefined }[];
  /** The hash of `offsets/K`, or undefined when that file is gone. */
  readonly offsetsHash: (batchId: number) => string | undefined;
}

export type RecoveryAction =
  /** Nothing has been written: plan batch 0. */
  | { readonly kind: "start" }
  /** Run N with the offsets and the time of `offsets/N`. */
  | { readonly kind: "run"; readonly batchId: number }
  /** Deliver the stored rows of N to every sink, then write `commits/N`. */
  | { readonly kind: "deliver"; readonly batchId: number }
  /** N is done: plan the next one. */
  | { readonly kind: "plan"; readonly batchId: number };

/**
 * The recovery table (docs/exactly-once.md) as a function. Throws CHECKPOINT_DIVERGED, saying which file is ahead or behind, for
 * everything that the table does not list.
 */
export function recover(facts: RecoveryFacts): RecoveryAction {
  const action = fromFiles(facts);
  checkSinks(facts);
  return action;
}

function fromFiles(facts: RecoveryFacts): RecoveryAction {
  const { latestOffsets: n, latestCommit: committed, state } = facts;
  const stateBatch = typeof state === "object" ? state.batchId : undefined;

  if (n === undefined) {
    if (committed !== undefined) throw diverged(facts, `commits/${committed} is there but offsets/ is empty`);
    if (stateBatch !== undefined) throw diverged(facts, `the state holds batch ${stateBatch} but offsets/ is empty`);
    return { kind: "start" };
  }
  if (n > 0 && !facts.previousOffsets) throw diverged(facts, `offsets/${n} is there but offsets/${n - 1} is missing`);
  if (committed !== undefined && committed > n) {
    throw diverged(facts, `commits/${committed} is ahead of the latest offsets/${n}`);
  }
  const before = n === 0 ? undefined : n - 1;
  if (committed !== n && committed !== before) {
    throw diverged(
      facts,
      `commits/ ends at ${committed ?? "nothing"} but offsets/${n} is only written after commits/${before}`,
    );
  }
  const done = committed === n;

  if (state === "unused" || (state === "none" && !facts.stateful)) {
    return done ? { kind: "plan", batchId: n + 1 } : { kind: "run", batchId: n };
  }
  if (state === "none") {
    if (n === 0 && !done) return { kind: "run", batchId: 0 };
    throw diverged(facts, `batches up to ${committed} are committed but the state database holds none`);
  }
  if (state.batchId > n) throw diverged(facts, `the state holds batch ${state.batchId}, ahead of offsets/${n}`);
  if (state.batchId === n) {
    const hash = facts.offsetsHash(n);
    if (hash !== state.offsetsHash) {
      throw diverged(facts, `the state holds batch ${n} of other offsets than those in offsets/${n}`);
    }
    return done ? { kind: "plan", batchId: n + 1 } : { kind: "deliver", batchId: n };
  }
  if (state.batchId !== before) {
    throw diverged(facts, `the state holds batch ${state.batchId}, behind offsets/${n}`);
  }
  if (done) throw diverged(facts, `the state holds batch ${state.batchId}, behind commits/${n}`);
  const hash = facts.offsetsHash(state.batchId);
  if (hash !== state.offsetsHash) {
    throw diverged(
      facts,
      `the state holds batch ${state.batchId} of other offsets than those in offsets/${state.batchId}`,
    );
  }
  return { kind: "run", batchId: n };
}

function checkSinks(facts: RecoveryFacts): void {
  const n = facts.latestOffsets;
  for (const { name, marker } of facts.sinks) {
    if (marker === undefined) continue;
    if (n === undefined || marker.batchId > n) {
      throw diverged(
        facts,
        `the sink ${name} holds batch ${marker.batchId} of this query, ahead of ${n === undefined ? "the empty offsets/" : `offsets/${n}`}`,
      );
    }
    const hash = facts.offsetsHash(marker.batchId);
    if (hash !== undefined && marker.hash !== undefined && marker.hash !== hash) {
      throw diverged(
        facts,
        `the sink ${name} holds batch ${marker.batchId} of other offsets than those in offsets/${marker.batchId}`,
      );
    }
  }
}

function diverged(facts: RecoveryFacts, what: string): MillraceError {
  return new MillraceError(
    "CHECKPOINT_DIVERGED",
    `The checkpoint ${facts.checkpoint} does not fit together: ${what}.`,
    {
      hint: "It was restored from an older copy or changed by hand. Restore all of it from one moment, or start with a new checkpointLocation.",
    },
  );
}
