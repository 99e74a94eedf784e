import { MillraceError } from "../errors.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { type FunctionDef, family, type Options, type SqlTypes } from "./define.ts";
import { any, constant, DOUBLE, INT, int, integer, opt, typeOf } from "./params.ts";

const fn = family("window");
const rows = {
  schema: "x INT, y INT",
  rows: [
    [1, 10],
    [1, 20],
    [2, 30],
  ],
};
const over = (call: string): string => `${call} over (order by x, y)`;
const ranking = (name: string, type: typeof INT, result: unknown): FunctionDef =>
  fn(
    name,
    [],
    type,
    [`${name}() over (order by x)`, result],
    () => `CAST(${name}() AS ${type.kind === "double" ? "DOUBLE" : "INTEGER"})`,
    { kind: "window", nullable: "never", values: rows },
  );

/** lag and lead: the value, how far, what where there is no row, and whether nulls are passed over. */
function offset(name: string, [x, n = "1", d = "NULL"]: string[], { literals }: SqlTypes): string {
  return `${name}(${x}, ${n}, ${d}${literals?.[3] === true ? " IGNORE NULLS" : ""})`;
}

const offsetTypes = ([t, , d]: readonly DataType[]): (DataType | undefined)[] => [t, INT, d && t];

/** A default that is never null leaves no null where the values are none. */
const offsetNullable = (args: readonly ArgumentType[]): boolean =>
  args[0]!.nullable || args[2] === undefined || args[2].nullable;

/** The word about nulls of lag, lead and nth_value: a boolean literal, which Spark asks for itself. */
const saysNulls =
  (name: string, i: number, then: NonNullable<Options["coerce"]>): NonNullable<Options["coerce"]> =>
  (types, given) => {
    const arg = given[i];
    if (arg === undefined || typeof arg.literal === "boolean") return then(types, given);
    throw new MillraceError(
      "INVALID_PARAMETER_VALUE.BOOLEAN",
      `The value of the parameter \`ignoreNulls\` in \`${name}\` is invalid: it must be true or false, written as such.`,
      { parameters: { functionName: `\`${name}\``, parameter: "`ignoreNulls`" } },
    );
  };

/** The count of ntile and nth_value: a literal above zero. */
const counted =
  (name: string, what: string, i: number): NonNullable<Options["coerce"]> =>
  (types, given) => {
    const literal = given[i]?.literal;
    const parameters = { functionName: `\`${name}\``, exprName: what };
    if (given[i] !== undefined && literal === undefined) {
      throw new MillraceError("DATATYPE_MISMATCH.NON_FOLDABLE_INPUT", `The ${what} of \`${name}\` must be a literal.`, {
        parameters,
      });
    }
    if (literal !== undefined && Number(literal) <= 0) {
      throw new MillraceError(
        "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
        `The ${what} of \`${name}\` must be above 0, but it is ${literal}.`,
        { parameters },
      );
    }
    return types;
  };

export const windowFunctions: readonly FunctionDef[] = [
  fn("row_number", [], INT, [over("row_number()"), [1, 2, 3]], () => "CAST(row_number() AS INTEGER)", {
    kind: "window",
    nullable: "never",
    values: rows,
  }),
  ranking("rank", INT, [1, 1, 3]),
  ranking("dense_rank", INT, [1, 1, 2]),
  ranking("percent_rank", DOUBLE as typeof INT, [0, 0, 1]),
  ranking("cume_dist", DOUBLE as typeof INT, [2 / 3, 2 / 3, 1]),
  fn(
    "ntile",
    [opt(constant(integer))],
    INT,
    [over("ntile(2)"), [1, 1, 2]],
    ([n = "1"]) => `CAST(ntile(${n}) AS INTEGER)`,
    {
      kind: "window",
      nullable: "never",
      values: rows,
      coerce: counted("ntile", "buckets", 0),
    },
  ),
  fn(
    "lag",
    [any, opt(int), opt(any), opt(any)],
    typeOf(0),
    [over("lag(y, 1)"), [null, 10, 20]],
    (args, types) => offset("lag", args, types),
    { kind: "window", nullable: offsetNullable, values: rows, coerce: saysNulls("lag", 3, offsetTypes) },
  ),
  fn(
    "lead",
    [any, opt(int), opt(any), opt(any)],
    typeOf(0),
    [over("lead(y, 1, 0)"), [20, 30, 0]],
    (args, types) => offset("lead", args, types),
    { kind: "window", nullable: offsetNullable, values: rows, coerce: saysNulls("lead", 3, offsetTypes) },
  ),
  fn(
    "nth_value",
    [any, constant(int), opt(any)],
    typeOf(0),
    [over("nth_value(y, 2)"), [null, 20, 20]],
    ([x, n, i]) => `nth_value(${x}, ${n}${i === "true" ? " IGNORE NULLS" : ""})`,
    {
      kind: "window",
      nullable: "always",
      values: rows,
      coerce: saysNulls("nth_value", 2, counted("nth_value", "offset", 1)),
    },
  ),
];
