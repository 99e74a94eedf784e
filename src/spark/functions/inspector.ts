import { Session } from "node:inspector";

/** Where a function was written, and the variables around it. */
export interface FunctionPlace {
  /** URL of its script as Node names it: `file:///...`, `node:...`, or empty. */
  readonly url: string;
  /** Text of the script as V8 has it: types are blanks, positions are kept. */
  readonly source: string;
  /** Where the function's text begins, from 0. */
  readonly line: number;
  readonly column: number;
  /** Scopes from the inside out; the global object is not among them. */
  readonly scopes: readonly FunctionScope[];
}

export interface FunctionScope {
  readonly isModule: boolean;
  /** The values of those of `names` that the scope holds. */
  read(names: Iterable<string>): ReadonlyMap<string, unknown>;
}

const HOLDER = Symbol.for("millrace.inspector");
const HOLDER_TEXT = 'globalThis[Symbol.for("millrace.inspector")]';

interface Holder {
  fn?: Function;
  names?: string[];
  found?: [string, unknown][];
}

/**
 * Looks into functions of this process by V8's inspector, which is the only means to see the variables that a closure holds.
 * https://chromedevtools.github.io/devtools-protocol/v8/Runtime/ Close it at once: V8 runs slower under a debugger.
 */
export class FunctionInspector {
  readonly #session = new Session();
  readonly #urls = new Map<string, string>();
  readonly #sources = new Map<string, string>();
  readonly #holder: Holder = {};

  constructor() {
    (globalThis as Record<symbol, unknown>)[HOLDER] = this.#holder;
    this.#session.connect();
    this.#session.on("Debugger.scriptParsed", ({ params }) => this.#urls.set(params.scriptId, params.url));
    this.#post("Debugger.enable");
    // A `debugger` statement on this thread would wait for a user for ever.
    this.#post("Debugger.setSkipAllPauses", { skip: true });
  }

  close(): void {
    this.#session.disconnect();
    delete (globalThis as Record<symbol, unknown>)[HOLDER];
  }

  /** Undefined where V8 does not say where a function is: built-in and bound ones. */
  find(fn: Function): FunctionPlace | undefined {
    this.#holder.fn = fn;
    const { result } = this.#post("Runtime.evaluate", { expression: `${HOLDER_TEXT}.fn`, objectGroup: "millrace" });
    const properties = this.#post("Runtime.getProperties", { objectId: result.objectId, ownProperties: true });
    const internal = (name: string): any =>
      (properties.internalProperties as any[] | undefined)?.find((p) => p.name === name)?.value;
    const location = internal("[[FunctionLocation]]")?.value;
    const scopeList = internal("[[Scopes]]");
    if (location === undefined || scopeList === undefined) return undefined;
    const listed = this.#post("Runtime.getProperties", { objectId: scopeList.objectId, ownProperties: true });
    const scopes = (listed.result as any[])
      .filter((p) => /^\d+$/.test(p.name) && p.value?.objectId !== undefined)
      .map((p) => ({ description: String(p.value.description), objectId: p.value.objectId as string }))
      .filter(({ description }) => !description.startsWith("Global"))
      .map(({ description, objectId }) => ({
        isModule: description.startsWith("Module"),
        read: (names: Iterable<string>) => this.#read(objectId, names),
      }));
    const source = this.#source(location.scriptId);
    const text = Function.prototype.toString.call(fn);
    const at = offsetOf(source, location.lineNumber, location.columnNumber);
    // V8 gives the place of the parameters for some kinds of functions; their text begins before it.
    const begin = source.lastIndexOf(text, at);
    return {
      url: this.#urls.get(location.scriptId) ?? "",
      source,
      ...(begin < 0 ? { line: location.lineNumber, column: location.columnNumber } : positionOf(source, begin)),
      scopes,
    };
  }

  #read(objectId: string, names: Iterable<string>): ReadonlyMap<string, unknown> {
    this.#holder.names = [...names];
    this.#holder.found = [];
    const done = this.#post("Runtime.callFunctionOn", {
      objectId,
      functionDeclaration: `function () {
        const holder = ${HOLDER_TEXT};
        const scope = this.object;
        for (const name of holder.names) if (Object.hasOwn(scope, name)) holder.found.push([name, scope[name]]);
      }`,
    });
    if (done.exceptionDetails !== undefined) {
      throw new Error(`a variable cannot be read: ${done.exceptionDetails.exception?.description}`);
    }
    return new Map(this.#holder.found);
  }

  #source(scriptId: string): string {
    let source = this.#sources.get(scriptId);
    if (source === undefined) {
      source = this.#post("Debugger.getScriptSource", { scriptId }).scriptSource as string;
      this.#sources.set(scriptId, source);
    }
    return source;
  }

  /** In a session of the same thread the answer is there when `post` returns. */
  #post(method: string, params: Record<string, unknown> = {}): any {
    let failure: Error | null = null;
    let answer: unknown;
    this.#session.post(method, params, (error, result) => {
      failure = error;
      answer = result;
    });
    if (failure !== null) throw failure;
    return answer;
  }
}

function offsetOf(source: string, line: number, column: number): number {
  let at = 0;
  for (let i = 0; i < line; i++) at = source.indexOf("\n", at) + 1;
  return at + column;
}

/** Line and column of an offset, from 0. */
export function positionOf(source: string, offset: number): { readonly line: number; readonly column: number } {
  const before = source.slice(0, offset);
  const start = before.lastIndexOf("\n") + 1;
  return { line: before.split("\n").length - 1, column: offset - start };
}
