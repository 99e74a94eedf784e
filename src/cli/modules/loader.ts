import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import { type LoadHookSync, type ResolveHookSync, registerHooks } from "node:module";
import { dirname } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Compiled, checkSyntax, compile, needsCompiling } from "./compile.ts";
import { SourceError } from "./source-error.ts";
import { TsconfigPaths } from "./tsconfig-paths.ts";

/** Where our own modules lie: they are never loaded again. */
const OURS = new URL("../../", import.meta.url).href;
const VERSION = "millrace-version";
/** How long an empty file may be one that is being written, and how often it is looked at. */
const WRITTEN_MS = 400;
const STEP_MS = 20;

interface ProgramFile {
  text: string;
  /** Of the load in which it was last evaluated. */
  version: number;
  readonly imports: Set<string>;
  usesLibrary: boolean;
}

/**
 * Loads a program's own files: any TypeScript (see `compile`), names without extension, the aliases of tsconfig.json; `millrace` and what
 * lies below it are this very package, as a second copy would have sessions of its own. `load` again evaluates what changed since, what
 * imports it, and what imports millrace; other files stay as they are, with what they opened.
 *
 * Node keeps every module that it ever evaluated, so each load costs the memory of the files that it evaluates.
 */
export class ProgramLoader {
  readonly #hooks: { deregister(): void };
  readonly #files = new Map<string, ProgramFile>();
  readonly #compiled = new Map<string, { readonly digest: string; readonly compiled: Compiled }>();
  readonly #paths = new TsconfigPaths();
  /** Files that are to be evaluated in the present load, beside those not yet known. */
  #stale = new Set<string>();
  /** Files of a load that failed: Node keeps the failure of a module, too. */
  #failed: readonly string[] = [];
  #version = 0;
  /** Texts to use instead of the files: of a version that is loaded once more. */
  #texts: ReadonlyMap<string, string> | undefined;

  constructor() {
    this.#hooks = registerHooks({ resolve: this.#resolve, load: this.#load });
  }

  /** Evaluates the module and what it imports of the program. */
  async load(entry: URL): Promise<unknown> {
    return this.#evaluate(entry, undefined);
  }

