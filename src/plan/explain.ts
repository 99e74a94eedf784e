import { sqlName } from "../types/ddl.ts";
import { hidePasswords, hideSecrets } from "../types/secrets.ts";
import { show } from "../types/show.ts";
import { durationText } from "../types/time-units.ts";
import type { Relation } from "./relation.ts";
import type { Field, NamedExpr, ResolvedExpr, ResolvedRelation, SortKey } from "./resolved.ts";
import { relationInputs, resolvedInputs, resolvedSubqueries } from "./walk.ts";

/** Options of a format as they may be shown. */
export type ShownOptions = (
  format: string,
  options: Readonly<Record<string, string>>,
) => Readonly<Record<string, string>>;

/** A plan as Spark's `explain` draws it, one operator a line, inputs indented. Nothing secret is shown. */
export function resolvedTree(
  plan: ResolvedRelation,
  shown: ShownOptions = (_, options) => hideSecrets(options),
): string {
  return tree(
    plan,
    (node) => describe(node, shown),
    (node) => [...resolvedInputs(node), ...resolvedSubqueries(node)],
  );
}

/** One operator in a line for people: as `explain` draws it, without the numbers of columns and the text of schemas. */
export function operatorText(node: ResolvedRelation): string {
  const text = describe(node, (_, options) => hideSecrets(options)).replaceAll(/#\d+(-T\d+ms)?\b/g, "");
  return withoutSchemas(text);
}

/** `from_json(value, {"type":"struct",...})` as `from_json(value, {...})`: the fields are seen where they are used. */
function withoutSchemas(text: string): string {
  const start = text.indexOf('{"type":"struct"');
  if (start < 0) return text;
  let depth = 0;
  for (let at = start; at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) {
      return `${text.slice(0, start)}{...}${withoutSchemas(text.slice(at + 1))}`;
    }
  }
  return text;
}

/** A plan as it was written, before its names are resolved: Spark marks such operators with an apostrophe. */
export function writtenTree(plan: Relation): string {
  return tree(plan, describeWritten, relationInputs);
}

function tree<T>(root: T, line: (node: T) => string, inputs: (node: T) => readonly T[]): string {
  const lines: string[] = [];
  const draw = (node: T, prefix: string, childPrefix: string): void => {
    lines.push(prefix + line(node));
    const children = inputs(node);
    children.forEach((child, i) => {
      const last = i === children.length - 1;
      draw(child, `${childPrefix}${last ? "+- " : ":- "}`, `${childPrefix}${last ? "   " : ":  "}`);
    });
  };
  draw(root, "", "");
  return `${lines.join("\n")}\n`;
}

function describeWritten(r: Relation): string {
  switch (r.kind) {
    case "read":
      return `'UnresolvedRelation ${[r.format, ...r.paths.map(hidePasswords)].join(" ")}`;
    case "named_table":
      return `'UnresolvedRelation [${r.name}]`;
    case "sql":
      return `'SQL ${r.query.replaceAll(/\s+/g, " ").trim()}`;
    case "local":
      return `LocalRelation, ${r.rows.length} rows`;
    case "subquery_alias":
      return `'SubqueryAlias ${r.alias}`;
    case "with_watermark":
      return `'EventTimeWatermark ${r.column}, ${r.delay}`;
    default:
      return `'${r.kind
        .split("_")
        .map((word) => word[0]!.toUpperCase() + word.slice(1))
        .join("")}`;
  }
}

