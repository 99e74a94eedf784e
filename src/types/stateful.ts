import type { DataType } from "./data-type.ts";

/**
 * The user's stateful function, Spark's StatefulProcessor.
 * https://spark.apache.org/docs/latest/streaming/structured-streaming-transform-with-state.html
 *
 * `K` is the key (one value for a single key column, an object for several), `R` an input row, `O` an output row.
 */
export interface StatefulProcessor<K = any, R = any, O = any> {
  /** Called once per run, before any row. State variables can only be declared here. */
  init(handle: StatefulProcessorHandle): void;
  /** Called once per key and batch with the key's new rows. */
  handleInputRows(key: K, rows: Iterable<R>, timers: TimerValues): Iterable<O> | AsyncIterable<O>;
  /** Called for each timer that is due, after the input rows of its batch. */
  handleExpiredTimer?(key: K, timers: TimerValues, expired: ExpiredTimer): Iterable<O> | AsyncIterable<O>;
  /** Called when the query stops. */
  close?(): void;
}

/** The times of the batch, in milliseconds. */
export interface TimerValues {
  /** When the batch began. */
  readonly processingTimeMs: number;
  /** The watermark in milliseconds; 0 before there is one. */
  readonly watermarkMs: number;
}

/** A timer that is due. */
export interface ExpiredTimer {
  /** The time that it was registered for, in milliseconds. */
  readonly expiryTimeMs: number;
}

/** A type given as `t.double`, `schema({...})` or a plain DataType. */
export type StateType<T> = { readonly dataType: DataType; readonly "~type"?: T } | DataType;

/** State variables and timers of a processor. Variables are declared in `init`; timers belong to the key at hand, their times are milliseconds. */
export interface StatefulProcessorHandle {
  /** One value for each key. `ttlMs`: it is forgotten when it has not been written for so long. */
  getValueState<T>(name: string, type: StateType<T>, options?: { readonly ttlMs?: number }): ValueState<T>;
  /** A list for each key; `ttlMs` counts for each of its values. */
  getListState<T>(name: string, type: StateType<T>, options?: { readonly ttlMs?: number }): ListState<T>;
  /** A map for each key; `ttlMs` counts for each of its entries. */
  getMapState<A, T>(
    name: string,
    key: StateType<A>,
    type: StateType<T>,
    options?: { readonly ttlMs?: number },
  ): MapState<A, T>;
  /** Calls `handleExpiredTimer` for the key at hand when the time has come. */
  registerTimer(expiryTimeMs: number): void;
  /** Forgets a timer of the key at hand. */
  deleteTimer(expiryTimeMs: number): void;
  /** The times of the key's timers. */
  listTimers(): Iterable<number>;
  /** Forgets a state variable of former runs, for all keys. For `init`. */
  deleteIfExists(name: string): void;
  /** Which query and batch it works for. */
  getQueryInfo(): { readonly queryId: string; readonly runId: string; readonly batchId: number };
}

/** One value per key; `get` is null where there is none. */
export interface ValueState<T> {
  /** Whether the key has a value. */
  exists(): boolean;
  /** The value, or null. */
  get(): T | null;
  /** Sets the value. */
  update(value: T): void;
  /** Forgets it. */
  clear(): void;
}

/** A list per key. */
export interface ListState<T> {
  /** Whether the key has a list. */
  exists(): boolean;
  /** The values in order; none where there is no list. */
  get(): readonly T[];
  /** Puts these values in the place of the list. */
  put(values: readonly T[]): void;
  /** Adds a value at the end. */
  appendValue(value: T): void;
  /** Adds values at the end. */
  appendList(values: readonly T[]): void;
  /** Forgets the list. */
  clear(): void;
}

/** A map per key; `getValue` is null where the map key is not there. */
export interface MapState<A, T> {
  /** Whether the key has a map. */
  exists(): boolean;
  /** The value of a map key, or null. */
  getValue(key: A): T | null;
  /** Whether there is such a map key. */
  containsKey(key: A): boolean;
  /** Sets the value of a map key. */
  updateValue(key: A, value: T): void;
  /** Map keys and values. */
  entries(): Iterable<[A, T]>;
  /** The map keys. */
  keys(): Iterable<A>;
  /** The values. */
  values(): Iterable<T>;
  /** Forgets a map key. */
  removeKey(key: A): void;
  /** Forgets the map. */
  clear(): void;
}
