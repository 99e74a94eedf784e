import type { DataType } from "../types/data-type.ts";
import { intervalFields } from "../types/interval-type.ts";
import { aggregateText } from "./aggregate-text.ts";
import type { Expr, SqlForm } from "./expr.ts";

/** How Spark prints calls in the names of columns: operators, names in capitals, arguments that were left out. */

const INFIX = new Set(["+", "-", "*", "/", "%", "<=>", "<", "<=", ">", ">=", "and", "or", "&", "|", "^", "div"]);

/** Printed in capitals: Spark's expression has that name, and its registry sets no other. */
const CAPITALS = new Set(
  (
    "sqrt cbrt exp expm1 log log2 log10 log1p power sin cos tan cot sec csc asin acos atan sinh cosh tanh asinh acosh atanh atan2 " +
    "hypot degrees radians signum pi e rank dense_rank percent_rank"
  ).split(" "),
);

/** Functions that are others by the time they are printed. */
const RENAMED: Readonly<Record<string, string>> = {
  current_database: "current_schema",
  curdate: "current_date",
  array_agg: "collect_list",
  to_varchar: "to_char",
  random: "rand",
};

const PATTERN = "yyyy-MM-dd HH:mm:ss";
/** Parameters of lambdas have no names in Spark's texts. */
export const VARIABLE = "namedlambdavariable()";
/** How array_sort compares by itself. */
const COMPARISON = `(IF(((${VARIABLE} IS NULL) AND (${VARIABLE} IS NULL)), 0, (IF((${VARIABLE} IS NULL), 1, (IF((${VARIABLE} IS NULL), -1, (IF((${VARIABLE} < ${VARIABLE}), -1, (IF((${VARIABLE} > ${VARIABLE}), 1, 0))))))))))`;
/** Arguments that were left out are printed: the texts of all that have a default, from the position of the first. */
const DEFAULTS: Readonly<Record<string, readonly [from: number, ...texts: string[]]>> = {
  round: [1, "0"],
  bround: [1, "0"],
  substring: [2, "2147483647"],
  substr: [2, "2147483647"],
  overlay: [3, "-1"],
  locate: [2, "1"],
  position: [2, "1"],
  mask: [1, "X", "x", "n", "NULL"],
  regexp_replace: [3, "1"],
  regexp_extract: [2, "1"],
  regexp_extract_all: [2, "1"],
  replace: [2, ""],
  regexp_instr: [2, "0"],
  split: [2, "-1"],
  months_between: [2, "true"],
  unix_timestamp: [0, "current_timestamp()", PATTERN],
  to_unix_timestamp: [1, PATTERN],
  from_unixtime: [1, PATTERN],
  make_interval: [0, "0", "0", "0", "0", "0", "0", "0.000000"],
  try_make_interval: [0, "0", "0", "0", "0", "0", "0", "0.000000"],
  make_dt_interval: [0, "0", "0", "0", "0.000000"],
  make_ym_interval: [0, "0", "0"],
  vector_norm: [1, "2.0"],
  vector_normalize: [1, "2.0"],
  aes_encrypt: [2, "GCM", "DEFAULT", "", ""],
  aes_decrypt: [2, "GCM", "DEFAULT", ""],
  try_aes_decrypt: [2, "GCM", "DEFAULT", ""],
  percentile: [2, "1"],
  percentile_approx: [2, "10000"],
  approx_percentile: [2, "10000"],
  lag: [1, "1", "NULL"],
  lead: [1, "1", "NULL"],
  ntile: [0, "1"],
  listagg: [1, "NULL"],
  string_agg: [1, "NULL"],
  str_to_map: [1, ",", ":"],
  sort_array: [1, "true"],
  array_sort: [1, `lambdafunction(${COMPARISON}, ${VARIABLE}, ${VARIABLE})`],
  aggregate: [3, `lambdafunction(${VARIABLE}, ${VARIABLE})`],
  reduce: [3, `lambdafunction(${VARIABLE}, ${VARIABLE})`],
};

/** Functions of two names: with a unit in front, and without. */
const BY_UNIT: Readonly<Record<string, readonly [withUnit: string, plain: string]>> = {
  dateadd: ["timestampadd", "date_add"],
  date_add: ["timestampadd", "date_add"],
  datediff: ["timestampdiff", "datediff"],
  date_diff: ["timestampdiff", "date_diff"],
};

