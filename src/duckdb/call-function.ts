import { MillraceError } from "../errors.ts";
import type { AnyRow } from "../types/data-type.ts";
import { show } from "../types/show.ts";
import { userFunctionFailed } from "./user-error.ts";

/** Calls of an asynchronous function that are under way at once. */
const CONCURRENCY = 64;

/**
 * Applies the function of `map`, `flatMap` or `mapBatch` to rows. Results keep the order of the input; functions may be asynchronous.
 *
 * @throws MillraceError USER_FUNCTION_FAILED with the cause, INVALID_VALUE where it gives no row
 */
export async function callOnRows(
  op: "map" | "flat_map" | "map_batch",
  fn: { readonly name: string; readonly call: Function },
  rows: readonly AnyRow[],
): Promise<AnyRow[]> {
  const results: AnyRow[] = [];
  if (op === "map_batch") {
    let current: unknown = `${rows.length} rows, the first ${show(rows[0])}`;
    try {
      for await (const row of iterate(await fn.call(rows))) {
        current = row;
        results.push(asRow(fn.name, row));
      }
    } catch (error) {
      throw userFunctionFailed(fn.name, error, current);
    }
    return results;
  }
  const outcomes = await callAll(fn.name, fn.call, rows);
  for (let i = 0; i < outcomes.length; i++) {
    try {
      if (op === "map") results.push(asRow(fn.name, outcomes[i]));
      else {
        const outcome = outcomes[i];
        if (isSyncIterable(outcome)) for (const row of outcome) results.push(asRow(fn.name, row));
        else for await (const row of iterate(outcome)) results.push(asRow(fn.name, row));
      }
    } catch (error) {
      throw userFunctionFailed(fn.name, error, rows[i]);
    }
  }
  return results;
}

/** Calls the function for each row; once a result is a promise, up to 64 calls run at the same time. */
export async function callAll(name: string, call: Function, rows: readonly AnyRow[]): Promise<unknown[]> {
  const results: unknown[] = new Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    try {
      results[i] = call(rows[i]);
    } catch (error) {
      throw userFunctionFailed(name, error, rows[i]);
    }
    if (isPromise(results[i])) {
      await callAsync(name, call, rows, results, i);
      break;
    }
  }
  return results;
}

async function callAsync(
  name: string,
  call: Function,
  rows: readonly AnyRow[],
  results: unknown[],
  from: number,
): Promise<void> {
  let next = from;
  let failure: { readonly error: unknown } | undefined;
  const worker = async (): Promise<void> => {
    while (next < rows.length && failure === undefined) {
      const i = next++;
      try {
        results[i] = await (i === from ? results[i] : call(rows[i]));
      } catch (error) {
        failure ??= { error: userFunctionFailed(name, error, rows[i]) };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, rows.length - from) }, worker));
  if (failure !== undefined) throw failure.error;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}

function isSyncIterable(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

async function* iterate(value: unknown): AsyncGenerator<unknown, void, undefined> {
  if (value === null || value === undefined) return;
  if (typeof value === "object" && (Symbol.asyncIterator in value || Symbol.iterator in value)) {
    yield* value as AsyncIterable<unknown>;
    return;
  }
  throw new MillraceError(
    "INVALID_VALUE",
    `the function must return rows in an array or another iterable, not ${show(value)}.`,
  );
}

function asRow(name: string, value: unknown): AnyRow {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as AnyRow;
  throw new MillraceError(
    "INVALID_VALUE",
    `\`${name}\` must return a row, an object with a value for each column, not ${show(value)}.`,
  );
}
