import type { ExplainMode } from "../backend.ts";
import { lookupConnector, redactOptions } from "../connectors/index.ts";
import type { Relation } from "../plan/relation.ts";
import type { Field, NamedExpr, ResolvedExpr, ResolvedRelation, SortKey } from "../plan/resolved.ts";
import { relationInputs, resolvedInputs } from "../plan/walk.ts";
import type { Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { compileRelation, outputSelect } from "./compile.ts";
import { show } from "./rows.ts";

/** Text of a plan with Spark's sections; `extended` adds the plan as written and the SQL that DuckDB runs. */
export function explainPlan(
  written: Relation | undefined,
  plan: ResolvedRelation,
  mode: ExplainMode,
  ctx: { readonly timestampMs: number; readonly timeZone: string },
): string {
  const physical = `== Physical Plan ==\n${tree(plan, describe, resolvedInputs)}`;
  if (mode === "simple") return physical;
  const sections: string[] = [];
  if (written !== undefined) {
    sections.push(`== Parsed Logical Plan ==\n${tree(written, describeWritten, relationInputs)}`);
  }
  const fields = plan.fields.map((f) => `${f.name}: ${sqlName(f.type).toLowerCase()}`).join(", ");
  sections.push(`== Analyzed Logical Plan ==\n${fields}\n${tree(plan, describe, resolvedInputs)}`, physical);
  sections.push(`== DuckDB SQL ==\n${sqlOf(plan, ctx)}\n`);
  return sections.join("\n");
}

function sqlOf(plan: ResolvedRelation, ctx: { readonly timestampMs: number; readonly timeZone: string }): string {
  let n = 0;
  const sql = compileRelation(plan, {
    ...ctx,
    // What is computed outside of SQL stands here by a name.
    leaf: (node) => {
      if (node.kind === "scan") return `${node.format}_${n++}`;
      if (node.kind === "map_rows" || node.kind === "transform_with_state") return `${node.kind}_${n++}`;
      return undefined;
    },
    udf: (fn, args) => `${fn.name}(${args.map((a) => a.sql).join(", ")})`,
  });
  return outputSelect(plan, sql);
}

function tree<T>(root: T, line: (node: T) => string, inputs: (node: T) => readonly T[]): string {
  const lines: string[] = [];
  const walk = (node: T, first: string, rest: string): void => {
    lines.push(first + line(node));
    const children = inputs(node);
    children.forEach((child, i) => {
      const last = i === children.length - 1;
      walk(child, `${rest}${last ? "+- " : ":- "}`, `${rest}${last ? "   " : ":  "}`);
    });
  };
  walk(root, "", "");
  return `${lines.join("\n")}\n`;
}

const name = (f: Field): string => `${f.name}#${f.id}`;
const names = (fields: readonly Field[]): string => `[${fields.map(name).join(", ")}]`;

function aliased({ field, expr }: NamedExpr): string {
  if (expr.kind === "column" && expr.id === field.id) return name(field);
  return `${text(expr)} AS ${name(field)}`;
}

function sorted(k: SortKey): string {
  return `${text(k.expr)} ${k.direction.toUpperCase()} NULLS ${k.nulls.toUpperCase()}`;
}

function describe(node: ResolvedRelation): string {
  switch (node.kind) {
    case "scan": {
      const options = redactOptions(lookupConnector(node.format), node.options);
      const more = Object.entries(options).map(([k, v]) => `${k}=${v}`);
      const kind = node.streaming ? "StreamingScan" : "Scan";
      return `${kind} ${node.format} ${names(node.fields)}${node.paths.length > 0 ? ` ${node.paths.join(", ")}` : ""}${more.length > 0 ? ` {${more.join(", ")}}` : ""}`;
    }
    case "local":
      return `LocalTableScan ${names(node.fields)} (${node.rows.length} rows)`;
    case "range":
      return `Range (${node.start}, ${node.end}, step=${node.step})`;
    case "project":
      return `Project [${node.exprs.map(aliased).join(", ")}]`;
    case "filter":
      return `Filter ${text(node.condition)}`;
    case "aggregate":
      return `HashAggregate(keys=[${node.keys.map(aliased).join(", ")}], functions=[${node.calls.map(aliased).join(", ")}])${node.sets === undefined ? "" : ` sets=${JSON.stringify(node.sets)}`}`;
    case "time_window":
      return `TimeWindow ${text(node.time)} duration=${micros(node.durationMicros)} slide=${micros(node.slideMicros)}${node.startMicros === 0n ? "" : ` start=${micros(node.startMicros)}`} AS ${name(node.field)}`;
    case "generate":
      return `Generate ${text(node.generator)}, ${node.outer}, ${names(node.outputs)}`;
    case "join":
      return `Join ${node.type}${node.condition === undefined ? "" : `, ${text(node.condition)}`}`;
    case "union":
      return "Union";
    case "intersect":
    case "except":
      return `${node.kind === "intersect" ? "Intersect" : "Except"}${node.all ? " All" : ""}`;
    case "sort":
      return `Sort [${node.order.map(sorted).join(", ")}]`;
    case "limit":
      return `Limit ${node.limit}`;
    case "offset":
      return `Offset ${node.offset}`;
    case "deduplicate": {
      const keys = node.fields.filter((f) => node.keys.includes(f.id));
      return `${node.withinWatermark ? "DeduplicateWithinWatermark" : "Deduplicate"} ${names(keys)}`;
    }
    case "watermark":
      return `EventTimeWatermark ${name(node.fields.find((f) => f.id === node.column)!)}, delay=${micros(node.delayMicros)}`;
    case "sample":
      return `Sample ${node.fraction}${node.withReplacement ? " with replacement" : ""}, seed=${node.seed}`;
    case "map_rows":
      return `MapRows ${node.op} ${node.fn.name}`;
    case "transform_with_state":
      return `TransformWithState ${node.processor.name} keys=${names(node.input.fields.filter((f) => node.keys.includes(f.id)))}, ${node.outputMode}, timeMode=${node.timeMode}`;
  }
}

function micros(value: bigint): string {
  const units: readonly (readonly [bigint, string])[] = [
    [86_400_000_000n, "day"],
    [3_600_000_000n, "hour"],
    [60_000_000n, "minute"],
    [1_000_000n, "second"],
    [1000n, "millisecond"],
    [1n, "microsecond"],
  ];
  const [size, unit] = units.find(([u]) => value !== 0n && value % u === 0n) ?? [1_000_000n, "second"];
  const count = value / size;
  return `${count} ${unit}${count === 1n ? "" : "s"}`;
}

const INFIX = new Set(["+", "-", "*", "/", "%", "==", "<=>", "!=", "<", "<=", ">", ">=", "and", "or", "=", "||"]);

/** An expression as a reader of Spark's plans knows it. */
function text(e: ResolvedExpr): string {
  switch (e.kind) {
    case "literal":
      return literalText(e.value);
    case "column":
      return `${e.name}#${e.id}`;
    case "call":
      if (INFIX.has(e.name) && e.args.length === 2) {
        return `(${text(e.args[0]!)} ${e.name.toUpperCase() === "==" ? "=" : e.name.toUpperCase()} ${text(e.args[1]!)})`;
      }
      return `${e.name}(${e.distinct ? "DISTINCT " : ""}${e.args.map(text).join(", ")})`;
    case "cast":
      return `${e.mode === "try" ? "try_cast" : "cast"}(${text(e.child)} as ${sqlName(e.type).toLowerCase()})`;
    case "get_field":
      return `${text(e.child)}.${e.name}`;
    case "get_item":
      return `${text(e.child)}[${text(e.key)}]`;
    case "lambda":
      return `lambda(${e.params.map((p) => p.name).join(", ")} -> ${text(e.body)})`;
    case "lambda_variable":
      return e.name;
    case "over": {
      const parts = [
        e.partitionBy.length > 0 ? `PARTITION BY ${e.partitionBy.map(text).join(", ")}` : "",
        e.orderBy.length > 0 ? `ORDER BY ${e.orderBy.map(sorted).join(", ")}` : "",
      ].filter((p) => p !== "");
      return `${text(e.child)} OVER (${parts.join(" ")})`;
    }
    case "udf":
      return `${e.fn.name}(${e.args.map(text).join(", ")})`;
  }
}

function literalText(value: Value): string {
  if (value instanceof Date) return value.toISOString();
  if (typeof value === "bigint") return String(value);
  return typeof value === "string" ? value : show(value);
}

function describeWritten(r: Relation): string {
  switch (r.kind) {
    case "read":
      return `'UnresolvedRelation ${r.format}${r.paths.length > 0 ? ` ${r.paths.join(", ")}` : ""}`;
    case "local":
      return `LocalRelation (${r.rows.length} rows)`;
    case "subquery_alias":
      return `'SubqueryAlias ${r.alias}`;
    case "with_watermark":
      return `'EventTimeWatermark ${r.column}, ${r.delay}`;
    default:
      return `'${r.kind
        .split("_")
        .map((w) => w[0]!.toUpperCase() + w.slice(1))
        .join("")}`;
  }
}
