import { MillraceError } from "../errors.ts";
import { castMayBeNull } from "../plan/coercion.ts";
import type { UserFunction } from "../plan/expr.ts";
import type { ArgumentType, FunctionSignature } from "../plan/resolved.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import type { Constant } from "./constants.ts";

/**
 * One row of the function table: Spark's name and typing, DuckDB's SQL, and an example that runs as a test.
 *
 * Contract with an engine that compiles it to DuckDB:
 * - arguments were cast to what `resolve` asked for; `args` are complete SQL expressions, already in brackets where needed;
 * - a lambda argument is DuckDB's lambda text, `lambda x, i: body`;
 * - SQL that fails at run time calls `error('[CODE] message')` with Spark's error class in front;
 * - `generator`: `sql` yields a LIST of STRUCT, one struct per row, its fields in the order of the outputs;
 * - `window` (row_number, lag, ...): `sql` yields the call without OVER;
 * - `current_timestamp` and its like are compiled from the batch's time, so that a batch that runs again gives the same rows.
 */
export interface FunctionDef extends FunctionSignature {
  readonly family: string;
  /** Other names of the same function, such as `mean` for `avg`. */
  readonly aliases: readonly string[];
  /** A Spark SQL expression and its result as `collect` gives it (for an aggregate or generator: the value of each row). */
  readonly example: FunctionExample;
  /** DuckDB SQL; without it, `name(args)`. */
  readonly sql?: (args: string[], types: SqlTypes, native: NativeCall) => string;
  readonly aggregate?: AggregateDef;
  /** Where the embedded engine's result is known to differ from Spark's; also listed in docs/conformance.md. */
  readonly differences?: readonly Difference[];
}

/**
 * SQL that calls a TypeScript function, for what SQL has no words for. It is called row by row on the thread of the process, with the
 * values as TypeScript has them; a row with a null argument gives null without a call, unless the function says `nulls: true`. It is
 * many times slower than SQL, so common calls should not need it.
 */
export type NativeCall = (
  fn: NativeFunction,
  args: readonly { readonly sql: string; readonly type: DataType }[],
  type: DataType,
) => string;

/** A TypeScript function of the function table; one object for each, as an engine registers it once. A MillraceError passes as it is. */
export interface NativeFunction extends UserFunction {
  readonly native: true;
  /** Nulls are handed over. */
  readonly nulls: boolean;
}

/** Makes a `NativeFunction` of a function without memory. */
export function nativeFunction(
  name: string,
  call: (...args: any[]) => unknown,
  options: { readonly nulls?: boolean } = {},
): NativeFunction {
  return Object.freeze({ name, call, deterministic: true, native: true, nulls: options.nulls ?? false });
}

/** A known difference from Spark, defended by its reason. */
export interface Difference {
  /** What differs and why it stays so, one sentence. */
  readonly reason: string;
  /** The arguments concerned; without it, all. Random parity cases leave such calls out. */
  readonly when?: (args: readonly ArgumentType[]) => boolean;
}

export interface SqlTypes {
  readonly args: readonly DataType[];
  readonly result: DataType;
  /** Values of literal arguments, by position. */
  readonly literals?: readonly (Value | undefined)[];
  /** The SQL stands in a TRY, which may not hold a call of `error`. */
  readonly trying?: boolean;
  /** The session's time zone, where it is known. */
  readonly timeZone?: string;
}

export interface FunctionExample {
  readonly sql: string;
  readonly result: unknown;
  /** Rows for an aggregate or window example: DDL-free values of a column `x` (and `y`), as in `FROM VALUES (1), (2) AS t(x)`. */
  readonly values?: { readonly schema: string; readonly rows: readonly (readonly Value[])[] };
}

/**
 * How an aggregate keeps its state between batches: plain columns, since DuckDB's own aggregate states cannot be stored.
 * A batch aggregate may also run in one go: `final(partial(args))`.
 */
