import type { DataType, StructType } from "../../types/data-type.ts";
import type { StateTimeMode } from "../../types/state-declaration.ts";
import type { CapturedFunction } from "./capture.ts";

/** What a worker is sent of a function, once, before it is called. */
export interface FunctionPackage extends CapturedFunction {
  readonly name: string;
  readonly use: FunctionUse;
}

/** How a function is called, and what its results are. `input` is there where Arrow does not say how values stand in TypeScript. */
export type FunctionUse =
  | { readonly kind: "map" | "flat_map" | "map_batch"; readonly schema: StructType; readonly input?: StructType }
  | { readonly kind: "scalar"; readonly type: DataType; readonly input?: StructType }
  /** Decides over whole rows, given as one struct; truthy keeps the row. It may be asynchronous. */
  | { readonly kind: "filter"; readonly input?: StructType }
  | StatefulUse;

export interface StatefulUse {
  readonly kind: "stateful";
  readonly schema: StructType;
  readonly input: StructType;
  /** The key's columns among those of the input. */
  readonly keys: readonly string[];
  readonly timeMode: StateTimeMode;
  readonly orderBy: readonly string[];
}

/** A block of keys as Python sends it: JSON of this, then Arrow streams of the lengths in `parts`. */
export interface KeyBlock {
  /** `data`: rows, then values of variables; `timers`: keys, then values of variables; `close`: nothing. */
  readonly kind: "data" | "timers" | "close";
  readonly parts: readonly number[];
  /** Numbers of the variables whose values came along, in the order of the parts. */
  readonly values: readonly number[];
  /** Rows of each key, which lie one after the other. */
  readonly counts?: readonly number[];
  /** Number of the key and time of each timer that is due. */
  readonly due?: readonly (readonly [key: number, time: number])[];
  readonly processingTimeMs: number;
  readonly watermarkMs: number;
  readonly queryId: string;
  readonly runId: string;
  readonly batchId: number;
}

/** What a block's functions have changed: JSON of this, then Arrow streams of values and map keys. */
export interface BlockChanges {
  readonly changes: readonly (readonly [key: number, variable: number, op: string, count: number])[];
  readonly timers: readonly (readonly [key: number, op: string, time: number])[];
  /** Numbers of the variables that have values or keys here, in the order of the parts: values, then the keys of a map. */
  readonly variables: readonly number[];
  readonly parts: readonly number[];
  /** Value variables that were read: worth sending along with the next block. */
  readonly read: readonly number[];
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
