import { styleText } from "node:util";
import { MillraceError } from "../errors.ts";

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

/** A wrong command line. */
export class UsageError extends Error {
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** Says once and for all why the command failed; returns the exit code. */
export function report(error: unknown, options: CommonOptions): number {
  const told = describe(error);
  if (options.json) {
    const { code, message, hint } = told;
    process.stderr.write(`${JSON.stringify({ error: { code, message, ...(hint !== undefined && { hint }) } })}\n`);
  } else {
    note(`${onStderr("red", "error")} ${told.message}`);
    if (told.hint !== undefined) note(`      ${told.hint}`);
    if (told.place !== undefined && !options.verbose) note(onStderr("dim", `      at ${told.place}`));
    if (told.code !== "ERROR" && told.code !== "USAGE") note(onStderr("dim", `      code ${told.code}`));
    if (options.verbose && error instanceof Error) note(onStderr("dim", stackOf(error)));
  }
  return exitCode(error);
}

interface Told {
  code: string;
  message: string;
  hint: string | undefined;
  /** Where in the user's file, for an error that is not ours. */
  place: string | undefined;
}

function describe(error: unknown): Told {
  if (error instanceof MillraceError) {
    return { code: error.code, message: error.reason, hint: error.hint, place: undefined };
  }
  if (error instanceof UsageError) {
    return { code: "USAGE", message: error.message, hint: error.hint, place: undefined };
  }
  if (error instanceof Error) {
    const { code } = error as NodeJS.ErrnoException;
    return {
      code: code ?? "ERROR",
      message: error.name === "Error" ? error.message : `${error.name}: ${error.message}`,
      hint: undefined,
      place: placeOf(error),
    };
  }
  return { code: "ERROR", message: String(error), hint: undefined, place: undefined };
}

/** The first frame outside of Node and of packages. */
function placeOf(error: Error): string | undefined {
  // A module that cannot be parsed or linked: Node puts the place and the line of text before the stack.
  const [head, text] = error.stack?.split("\n") ?? [];
  const unread = /^((?:file:\/)?\/.+:\d+)$/.exec(head ?? "")?.[1];
  if (unread !== undefined) {
    const path = unread.startsWith("file:") ? decodeURI(unread.slice("file://".length)) : unread;
    return `${path}: ${text?.trim()}`;
  }
  for (const line of error.stack?.split("\n") ?? []) {
    const file = /(?:\(|at (?:async )?)(file:\/\/\S+:\d+:\d+)\)?$/.exec(line)?.[1];
    if (file !== undefined && !file.includes("/node_modules/")) return decodeURI(file.replace(/^file:\/\//, ""));
  }
  return undefined;
}

function stackOf(error: Error): string {
  const causes: string[] = [error.stack ?? error.message];
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) causes.push(`caused by ${cause.stack}`);
  return causes.join("\n");
}

function exitCode(error: unknown): number {
  for (let e = error; e instanceof Error; e = e.cause) {
    if (e instanceof UsageError) return EXIT.usage;
    if (e instanceof MillraceError && e.code.endsWith("_UNREACHABLE")) return EXIT.unreachable;
  }
  return EXIT.failed;
}
