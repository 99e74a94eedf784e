import {
  declareState,
  invalidStateCall,
  noTimers,
  type StateTimeMode,
  timerTime,
} from "../../types/state-declaration.ts";
import type { ListState, MapState, StatefulProcessorHandle, StateType, ValueState } from "../../types/stateful.ts";
import {
  type KeyCursor,
  ListVariable,
  MapVariable,
  ValueVariable,
  type Variable,
  type VariableDeclaration,
} from "./state-variables.ts";

/** What a processor sees of the engine: its variables and timers, for the key that is being handled. */
export class ProcessorHandle implements StatefulProcessorHandle, KeyCursor {
  readonly variables = new Map<string, Variable>();
  key = -1;
  nowMs = 0;
  readonly #timeMode: StateTimeMode;
  readonly #timers = new Map<number, Set<number>>();
  readonly #timersChanged = new Set<number>();
  #deleted: string[] = [];
  #open = true;
  #info = { queryId: "", runId: "", batchId: -1 };

  constructor(timeMode: StateTimeMode) {
    this.#timeMode = timeMode;
  }

  getValueState<T>(name: string, type: StateType<T>, options?: { readonly ttlMs?: number }): ValueState<T> {
    return this.#declare("value", name, type, undefined, options, (d) => new ValueVariable(d, this));
  }

  getListState<T>(name: string, type: StateType<T>, options?: { readonly ttlMs?: number }): ListState<T> {
    return this.#declare("list", name, type, undefined, options, (d) => new ListVariable(d, this));
  }

  getMapState<A, T>(
    name: string,
    key: StateType<A>,
    type: StateType<T>,
    options?: { readonly ttlMs?: number },
  ): MapState<A, T> {
    return this.#declare("map", name, type, key, options, (d) => new MapVariable(d, this));
  }

  registerTimer(expiryTimeMs: number): void {
    const key = this.#timerKey("registerTimer");
    const timers = this.#timers.get(key) ?? new Set();
    this.#timers.set(key, timers.add(timerTime(expiryTimeMs)));
    this.#timersChanged.add(key);
  }

  deleteTimer(expiryTimeMs: number): void {
    const key = this.#timerKey("deleteTimer");
    if (this.#timers.get(key)?.delete(expiryTimeMs)) this.#timersChanged.add(key);
  }

  listTimers(): Iterable<number> {
    return [...(this.#timers.get(this.#timerKey("listTimers")) ?? [])].sort((a, b) => a - b);
  }

  deleteIfExists(name: string): void {
    if (!this.#open) throw invalidStateCall(`deleteIfExists(${JSON.stringify(name)})`);
    if (this.variables.delete(name)) this.#deleted.push(name);
  }

  getQueryInfo(): { readonly queryId: string; readonly runId: string; readonly batchId: number } {
    return { ...this.#info };
  }

  // ------------------------------------------------------------------------------------------------------- for the operator

  initialized(): void {
    this.#open = false;
  }

  identify(queryId: string, runId: string): void {
    this.#info = { ...this.#info, queryId, runId };
  }

  startBatch(batchId: number, nowMs: number): void {
    this.#info = { ...this.#info, batchId };
    this.nowMs = nowMs;
    this.reset();
  }

  /** Forgets everything that was loaded or changed. */
  reset(): void {
    this.key = -1;
    for (const variable of this.variables.values()) variable.reset();
    this.#timers.clear();
    this.#timersChanged.clear();
  }

  loadTimer(key: number, expiryTimeMs: number): void {
    const timers = this.#timers.get(key) ?? new Set();
    this.#timers.set(key, timers.add(expiryTimeMs));
  }

  /** Timers at or before a moment, by key and time, as they stand now: those that handling them adds wait for the next batch. */
  dueTimers(dueMs: number): (readonly [key: number, expiryTimeMs: number])[] {
    return [...this.#timers]
      .sort(([a], [b]) => a - b)
      .flatMap(([key, timers]) =>
        [...timers]
          .filter((time) => time <= dueMs)
          .sort((a, b) => a - b)
          .map((time) => [key, time] as const),
      );
  }

  timerChanges(): { readonly replaced: number[]; readonly rows: unknown[][] } {
    const replaced = [...this.#timersChanged];
    return {
      replaced,
      rows: replaced.flatMap((key) => [...(this.#timers.get(key) ?? [])].map((time) => [key, BigInt(time)])),
    };
  }

  deletedVariables(): string[] {
    const deleted = this.#deleted;
    this.#deleted = [];
    return deleted;
  }

  #timerKey(method: string): number {
    if (this.#timeMode === "none") throw noTimers(method);
    if (this.key < 0) throw invalidStateCall(method);
    return this.key;
  }

  #declare<V extends Variable>(
    kind: VariableDeclaration["kind"],
    name: string,
    type: StateType<any>,
    keyType: StateType<any> | undefined,
    options: { readonly ttlMs?: number } | undefined,
    make: (declaration: VariableDeclaration) => V,
  ): V {
    if (!this.#open) throw invalidStateCall(`declaring the state variable ${name}`);
    const variable = make(declareState(this.variables.keys(), this.#timeMode, kind, name, type, keyType, options));
    this.variables.set(name, variable);
    return variable;
  }
}
