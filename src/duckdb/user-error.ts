import { MillraceError } from "../errors.ts";
import { show } from "../types/show.ts";

/**
 * Errors of TypeScript functions on their way through DuckDB, which carries text only: the text holds a number, and the error itself waits
 * here with its cause.
 */
const waiting = new Map<number, MillraceError>();
let next = 1;

const MARK = "millrace-error:";

/** Text that `recallError` turns into the error again. */
export function deposeError(error: MillraceError): string {
  const id = next++;
  waiting.set(id, error);
  // Several threads may fail at once and DuckDB reports one; the others must not pile up.
  if (waiting.size > 100) waiting.delete(waiting.keys().next().value!);
  return `${MARK}${id}:`;
}

export function recallError(text: string): MillraceError | undefined {
  const match = /millrace-error:(\d+):/.exec(text);
  if (match === null) return undefined;
  const id = Number(match[1]);
  const error = waiting.get(id);
  waiting.delete(id);
  return error;
}

/** A failure of the user's own code: USER_FUNCTION_FAILED with its message, its cause and what it was called with. */
export function userFunctionFailed(name: string, error: unknown, given: unknown): MillraceError {
  if (error instanceof MillraceError && error.code === "INVALID_VALUE") {
    return new MillraceError("INVALID_VALUE", `Function \`${name}\`: ${error.message.replace(/^\[[A-Z_]+\] /, "")}`, {
      cause: error,
      parameters: { ...error.parameters, function: name },
    });
  }
  const message = error instanceof Error ? error.message : String(error);
  return new MillraceError("USER_FUNCTION_FAILED", `Function \`${name}\` failed on ${show(given)}: ${message}`, {
    cause: error,
    parameters: { function: name },
  });
}
