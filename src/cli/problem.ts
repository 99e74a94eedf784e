import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { MillraceError, nearest } from "../errors.ts";
import { faultStack } from "../plan/site.ts";
import { type Place, placeOfName, placeOfStack, placeOfUnread } from "./modules/place.ts";
import { SourceError } from "./modules/source-error.ts";
import { UsageError } from "./usage-error.ts";

/** An error as people and scripts want it. */
export interface Problem {
  readonly code: string;
  /** One sentence. */
  readonly message: string;
  /** The reader's next move. */
  readonly hint: string | undefined;
  /** Where in the user's own files. */
  readonly place: Place | undefined;
}

export function problemOf(error: unknown): Problem {
  const told = toldBy(error);
  return { ...told, place: placeOf(error) };
}

function toldBy(error: unknown): Omit<Problem, "place"> {
  if (error instanceof MillraceError) return ours(error);
  if (error instanceof SourceError) return { code: error.code, message: error.message, hint: error.hint };
  if (error instanceof UsageError) return { code: error.code, message: error.message, hint: error.hint };
  if (!(error instanceof Error)) return { code: "ERROR", message: String(error), hint: undefined };
  const { code } = error as NodeJS.ErrnoException;
  const missing = /^The requested module '([^']+)' does not provide an export named '([^']+)'$/.exec(error.message);
  if (missing !== null) {
    const near = nearest(missing[2]!, exportsOf(missing[1]!));
    return {
      code: "EXPORT_NOT_FOUND",
      message: `${missing[1]} exports no ${missing[2]}.`,
      hint:
        near === undefined
          ? "A type is imported with `import type`, or `type` before its name."
          : `Did you mean ${near}?`,
    };
  }
  const message = error.name === "Error" ? error.message : `${error.name}: ${error.message}`;
  return { code: code ?? (error.name === "SyntaxError" ? "SYNTAX_ERROR" : "ERROR"), message, hint: undefined };
}

/** The names that this package exports. */
function exportsOf(specifier: string): string[] {
  if (!/^millrace(\/|$)/.test(specifier)) return [];
  // It was loaded before its names were looked for, so it is at hand.
  return Object.keys(createRequire(import.meta.url)(fileURLToPath(import.meta.resolve(specifier))) as object);
}

/** A query that failed says why by its cause. */
function ours(error: MillraceError): Omit<Problem, "place"> {
  const { cause } = error;
  if (error.code === "STREAM_FAILED" && cause instanceof Error) {
    const inner = toldBy(cause);
    const name = /^Query ([^[]+) \[id/.exec(error.reason)?.[1];
    return { ...inner, message: `${name === undefined ? "A query" : `The query ${name}`} failed: ${inner.message}` };
  }
  return { code: error.code, message: error.reason, hint: error.hint };
}

/** The deepest cause that the user's files have a part in tells the place. */
function placeOf(error: unknown): Place | undefined {
  const chain: Error[] = [];
  for (let e = error; e instanceof Error && chain.length < 10; e = e.cause) chain.push(e);
  for (const e of chain.reverse()) {
    const place = placeOfError(e);
    if (place !== undefined) return refined(place, e);
  }
  return undefined;
}

function placeOfError(error: Error): Place | undefined {
  if (error instanceof UsageError) return error.place;
  if (error instanceof SourceError) {
    return error.line === undefined ? undefined : { file: error.file, line: error.line, column: error.column };
  }
  return placeOfUnread(error.stack) ?? placeOfStack(faultStack(error)) ?? placeOfStack(error.stack);
}

/** The name that is wrong, where it stands near the call. */
function refined(place: Place, error: Error): Place {
  if (!(error instanceof MillraceError)) return place;
  const { objectName, option } = error.parameters as Record<string, string | undefined>;
  // An option may be given far from where it is read.
  if (option !== undefined) return placeOfName(place.file, place.line, option, Number.POSITIVE_INFINITY) ?? place;
  const name = objectName?.replaceAll("`", "");
  return (name && placeOfName(place.file, place.line, name)) || place;
}

/** `pipeline.ts:12:5`, which terminals open at a click. */
export function placeText({ file, line, column }: Place): string {
  const path = relative(process.cwd(), file);
  return [path === "" || path.startsWith("..") ? file : path, line, ...(column === undefined ? [] : [column])].join(
    ":",
  );
}

/** The lines around a place, with a mark; empty where the file cannot be read. */
export function codeFrame({ file, line, column }: Place, colour: boolean): string {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return "";
  }
  const require = createRequire(import.meta.url);
  const { codeFrameColumns } = require("@babel/code-frame") as typeof import("@babel/code-frame");
  return codeFrameColumns(
    text,
    { start: { line, ...(column !== undefined && { column }) } },
    { linesAbove: 2, linesBelow: 2, highlightCode: colour, forceColor: colour },
  );
}
