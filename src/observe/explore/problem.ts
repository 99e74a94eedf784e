import { MillraceError } from "../../errors.ts";
import { hidePasswords } from "../../types/secrets.ts";
import type { ApiError } from "../api.ts";

export type ProblemStatus = 400 | 404 | 500 | 503 | 504;

/** A request that has no answer, with the status that says whose fault it is. */
export class Problem extends Error {
  readonly status: ProblemStatus;
  readonly code: string;
  readonly hint: string | null;

  constructor(status: ProblemStatus, code: string, message: string, hint: string | null = null) {
    super(message);
    this.status = status;
    this.code = code;
    this.hint = hint;
  }

  get body(): ApiError {
    return { error: { code: this.code, message: this.message, hint: this.hint } };
  }
}

const MISSING = new Set(["KAFKA_UNKNOWN_TOPIC", "PATH_NOT_FOUND", "TABLE_OR_VIEW_NOT_FOUND"]);
const WRONG = new Set(["INVALID_ARGUMENT", "INVALID_OPTION"]);

/** Any failure as a problem; no password of an address is in it. */
export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof MillraceError) {
    const { code, hint } = error;
    const status = MISSING.has(code) ? 404 : WRONG.has(code) ? 400 : error.retryable ? 503 : 500;
    return new Problem(status, code, hidePasswords(error.reason), hint === undefined ? null : hidePasswords(hint));
  }
  return new Problem(500, "INTERNAL", hidePasswords(error instanceof Error ? error.message : String(error)));
}

/** Throws when `work` takes longer. */
export async function deadline<T>(work: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new Problem(504, "TIMEOUT", `${what} did not answer within ${ms / 1000} s.`, "Try again, or ask for less."),
      );
    }, ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
