import type { BatchInput, Offset } from "../connectors/connector.ts";

/** A planned batch: everything that `offsets/N` says, and what the batch before left. */
export interface PlannedBatch {
  readonly id: number;
  /** By source; `end` of the batch before. */
  readonly starts: readonly Offset[];
  readonly ends: readonly Offset[];
  /** The true ends of the sources when the batch was planned, for lag and progress. */
  readonly latest: readonly (Offset | undefined)[];
  readonly timestampMs: number;
  /** The watermark of the batch before: rows at or before it are late. */
  readonly lateMs: number;
  /** The watermark of this batch. */
  readonly watermarkMs: number;
  /** SHA-256 of `offsets/N`. */
  readonly hash: string;
  /** What was fetched ahead, by source. */
  readonly inputs: readonly (BatchInput | undefined)[];
}

/** Whether two offsets are the same: their JSON is, whatever the order of keys. */
export function sameOffset(a: Offset, b: Offset): boolean {
  return a === b || canonical(a) === canonical(b);
}

function canonical(offset: Offset): string {
  return JSON.stringify(offset, (_, value) =>
    value !== null && typeof value === "object" && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value as Record<string, unknown>).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}
