import { type ErrorCode, MillraceError } from "../errors.ts";

/** What the broker's thread tells the one that started it. */
export type FromBroker =
  | { type: "listening"; port: number }
  | { type: "failed"; error: PackedError }
  | { type: "closed"; error?: PackedError }
  | { type: "server.error"; error: PackedError }
  | { type: "warning"; code: string; message: string; detail?: Record<string, unknown> };

/** An error as plain data: threads pass errors on without their own fields. */
export interface PackedError {
  code: ErrorCode | undefined;
  message: string;
  hint: string | undefined;
  parameters: Record<string, string>;
  stack: string | undefined;
}

export function packError(error: unknown): PackedError {
  const e = error instanceof Error ? error : new Error(String(error));
  if (!(e instanceof MillraceError)) {
    return { code: undefined, message: e.message, hint: undefined, parameters: {}, stack: e.stack };
  }
  // The message as it was given: the constructor adds the code and the hint again.
  const message = e.message.slice(`[${e.code}] `.length, e.hint ? -(e.hint.length + 1) : undefined);
  return { code: e.code, message, hint: e.hint, parameters: { ...e.parameters }, stack: e.stack };
}

export function unpackError(packed: PackedError): MillraceError {
  const { code, message, hint, parameters } = packed;
  const cause = new Error(message);
  if (packed.stack !== undefined) cause.stack = packed.stack;
  return new MillraceError(code ?? "INTERNAL", message, { hint, parameters, cause });
}