function describe(node: ResolvedRelation, shown: ShownOptions): string {
  switch (node.kind) {
    case "scan": {
      const options = Object.entries(shown(node.format, node.options)).map(([k, v]) => `${k}=${v}`);
      const what = [node.format, ...node.paths.map(hidePasswords)].join(" ");
      return `${node.streaming ? "StreamingRelation" : "Relation"} ${what} ${list(node.fields)}${options.length > 0 ? ` {${options.join(", ")}}` : ""}`;
    }
    case "local":
      return `LocalRelation ${list(node.fields)}, ${node.rows.length} rows`;
    case "range":
      return `Range (${node.start}, ${node.end}, step=${node.step})`;
    case "project":
      return `Project [${node.exprs.map(named).join(", ")}]`;
    case "filter":
      return `Filter ${exprToText(node.condition)}`;
    case "aggregate":
      return `Aggregate [${node.keys.map(named).join(", ")}], [${node.calls.map(named).join(", ")}]${node.sets ? `, sets ${JSON.stringify(node.sets)}` : ""}`;
    case "time_window":
      return `TimeWindow ${ref(node.field)} over ${exprToText(node.time)}, ${durationText(node.durationMicros)}, slide ${durationText(node.slideMicros)}${node.startMicros === 0n ? "" : `, start ${durationText(node.startMicros)}`}`;
    case "generate":
      return `Generate ${exprToText(node.generator)}, ${node.outer}, ${list(node.outputs)}`;
    case "join":
      return `Join ${JOINS[node.type]}${node.condition ? `, ${exprToText(node.condition)}` : ""}`;
    case "union":
      return "Union";
    case "intersect":
    case "except":
      return `${node.kind === "intersect" ? "Intersect" : "Except"}${node.all ? " All" : ""}`;
    case "sort":
      return `Sort [${node.order.map(order).join(", ")}], true`;
    case "limit":
      return `GlobalLimit ${node.limit}`;
    case "offset":
      return `Offset ${node.offset}`;
    case "deduplicate":
      return `Deduplicate${node.withinWatermark ? "WithinWatermark" : ""} [${node.keys.map((id) => ref(node.input.fields.find((f) => f.id === id)!)).join(", ")}]`;
    case "watermark":
      return `EventTimeWatermark ${ref(node.fields.find((f) => f.id === node.column)!)}, ${durationText(node.delayMicros)}`;
    case "sample":
      return `Sample ${node.fraction}, ${node.withReplacement}, ${node.seed}`;
    case "map_rows":
      return `MapRows ${node.op} ${node.fn.name}, ${list(node.fields)}`;
    case "transform_with_state":
      return `TransformWithState [${node.keys.map((id) => ref(node.input.fields.find((f) => f.id === id)!)).join(", ")}], ${node.processor.name}, ${node.outputMode}, ${node.timeMode}, ${list(node.fields)}`;
  }
}

const JOINS: Record<Extract<ResolvedRelation, { kind: "join" }>["type"], string> = {
  inner: "Inner",
  cross: "Cross",
  left_outer: "LeftOuter",
  right_outer: "RightOuter",
  full_outer: "FullOuter",
  left_semi: "LeftSemi",
  left_anti: "LeftAnti",
};

const ref = (f: Field): string => `${f.name}#${f.id}${f.watermark ? `-T${f.watermark.delayMicros / 1000n}ms` : ""}`;
const list = (fields: readonly Field[]): string => `[${fields.map(ref).join(", ")}]`;
const order = (k: SortKey): string =>
  `${exprToText(k.expr)} ${k.direction.toUpperCase()} NULLS ${k.nulls.toUpperCase()}`;

function named(n: NamedExpr): string {
  if (n.expr.kind === "column" && n.expr.id === n.field.id) return ref(n.field);
  return `${exprToText(n.expr)} AS ${ref(n.field)}`;
}

const outputIds = (plan: ResolvedRelation): string => plan.fields.map((f) => f.id).join(",");

const INFIX = new Set("+ - * / % == != <=> < <= > >= and or & | ^ || div".split(" "));

/** A resolved expression as text, columns as `name#id`. */
function exprToText(e: ResolvedExpr): string {
  switch (e.kind) {
    case "literal":
      if (e.value instanceof Date) return e.value.toISOString();
      if (e.value instanceof Uint8Array) return `0x${Buffer.from(e.value).toString("hex")}`;
      return typeof e.value === "object" ? show(e.value) : String(e.value);
    case "column":
      return `${e.name}#${e.id}`;
    case "call": {
      const a = e.args.map(exprToText);
      if (a.length === 2 && INFIX.has(e.name)) {
        return `(${a[0]} ${e.name === "==" ? "=" : e.name.toUpperCase()} ${a[1]})`;
      }
      return `${e.name}(${e.distinct ? "distinct " : ""}${a.join(", ")})`;
    }
    case "cast":
      return `${e.mode === "try" ? "try_cast" : "cast"}(${exprToText(e.child)} as ${sqlName(e.type).toLowerCase()})`;
    case "get_field":
      return `${exprToText(e.child)}.${e.name}`;
    case "get_item":
      return `${exprToText(e.child)}[${exprToText(e.key)}]`;
    case "lambda":
      return `lambda (${e.params.map((p) => p.name).join(", ")}) -> ${exprToText(e.body)}`;
    case "lambda_variable":
      return e.name;
    case "over":
      return `${exprToText(e.child)} over (${[
        ...(e.partitionBy.length > 0 ? [`partition by ${e.partitionBy.map(exprToText).join(", ")}`] : []),
        ...(e.orderBy.length > 0 ? [`order by ${e.orderBy.map(order).join(", ")}`] : []),
      ].join(" ")})`;
    case "subquery": {
      const ids = outputIds(e.plan);
      const text = `${e.subquery}-subquery#${ids}`;
      return e.subquery === "in" ? `${e.values.map(exprToText).join(", ")} IN (${text})` : text;
    }
    case "udf":
      return `${e.fn.name}(${e.args.map(exprToText).join(", ")})`;
  }
}