export interface AggregateDef {
  /** State columns: names unique within the aggregate, DuckDB type, and the DuckDB SQL of an empty group's value. */
  readonly state: (args: readonly DataType[]) => readonly StateColumn[];
  /** Aggregate SQL over input rows, one per state column. */
  readonly partial: (args: string[], types: SqlTypes) => string[];
  /** Scalar SQL that combines the stored state (`left`) and a batch's partial (`right`); safe for nulls. */
  readonly merge: (left: string[], right: string[], types: SqlTypes) => string[];
  /** Aggregate SQL over many partial rows, one per state column. */
  readonly mergeAggregate?: (cols: string[], types: SqlTypes) => string[];
  /** Scalar SQL of the result from the state columns. */
  readonly final: (cols: string[], types: SqlTypes) => string;
  /** False where the state would grow without bound or the result depends on order: refused in a streaming query. */
  readonly streaming: boolean;
}

export interface StateColumn {
  readonly name: string;
  readonly type: DataType;
  readonly init: string;
}

/** What a parameter takes. `accept` gives the type that the argument is cast to, undefined when it does not fit. */
export interface Param {
  readonly what: string;
  readonly optional?: boolean;
  readonly rest?: boolean;
  /** It takes a constant: what can be computed before any row is handed on as a literal. Asked by position. */
  readonly constant?: (index: number) => boolean;
  /** The error where a type does not fit, if it is another than DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE. */
  readonly refuse?: (name: string, type: DataType) => MillraceError | undefined;
  accept(arg: ArgumentType): DataType | undefined;
}

export type Result = DataType | ((args: readonly DataType[], given: readonly ArgumentType[]) => DataType);
export type Nullability = "args" | "never" | "always" | ((args: readonly ArgumentType[]) => boolean);

export interface Options {
  readonly kind?: FunctionSignature["kind"];
  readonly aliases?: readonly string[];
  readonly nullable?: Nullability;
  /** Last word on the arguments' types together, such as the common type of all. */
  readonly coerce?: (types: readonly DataType[], given: readonly ArgumentType[]) => readonly (DataType | undefined)[];
  /** The first argument comes once more, as the last one, cast to this type: for a result of one type that is compared in another. */
  readonly again?: (types: readonly DataType[]) => DataType;
  readonly aggregate?: AggregateDef;
  readonly values?: FunctionExample["values"];
  readonly nondeterministic?: boolean;
  readonly differences?: FunctionDef["differences"];
  readonly internal?: boolean;
  /** The value of a call over constants, for functions that want to know such an argument before any row. */
  readonly constant?: Constant;
}

type Sql = FunctionDef["sql"];

/** Makes one row of the table: name, parameters, result, example, SQL where it is not `name(args)`, and the rest. */
function define(
  family: string,
  name: string,
  params: readonly Param[],
  result: Result,
  example: readonly [sql: string, result: unknown],
  sql?: Sql | Options,
  options: Options = {},
): FunctionDef {
  const o = typeof sql === "object" ? sql : options;
  const s = typeof sql === "function" ? sql : undefined;
  const kind = o.kind ?? (o.aggregate ? "aggregate" : "scalar");
  return Object.freeze({
    name,
    family,
    kind,
    aliases: o.aliases ?? [],
    example: { sql: example[0], result: example[1], ...(o.values && { values: o.values }) },
    ...(s && { sql: s }),
    ...(o.aggregate && { aggregate: o.aggregate }),
    ...(o.nondeterministic && { nondeterministic: true }),
    ...(o.differences && { differences: o.differences }),
    ...(o.internal && { internal: true }),
    ...(o.constant && { constant: o.constant }),
    resolve(asked: readonly ArgumentType[]) {
      const folded = asked.map(
        (a, i) => a.literal === undefined && a.constant !== undefined && takesConstant(params, i),
      );
      const args = asked.map((a, i) => (folded[i] ? { ...a, literal: a.constant! } : a));
      const types = matchParams(name, params, args);
      const casts = o.coerce ? o.coerce(types, args) : types;
      const final = args.map((a, i) => casts[i] ?? types[i] ?? a.type);
      const given = args.map((a, i) =>
        a.nullable || !castMayBeNull(a.type, final[i]!) ? a : { ...a, nullable: true },
      );
      return {
        type: typeof result === "function" ? result(final, given) : result,
        nullable: isNullable(o.nullable ?? (kind === "aggregate" ? "always" : "args"), given),
        casts: args.map((_, i) => casts[i]),
        folded,
        ...(o.again && { again: o.again(types) }),
      };
    },
  });
}

