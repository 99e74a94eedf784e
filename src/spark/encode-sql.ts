import { MillraceError } from "../errors.ts";
import type { Expr } from "../plan/expr.ts";
import { nameParts, quoted } from "../plan/names.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { intervalText } from "../types/interval-type.ts";
import { doubleText, floatText } from "../types/number-text.ts";

type Call = Extract<Expr, { kind: "call" }>;

const DIRECTION = /^(?:asc|desc) nulls (?:first|last)$/;

/** Whether the arguments came from WITHIN GROUP, for which Spark Connect has no message. */
export function isWithinGroup(name: string, args: readonly Expr[]): boolean {
  // A call may have as many arguments too, which Spark refuses.
  const given = args[2]?.kind === "literal" ? String(args[2].value).split(",") : [];
  if (name === "percentile_cont" || name === "percentile_disc") return args.length === 3 && DIRECTION.test(given[0]!);
  if (name !== "listagg" && name !== "string_agg") return false;
  return args.length > 3 && given.length === args.length - 3 && given.every((d) => DIRECTION.test(d));
}

const MANY = /^(not)?like(any|all)$/;

/**
 * `x NOT LIKE ALL ('a%', 'b%')`, which Spark takes for one expression where the patterns are constants. Undefined for other calls, and where
 * `x` has no SQL: its comparisons one by one have the same value.
 */
export function likeManySql(e: Call): string | undefined {
  const m = MANY.exec(e.form ?? "");
  if (m === null) return undefined;
  const tests: Call[] = [];
  const visit = (part: Expr): void => {
    if (part.kind !== "call") return;
    if (part.name === "like" || part.name === "ilike") tests.push(part);
    else for (const arg of part.args) visit(arg);
  };
  visit(e);
  const first = tests[0]!;
  if (!hasSql(first.args[0]!)) return undefined;
  const patterns = tests.map((t) => exprSql(t.args[1]!)).join(", ");
  return `(${exprSql(first.args[0]!)} ${m[1] ? "NOT " : ""}${first.name.toUpperCase()} ${m[2]!.toUpperCase()} (${patterns}))`;
}

/** Whether `exprSql` can write it. */
function hasSql(e: Expr): boolean {
  switch (e.kind) {
    case "literal":
      return true;
    case "attribute":
      return e.planId === undefined;
    case "alias":
    case "cast":
      return hasSql(e.child);
    case "call":
      return e.args.every(hasSql);
    case "extract":
      return hasSql(e.child) && hasSql(e.extraction);
    default:
      return false;
  }
}

/** An expression as Spark SQL, for what has no message of its own. Throws UNSUPPORTED_FEATURE for what has no SQL either. */
export function exprSql(e: Expr): string {
  switch (e.kind) {
    case "literal":
      return literalSql(e.value, e.type);
    case "attribute":
      if (e.planId !== undefined) break;
      return quoted(nameParts(e.name));
    case "alias":
      return exprSql(e.child);
    case "call":
      return callSql(e);
    case "cast":
      if (e.typed && e.child.kind === "literal") return `${sqlName(e.type)} ${text(String(e.child.value))}`;
      return `${e.mode === "try" ? "TRY_CAST" : "CAST"}(${exprSql(e.child)} AS ${sqlName(e.type)})`;
    case "extract":
      return `(${exprSql(e.child)})[${exprSql(e.extraction)}]`;
    case "sort_order":
      return `${exprSql(e.child)} ${e.direction.toUpperCase()} NULLS ${e.nulls.toUpperCase()}`;
  }
  throw new MillraceError(
    "UNSUPPORTED_FEATURE",
    `An expression of the kind ${e.kind} cannot stand beside WITHIN GROUP.`,
    {
      hint: "Compute it as a column before, with withColumn, and name that column.",
    },
  );
}

function callSql(e: Call): string {
  const name = e.name.toLowerCase();
  const all = e.args.map((a) => (a.kind === "star" ? "*" : exprSql(a)));
  const distinct = e.distinct === true ? "DISTINCT " : "";
  if (!isWithinGroup(name, e.args)) {
    if (name === "when") return caseSql(all);
    return `\`${e.name}\`(${distinct}${all.join(", ")})`;
  }
  if (name.startsWith("percentile_")) {
    const direction = e.args[2]!.kind === "literal" ? e.args[2]!.value : "";
    return `${name}(${all[1]}) WITHIN GROUP (ORDER BY ${all[0]} ${direction})`;
  }
  const directions = e.args[2]!.kind === "literal" ? String(e.args[2]!.value).split(",") : [];
  const keys = all.slice(3).map((k, i) => `${k} ${directions[i]}`);
  return `${name}(${distinct}${all[0]}, ${all[1]}) WITHIN GROUP (ORDER BY ${keys.join(", ")})`;
}

function caseSql(all: readonly string[]): string {
  let sql = "CASE";
  for (let i = 0; i + 1 < all.length; i += 2) sql += ` WHEN ${all[i]} THEN ${all[i + 1]}`;
  return `${sql}${all.length % 2 === 1 ? ` ELSE ${all.at(-1)}` : ""} END`;
}

const text = (s: string): string => `'${s.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
const SUFFIX: Readonly<Partial<Record<DataType["kind"], string>>> = { byte: "Y", short: "S", long: "L", decimal: "BD" };

function literalSql(value: Value, type: DataType): string {
  if (value === null) return "NULL";
  if (typeof value === "boolean") return String(value);
  if (type.kind === "string") return text(String(value));
  if (type.kind === "interval_day_time" || type.kind === "interval_year_month")
    return intervalText(value as bigint | number, type);
  if (value instanceof Date) {
    const iso = value.toISOString();
    return type.kind === "date" ? `DATE '${iso.slice(0, 10)}'` : `${sqlName(type)} '${iso}'`;
  }
  if (value instanceof Uint8Array) return `X'${Buffer.from(value).toString("hex")}'`;
  if (type.kind === "double" || type.kind === "float") {
    const number = type.kind === "float" ? floatText(Number(value)) : doubleText(Number(value));
    return `CAST('${number}' AS ${sqlName(type)})`;
  }
  return `${value}${SUFFIX[type.kind] ?? ""}`;
}