/** A call that SQL wrote in a form of its own. */
export function formText(form: Exclude<SqlForm, "filter">, args: readonly Expr[], text: (e: Expr) => string): string {
  const a = (e: Expr | undefined, i: number): Expr => (e?.kind === "call" ? e.args[i]! : e!);
  switch (form) {
    case "-":
    case "+":
      return `(${form} ${text(args[0]!)})`;
    case "<<":
    case ">>":
    case ">>>":
      return `(${text(args[0]!)} ${form} ${text(args[1]!)})`;
    case "between":
      return `between(${[a(args[0], 0), a(args[0], 1), a(args[1], 1)].map(text).join(", ")})`;
    case "row": {
      // Fields that are not columns are named by their places.
      const fields = args.flatMap((v, i) => [
        v.kind === "lambda_variable" ? v.name : v.kind === "attribute" ? text(v) : `col${i + 1}`,
        text(v),
      ]);
      return `named_struct(${fields.join(", ")})`;
    }
  }
  // The first of the comparisons: they are joined from the left.
  let first: Expr = args[0]!;
  while (first.kind === "call" && first.name !== "like" && first.name !== "ilike") first = first.args[0]!;
  const of = text(a(first, 0));
  return `${form}(${first.kind === "call" && first.name === "ilike" ? `lower(${of})` : of})`;
}

/** Casts that are written as calls are not told. */
const CASTS = new Set(
  "boolean tinyint smallint int bigint float double decimal string binary date timestamp time".split(" "),
);
const TRIMS: Readonly<Record<string, string>> = { trim: "BOTH", ltrim: "LEADING", rtrim: "TRAILING" };

/** A call by its name, its arguments and their texts; `typeOf` an argument, where it is known. */
export function callText(
  name: string,
  args: readonly Expr[],
  a: readonly string[],
  distinct: boolean,
  typeOf: (e: Expr) => DataType | undefined = () => undefined,
): string {
  const lower = name.toLowerCase();
  if (a.length === 2 && (lower === "==" || lower === "=")) return `(${a[0]} = ${a[1]})`;
  if (a.length === 2 && lower === "div") return `(${a[0]} div ${a[1]})`;
  if (a.length === 2 && INFIX.has(lower)) {
    return temporalText(lower, a, args.map(typeOf)) ?? `(${a[0]} ${name.toUpperCase()} ${a[1]})`;
  }
  if (a.length === 1 && CASTS.has(lower)) return a[0]!;
  const trim = a.length === 2 ? TRIMS[lower] : undefined;
  if (trim !== undefined) return `TRIM(${trim} ${a[0]} FROM ${a[1]})`;
  const aggregate = aggregateText(lower, args, a, distinct ? "DISTINCT " : "");
  if (aggregate !== undefined) return aggregate;
  switch (lower) {
    case "assert_true":
      if (a.length === 1) return `assert_true(${a[0]}, '${a[0]}' is not true!)`;
      break;
    case "raise_error":
      if (a.length === 1) return `raise_error(USER_RAISED_EXCEPTION, map(errorMessage, ${a[0]}))`;
      break;
    case "if":
      if (a.length === 3) return `(IF(${a.join(", ")}))`;
      break;
    case "not":
      return `(NOT ${a[0]})`;
    case "extract":
      if (a.length === 2) return `extract(${a[0]} FROM ${a[1]})`;
      break;
    case "datepart":
      if (a.length === 2) return `datepart(${a[0]} FROM ${a[1]})`;
      break;
    case "isnull":
      return `(${a[0]} IS NULL)`;
    case "isnotnull":
      return `(${a[0]} IS NOT NULL)`;
    case "positive":
      return `(+ ${a[0]})`;
    case "~":
      return `~${a[0]}`;
    case "in":
      return `(${a[0]} IN (${a.slice(1).join(", ")}))`;
    case "rlike":
    case "regexp":
    case "regexp_like":
      return `${lower.toUpperCase()}(${a.join(", ")})`;
    case "like":
      return `${a[0]} LIKE ${a[1]}${a.length > 2 ? ` ESCAPE '${a[2]}'` : ""}`;
    case "ilike":
      return `ilike(${a[0]}, ${a[1]})`;
    case "lpad":
    case "rpad":
      if (a.length === 2) return `${lower}(${a.join(", ")}, ${typeOf(args[0]!)?.kind === "binary" ? "X'00'" : " "})`;
      break;
    case "to_char":
    case "to_varchar":
      if (a.length === 2) return toCharText(typeOf(args[0]!), a);
      break;
    case "when": {
      let text = "CASE";
      for (let i = 0; i + 1 < a.length; i += 2) text += ` WHEN ${a[i]} THEN ${a[i + 1]}`;
      return `${text}${a.length % 2 === 1 ? ` ELSE ${a.at(-1)}` : ""} END`;
    }
    case "__script_value":
      return a[0]!;
    case "window":
    case "session_window":
      return lower;
    case "ceil":
    case "floor":
      if (a.length === 1) return `${lower.toUpperCase()}(${a[0]})`;
      break;
    case "log":
      if (a.length === 1) return `LOG(E(), ${a[0]})`;
      break;
    case "convert_timezone":
      if (a.length === 2) return `convert_timezone(current_timezone(), ${a.join(", ")})`;
      break;
    // Schemas and options are no arguments any more.
    case "from_json":
      return isMapSchema(args[1]) ? "entries" : `${lower}(${a[0]})`;
    case "from_csv":
    case "schema_of_csv":
    case "schema_of_json":
    case "to_csv":
    case "to_json":
      return `${lower}(${a[0]})`;
    case "count":
      if (a.length === 0 || a[0] === "*") return "count(1)";
  }
  const [from, ...texts] = DEFAULTS[lower] ?? [0];
  const all = a.length < from ? a : [...a, ...texts.slice(a.length - from)];
  const byUnit = BY_UNIT[lower]?.[a.length === 3 ? 0 : 1];
  const printed = byUnit ?? RENAMED[lower] ?? (CAPITALS.has(lower) ? lower.toUpperCase() : name);
  return `${printed}(${distinct ? "DISTINCT " : ""}${all.join(", ")})`;
}

