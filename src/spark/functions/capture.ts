import { isProxy } from "node:util/types";
import { MillraceError } from "../../errors.ts";
import { builtinPath, globalPath, isBuiltinGlobal } from "./builtins.ts";
import type { Capsule, Entry, FunctionEntry, PropertyEntry, Ref } from "./capsule.ts";
import { type FunctionText, readFunctionText } from "./free-variables.ts";
import { type BundledImport, bundleImports, type ImportedName, type ModuleNames, namesOf } from "./imports.ts";
import { FunctionInspector, type FunctionPlace, positionOf } from "./inspector.ts";

/** A function that can travel: what it is made of, and the module of what it imports. */
export interface CapturedFunction {
  readonly capsule: Capsule;
  /** Source of an ES module, undefined where nothing is imported. */
  readonly imports: string | undefined;
}

/**
 * Carries functions by value: the text of each function, the values of its variables, and again the functions among these. What comes from a
 * package is bundled. Variables are copies: what a function assigns to one is seen by no other process.
 *
 * @throws MillraceError FUNCTION_NOT_PORTABLE that names the function, the variable and what it holds
 */
export async function captureFunctions(
  functions: readonly { readonly name: string; readonly fn: Function }[],
): Promise<CapturedFunction[]> {
  const captured: { readonly name: string; readonly capsule: Capsule; readonly imports: readonly BundledImport[] }[] =
    [];
  const inspector = new FunctionInspector();
  try {
    for (const { name, fn } of functions) {
      const capture = new Capture(inspector, name);
      const root = await capture.value(fn, []);
      captured.push({ name, capsule: { root, entries: capture.entries }, imports: capture.imports });
    }
  } finally {
    inspector.close();
  }
  const results: CapturedFunction[] = [];
  for (const { name, capsule, imports } of captured) {
    results.push({ capsule, imports: imports.length === 0 ? undefined : await bundleImports(imports, name) });
  }
  return results;
}

/** What leads from the user's function to a value: `helper`, `client`, `.socket`. */
type Path = readonly string[];

const OWN_PACKAGE = new URL("../../", import.meta.url).href;
const FUNCTION_PROPERTIES = new Set(["length", "name", "prototype", "arguments", "caller"]);

class Capture {
  readonly entries: Entry[] = [];
  readonly imports: BundledImport[] = [];
  readonly #inspector: FunctionInspector;
  readonly #owner: string;
  readonly #known = new Map<unknown, number>();
  readonly #namesOfSource = new Map<string, ModuleNames>();
  /** Refusals of what belongs to this process: connections, sessions. What made them is not to be done again elsewhere. */
  readonly #final = new WeakSet<MillraceError>();

  constructor(inspector: FunctionInspector, owner: string) {
    this.#inspector = inspector;
    this.#owner = owner;
  }

  async value(value: unknown, path: Path): Promise<Ref> {
    if (typeof value === "symbol") return this.#symbol(value);
    if ((typeof value !== "object" || value === null) && typeof value !== "function") return { value };
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const global = globalPath(value);
    if (global !== undefined) return this.#add(value, { type: "global", path: global });
    if (value === MillraceError) return this.#add(value, { type: "error_class" });
    return typeof value === "function" ? this.#function(value, path) : this.#object(value, path);
  }

