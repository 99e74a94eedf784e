import {
  declareState,
  invalidStateCall,
  noTimers,
  type StateTimeMode,
  timerTime,
} from "../../../types/state-declaration.ts";
import type { ListState, MapState, StatefulProcessorHandle, StateType, ValueState } from "../../../types/stateful.ts";
import { type Cursor, type ReadState, SparkList, SparkMap, SparkValue, type SparkVariable } from "./state.ts";

export interface QueryInfo {
  readonly queryId: string;
  readonly runId: string;
  readonly batchId: number;
}

interface Timers {
  stored: readonly number[] | undefined;
  readonly added: Set<number>;
  readonly deleted: Set<number>;
}

/** What a processor sees of Spark: its variables and timers, for the key that is handled. */
export class SparkHandle implements StatefulProcessorHandle, Cursor {
  readonly variables: SparkVariable[] = [];
  /** Declarations and deletions in the order of `init`, as Python is to repeat them. */
  readonly deleted: string[] = [];
  key = -1;
  info: QueryInfo = { queryId: "", runId: "", batchId: 0 };
  readonly #timeMode: StateTimeMode;
  readonly #read: ReadState;
  readonly #readTimers: (key: number) => readonly number[];
  readonly #timers = new Map<number, Timers>();
  #open = true;

  constructor(timeMode: StateTimeMode, read: ReadState, readTimers: (key: number) => readonly number[]) {
    this.#timeMode = timeMode;
    this.#read = read;
    this.#readTimers = readTimers;
  }

  getValueState<T>(name: string, type: StateType<T>, options?: { readonly ttlMs?: number }): ValueState<T> {
    return this.#declare(SparkValue, "value", name, type, undefined, options);
  }

  getListState<T>(name: string, type: StateType<T>, options?: { readonly ttlMs?: number }): ListState<T> {
    return this.#declare(SparkList, "list", name, type, undefined, options);
  }

  getMapState<A, T>(
    name: string,
    key: StateType<A>,
    type: StateType<T>,
    options?: { readonly ttlMs?: number },
  ): MapState<A, T> {
    return this.#declare(SparkMap, "map", name, type, key, options);
  }

  registerTimer(expiryTimeMs: number): void {
    const timers = this.#timersOf("registerTimer");
    const time = timerTime(expiryTimeMs);
    timers.added.add(time);
    timers.deleted.delete(time);
  }

  deleteTimer(expiryTimeMs: number): void {
    const timers = this.#timersOf("deleteTimer");
    timers.added.delete(expiryTimeMs);
    timers.deleted.add(expiryTimeMs);
  }

  listTimers(): Iterable<number> {
    const timers = this.#timersOf("listTimers");
    timers.stored ??= this.#readTimers(this.key);
    const all = new Set([...timers.stored, ...timers.added]);
    return [...all].filter((time) => timers.added.has(time) || !timers.deleted.has(time)).sort((a, b) => a - b);
  }

  deleteIfExists(name: string): void {
    if (!this.#open) throw invalidStateCall(`deleteIfExists(${JSON.stringify(name)})`);
    if (this.variables.some((v) => v.declaration.name === name)) this.deleted.push(name);
  }

  getQueryInfo(): QueryInfo {
    return { ...this.info };
  }

  // ------------------------------------------------------------------------------------------------------- for the worker

  initialized(): void {
    this.#open = false;
  }

  /** Forgets the keys of a block. */
  reset(): void {
    this.key = -1;
    for (const variable of this.variables) variable.reset();
    this.#timers.clear();
  }

  /** Timers to delete and to register, by key. */
  timerChanges(): (readonly [key: number, op: "delete_timer" | "register_timer", time: number])[] {
    return [...this.#timers].flatMap(([key, { added, deleted }]) => [
      ...[...deleted].map((time) => [key, "delete_timer", time] as const),
      ...[...added].map((time) => [key, "register_timer", time] as const),
    ]);
  }

  #timersOf(method: string): Timers {
    if (this.#timeMode === "none") throw noTimers(method);
    if (this.key < 0) throw invalidStateCall(method);
    let timers = this.#timers.get(this.key);
    if (timers === undefined) {
      timers = { stored: undefined, added: new Set(), deleted: new Set() };
      this.#timers.set(this.key, timers);
    }
    return timers;
  }

  #declare<V extends SparkVariable>(
    Variable: new (...args: ConstructorParameters<typeof SparkValue>) => V,
    kind: "value" | "list" | "map",
    name: string,
    type: StateType<any>,
    keyType: StateType<any> | undefined,
    options: { readonly ttlMs?: number } | undefined,
  ): V {
    if (!this.#open) throw invalidStateCall(`declaring the state variable ${name}`);
    const known = this.variables.map((v) => v.declaration.name).filter((n) => !this.deleted.includes(n));
    const declaration = declareState(known, this.#timeMode, kind, name, type, keyType, options);
    const variable = new Variable(declaration, this.variables.length, this, this.#read);
    this.variables.push(variable);
    return variable;
  }
}
