import { MillraceError } from "../errors.ts";
import { isIntegral, isInterval, isNumeric } from "../plan/coercion.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { hasNulls, orderKey } from "../types/order-key.ts";
import { batch, values } from "./aggregate-batch.ts";
import { arrayOf } from "./collection-types.ts";
import { type FunctionDef, nativeFunction, type Options } from "./define.ts";
import { any, boolean, constant, DOUBLE, LONG, notConstant, opt, param, STRING, typeOf } from "./params.ts";

/** A share between 0 and 1, or a list of such. */
const share = param('"DOUBLE" or "ARRAY<DOUBLE>"', ({ type }) =>
  type.kind === "array"
    ? // Only what has to be cast must be free of nulls.
      type.containsNull && type.elementType.kind !== "double"
      ? undefined
      : arrayOf(DOUBLE, false)
    : isNumeric(type) || type.kind === "string" || type.kind === "null"
      ? DOUBLE
      : undefined,
);
const number = param('"NUMERIC"', ({ type }) =>
  isNumeric(type) || type.kind === "string" || type.kind === "null" ? DOUBLE : undefined,
);
/** A number, time or interval as it is. */
const measured = param('"NUMERIC", "DATE", "TIMESTAMP" or "INTERVAL"', ({ type }) =>
  isNumeric(type) || isInterval(type) || ["date", "timestamp", "timestamp_ntz"].includes(type.kind)
    ? type
    : type.kind === "string"
      ? DOUBLE
      : undefined,
);
const many = (type: DataType, p: DataType): DataType => (p.kind === "array" ? arrayOf(type, false) : type);
const doubles = (_: unknown, args: readonly { readonly type: DataType }[]): DataType => many(DOUBLE, args[1]!.type);

/** A whole number as a long. */
const whole = param('"INTEGRAL"', ({ type }) => (isIntegral(type) ? LONG : undefined));
const counted: DataType = {
  kind: "struct",
  fields: [
    { name: "v", type: DOUBLE, nullable: false },
    { name: "n", type: LONG, nullable: true },
  ],
};

/** NaN is the largest. */
const byValue = (a: number, b: number): number =>
  Number.isNaN(a) || Number.isNaN(b) ? Number(Number.isNaN(a)) - Number(Number.isNaN(b)) : a < b ? -1 : a > b ? 1 : 0;

/** The percentile of values that each count so many times: between its two neighbours, by the distance. */
const weighted = nativeFunction(
  "percentile",
  (items: readonly { v: number; n: bigint | number | null }[], shares: number | readonly number[]) => {
    const sorted = items.map(({ v, n }) => ({ v, n: Number(n ?? 0) })).sort((a, b) => byValue(a.v, b.v));
    const negative = sorted.find((e) => e.n < 0);
    if (negative !== undefined) {
      throw new MillraceError(
        "NEGATIVE_VALUES_IN_FREQUENCY_EXPRESSION",
        `Found the negative value ${negative.n} in the frequency of percentile, but expected a positive integral value.`,
      );
    }
    const total = sorted.reduce((sum, e) => sum + e.n, 0);
    const at = (position: number): number => {
      let seen = 0;
      for (const e of sorted) {
        seen += e.n;
        if (seen > position) return e.v;
      }
      return sorted.at(-1)!.v;
    };
    const one = (share: number): number => {
      const position = (total - 1) * share;
      const [low, high] = [Math.floor(position), Math.ceil(position)];
      const [a, b] = [at(low), at(high)];
      return low === high || a === b ? a : (high - position) * a + (position - low) * b;
    };
    if (total === 0) return null;
    return typeof shares === "number" ? one(shares) : shares.map(one);
  },
);

/** What WITHIN GROUP writes for each of its keys. */
const DIRECTION = /^(?:asc|desc) nulls (?:first|last)$/;
const descends = (literals: readonly unknown[] | undefined): boolean => String(literals?.[2]).startsWith("desc");

const wrongArity = (name: string, wanted: string, given: number): MillraceError =>
  new MillraceError(
    "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
    `The \`${name}\` requires ${wanted} parameters but the actual number is ${given}.`,
    { parameters: { functionName: `\`${name}\``, expectedNum: wanted, actualNum: String(given) } },
  );