  #add(value: unknown, entry: Entry): number {
    const index = this.entries.push(entry) - 1;
    if (value !== undefined) this.#known.set(value, index);
    return index;
  }

  #symbol(value: symbol): number {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const registered = Symbol.keyFor(value);
    if (registered !== undefined) return this.#add(value, { type: "symbol", kind: "registered", name: registered });
    const wellKnown = Object.getOwnPropertyNames(Symbol).find((n) => (Symbol as any)[n] === value);
    if (wellKnown !== undefined) return this.#add(value, { type: "symbol", kind: "well-known", name: wellKnown });
    return this.#add(value, { type: "symbol", kind: "own", name: value.description ?? "" });
  }

  // --------------------------------------------------------------------------------------------------------- objects

  async #object(value: object, path: Path): Promise<number> {
    if (isProxy(value)) throw this.#refuse(path, "a Proxy");
    if (isOfLibrary(value))
      throw this.#refuse(path, kindOf(value), "Leave it outside: a function sees rows only.", true);
    const proto = Object.getPrototypeOf(value);
    const frozen = Object.isFrozen(value);
    if (Array.isArray(value)) {
      if (!frozen && isPlainData(value)) return this.#add(value, { type: "data", value });
      const items: Ref[] = [];
      const index = this.#add(value, { type: "array", items, frozen });
      for (let i = 0; i < value.length; i++) items.push(await this.value(value[i], [...path, `[${i}]`]));
      return index;
    }
    if (proto === Map.prototype) {
      const items: [Ref, Ref][] = [];
      const index = this.#add(value, { type: "map", items });
      for (const [k, v] of value as Map<unknown, unknown>) {
        items.push([await this.value(k, path), await this.value(v, [...path, `.get(${String(k)})`])]);
      }
      return index;
    }
    if (proto === Set.prototype) {
      const items: Ref[] = [];
      const index = this.#add(value, { type: "set", items });
      for (const item of value as Set<unknown>) items.push(await this.value(item, path));
      return index;
    }
    const special = standardObject(value, proto);
    if (special !== undefined) return this.#add(value, special);
    if (value[Symbol.toStringTag as keyof object] === "Module" && proto === null) {
      throw this.#refuse(path, "a module", "Import it by an import declaration at the top of the file.");
    }
    const builtin = builtinPath(value);
    if (builtin !== undefined) return this.#add(value, { type: "builtin", ...builtin });
    if (proto === null || proto === Object.prototype) {
      if (!frozen && proto !== null && isPlainData(value)) return this.#add(value, { type: "data", value });
      const properties: PropertyEntry[] = [];
      const index = this.#add(value, { type: "object", ...(proto === null && { class: null }), properties, frozen });
      await this.#properties(value, Reflect.ownKeys(value), path, properties);
      return index;
    }
    return this.#instance(value, proto, path, frozen);
  }

  async #instance(value: object, proto: object, path: Path, frozen: boolean): Promise<number> {
    const made: unknown = Object.hasOwn(proto, "constructor") ? (proto as any).constructor : undefined;
    if (typeof made !== "function" || made.prototype !== proto || globalPath(made) !== undefined) {
      throw this.#refuse(path, kindOf(value), undefined, value instanceof Promise);
    }
    for (let c: unknown = made; typeof c === "function" && c !== Function.prototype; c = Object.getPrototypeOf(c)) {
      const text = readFunctionText(Function.prototype.toString.call(c));
      const url = this.#inspector.find(c)?.url ?? "";
      if (text === undefined || url.startsWith("node:")) throw this.#refuse(path, kindOf(value), undefined, true);
      if (text.hasPrivateMembers) {
        throw this.#refuse(
          path,
          `${kindOf(value)}, whose private members cannot be copied`,
          "Give the class itself or a function that makes the object, or make the object inside the function.",
        );
      }
    }
    const properties: PropertyEntry[] = [];
    const entry = { type: "object" as const, class: { value: undefined } as Ref, properties, frozen };
    const index = this.#add(value, entry);
    entry.class = await this.value(made, path);
    await this.#properties(value, Reflect.ownKeys(value), path, properties);
    return index;
  }

  async #properties(
    holder: object,
    keys: readonly (string | symbol)[],
    path: Path,
    into: PropertyEntry[],
  ): Promise<void> {
    for (const key of keys) {
      const d = Object.getOwnPropertyDescriptor(holder, key)!;
      const to = [...path, `.${String(key)}`];
      const named: Ref = typeof key === "symbol" ? this.#symbol(key) : { value: key };
      if ("value" in d) {
        into.push({ key: named, value: await this.value(d.value, to), enumerable: d.enumerable! });
      } else {
        into.push({
          key: named,
          ...(d.get && { get: await this.value(d.get, to) }),
          ...(d.set && { set: await this.value(d.set, to) }),
          enumerable: d.enumerable!,
        });
      }
    }
  }

  // ------------------------------------------------------------------------------------------------------- functions

  async #function(fn: Function, path: Path): Promise<number> {
    if (isProxy(fn)) throw this.#refuse(path, "a Proxy");
    const source = Function.prototype.toString.call(fn);
    const place = this.#inspector.find(fn);
    if (place === undefined || /\{\s*\[native code\]\s*\}\s*$/.test(source)) {
      const builtin = builtinPath(fn);
      if (builtin !== undefined) return this.#add(fn, { type: "builtin", ...builtin });
      const bound = fn.name.startsWith("bound ");
      throw this.#refuse(
        path,
        bound ? "a bound function" : `the native function ${fn.name}`,
        bound ? "Write an arrow function that calls the method instead." : undefined,
      );
    }
    if (place.url.startsWith("node:")) {
      const builtin = builtinPath(fn);
      if (builtin !== undefined) return this.#add(fn, { type: "builtin", ...builtin });
      throw this.#refuse(path, `the function ${fn.name} of ${place.url}`);
    }
    if (isOfPackage(place.url)) {
      const name = await exportedAs(fn, place.url);
      if (name !== undefined) return this.#import(fn, { specifier: place.url, name, from: place.url });
    }
    const text = readFunctionText(source);
    if (text === undefined) throw this.#refuse(path, `the function ${fn.name}, whose text cannot be read`);
    this.#checkText(text, path);
    const variables: [string, Ref][] = [];
    const properties: PropertyEntry[] = [];
    const entry: FunctionEntry = {
      type: "function",
      name: fn.name,
      text: source,
      form: text.form,
      url: place.url,
      line: place.line,
      column: place.column,
      strict: place.scopes.some((s) => s.isModule) || text.kind === "class",
      variables,
      properties,
    };
    const index = this.#add(fn, entry);
    await this.#variables(text, place, path, variables);
    const extra = Reflect.ownKeys(fn).filter(
      (key) => !(typeof key === "string" && (FUNCTION_PROPERTIES.has(key) || text.staticMembers.has(key))),
    );
    await this.#properties(fn, extra, path, properties);
    return index;
  }

  async #variables(text: FunctionText, place: FunctionPlace, path: Path, into: [string, Ref][]): Promise<void> {
    const missing = new Set(text.free);
    for (const scope of place.scopes) {
      if (missing.size === 0) break;
      const names = scope.isModule ? this.#namesOf(place) : undefined;
      for (const [name, value] of scope.read(missing)) {
        missing.delete(name);
        const imported = names?.imports.get(name);
        const constant = names?.constants.get(name);
        const to = [...path, name];
        into.push([
          name,
          imported !== undefined
            ? await this.#imported(value, imported, place, to)
            : constant !== undefined
              ? await this.#constant(value, constant, place, to)
              : await this.value(value, to),
        ]);
      }
    }
    for (const name of missing) {
      if (isBuiltinGlobal(name)) continue;
      if (Object.hasOwn(globalThis, name)) {
        into.push([name, await this.value((globalThis as Record<string, unknown>)[name], [...path, name])]);
      }
    }
    const required = into.find(([name]) => name === "require");
    if (required !== undefined) throw this.#refuse([...path, "require"], "the loader of its own file");
  }

  #namesOf(place: FunctionPlace): ModuleNames {
    let found = this.#namesOfSource.get(place.source);
    if (found === undefined) {
      found = namesOf(place.source);
      this.#namesOfSource.set(place.source, found);
    }
    return found;
  }

  /** The first way, and the second where the first meets something that cannot be copied. */
  async #either(first: () => Promise<Ref>, second: (error: MillraceError) => Ref | Promise<Ref>): Promise<Ref> {
    const before = { entries: this.entries.length, imports: this.imports.length, known: this.#known.size };
    try {
      return await first();
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code !== "FUNCTION_NOT_PORTABLE" || this.#final.has(error)) {
        throw error;
      }
      this.entries.length = before.entries;
      this.imports.length = before.imports;
      // A Map keeps its order: what came later goes.
      for (const key of [...this.#known.keys()].slice(before.known)) this.#known.delete(key);
      return second(error);
    }
  }

  /**
   * A constant of a module. One that cannot be copied, as a schema of a validation library whose parts are private, is computed
   * again from the expression that made it.
   */
  #constant(
    value: unknown,
    { start, end }: { readonly start: number; readonly end: number },
    place: FunctionPlace,
    path: Path,
  ): Promise<Ref> {
    return this.#either(
      () => this.value(value, path),
      async (error) => {
        const source = place.source.slice(start, end);
        const text = readFunctionText(`() => (${source}\n)`);
        if (text === undefined || text.surroundings.size > 0 || text.dynamicImports.length > 0) throw error;
        const variables: [string, Ref][] = [];
        const index = this.#add(isReference(value) ? value : undefined, {
          type: "function",
          name: path.at(-1)!,
          text: source,
          form: "initializer",
          url: place.url,
          ...positionOf(place.source, start),
          strict: true,
          variables,
          properties: [],
        });
        await this.#variables(text, place, path, variables);
        return index;
      },
    );
  }

  /**
   * Something that a file imports. Node's modules and packages are imported again. The user's own files are carried by value, so that
   * nothing that they do when they are loaded is done on a worker; what cannot be carried is imported after all, and made anew there.
   */
  async #imported(value: unknown, imported: ImportedName, place: FunctionPlace, path: Path): Promise<Ref> {
    const { specifier, name } = imported;
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    if (specifier.startsWith("node:") || isBuiltinModule(specifier)) {
      return this.#add(isReference(value) ? value : undefined, {
        type: "builtin",
        module: specifier,
        ...(name !== "*" && name !== "default" && { name }),
      });
    }
    const own = specifier === "millrace" || specifier.startsWith("millrace/");
    if (!own && !/^(\.{0,2}\/|file:)/.test(specifier)) return this.#import(value, { ...imported, from: place.url });
    return this.#either(
      () => this.value(value, path),
      (error) => {
        if (own) throw error;
        return this.#import(value, { ...imported, from: place.url });
      },
    );
  }

  #import(value: unknown, imported: BundledImport): number {
    const index = this.imports.push(imported) - 1;
    return this.#add(isReference(value) ? value : undefined, { type: "import", index });
  }

  #checkText(text: FunctionText, path: Path): void {
    const [what] = text.surroundings;
    if (what !== undefined) {
      const hint =
        what === "import.meta"
          ? "Read it outside the function and use the value."
          : what === "this"
            ? "Put what it needs of `this` into a constant before the function."
            : "Write it as a function of its own.";
      throw this.#refuse(path, `a function that uses \`${what}\` of what is around it`, hint);
    }
    const index = text.dynamicImports.findIndex((m) => m === undefined || !m.startsWith("node:"));
    if (index < 0) return;
    const module = text.dynamicImports[index];
    throw this.#refuse(
      path,
      `a function that imports ${module === undefined ? "a computed module" : JSON.stringify(module)} while it runs`,
      "Import it at the top of the file.",
    );
  }

  #refuse(path: Path, kind: string, hint?: string, final = false): MillraceError {
    const way = path.reduce((all, p) => (all === "" ? p : /^[.[]/.test(p) ? `${all}${p}` : `${all} -> ${p}`), "");
    const holds = way === "" ? `it is ${kind}` : `its variable \`${way}\` holds ${kind}`;
    const [variable] = path;
    const error = new MillraceError(
      "FUNCTION_NOT_PORTABLE",
      `Function \`${this.#owner}\` cannot be carried to a Spark cluster: ${holds}.`,
      {
        hint: hint ?? "Create it inside the function, or import it from a module.",
        parameters: { function: this.#owner, ...(variable !== undefined && { variable }), kind },
      },
    );
    if (final) this.#final.add(error);
    return error;
  }
}