/** to_char stands for other functions where it is about times or bytes. */
function toCharText(type: DataType | undefined, a: readonly string[]): string {
  if (type?.kind === "date" || type?.kind === "timestamp" || type?.kind === "timestamp_ntz") {
    return `date_format(${a.join(", ")})`;
  }
  if (type?.kind !== "binary") return `to_char(${a.join(", ")})`;
  const format = a[1]!.toLowerCase();
  return format === "utf-8" ? `decode(${a.join(", ")})` : `${format}(${a[0]})`;
}

function isMapSchema(e: Expr | undefined): boolean {
  return e?.kind === "literal" && typeof e.value === "string" && /^\s*map\s*</i.test(e.value);
}

const isInterval = (t: DataType | undefined): boolean =>
  t?.kind === "interval_day_time" || t?.kind === "interval_year_month" || t?.kind === "interval";

/** Arithmetic of times and intervals, which Spark rewrites into functions; undefined where it is that of numbers. */
function temporalText(
  op: string,
  [left, right]: readonly string[],
  [leftType, rightType]: readonly (DataType | undefined)[],
): string | undefined {
  if (leftType === undefined || rightType === undefined) return undefined;
  if (op === "*") return isInterval(rightType) && !isInterval(leftType) ? `(${right} * ${left})` : undefined;
  if (op === "+") {
    return sumText("+", left!, leftType, right!, rightType) ?? sumText("+", right!, rightType, left!, leftType);
  }
  return op === "-" ? sumText("-", left!, leftType, right!, rightType) : undefined;
}

/** What is added to (or taken from) a point in time. */
function sumText(op: "+" | "-", time: string, t: DataType, other: string, o: DataType): string | undefined {
  const isPoint = t.kind === "timestamp" || t.kind === "timestamp_ntz" || t.kind === "string" || t.kind === "date";
  if (t.kind === "date") {
    if (o.kind === "integer" || o.kind === "short" || o.kind === "byte") {
      return `${op === "+" ? "date_add" : "date_sub"}(${time}, ${other})`;
    }
    if (o.kind === "null" && op === "+") return `${time} + ${other}`;
    if (o.kind === "interval_day_time" && intervalFields(o) === "day") {
      const days = `extractansiintervaldays(${other})`;
      return `date_add(${time}, ${op === "+" ? days : `(- ${days})`})`;
    }
  }
  return isPoint && isInterval(o) ? `${time} ${op} ${other}` : undefined;
}
