/** The program that runs TypeScript functions beside a Python worker of Spark. Its arguments are the pipe to read and the pipe to write. */
import { Console } from "node:console";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { deserialize } from "node:v8";
import { Worker } from "node:worker_threads";
import { MillraceError } from "../../../errors.ts";
import { FRAME, type FunctionPackage, ID_LENGTH } from "../package.ts";
import { evaluateCapsule } from "./evaluate.ts";
import { reportOf } from "./failure.ts";
import { Frames } from "./frames.ts";
import { callFilter, callScalar, mapRows } from "./rows.ts";
import { StatefulFunction } from "./stateful.ts";

/** A function that is ready to be called: gives the frames of its results. */
type Ready = (payload: Buffer) => AsyncIterable<Uint8Array> | Promise<Uint8Array> | Uint8Array | Promise<void>;

async function main(): Promise<void> {
  const [input, output] = process.argv.slice(-2).map(Number);
  const frames = new Frames(input!, output!);
  // What user code prints goes to the executor's log.
  globalThis.console = new Console(process.stderr, process.stderr);
  endWithParent();
  const functions = new Map<string, Ready>();
  for (let frame = frames.read(); frame !== undefined; frame = frames.read()) {
    const id = frame.payload.toString("latin1", 0, ID_LENGTH);
    const payload = frame.payload.subarray(ID_LENGTH);
    try {
      if (frame.type === FRAME.define) functions.set(id, await prepare(payload, frames));
      else {
        const results = functions.get(id)!(payload);
        if (Symbol.asyncIterator in results) for await (const part of results) frames.write(FRAME.rows, part);
        else {
          const part = await results;
          if (part !== undefined) frames.write(FRAME.rows, part);
        }
      }
      frames.write(FRAME.done);
    } catch (error) {
      frames.write(FRAME.failed, Buffer.from(JSON.stringify(reportOf(error))));
    }
  }
  process.exit(0);
}

async function prepare(bytes: Buffer, frames: Frames): Promise<Ready> {
  const { name, use, capsule, imports } = deserialize(bytes) as FunctionPackage;
  let call: Function;
  try {
    call = evaluateCapsule(capsule, imports === undefined ? {} : await load(imports)) as Function;
  } catch (error) {
    throw new MillraceError(
      "USER_FUNCTION_FAILED",
      `Function \`${name}\` could not be set up on the worker: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error, parameters: { function: name } },
    );
  }
  const fn = { name, call };
  switch (use.kind) {
    case "scalar":
      return (payload) => callScalar(fn, use.type, payload, use.input);
    case "filter":
      return (payload) => callFilter(fn, payload, use.input);
    case "stateful": {
      const stateful = new StatefulFunction(name, call, use, frames);
      return (payload) => stateful.call(payload);
    }
    default:
      return (payload) => mapRows(use.kind, fn, use.schema, payload, use.input);
  }
}

/** Loads the module of a function's imports. It must be a file: CommonJS packages within ask where they are. */
async function load(source: string): Promise<Record<string, unknown>> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-function-"));
  try {
    const path = join(folder, "imports.mjs");
    writeFileSync(path, source);
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Spark kills Python workers without a word; a function that never returns would outlive its worker. */
function endWithParent(): void {
  const watch = `const parent = ${process.ppid};
    setInterval(() => { if (process.ppid !== parent) process.kill(process.pid, "SIGKILL"); }, 1000);`;
  new Worker(watch, { eval: true }).unref();
}

void main();
