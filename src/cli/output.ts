import { styleText } from "node:util";
import { MillraceError } from "../errors.ts";
import { codeFrame, type Problem, placeText, problemOf } from "./problem.ts";
import { UsageError } from "./usage-error.ts";

export { UsageError };

/** How a command ended, for scripts. */
export const EXIT = {
  ok: 0,
  /** The pipeline or the command failed. */
  failed: 1,
  /** The command line cannot be understood. */
  usage: 2,
  /** Something it needs cannot be reached. */
  unreachable: 3,
  interrupted: 130,
} as const;

/** What every command takes. */
export interface CommonOptions {
  json?: boolean;
  verbose?: boolean;
}

type Style = Parameters<typeof styleText>[0];

/** Data: stdout, nothing else goes there. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** For people: stderr. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Coloured where stderr is a terminal that wants it (NO_COLOR and FORCE_COLOR count). */
export function onStderr(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stderr });
}

/** Coloured where stdout is a terminal that wants it. */
export function onStdout(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** Columns padded to their widest cell; numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const texts = rows.map((r) => r.map((c) => (typeof c === "number" ? c.toLocaleString("en-US") : c)));
  const widths = head.map((h, i) => Math.max(h.length, ...texts.map((r) => r[i]!.length)));
  const isNumber = head.map((_, i) => rows.length > 0 && rows.every((r) => typeof r[i] === "number"));
  const line = (cells: readonly string[]): string =>
    cells
      .map((c, i) => (isNumber[i] ? c.padStart(widths[i]!) : c.padEnd(widths[i]!)))
      .join("  ")
      .trimEnd();
  return [onStdout("dim", line(head)), ...texts.map(line)].join("\n");
}

/** Says once and for all why the command failed; returns the exit code. */
export function report(error: unknown, options: CommonOptions): number {
  process.stderr.write(
    `${options.json ? JSON.stringify({ error: problemJson(error) }) : problemText(error, options)}\n`,
  );
  return exitCode(error);
}

/** An error for scripts. */
export function problemJson(error: unknown): object {
  const { code, message, hint, place } = problemOf(error);
  return { code, message, ...(hint !== undefined && { hint }), ...place };
}

/** An error for people: what happened, where, the lines there, what to do. */
export function problemText(error: unknown, options: CommonOptions): string {
  const told: Problem = problemOf(error);
  const indent = (text: string): string => text.replace(/^(?=.)/gm, "      ");
  const parts = [`${onStderr("red", "error")} ${told.message}`];
  if (told.hint !== undefined) parts.push(`      ${told.hint}`);
  if (told.place !== undefined) {
    parts.push(`      at ${onStderr("cyan", placeText(told.place))}`);
    const frame = codeFrame(told.place, onStderr("red", "x") !== "x");
    if (frame !== "") parts.push("", indent(frame), "");
  }
  if (told.code !== "ERROR" && told.code !== "USAGE") parts.push(onStderr("dim", `      code ${told.code}`));
  if (options.verbose && error instanceof Error) parts.push(onStderr("dim", stackOf(error)));
  return parts.join("\n");
}

function stackOf(error: Error): string {
  const causes: string[] = [error.stack ?? error.message];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) causes.push(`caused by ${cause.stack}`);
  return causes.join("\n");
}

export function exitCode(error: unknown): number {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof UsageError) return EXIT.usage;
    if (e instanceof MillraceError && e.code.endsWith("_UNREACHABLE")) return EXIT.unreachable;
  }
  return EXIT.failed;
}
