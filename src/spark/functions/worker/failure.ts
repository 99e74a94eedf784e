import { MillraceError } from "../../../errors.ts";

/** An error on its way to the client. */
export interface FailureReport {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  readonly parameters: Readonly<Record<string, string>>;
  /** The user's own error, where there is one. */
  readonly cause?: { readonly name: string; readonly message: string; readonly stack?: string };
}

const LONGEST = 4000;

export function reportOf(error: unknown): FailureReport {
  if (!(error instanceof MillraceError)) {
    return { code: "USER_FUNCTION_FAILED", message: String(error), parameters: {}, cause: causeOf(error) };
  }
  return {
    code: error.code,
    message: error.message.replace(/^\[[A-Z_.]+\] /, "").slice(0, LONGEST),
    ...(error.hint !== undefined && { hint: error.hint }),
    parameters: error.parameters,
    ...(error.cause !== undefined && !(error.cause instanceof MillraceError) && { cause: causeOf(error.cause) }),
  };
}

/** Frames of the library and of Node below the user's are nobody's business. */
function causeOf(error: unknown): NonNullable<FailureReport["cause"]> {
  if (!(error instanceof Error)) return { name: "Error", message: String(error) };
  const lines = (error.stack ?? "").split("\n");
  const end = lines.findIndex((line) => /^\s+at .*millrace-worker/.test(line));
  const own = (end < 0 ? lines : lines.slice(0, end)).filter((line) => !/^\s+at .*\(?node:internal\//.test(line));
  const stack = own.join("\n").slice(0, LONGEST);
  return { name: error.name, message: error.message.slice(0, LONGEST), ...(stack !== "" && { stack }) };
}