/** Refuses a literal share outside of 0 to 1; with `ordered` also a call without WITHIN GROUP, which writes a third argument. */
const shared =
  (name: string, ordered = false): NonNullable<Options["coerce"]> =>
  (types, given) => {
    const direction = given[2]?.literal;
    if (ordered && !(typeof direction === "string" && DIRECTION.test(direction)))
      throw wrongArity(name, "1", given.length);
    if (!given[1]!.foldable && given[1]!.type.kind !== "null") throw notConstant(name, "percentage");
    if (given[1]!.literal === null) {
      throw new MillraceError("DATATYPE_MISMATCH.UNEXPECTED_NULL", `The percentage of \`${name}\` must not be null.`, {
        parameters: { exprName: "`percentage`" },
      });
    }
    const shares = [given[1]!.literal].flat();
    const value = shares.find((p) => p !== undefined && p !== null && (Number(p) < 0 || Number(p) > 1));
    if (value === undefined) return types;
    throw new MillraceError(
      "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
      `Cannot resolve "${name}" due to data type mismatch: the percentage must be between 0.0 and 1.0, but it is ${value}.`,
      { parameters: { exprName: "`percentage`", valueRange: "[0.0, 1.0]", currentValue: String(value) } },
    );
  };

/** Shares as DuckDB takes them: a null in a list counts as 0. */
const known = (p: string, type: DataType): string =>
  type.kind === "array" && type.containsNull ? `list_transform(${p}, lambda e: coalesce(e, 0))` : p;

/** Shares counted from the other end. */
const flipped = (p: string, type: DataType): string =>
  type.kind === "array" ? `list_transform(${known(p, type)}, lambda e: 1 - e)` : `(1 - ${p})`;

/** Refuses an accuracy that is no number of neighbours. */
function checkAccuracy(name: string, accuracy: ArgumentType | undefined): void {
  if (accuracy === undefined) return;
  if (!accuracy.foldable) throw notConstant(name, "accuracy");
  const { literal } = accuracy;
  if (literal === null) {
    throw new MillraceError("DATATYPE_MISMATCH.UNEXPECTED_NULL", `The accuracy of \`${name}\` must not be null.`, {
      parameters: { exprName: "accuracy" },
    });
  }
  if (literal === undefined || (Number(literal) > 0 && Number(literal) <= 2_147_483_647)) return;
  throw new MillraceError(
    "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
    `Cannot resolve "${name}" due to data type mismatch: the accuracy must be between (0, 2147483647], but it is ${literal}.`,
    { parameters: { exprName: "accuracy", valueRange: "(0, 2147483647]", currentValue: String(literal) } },
  );
}

const fiveValues = values("INT", 1, 2, 3, 4, 10);

