import type { Reply } from "../resp.ts";
import type { Session } from "../session.ts";
import { CommandError } from "../store.ts";

/** One row of the command table. */
export interface Command {
  /** Number of words, the name included; negative means at least as many. */
  readonly arity: number;
  readonly flags: readonly Flag[];
  /** First and last position of a key and the step between keys, as COMMAND tells it; last -1 is the end. */
  readonly keys?: readonly [first: number, last: number, step: number];
  readonly run: (session: Session, args: string[]) => Reply;
}

/** Redis' names. `pubsub`: allowed for a RESP2 connection that has subscribed. `immediate`: not queued by MULTI. */
export type Flag =
  | "write"
  | "readonly"
  | "fast"
  | "admin"
  | "pubsub"
  | "immediate"
  | "denyoom"
  | "loading"
  | "noscript";

export type CommandTable = Readonly<Record<string, Command>>;

export const SYNTAX = "ERR syntax error";
export const NOT_INTEGER = "ERR value is not an integer or out of range";
const NOT_FLOAT = "ERR value is not a valid float";

export function wrongArity(name: string): CommandError {
  return new CommandError(`ERR wrong number of arguments for '${name.toLowerCase()}' command`);
}

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

/** A 64-bit integer as Redis reads it. */
export function int64(text: string | undefined, error: string = NOT_INTEGER): bigint {
  if (text === undefined || !/^(0|-?[1-9]\d{0,18})$/.test(text)) throw new CommandError(error);
  const n = BigInt(text);
  if (n < MIN || n > MAX) throw new CommandError(error);
  return n;
}

/** An integer small enough for a JavaScript number. */
export function int(text: string | undefined, error: string = NOT_INTEGER): number {
  const n = Number(int64(text, error));
  if (!Number.isSafeInteger(n)) throw new CommandError(error);
  return n;
}

export function add64(a: bigint, b: bigint): bigint {
  const sum = a + b;
  if (sum < MIN || sum > MAX) throw new CommandError("ERR increment or decrement would overflow");
  return sum;
}

export function float(text: string | undefined, error: string = NOT_FLOAT): number {
  if (text === undefined || !/^[+-]?(\d+\.?\d*([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf(inity)?)$/i.test(text)) {
    throw new CommandError(error);
  }
  return /inf/i.test(text) ? (text.startsWith("-") ? -Infinity : Infinity) : Number(text);
}

/** A number as INCRBYFLOAT stores it: no exponent, no trailing zeros. */
export function formatFloat(n: number): string {
  if (!Number.isFinite(n)) throw new CommandError("ERR increment would produce NaN or Infinity");
  const text = String(n);
  if (!text.includes("e")) return text;
  return n.toFixed(17).replace(/\.?0+$/, "");
}