  /** Gives what evaluates the version that was loaded last once more, whatever the files hold then. */
  reload(entry: URL): () => Promise<unknown> {
    const texts = new Map([...this.#files].map(([path, { text }]) => [path, text]));
    return () => this.#evaluate(entry, texts);
  }

  /** The program's own files. */
  get files(): readonly string[] {
    return [...this.#files.keys()];
  }

  /** The files that hold something else than when they were loaded; one that is gone has changed. */
  changed(): string[] {
    return [...this.#files].filter(([path, { text }]) => textOf(path) !== text).map(([path]) => path);
  }

  /** Waits until nobody writes the files that changed: some editors empty a file before they write it. */
  async written(): Promise<void> {
    const texts = (): string[] => this.changed().map((path) => `${path}\0${textOf(path) ?? ""}`);
    let before = texts();
    for (let waited = 0; waited < WRITTEN_MS; waited += STEP_MS) {
      await setTimeout(STEP_MS);
      const now = texts();
      if (now.join() === before.join() && !now.some((text) => text.endsWith("\0"))) return;
      before = now;
    }
  }

  /** Reads the files that changed as modules. Throws SourceError. */
  check(): void {
    for (const path of this.changed()) {
      const text = textOf(path);
      if (text === undefined) continue;
      if (needsCompiling(path)) this.#compile(path, text, "esm");
      else if (/\.[cm]?js$/.test(path)) checkSyntax(path, text);
    }
  }

  release(): void {
    this.#hooks.deregister();
  }

  async #evaluate(entry: URL, texts: ReadonlyMap<string, string> | undefined): Promise<unknown> {
    this.#version++;
    this.#paths.forget();
    this.#texts = texts;
    this.#stale = this.#staleFiles(fileURLToPath(entry));
    const version = this.#version;
    this.#failed = [];
    try {
      return await import(this.#versioned(entry.href, fileURLToPath(entry)));
    } catch (error) {
      this.#failed = [...this.#files].filter(([, file]) => file.version === version).map(([path]) => path);
      throw error;
    }
  }

  /** What has to be evaluated again: the entry, what changed, what uses the library, and what imports one of these. */
  #staleFiles(entry: string): Set<string> {
    const stale = new Set([entry, ...this.changed(), ...this.#failed]);
    for (const [path, file] of this.#files) if (file.usesLibrary) stale.add(path);
    for (let size = 0; size !== stale.size; ) {
      size = stale.size;
      for (const [path, file] of this.#files) {
        if (!stale.has(path) && [...file.imports].some((imported) => stale.has(imported))) stale.add(path);
      }
    }
    return stale;
  }

  /** The address of one of the program's files as it is to be imported now. */
  #versioned(url: string, path: string): string {
    let file = this.#files.get(path);
    if (file === undefined || (this.#stale.has(path) && file.version !== this.#version)) {
      const text = this.#texts?.get(path) ?? textOf(path) ?? "";
      file = { text, version: this.#version, imports: new Set(), usesLibrary: false };
      this.#files.set(path, file);
    }
    // The first version keeps the plain address, as without us.
    if (file.version === 1) return url;
    const versioned = new URL(url);
    versioned.searchParams.set(VERSION, String(file.version));
    return versioned.href;
  }

  readonly #resolve: ResolveHookSync = (specifier, context, next) => {
    if (context.parentURL?.startsWith(OURS)) return next(specifier, context);
    const parent = this.#programFile(context.parentURL);
    if (specifier === "millrace" || specifier.startsWith("millrace/")) {
      if (parent !== undefined) parent.file.usesLibrary = true;
      return { url: import.meta.resolve(specifier), shortCircuit: true, format: null };
    }
    if (parent === undefined) return next(specifier, context);
    const found = this.#find(specifier, context, next, parent.path);
    const path = programPath(found.url);
    if (path === undefined) return found;
    parent.file.imports.add(path);
    // Node's require goes by the path alone.
    if (context.conditions.includes("require")) {
      this.#versioned(found.url, path);
      return found;
    }
    return { ...found, url: this.#versioned(found.url, path), shortCircuit: true };
  };

  #find(
    specifier: string,
    context: Parameters<ResolveHookSync>[1],
    next: Parameters<ResolveHookSync>[2],
    from: string,
  ): ReturnType<ResolveHookSync> {
    const isPath = /^(\.{0,2}\/|file:)/.test(specifier);
    const aliases = isPath || specifier.startsWith("node:") ? [] : this.#paths.candidates(specifier, dirname(from));
    for (const alias of aliases) {
      const file = spelled(alias);
      if (file !== undefined) return next(pathToFileURL(file).href, context);
    }
    try {
      return next(specifier, context);
    } catch (error) {
      if (isPath) {
        const wanted = fileURLToPath(new URL(specifier, pathToFileURL(from)));
        const file = spelled(wanted);
        if (file !== undefined) return next(pathToFileURL(file).href, context);
      }
      throw notFound(error, specifier, from);
    }
  }

  readonly #load: LoadHookSync = (url, context, next) => {
    const known = this.#programFile(url);
    const path = known?.path ?? programPath(url);
    if (known === undefined || path === undefined || !needsCompiling(path)) {
      if (known !== undefined && this.#texts?.has(path!) && /\.[cm]?js$/.test(path!)) {
        return { ...next(url, context), source: known.file.text, shortCircuit: true };
      }
      return next(url, context);
    }
    const format = formatOf(path, context.format);
    const { source, mapped } = this.#compile(path, known.file.text, format === "commonjs" ? "cjs" : "esm");
    // Stack traces then tell the lines of the file.
    if (mapped) process.setSourceMapsEnabled(true);
    return { format, source, shortCircuit: true };
  };

  #compile(path: string, text: string, format: "esm" | "cjs"): Compiled {
    const digest = createHash("sha256").update(format).update(text).digest("hex");
    const known = this.#compiled.get(path);
    if (known?.digest === digest) return known.compiled;
    const compiled = compile(path, text, format);
    this.#compiled.set(path, { digest, compiled });
    return compiled;
  }

  #programFile(url: string | undefined): { path: string; file: ProgramFile } | undefined {
    const path = url === undefined ? undefined : programPath(url);
    const file = path === undefined ? undefined : this.#files.get(path);
    return file === undefined ? undefined : { path: path!, file };
  }
}

/** The path of a file of the program: one of the user's own, not a package's and not ours. */
function programPath(url: string): string | undefined {
  if (!url.startsWith("file:") || url.includes("/node_modules/") || url.startsWith(OURS)) return undefined;
  return fileURLToPath(url);
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** `.cts` and what Node takes for CommonJS; a file with import or export is a module whatever the package says. */
function formatOf(path: string, hint: string | null | undefined): "module" | "commonjs" {
  if (path.endsWith(".mts")) return "module";
  if (path.endsWith(".cts")) return "commonjs";
  return hint?.startsWith("commonjs") === true && !isModule(path) ? "commonjs" : "module";
}

function isModule(path: string): boolean {
  return /^\s*(import|export)\b/m.test(textOf(path) ?? "");
}

/** The file that a path without its extension, or with that of what it compiles to, means. */
function spelled(path: string): string | undefined {
  const names = [
    path,
    ...[".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".json"].map((extension) => path + extension),
    path.replace(/\.js$/, ".ts"),
    path.replace(/\.jsx?$/, ".tsx"),
    path.replace(/\.([mc])js$/, ".$1ts"),
    ...["index.ts", "index.tsx", "index.mts", "index.js", "index.mjs"].map((name) => `${path}/${name}`),
  ];
  return names.find((name) => existsSync(name) && statSync(name).isFile());
}

/** Says where the import stands. */
function notFound(error: unknown, specifier: string, from: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== "ERR_MODULE_NOT_FOUND" && code !== "ERR_UNSUPPORTED_DIR_IMPORT" && code !== "MODULE_NOT_FOUND")
    return error;
  const text = textOf(from) ?? "";
  const at = [`"${specifier}"`, `'${specifier}'`].map((quoted) => text.indexOf(quoted)).find((index) => index >= 0);
  const before = at === undefined ? undefined : text.slice(0, at).split("\n");
  const isPath = /^(\.{0,2}\/|file:)/.test(specifier);
  const name = specifier.startsWith("@") ? specifier.split("/").slice(0, 2).join("/") : specifier.split("/")[0];
  return new SourceError(
    "MODULE_NOT_FOUND",
    `There is no ${isPath ? "file" : "package"} ${isPath ? specifier : name}.`,
    {
      file: from,
      line: before?.length,
      column: before && before.at(-1)!.length + 1,
      hint: isPath ? "It is looked for beside the file that imports it." : `Install it: npm install ${name}`,
      cause: error,
    },
  );
}