export const percentileFunctions: readonly FunctionDef[] = [
  batch("median", [number], DOUBLE, ["median(x)", 2], ([x]) => `median(${x})`),
  batch(
    "percentile",
    [number, constant(share), opt(whole)],
    doubles,
    ["percentile(x, 0.5)", 2],
    ([x, p, n], { args, result }, native) =>
      n === undefined
        ? `quantile_cont(${x}, ${known(p!, args[1]!)})`
        : native(
            weighted,
            [
              { sql: `list(struct_pack(v := ${x}, n := ${n})) FILTER (${x} IS NOT NULL)`, type: arrayOf(counted) },
              { sql: p!, type: args[1]! },
            ],
            result,
          ),
    { coerce: shared("percentile") },
  ),
  // `percentile_cont(p) WITHIN GROUP (ORDER BY x DESC)`: the order is the third argument.
  batch(
    "percentile_cont",
    [number, constant(share), opt(any)],
    doubles,
    ["percentile_cont(0.25) WITHIN GROUP (ORDER BY x DESC)", 4],
    ([x, p], { literals, args }) =>
      `quantile_cont(${x}, ${descends(literals) ? flipped(p!, args[1]!) : known(p!, args[1]!)})`,
    { values: fiveValues, coerce: shared("percentile_cont", true) },
  ),
  batch(
    "percentile_disc",
    [number, constant(share), opt(any)],
    doubles,
    ["percentile_disc(0.5) WITHIN GROUP (ORDER BY x)", 3],
    ([x, p], { literals, args }) => {
      const shares = known(p!, args[1]!);
      if (!descends(literals)) return `quantile_disc(${x}, ${shares})`;
      const negated = `quantile_disc(-${x}, ${shares})`;
      return args[1]!.kind === "array" ? `list_transform(${negated}, lambda e: -e)` : `(-${negated})`;
    },
    { values: fiveValues, coerce: shared("percentile_disc", true) },
  ),
  // Exact, where Spark is approximate: an element of the input, as there.
  batch(
    "percentile_approx",
    [measured, constant(share), opt(constant(whole))],
    ([t], args) => many(t!, args[1]!.type),
    ["percentile_approx(x, 0.5)", 2],
    ([x, p], { args }) => `quantile_disc(${x}, ${known(p!, args[1]!)})`,
    {
      aliases: ["approx_percentile"],
      coerce: (types, given) => {
        checkAccuracy("percentile_approx", given[2]);
        return shared("percentile_approx")(types, given);
      },
      differences: [
        {
          reason:
            "The result is exact here; Spark's may be a neighbour where a group has more distinct values than the accuracy.",
          when: (args) => args.length > 2,
        },
      ],
    },
  ),
  // The smallest of the most frequent values, so that the same rows give the same result; Spark takes any of them.
  batch(
    "mode",
    [any, opt(constant(boolean))],
    typeOf(0),
    ["mode(x)", 1],
    ([x], { literals, result }) => {
      // Nulls inside of values come first, which DuckDB's own order does not know; NaN comes last, but among the bare keys of a histogram.
      const keyed = hasNulls(result) || result.kind === "float" || result.kind === "double";
      const value = keyed
        ? `CASE WHEN ${x} IS NOT NULL THEN struct_pack(k := ${orderKey(x!, result)}, v := ${x}) END`
        : x;
      const counts = `map_values(histogram(${value}))`;
      const best = `list_max(${counts})`;
      const at =
        literals?.[1] === false
          ? `len(${counts}) + 1 - list_position(list_reverse(${counts}), ${best})`
          : `list_position(${counts}, ${best})`;
      return `CAST(map_keys(histogram(${value}))[${at}]${keyed ? ".v" : ""} AS ${sqlType(result)})`;
    },
    {
      values: values("INT", 1, 1, 2),
      differences: [
        {
          reason: "Of several values that are the most frequent the smallest is taken; Spark takes any of them.",
          when: (args) => args[1]?.literal !== true,
        },
      ],
      coerce: (types, given) => {
        if (given.length < 2 || given[1]!.literal !== undefined) return types;
        throw new MillraceError(
          "NON_FOLDABLE_ARGUMENT",
          "The function `mode` requires the parameter `deterministic` to be a constant.",
          { parameters: { funcName: "`mode`", paramName: "`deterministic`", paramType: '"BOOLEAN"' } },
        );
      },
    },
  ),
  /** The third and fourth argument come from WITHIN GROUP: directions, and the keys. */
  batch(
    "listagg",
    [
      param('"STRING" or "BINARY"', ({ type }) => (type.kind === "binary" ? type : STRING)),
      opt(
        constant(
          param('"STRING"', ({ type }) =>
            type.kind === "null" || type.kind === "string" ? STRING : type.kind === "binary" ? type : undefined,
          ),
        ),
      ),
      opt(param("directions", ({ type }) => (type.kind === "string" ? STRING : undefined))),
      { ...any, rest: true },
    ],
    typeOf(0),
    ["listagg(cast(x as string), ',') WITHIN GROUP (ORDER BY x DESC)", "3,2,1"],
    ([x, d, , ...keys], { literals, args }) => {
      const directions = String(literals?.[2] ?? "").split(",");
      const order =
        keys.length === 0
          ? ""
          : ` ORDER BY ${keys.map((k, i) => `${orderKey(k, args[i + 3]!)} ${directions[i]}`).join(", ")}`;
      const separator = d === undefined || args[1]?.kind === "null" ? "''" : `coalesce(${d}, '')`;
      if (args[0]?.kind === "binary") {
        const text = (v: string): string => `hex(${v})`;
        return `from_hex(string_agg(${text(x!)}, ${d === undefined ? "''" : `coalesce(${text(d)}, '')`}${order}))`;
      }
      return `string_agg(${x}, ${separator}${order})`;
    },
    {
      aliases: ["string_agg"],
      coerce: (types, given) => {
        const directions = String(given[2]?.literal ?? "").split(",");
        const [first, second] = types;
        if (second !== undefined && second.kind !== "null" && first!.kind !== second.kind) {
          throw new MillraceError(
            "DATATYPE_MISMATCH.DATA_DIFF_TYPES",
            `Cannot resolve "listagg" due to data type mismatch: its arguments are of two types, "${sqlName(first!)}" and "${sqlName(second)}".`,
            { parameters: { functionName: "`listagg`" } },
          );
        }
        if (second !== undefined && second.kind !== "null" && given[1]!.literal === undefined) {
          throw new MillraceError(
            "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
            "The delimiter of `listagg` must be a constant.",
            { hint: "Write it as a literal.", parameters: { inputName: "`delimiter`" } },
          );
        }
        const ordered = directions.length === given.length - 3 && directions.every((d) => DIRECTION.test(d));
        if (given.length < 3 || ordered) return types;
        throw wrongArity("listagg", "[1, 2]", given.length);
      },
    },
  ),
];
