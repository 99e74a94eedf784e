import { MillraceError } from "../../errors.ts";
import type { ListState, MapState, StatefulProcessorHandle, StateType, ValueState } from "../../types/stateful.ts";
import {
  type KeyCursor,
  ListVariable,
  MapVariable,
  typeOfState,
  ValueVariable,
  type Variable,
  type VariableDeclaration,
} from "./state-variables.ts";

/** What a processor sees of the engine: its variables and timers, for the key that is being handled. */
export class ProcessorHandle implements StatefulProcessorHandle, KeyCursor {
  readonly variables = new Map<string, Variable>();
  key = -1;
  nowMs = 0;
  readonly #timeMode: "none" | "processing_time" | "event_time";
  readonly #timers = new Map<number, Set<number>>();
  readonly #timersChanged = new Set<number>();
  #deleted: string[] = [];
  #open = true;
  #info = { queryId: "", runId: "", batchId: -1 };

  constructor(timeMode: "none" | "processing_time" | "event_time") {
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
    if (!Number.isSafeInteger(expiryTimeMs) || expiryTimeMs < 0) {
      throw new MillraceError("INVALID_ARGUMENT", `registerTimer takes milliseconds since 1970, not ${expiryTimeMs}.`);
    }
    const timers = this.#timers.get(key) ?? new Set();
    this.#timers.set(key, timers.add(expiryTimeMs));
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
    if (!this.#open) throw invalidState(`deleteIfExists(${JSON.stringify(name)})`);
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
    if (this.#timeMode === "none") {
      throw new MillraceError(
        "STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE",
        `${method} needs a time mode: this operator has timeMode none.`,
        { hint: 'Call transformWithState with timeMode "processing_time" or "event_time".' },
      );
    }
    if (this.key < 0) throw invalidState(method);
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
    if (!this.#open) throw invalidState(`declaring the state variable ${name}`);
    if (!/^[A-Za-z_]\w*$/.test(name)) {
      throw new MillraceError("INVALID_ARGUMENT", `${JSON.stringify(name)} cannot be the name of a state variable.`, {
        hint: "Use letters, digits and underscores.",
      });
    }
    if ([...this.variables.keys()].some((known) => known.toLowerCase() === name.toLowerCase())) {
      throw new MillraceError(
        "STATEFUL_PROCESSOR_DUPLICATE_STATE_VARIABLE_DEFINED",
        `The state variable ${name} is declared twice.`,
      );
    }
    const ttlMs = options?.ttlMs;
    if (ttlMs !== undefined && !(ttlMs > 0)) {
      throw new MillraceError(
        "INVALID_ARGUMENT",
        `The ttlMs of the state variable ${name} is ${ttlMs}; it must be above 0.`,
      );
    }
    if (ttlMs !== undefined && this.#timeMode !== "processing_time") {
      throw new MillraceError(
        "INVALID_ARGUMENT",
        `The state variable ${name} has a ttlMs, which needs timeMode processing_time.`,
      );
    }
    const variable = make({
      kind,
      name,
      type: typeOfState(type),
      keyType: keyType === undefined ? undefined : typeOfState(keyType),
      ttlMs,
    });
    this.variables.set(name, variable);
    return variable;
  }
}

function invalidState(what: string): MillraceError {
  return new MillraceError(
    "STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE",
    `${what} is not possible at this point.`,
    { hint: "Declare state variables in init; use them and timers in handleInputRows and handleExpiredTimer." },
  );
}
