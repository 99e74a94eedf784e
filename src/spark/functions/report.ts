import { type ErrorCode, MillraceError } from "../../errors.ts";
import type { FailureReport } from "./worker/failure.ts";

/**
 * The error of a TypeScript function that failed on a worker, from the text of Spark's exception, which carries the worker's report:
 * the same error as embedded, with the user's own error and its stack as cause. Undefined where the text holds none.
 */
export function functionError(text: string): MillraceError | undefined {
  const found = /millrace-report:([\w+/=]+):/.exec(text)?.[1];
  if (found === undefined) return undefined;
  let report: FailureReport;
  try {
    report = JSON.parse(Buffer.from(found, "base64").toString()) as FailureReport;
  } catch {
    return undefined; // cut off on its way
  }
  const { code, message, hint, parameters } = report;
  // The worker's message has the hint at its end already.
  const plain = hint !== undefined && message.endsWith(` ${hint}`) ? message.slice(0, -hint.length - 1) : message;
  return new MillraceError(code as ErrorCode, plain, {
    hint,
    parameters: { ...parameters },
    ...(report.cause !== undefined && { cause: userError(report.cause) }),
  });
}

function userError({ name, message, stack }: NonNullable<FailureReport["cause"]>): Error {
  const error = new Error(message);
  error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
