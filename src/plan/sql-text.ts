import type { DataType, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { intervalText } from "../types/interval-type.ts";
import type { Expr } from "./expr.ts";
import { nameParts } from "./names.ts";

/** The name that Spark gives to the column of an expression without alias: `avg(delay)`, `(a + 1)`, `upper(origin)`. */
export function exprName(expr: Expr): string {
  // A cast of a plain column keeps the column's name.
  if (expr.kind === "cast" && (expr.child.kind === "attribute" || expr.child.kind === "alias"))
    return exprName(expr.child);
  if (expr.kind === "cast" && expr.child.kind === "extract") return exprName(expr.child);
  return exprText(expr);
}

/** Parameters of lambdas have no names in Spark's texts. */
const VARIABLE = "namedlambdavariable()";

const INFIX = new Set(["+", "-", "*", "/", "%", "<=>", "<", "<=", ">", ">=", "and", "or", "&", "|", "^", "div"]);

/** An expression as Spark prints it in column names and messages. */
export function exprText(expr: Expr): string {
  switch (expr.kind) {
    case "literal":
      return literalText(expr.value, expr.type);
    case "attribute":
      return nameParts(expr.name).at(-1)!;
    case "star":
      return expr.target === undefined ? "*" : `${expr.target}.*`;
    case "alias":
      return expr.name;
    case "call":
      return callText(expr.name, expr.args, expr.distinct === true);
    case "cast":
      if (expr.typed && expr.child.kind === "literal") return typedText(String(expr.child.value), expr.type);
      return `${expr.mode === "try" ? "TRY_CAST" : "CAST"}(${exprText(expr.child)} AS ${sqlName(expr.type)})`;
    case "sort_order":
      return `${exprText(expr.child)} ${expr.direction.toUpperCase()} NULLS ${expr.nulls.toUpperCase()}`;
    case "extract":
      return expr.extraction.kind === "literal" &&
        typeof expr.extraction.value === "string" &&
        expr.child.kind !== "attribute"
        ? `${exprText(expr.child)}.${expr.extraction.value}`
        : expr.extraction.kind === "literal" && typeof expr.extraction.value === "string"
          ? expr.extraction.value
          : `${exprText(expr.child)}[${exprText(expr.extraction)}]`;
    case "lambda":
      return `lambdafunction(${[exprText(expr.body), ...expr.params.map(() => VARIABLE)].join(", ")})`;
    case "lambda_variable":
      return VARIABLE;
    case "window": {
      const partition = expr.partitionBy.length > 0 ? `PARTITION BY ${expr.partitionBy.map(exprText).join(", ")}` : "";
      const order = expr.orderBy.length > 0 ? `ORDER BY ${expr.orderBy.map(exprText).join(", ")}` : "";
      return `${exprText(expr.child)} OVER (${[partition, order].filter((s) => s !== "").join(" ")})`;
    }
    case "subquery":
      return expr.type === "scalar"
        ? "scalarsubquery()"
        : expr.type === "exists"
          ? "exists()"
          : `(${(expr.values ?? []).map(exprText).join(", ")} IN (listquery()))`;
    case "udf":
      return `${expr.fn.name}(${expr.args.map(exprText).join(", ")})`;
  }
}

/** `TIMESTAMP '2020-01-01 00:00:00'`: a day alone is its midnight, and zeros behind the seconds are left out. */
function typedText(text: string, type: DataType): string {
  const t = text.trim().replace("T", " ");
  const full =
    type.kind === "date"
      ? t
      : /^\d{4}-\d{2}-\d{2}$/.test(t)
        ? `${t} 00:00:00`
        : t.replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
  return `${sqlName(type)} '${full}'`;
}

function callText(name: string, args: readonly Expr[], distinct: boolean): string {
  const a = args.map(exprText);
  const lower = name.toLowerCase();
  if (lower === "if" && a.length === 3) return `(IF(${a.join(", ")}))`;
  if (a.length === 2 && (lower === "==" || lower === "=")) return `(${a[0]} = ${a[1]})`;
  if (a.length === 2 && lower === "div") return `(${a[0]} div ${a[1]})`;
  if (a.length === 2 && INFIX.has(lower)) return `(${a[0]} ${name.toUpperCase()} ${a[1]})`;
  switch (lower) {
    case "not":
      return `(NOT ${a[0]})`;
    case "extract":
      if (a.length === 2) return `extract(${a[0]!.toLowerCase()} FROM ${a[1]})`;
      break;
    case "isnull":
      return `(${a[0]} IS NULL)`;
    case "isnotnull":
      return `(${a[0]} IS NOT NULL)`;
    case "negative":
      return `(- ${a[0]})`;
    case "current_database":
      return "current_schema()";
    case "~":
      return `~${a[0]}`;
    case "in":
      return `(${a[0]} IN (${a.slice(1).join(", ")}))`;
    case "like":
    case "rlike":
    case "ilike":
      return lower === "rlike" ? `RLIKE(${a.join(", ")})` : `${a[0]} ${name.toUpperCase()} ${a[1]}`;
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
    case "count":
      if (a.length === 0 || a[0] === "*") return "count(1)";
  }
  return `${name}(${distinct ? "DISTINCT " : ""}${a.join(", ")})`;
}

function literalText(value: Value, type: DataType): string {
  if (value === null) return "NULL";
  if (value instanceof Date) {
    const iso = value.toISOString();
    return type.kind === "date"
      ? `DATE '${iso.slice(0, 10)}'`
      : `TIMESTAMP '${iso
          .slice(0, 23)
          .replace("T", " ")
          .replace(/\.?0+$/, "")}'`;
  }
  if (value instanceof Uint8Array) return `X'${Buffer.from(value).toString("hex").toUpperCase()}'`;
  if (typeof value === "number" && type.kind === "double" && Number.isInteger(value)) return value.toFixed(1);
  if (type.kind === "interval_day_time" || type.kind === "interval_year_month")
    return intervalText(value as bigint | number, type);
  if (Array.isArray(value)) return `ARRAY(${value.map((v) => literalText(v, { kind: "string" })).join(", ")})`;
  return String(value);
}