/** The `define` of one family. */
export function family(
  name: string,
): (...rest: Parameters<typeof define> extends [any, ...infer R] ? R : never) => FunctionDef {
  return (...rest) => define(name, ...rest);
}

const takesConstant = (params: readonly Param[], i: number): boolean =>
  (params[i] ?? params.at(-1))?.constant?.(i) === true;

function isNullable(rule: Nullability, args: readonly ArgumentType[]): boolean {
  if (typeof rule === "function") return rule(args);
  return rule === "always" || (rule === "args" && args.some((a) => a.nullable));
}

function matchParams(name: string, params: readonly Param[], args: readonly ArgumentType[]): DataType[] {
  const last = params.at(-1);
  const rest = last?.rest === true;
  const min = params.filter((p) => !p.optional && !p.rest).length;
  if (args.length < min || (!rest && args.length > params.length)) throw wrongArity(name, params, min, args.length);
  return args.map((arg, i) => {
    const param = params[i] ?? last!;
    const type = param.accept(arg);
    if (type === undefined) throw param.refuse?.(name, arg.type) ?? unexpectedType(name, i, param.what, arg.type);
    return type;
  });
}

function wrongArity(name: string, params: readonly Param[], min: number, given: number): MillraceError {
  const rest = params.at(-1)?.rest === true;
  const wanted = rest ? `> ${min - 1}` : min === params.length ? `${min}` : `${min} to ${params.length}`;
  return new MillraceError(
    "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
    `The \`${name}\` requires ${wanted} parameters but the actual number is ${given}.`,
    { parameters: { functionName: `\`${name}\``, expectedNum: wanted, actualNum: String(given) } },
  );
}

/** DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE for argument `index` (0-based). */
export function unexpectedType(name: string, index: number, wanted: string, given: DataType): MillraceError {
  const ordinal = ["first", "second", "third", "fourth", "fifth", "sixth"][index] ?? `${index + 1}th`;
  return new MillraceError(
    "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
    `The ${ordinal} parameter of \`${name}\` requires the ${wanted} type, however the argument has the type "${sqlName(given)}".`,
    {
      parameters: {
        functionName: name,
        paramIndex: ordinal,
        requiredType: wanted,
        inputType: `"${sqlName(given)}"`,
      },
    },
  );
}

/** Names of TypeScript functions in DuckDB start with this. */
export const FUNCTION_PREFIX = "millrace_udf_";

/** What may stop the query by itself, or is another value each time. */
const FAILS = new RegExp(`\\berror\\(|\\brandom\\(|${FUNCTION_PREFIX}|(?<!TRY_)CAST\\(`);

/**
 * `TRY` of an expression over `x`. Only the expression's own failures become null: what fails in `x` stops the query, so an `x` that can
 * fail is computed before. DuckDB takes no such call within TRY either.
 */
export function tried(x: string, use: (x: string) => string): string {
  return FAILS.test(x) ? `list_transform([${x}], lambda tried: TRY(${use("tried")}))[1]` : `TRY(${use(x)})`;
}

/** `tried` of an expression over two. */
export function triedBoth(x: string, y: string, use: (x: string, y: string) => string): string {
  if (!FAILS.test(x) && !FAILS.test(y)) return `TRY(${use(x, y)})`;
  return `list_transform([struct_pack(x := ${x}, y := ${y})], lambda tried: TRY(${use("tried.x", "tried.y")}))[1]`;
}

/**
 * A cast of a whole number to a narrower type, as a value of its own. DuckDB compares `CAST(x AS INTEGER) > 5` as `x > 5` (1.5), so that what is
 * too large would be neither null nor a failure.
 */
export const narrowed = (cast: string): string => `greatest(${cast})`;

/** DuckDB SQL that stops the query with a Spark error class. */
export function raise(code: string, message: string): string {
  return `error('[${code}] ${message.replaceAll("'", "''")}')`;
}
