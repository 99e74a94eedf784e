import { constants, Script } from "node:vm";
import { MillraceError } from "../../../errors.ts";
import type { Capsule, FunctionEntry, PropertyEntry, Ref } from "../capsule.ts";

/**
 * Brings a captured function to life. Functions are compiled under the name and at the lines of the user's own file, so that stack traces
 * show these. `imports` is the module of what the function imports.
 */
export function evaluateCapsule(capsule: Capsule, imports: Readonly<Record<string, unknown>> = {}): unknown {
  return new Evaluator(capsule, imports).ref(capsule.root);
}

class Evaluator {
  readonly #capsule: Capsule;
  readonly #imports: Readonly<Record<string, unknown>>;
  readonly #values: { value: unknown }[] = [];
  /** Variables that were not there yet when their function was made. */
  readonly #late = new Map<number, ((value: unknown) => void)[]>();

  constructor(capsule: Capsule, imports: Readonly<Record<string, unknown>>) {
    this.#capsule = capsule;
    this.#imports = imports;
  }

  ref(ref: Ref): unknown {
    return typeof ref === "number" ? this.#entry(ref) : ref.value;
  }

  /** Gives the value now, or later where it is being made at this moment (a function that leads to itself). */
  #variable(ref: Ref, set: (value: unknown) => void): unknown {
    if (typeof ref === "number" && this.#late.has(ref) && this.#values[ref] === undefined) {
      this.#late.get(ref)!.push(set);
      return undefined;
    }
    return this.ref(ref);
  }

  #entry(index: number): any {
    const made = this.#values[index];
    if (made !== undefined) return made.value;
    const entry = this.#capsule.entries[index]!;
    switch (entry.type) {
      case "data":
        return this.#keep(index, entry.value);
      case "array": {
        const array = this.#keep(index, [] as unknown[]);
        for (const item of entry.items) array.push(this.ref(item));
        return entry.frozen ? Object.freeze(array) : array;
      }
      case "map": {
        const map = this.#keep(index, new Map());
        for (const [k, v] of entry.items) map.set(this.ref(k), this.ref(v));
        return map;
      }
      case "set": {
        const set = this.#keep(index, new Set());
        for (const item of entry.items) set.add(this.ref(item));
        return set;
      }
      case "object": {
        const proto = entry.class === undefined ? Object.prototype : entry.class === null ? null : undefined;
        const object = this.#keep(
          index,
          Object.create(proto !== undefined ? proto : (this.ref(entry.class!) as { prototype: object }).prototype),
        );
        this.#define(object, entry.properties);
        return entry.frozen ? Object.freeze(object) : object;
      }
      case "symbol":
        return this.#keep(
          index,
          entry.kind === "registered"
            ? Symbol.for(entry.name)
            : entry.kind === "well-known"
              ? (Symbol as any)[entry.name]
              : Symbol(entry.name),
        );
      case "function":
        return this.#function(index, entry);
      case "import":
        return this.#keep(index, this.#imports[`i${entry.index}`]);
      case "global":
        return this.#keep(index, globalAt(entry.path));
      case "builtin": {
        const module = process.getBuiltinModule(entry.module) as any;
        return this.#keep(index, entry.name === undefined ? module : module[entry.name]);
      }
      case "new":
        return this.#keep(index, new (globalAt(entry.path))(...entry.args));
      case "error_class":
        return this.#keep(index, MillraceError);
    }
  }

  #keep<T>(index: number, value: T): T {
    this.#values[index] = { value };
    return value;
  }

  #function(index: number, entry: FunctionEntry): unknown {
    this.#late.set(index, []);
    const names = entry.variables.map(([name]) => name);
    const declared =
      names.length === 0 ? "" : `let ${names.map((name, i) => `${name}=$0(${i},$1=>{${name}=$1})`).join(",")};`;
    const alone = entry.form === "expression" || entry.form === "initializer";
    const [open, close] = alone ? ["(", "\n)"] : ["({", "\n})"];
    const before = `(($0)=>{${entry.strict ? '"use strict";' : ""}${declared}return${open}`;
    const script = new Script(`${before}${entry.text}${close}})`, {
      filename: entry.url,
      lineOffset: entry.line,
      columnOffset: entry.column - before.length,
      // Built-in modules only; others were refused.
      importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    });
    const make = script.runInThisContext() as (get: (i: number, set: (value: unknown) => void) => unknown) => any;
    const made = make((i, set) => this.#variable(entry.variables[i]![1], set));
    const fn = alone ? made : memberOf(made, entry.form);
    this.#keep(index, fn);
    if (entry.form !== "initializer" && fn.name !== entry.name)
      Object.defineProperty(fn, "name", { value: entry.name, configurable: true });
    for (const set of this.#late.get(index)!) set(fn);
    this.#define(fn, entry.properties);
    return fn;
  }

  #define(object: object, properties: readonly PropertyEntry[]): void {
    for (const { key, value, get, set, enumerable } of properties) {
      const descriptor: PropertyDescriptor = { enumerable, configurable: true };
      if (value !== undefined) {
        descriptor.value = this.ref(value);
        descriptor.writable = true;
      } else {
        if (get !== undefined) descriptor.get = this.ref(get) as () => unknown;
        if (set !== undefined) descriptor.set = this.ref(set) as (value: unknown) => void;
      }
      Object.defineProperty(object, this.ref(key) as PropertyKey, descriptor);
    }
  }
}

function memberOf(made: any, form: FunctionEntry["form"]): Function {
  const d = Object.getOwnPropertyDescriptor(made, Reflect.ownKeys(made)[0]!)!;
  return form === "method" ? d.value : form === "getter" ? d.get! : d.set!;
}

function globalAt(path: readonly string[]): any {
  return path.reduce<any>(
    (holder, name) => Object.getOwnPropertyDescriptor(holder, name)?.value ?? holder[name],
    globalThis,
  );
}
