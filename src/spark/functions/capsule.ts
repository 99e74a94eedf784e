/**
 * A function with everything it needs, as data: what `capture.ts` makes and `worker/evaluate.ts` brings to life again. Entries refer to each
 * other by number, so that cycles and shared objects stay what they are.
 */
export interface Capsule {
  readonly root: Ref;
  readonly entries: readonly Entry[];
}

/** An entry, or a primitive value. */
export type Ref = number | { readonly value: unknown };

export type Entry =
  /** Anything that the structured clone algorithm copies as it is. */
  | { readonly type: "data"; readonly value: unknown }
  | {
      readonly type: "object";
      /** The class of an instance, `null` for an object without prototype, undefined for a plain one. */
      readonly class?: Ref | null;
      readonly properties: readonly PropertyEntry[];
      readonly frozen: boolean;
    }
  | { readonly type: "array"; readonly items: readonly Ref[]; readonly frozen: boolean }
  | { readonly type: "map"; readonly items: readonly (readonly [Ref, Ref])[] }
  | { readonly type: "set"; readonly items: readonly Ref[] }
  | { readonly type: "symbol"; readonly kind: "own" | "registered" | "well-known"; readonly name: string }
  | FunctionEntry
  /** Export `i<index>` of the bundle of imports. */
  | { readonly type: "import"; readonly index: number }
  /** Something that every Node has: `["Math", "abs"]`. */
  | { readonly type: "global"; readonly path: readonly string[] }
  /** A built-in module (`name` undefined) or an export of it. */
  | { readonly type: "builtin"; readonly module: string; readonly name?: string }
  /** `new path(...args)`. */
  | { readonly type: "new"; readonly path: readonly string[]; readonly args: readonly unknown[] }
  /** The library's own error class, of which the worker has one. */
  | { readonly type: "error_class" };

export interface PropertyEntry {
  readonly key: Ref;
  readonly value?: Ref;
  readonly get?: Ref;
  readonly set?: Ref;
  readonly enumerable: boolean;
}

/** A function, or (`initializer`) the expression that made a constant, which is computed again. */
export interface FunctionEntry {
  readonly type: "function";
  readonly name: string;
  readonly text: string;
  readonly form: "expression" | "method" | "getter" | "setter" | "initializer";
  /** URL of the user's file and where the text begins in it, from 0. */
  readonly url: string;
  readonly line: number;
  readonly column: number;
  readonly strict: boolean;
  readonly variables: readonly (readonly [name: string, value: Ref])[];
  /** Own properties that the text does not make. */
  readonly properties: readonly PropertyEntry[];
}
