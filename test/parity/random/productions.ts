import { MillraceError } from "../../../src/errors.ts";
import type { FunctionDef } from "../../../src/functions/define.ts";
import { functions } from "../../../src/functions/index.ts";
import type { ArgumentType } from "../../../src/plan/resolved.ts";
import type { DataType } from "../../../src/types/data-type.ts";
import { keyOf, POOL } from "./pool.ts";
import { FEW_DAYS, FEWEST_ARGUMENTS, FIRST_ARGUMENT, FIXED, MOST_ARGUMENTS, SKIPPED } from "./special.ts";

/** A way to make a value: a function over arguments of certain types. */
export interface Production {
  readonly fn: FunctionDef;
  /** A type by its key in the pool, or values to choose from, as SQL. */
  readonly args: readonly (string | readonly string[])[];
  readonly result: string;
}

/** Every function with argument types that its own `resolve` takes as they are, by the type of the result. */
export interface Productions {
  readonly byFunction: readonly (readonly Production[])[];
  readonly byResult: ReadonlyMap<string, readonly Production[]>;
}

const DAYS = new Set(["+", "-", "try_add", "try_subtract"]);
const TYPES = [...POOL.values()];

/** Asks the function table; the same table gives the same productions. */
export function productionsOf(kind: FunctionDef["kind"]): Productions {
  const byFunction: Production[][] = [];
  const byResult = new Map<string, Production[]>();
  for (const fn of functions.values()) {
    const narrow = (p: Production): Production =>
      !DAYS.has(fn.name) || !p.args.includes("DATE")
        ? p
        : { ...p, args: p.args.map((a) => (["INT", "SMALLINT", "TINYINT"].includes(String(a)) ? FEW_DAYS : a)) };
    if (fn.kind !== kind || fn.nondeterministic || fn.internal || SKIPPED.has(fn.name)) continue;
    const found = new Map<string, Production>();
    let state = 1;
    const random = (n: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return (state >> 8) % n;
    };
    for (let attempt = 0; attempt < 20; attempt++) {
      for (let arity = FEWEST_ARGUMENTS[fn.name] ?? 0; arity <= (MOST_ARGUMENTS[fn.name] ?? 4); arity++) {
        const p = tryArity(fn, arity, random);
        if (p) found.set(p.args.map(String).join(), narrow(p));
      }
    }
    if (found.size === 0) continue;
    byFunction.push([...found.values()]);
    for (const p of found.values()) {
      const list = byResult.get(p.result) ?? [];
      list.push(p);
      byResult.set(p.result, list);
    }
  }
  return { byFunction, byResult };
}

const ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth"];

/** Starts with any types and repairs what the function names, until it takes them without a cast. */
function tryArity(fn: FunctionDef, arity: number, random: (n: number) => number): Production | undefined {
  const fixed = FIXED[fn.name] ?? {};
  const types = Array.from({ length: arity }, () => TYPES[random(TYPES.length)]!);
  for (let repair = 0; repair < 40; repair++) {
    const args = types.map((type, i): ArgumentType => {
      const values = fixed[i];
      return values ? fixedArgument(values[0]!) : { type, nullable: true };
    });
    try {
      const { type, casts } = fn.resolve(args);
      let changed = false;
      for (const [i, cast] of (casts ?? []).entries()) {
        if (fixed[i] || cast === undefined || keyOf(cast) === keyOf(types[i]!)) continue;
        if (!POOL.has(keyOf(cast))) return undefined;
        types[i] = cast;
        changed = true;
      }
      if (changed) continue;
      const first = FIRST_ARGUMENT[fn.name];
      if (first !== undefined && !first.includes(keyOf(types[0]!))) {
        types[0] = POOL.get(first[random(first.length)]!)!;
        continue;
      }
      if ((fn.differences ?? []).some((d) => d.when === undefined || d.when(args))) return undefined;
      return { fn, args: types.map((t, i) => fixed[i] ?? keyOf(t)), result: keyOf(type) };
    } catch (error) {
      if (!(error instanceof MillraceError) || error.code.startsWith("WRONG_NUM_ARGS")) return undefined;
      const at = ORDINALS.indexOf(error.parameters.paramIndex ?? "");
      if (arity === 0) return undefined;
      types[at >= 0 && at < arity ? at : random(arity)] = TYPES[random(TYPES.length)]!;
    }
  }
  return undefined;
}

function fixedArgument(sql: string): ArgumentType {
  if (sql === "id") return { type: { kind: "integer" }, nullable: true };
  return { type: literalType(sql), nullable: false, literal: literalValue(sql), foldable: true };
}

function literalType(sql: string): DataType {
  if (sql.startsWith("'")) return { kind: "string" };
  if (/^-?\d+$/.test(sql)) return { kind: "integer" };
  if (/^-?[\d.]+D$/.test(sql)) return { kind: "double" };
  if (/^(true|false)$/.test(sql)) return { kind: "boolean" };
  throw new Error(`A fixed argument must be a literal: ${sql}`);
}

function literalValue(sql: string): string | number | boolean {
  if (sql.startsWith("'")) return sql.slice(1, -1);
  return /^(true|false)$/.test(sql) ? sql === "true" : Number.parseFloat(sql);
}
