import { MillraceError } from "../errors.ts";
import type { DataType } from "./data-type.ts";
import type { StateType } from "./stateful.ts";

/** A state variable as a processor declares it. */
export interface StateDeclaration {
  readonly kind: "value" | "list" | "map";
  readonly name: string;
  readonly type: DataType;
  /** The type of a map's keys. */
  readonly keyType: DataType | undefined;
  readonly ttlMs: number | undefined;
}

export type StateTimeMode = "none" | "processing_time" | "event_time";

/**
 * Checks a declaration against those before it.
 *
 * @throws MillraceError INVALID_ARGUMENT, STATEFUL_PROCESSOR_DUPLICATE_STATE_VARIABLE_DEFINED
 */
export function declareState(
  known: Iterable<string>,
  timeMode: StateTimeMode,
  kind: StateDeclaration["kind"],
  name: string,
  type: StateType<any>,
  keyType: StateType<any> | undefined,
  options: { readonly ttlMs?: number } | undefined,
): StateDeclaration {
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    throw new MillraceError("INVALID_ARGUMENT", `${JSON.stringify(name)} cannot be the name of a state variable.`, {
      hint: "Use letters, digits and underscores.",
    });
  }
  if ([...known].some((other) => other.toLowerCase() === name.toLowerCase())) {
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
  if (ttlMs !== undefined && timeMode !== "processing_time") {
    throw new MillraceError(
      "INVALID_ARGUMENT",
      `The state variable ${name} has a ttlMs, which needs timeMode processing_time.`,
    );
  }
  const typeOf = (t: StateType<any>): DataType => ("dataType" in t ? t.dataType : t);
  return { kind, name, type: typeOf(type), keyType: keyType === undefined ? undefined : typeOf(keyType), ttlMs };
}

/** A call that is not for this moment. */
export function invalidStateCall(what: string): MillraceError {
  return new MillraceError(
    "STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE",
    `${what} is not possible at this point.`,
    { hint: "Declare state variables in init; use them and timers in handleInputRows and handleExpiredTimer." },
  );
}

/** A state variable that is used while no key is handled. */
export function noKeyAtHand(name: string): MillraceError {
  return new MillraceError(
    "STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE",
    `The state variable ${name} can only be used while a key is handled.`,
  );
}

/** A timer without a time mode. */
export function noTimers(method: string): MillraceError {
  return new MillraceError(
    "STATEFUL_PROCESSOR_CANNOT_PERFORM_OPERATION_WITH_INVALID_HANDLE_STATE",
    `${method} needs a time mode: this operator has timeMode none.`,
    { hint: 'Call transformWithState with timeMode "processing_time" or "event_time".' },
  );
}

/** The moment of a timer, checked. */
export function timerTime(expiryTimeMs: number): number {
  if (Number.isSafeInteger(expiryTimeMs) && expiryTimeMs >= 0) return expiryTimeMs;
  throw new MillraceError("INVALID_ARGUMENT", `registerTimer takes milliseconds since 1970, not ${expiryTimeMs}.`);
}

/** A value that a state variable can hold; throws INVALID_VALUE for null. */
export function heldValue<T>(name: string, value: T): T {
  if (value === null || value === undefined) {
    throw new MillraceError("INVALID_VALUE", `The state variable ${name} cannot hold ${value}.`, {
      hint: "Use clear() to remove a value.",
    });
  }
  return value;
}

/** A text that is the same for equal values of one type and differs for others. */
export function stateIdentity(value: unknown): string {
  if (value === null || value === undefined) return "n";
  if (value instanceof Date) return `d${value.getTime()}`;
  if (value instanceof Uint8Array) return `b${Buffer.from(value).toString("base64")}`;
  if (value instanceof Map)
    return `m{${[...value].map(([k, v]) => `${stateIdentity(k)}:${stateIdentity(v)}`).join(",")}}`;
  if (Array.isArray(value)) return `[${value.map(stateIdentity).join(",")}]`;
  // -0 and 0 are one key, as in Spark
  if (typeof value === "number") return `f${value === 0 ? 0 : value}`;
  if (typeof value === "object") {
    return `{${Object.entries(value)
      .map(([name, item]) => `${JSON.stringify(name)}:${stateIdentity(item)}`)
      .join(",")}}`;
  }
  return typeof value === "string" ? JSON.stringify(value) : `${typeof value}${String(value)}`;
}
