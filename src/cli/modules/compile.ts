import { createRequire, stripTypeScriptTypes } from "node:module";
import { basename, extname } from "node:path";
import type { BuildFailure, Message } from "esbuild";
import { SourceError } from "./source-error.ts";

/** A module's source as Node takes it. */
export interface Compiled {
  readonly source: string;
  /** Lines and columns are not those of the file; the source carries a map. */
  readonly mapped: boolean;
}

/** Extensions of files that Node cannot run as they are. */
const TYPESCRIPT = /\.[cm]?ts$/;
const JSX = /\.[jt]sx$/;

/** Whether a file has to be compiled before it runs. */
export function needsCompiling(path: string): boolean {
  return TYPESCRIPT.test(path) || JSX.test(path);
}

/**
 * Where taking the types out is enough, that is all that is done, and the code keeps its places; else esbuild compiles it by the nearest
 * tsconfig.json: enums, parameter properties, namespaces, decorators, JSX. Throws SourceError with the place of a syntax error.
 */
export function compile(path: string, text: string, format: "esm" | "cjs"): Compiled {
  if (TYPESCRIPT.test(path) && !hasDecorators(text)) {
    try {
      return { source: stripTypes(text), mapped: false };
    } catch {
      // More than types, or a mistake: esbuild knows which, and where.
    }
  }
  return { source: withEsbuild(path, format), mapped: true };
}

/** Checks the syntax of a file that runs as it is. Throws SourceError. */
export function checkSyntax(path: string, text: string): void {
  const { transformSync } = esbuild();
  try {
    transformSync(text, { sourcefile: path, loader: "js", logLevel: "silent" });
  } catch (error) {
    throw sourceError(path, error);
  }
}

/** What may be a decorator: V8 does not know them, and taking types out leaves them. */
function hasDecorators(text: string): boolean {
  return /(?:^|[\s{;(,])@[\w$(]/m.test(text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, ""));
}

function stripTypes(text: string): string {
  const { emitWarning } = process;
  // Node says once that the function is experimental, which is nothing to the user of this program.
  process.emitWarning = () => {};
  try {
    return stripTypeScriptTypes(text);
  } finally {
    process.emitWarning = emitWarning;
  }
}

function withEsbuild(path: string, format: "esm" | "cjs"): string {
  const { buildSync } = esbuild();
  try {
    const result = buildSync({
      entryPoints: [path],
      bundle: false,
      write: false,
      platform: "node",
      target: "node22",
      format,
      sourcemap: "inline",
      sourcesContent: false,
      keepNames: true,
      // Beside the file, so that the map names it by its base name.
      outfile: path.slice(0, -extname(path).length) + (extname(path) === ".js" ? ".out.js" : ".js"),
      allowOverwrite: true,
      logLevel: "silent",
    });
    return result.outputFiles[0]!.text;
  } catch (error) {
    throw sourceError(path, error);
  }
}

function sourceError(path: string, error: unknown): unknown {
  const message: Message | undefined = (error as Partial<BuildFailure>).errors?.[0];
  if (message === undefined) return error;
  const { location } = message;
  return new SourceError("SYNTAX_ERROR", `${basename(path)} cannot be read: ${message.text.replace(/\.$/, "")}.`, {
    file: path,
    line: location?.line,
    column: location === null || location === undefined ? undefined : location.column + 1,
    hint: message.notes.map((note) => note.text).join(" ") || undefined,
    cause: error,
  });
}

const require = createRequire(import.meta.url);

/** Loaded when it is needed: it is a program of ten megabytes. */
function esbuild(): typeof import("esbuild") {
  return require("esbuild");
}
