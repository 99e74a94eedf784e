import { MillraceError } from "../errors.ts";

/** What a method of the user's stateful processor threw, as USER_FUNCTION_FAILED with its cause; our own errors pass as they are. */
export function processorFailed(processor: string, method: string, error: unknown): MillraceError {
  if (error instanceof MillraceError) return error;
  return new MillraceError(
    "USER_FUNCTION_FAILED",
    `${method} of the stateful processor ${processor} failed: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error, parameters: { function: processor } },
  );
}

/** Calls a method of the user's processor; throws `processorFailed`. */
export function callProcessor<T>(processor: string, method: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw processorFailed(processor, method, error);
  }
}

/** USER_FUNCTION_FAILED for a method that must give rows and gave something else. */
export function processorGaveNoRows(processor: string, method: string, results: unknown): MillraceError {
  return new MillraceError(
    "USER_FUNCTION_FAILED",
    `${method} of the stateful processor ${processor} must return rows (an iterable), not ${results === null ? "null" : typeof results}.`,
    { parameters: { function: processor } },
  );
}
