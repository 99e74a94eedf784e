import type { DataType, StructType } from "../../types/data-type.ts";
import type { CapturedFunction } from "./capture.ts";

/** What a worker is sent of a function, once, before it is called. */
export interface FunctionPackage extends CapturedFunction {
  readonly name: string;
  readonly use: FunctionUse;
}

/** How a function is called, and what its results are. */
export type FunctionUse =
  | { readonly kind: "map" | "flat_map" | "map_batch"; readonly schema: StructType }
  | { readonly kind: "scalar"; readonly type: DataType }
  /** Decides over whole rows, given as one struct; truthy keeps the row. It may be asynchronous. */
  | { readonly kind: "filter" }
  | StatefulUse;

export interface StatefulUse {
  readonly kind: "stateful";
  readonly schema: StructType;
  readonly keyNames: readonly string[];
  readonly timeMode: "none" | "processing_time" | "event_time";
  readonly orderBy: readonly string[];
}

/** Messages between the Python worker and its Node child: a length (4 bytes, little endian), a letter, and the rest. */
export const FRAME = {
  /** To the child: a package under its id, which is 16 letters. */
  define: "F",
  /** To the child: the id and an Arrow stream. */
  batch: "B",
  /** To the child: the id and a block of keys, see `worker/stateful.ts`. */
  keys: "K",
  /** To the child: what a read of state gave. */
  state: "S",
  /** From the child: an Arrow stream of results. */
  rows: "R",
  /** From the child: a read of state, as JSON. */
  read: "G",
  /** From the child: changes of state, as JSON, with Arrow values behind it. */
  changes: "C",
  /** From the child: a call is done. */
  done: "D",
  /** From the child: a call has failed, as JSON. */
  failed: "E",
} as const;

/** Letters of an id of a package. */
export const ID_LENGTH = 16;
