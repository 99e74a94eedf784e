import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateSync } from "node:zlib";

/** Bytes as Python takes them in a text: compressed, base 64. */
export function packed(bytes: Uint8Array): string {
  return deflateSync(bytes).toString("base64");
}

/** The beginning of a SHA-256, as names of content. */
export function shortHash(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex").slice(0, 16);
}

export interface WorkerRuntime {
  /** Packed source of the worker's program. */
  readonly text: string;
  /** Python's side of it. */
  readonly python: string;
  readonly hash: string;
}

let runtime: Promise<WorkerRuntime> | undefined;

/** The programs that run beside the user's functions: one script for Node with everything in it, and Python's text. Made once. */
export function workerRuntime(): Promise<WorkerRuntime> {
  runtime ??= build();
  return runtime;
}

async function build(): Promise<WorkerRuntime> {
  const { build: bundle } = await import("esbuild");
  const entry = fileURLToPath(new URL(`./worker/main${extname(import.meta.url)}`, import.meta.url));
  const result = await bundle({
    entryPoints: [entry],
    bundle: true,
    write: false,
    platform: "node",
    target: "node20",
    format: "cjs",
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: "silent",
  });
  const source = result.outputFiles[0]!.contents;
  const python = `${pythonSource("worker.py")}\n${pythonSource("stateful.py")}`;
  return { text: packed(source), python, hash: shortHash(source, python) };
}

/** The text of a Python file of this folder. */
export function pythonSource(name: string): string {
  return readFileSync(new URL(`./python/${name}`, import.meta.url), "utf8");
}
