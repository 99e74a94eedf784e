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
  readonly processingTimeMs: number;
  /** The watermark in milliseconds; 0 before there is one. */
  readonly watermarkMs: number;
}

/** A timer that is due. */
export interface ExpiredTimer {
  readonly expiryTimeMs: number;
}

/** A type given as `t.double`, `schema({...})` or a plain DataType. */
export type StateType<T> = { readonly dataType: DataType; readonly "~type"?: T } | DataType;

/** State variables and timers of a processor. Variables are declared in `init`; timers belong to the key at hand, their times are milliseconds. */
export interface StatefulProcessorHandle {
  getValueState<T>(name: string, type: StateType<T>, options?: { readonly ttlMs?: number }): ValueState<T>;
  getListState<T>(name: string, type: StateType<T>, options?: { readonly ttlMs?: number }): ListState<T>;
  getMapState<A, T>(
    name: string,
    key: StateType<A>,
    type: StateType<T>,
    options?: { readonly ttlMs?: number },
  ): MapState<A, T>;
  registerTimer(expiryTimeMs: number): void;
  deleteTimer(expiryTimeMs: number): void;
  listTimers(): Iterable<number>;
  deleteIfExists(name: string): void;
  getQueryInfo(): { readonly queryId: string; readonly runId: string; readonly batchId: number };
}

/** One value per key; `get` is null where there is none. */
export interface ValueState<T> {
  exists(): boolean;
  get(): T | null;
  update(value: T): void;
  clear(): void;
}

/** A list per key. */
export interface ListState<T> {
  exists(): boolean;
  get(): readonly T[];
  put(values: readonly T[]): void;
  appendValue(value: T): void;
  appendList(values: readonly T[]): void;
  clear(): void;
}

/** A map per key; `getValue` is null where the map key is not there. */
export interface MapState<A, T> {
  exists(): boolean;
  getValue(key: A): T | null;
  containsKey(key: A): boolean;
  updateValue(key: A, value: T): void;
  entries(): Iterable<[A, T]>;
  keys(): Iterable<A>;
  values(): Iterable<T>;
  removeKey(key: A): void;
  clear(): void;
}
