import { builtinModules } from "node:module";
import { runInNewContext } from "node:vm";

/** Globals of Node beyond the language's own. https://nodejs.org/api/globals.html */
const NODE_GLOBALS =
  "AbortController AbortSignal Blob BroadcastChannel Buffer ByteLengthQueuingStrategy CloseEvent CompressionStream CountQueuingStrategy Crypto CryptoKey CustomEvent DOMException DecompressionStream Event EventSource EventTarget File FormData Headers MessageChannel MessageEvent MessagePort Navigator Performance PerformanceEntry PerformanceMark PerformanceMeasure PerformanceObserver PerformanceObserverEntryList PerformanceResourceTiming ReadableByteStreamController ReadableStream ReadableStreamBYOBReader ReadableStreamBYOBRequest ReadableStreamDefaultController ReadableStreamDefaultReader Request Response SubtleCrypto TextDecoder TextDecoderStream TextEncoder TextEncoderStream TransformStream TransformStreamDefaultController URL URLPattern URLSearchParams WebAssembly WebSocket WritableStream WritableStreamDefaultController WritableStreamDefaultWriter atob btoa clearImmediate clearInterval clearTimeout console crypto fetch global globalThis navigator performance process queueMicrotask setImmediate setInterval setTimeout structuredClone";

let names: Set<string> | undefined;
let values: Map<unknown, readonly string[]> | undefined;

/** Whether a global of this name is there in every Node. */
export function isBuiltinGlobal(name: string): boolean {
  names ??= new Set([
    ...NODE_GLOBALS.split(" "),
    ...(runInNewContext("Object.getOwnPropertyNames(globalThis)") as string[]),
  ]);
  return names.has(name);
}

/** The way from the global object to a value that every Node has: `["Math", "abs"]`. */
export function globalPath(value: unknown): readonly string[] | undefined {
  if (values === undefined) {
    values = new Map();
    const add = (path: readonly string[], v: unknown): void => {
      if ((typeof v === "object" && v !== null) || typeof v === "function") {
        if (!values!.has(v)) values!.set(v, path);
      }
    };
    const own = (holder: object, visit: (name: string, v: unknown) => void): void => {
      for (const [name, d] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
        if ("value" in d) visit(name, d.value);
      }
    };
    own(globalThis, (name, v) => {
      if (isBuiltinGlobal(name)) add([name], v);
    });
    for (const name of ["crypto", "performance", "fetch"]) add([name], (globalThis as Record<string, unknown>)[name]);
    for (const [holder, path] of [...values]) {
      if (holder === globalThis || path[0] === "process") continue;
      own(holder as object, (name, v) => {
        if (name !== "constructor") add([...path, name], v);
      });
    }
    for (const [holder, path] of [...values]) {
      if (path.at(-1) === "prototype")
        own(holder as object, (name, v) => name !== "constructor" && add([...path, name], v));
    }
  }
  return values.get(value);
}

/** A built-in module, or an export of one, by identity. */
export function builtinPath(value: unknown): { readonly module: string; readonly name?: string } | undefined {
  for (const module of builtinModules) {
    if (module.startsWith("_") || /^(inspector|repl|wasi|test|sqlite|punycode|sys|trace_events)/.test(module)) continue;
    const exports = process.getBuiltinModule(module) as Record<string, unknown> | undefined;
    if (exports === undefined) continue;
    if (exports === value) return { module };
    for (const [name, d] of Object.entries(Object.getOwnPropertyDescriptors(exports))) {
      if ("value" in d && d.value === value) return { module, name };
    }
  }
  return undefined;
}