function isReference(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}

function isBuiltinModule(specifier: string): boolean {
  return process.getBuiltinModule(specifier) !== undefined;
}

function isOfPackage(url: string): boolean {
  return url.includes("/node_modules/") && !url.startsWith(OWN_PACKAGE);
}

/** Sessions, DataFrames and the like: they belong to this process, however they came to the function. */
function isOfLibrary(value: unknown): boolean {
  const name = (value as { constructor?: { name?: unknown } } | null)?.constructor?.name;
  return /^(SparkSession|DataFrame|Column|GroupedData|KeyValueGroupedDataset|SparkConnectClient)$/.test(String(name));
}

/** The name under which a package's module exports a function; the module is loaded already. */
async function exportedAs(fn: Function, url: string): Promise<string | undefined> {
  try {
    const module = (await import(url)) as Record<string, unknown>;
    return Object.keys(module).find((name) => module[name] === fn);
  } catch {
    // a script that is no module of its own, such as a part of a bundle
    return undefined;
  }
}

/** Objects of the language and of Node that are made again from what they show. */
function standardObject(value: object, proto: object | null): Entry | undefined {
  if (
    value instanceof Date ||
    value instanceof RegExp ||
    (ArrayBuffer.isView(value) && proto !== null) ||
    value instanceof ArrayBuffer ||
    value instanceof Boolean ||
    value instanceof Number ||
    value instanceof String ||
    (value instanceof Error && globalPath((value as Error).constructor) !== undefined)
  ) {
    return { type: "data", value };
  }
  if (value instanceof URL) return { type: "new", path: ["URL"], args: [value.href] };
  if (value instanceof URLSearchParams) return { type: "new", path: ["URLSearchParams"], args: [String(value)] };
  if (value instanceof TextEncoder) return { type: "new", path: ["TextEncoder"], args: [] };
  if (value instanceof TextDecoder) {
    const { encoding, fatal, ignoreBOM } = value;
    return { type: "new", path: ["TextDecoder"], args: [encoding, { fatal, ignoreBOM }] };
  }
  const path = proto === null ? undefined : globalPath(proto.constructor);
  if (path?.[0] === "Intl" && typeof (value as any).resolvedOptions === "function") {
    const { locale, ...options } = (value as any).resolvedOptions();
    return { type: "new", path, args: [locale, options] };
  }
  return undefined;
}

/** An array or plain object of primitives only: it travels in one piece. */
function isPlainData(value: object): boolean {
  if (Array.isArray(value)) {
    return (
      Object.getPrototypeOf(value) === Array.prototype &&
      Object.keys(value).length === value.length &&
      value.every(isPrimitive)
    );
  }
  return (
    Object.getOwnPropertySymbols(value).length === 0 &&
    Object.values(Object.getOwnPropertyDescriptors(value)).every(
      (d) => "value" in d && d.enumerable === true && isPrimitive(d.value),
    )
  );
}

function isPrimitive(value: unknown): boolean {
  return !isReference(value) && typeof value !== "symbol";
}

function kindOf(value: object): string {
  const name = (value as { constructor?: { name?: string } }).constructor?.name || "object without a class";
  return `${/^[AEIOU]/.test(name) ? "an" : "a"} ${name}`;
}
