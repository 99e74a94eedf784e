import type { DataType } from "../types/data-type.ts";
import type { Field, ResolvedExpr, ResolvedRelation } from "./resolved.ts";
import { isStateful } from "./streaming-rules.ts";
import { resolvedInputs, walkResolved } from "./walk.ts";

/**
 * What a query's state looks like, one line a part: its sources in order, its stateful operators with their keys, aggregates and
 * types. Filters, projections that leave them alone, names of other columns, options and function bodies may change between
 * runs; what this covers may not, as in Spark ("recovery semantics after changes in a streaming query").
 */
export function stateShape(plan: ResolvedRelation): readonly string[] {
  const shape: string[] = [];
  for (const node of walkResolved(plan)) {
    if (node.kind === "scan" && node.sourceIndex !== undefined)
      shape.push(`source ${node.sourceIndex}: ${node.format}`);
    if (isStateful(node)) shape.push(operatorShape(node));
    if (node.kind === "watermark" && node.streaming) {
      const column = node.fields.find((f) => f.id === node.column);
      shape.push(`watermark on ${column?.name ?? "?"}`);
    }
  }
  return shape.sort((a, b) => order(a) - order(b));
}

// Sources and watermarks first, operators in plan order: sort is stable.
const order = (line: string): number => (line.startsWith("source") ? 0 : line.startsWith("watermark") ? 1 : 2);

function operatorShape(node: ResolvedRelation): string {
  const names = origins(node);
  switch (node.kind) {
    case "aggregate":
      return `aggregate by [${node.keys.map((k) => `${text(k.expr, names)}: ${typeText(k.expr.type)}`).join(", ")}] of [${node.calls
        .map((c) => `${text(c.expr, names)}: ${argumentTypes(c.expr)}${typeText(c.expr.type)}`)
        .join(", ")}]`;
    case "deduplicate":
      return `deduplicate${node.withinWatermark ? " within watermark" : ""} by [${node.keys.map((id) => fieldText(node.input.fields.find((f) => f.id === id))).join(", ")}]`;
    case "transform_with_state":
      return `transformWithState by [${node.keys.map((id) => fieldText(node.input.fields.find((f) => f.id === id))).join(", ")}] ${node.timeMode}`;
    case "join":
      return `join ${node.type} on ${node.condition ? text(node.condition, names) : ""}`;
    default:
      return node.kind;
  }
}

/** An aggregate's state follows the types of its arguments. */
function argumentTypes(e: ResolvedExpr): string {
  return e.kind === "call" ? `(${e.args.map((a) => typeText(a.type)).join(", ")}) ` : "";
}

const fieldText = (f: Field | undefined): string => (f ? `${f.name}: ${typeText(f.type)}` : "?");

/** What a column below a node is called: by its first name, so that renaming it changes nothing; a window by its measures. */
function origins(node: ResolvedRelation): Map<number, string> {
  const names = new Map<number, string>();
  const visit = (n: ResolvedRelation): void => {
    for (const input of resolvedInputs(n)) visit(input);
    if (n.kind === "project") {
      // How a column is computed may change: the state holds its values, not its formula.
      for (const { field, expr } of n.exprs) {
        if (!names.has(field.id)) names.set(field.id, expr.kind === "column" ? text(expr, names) : field.name);
      }
    } else if (n.kind === "time_window") {
      names.set(n.field.id, `window(${text(n.time, names)}, ${n.durationMicros}, ${n.slideMicros}, ${n.startMicros})`);
    } else if (n.kind === "aggregate") {
      for (const k of n.keys) if (!names.has(k.field.id)) names.set(k.field.id, text(k.expr, names));
    }
    for (const f of n.fields) if (!names.has(f.id)) names.set(f.id, f.name);
  };
  for (const input of resolvedInputs(node)) visit(input);
  return names;
}

/** An expression without ids. */
function text(e: ResolvedExpr, names: ReadonlyMap<number, string>): string {
  switch (e.kind) {
    case "literal":
      if (e.of) return text(e.of, names);
      return e.value instanceof Date
        ? e.value.toISOString()
        : e.value instanceof Uint8Array
          ? Buffer.from(e.value).toString("hex")
          : String(e.value);
    case "column":
      return names.get(e.id) ?? e.name;
    case "call":
      return `${e.name}(${e.distinct ? "distinct " : ""}${e.args.map((a) => text(a, names)).join(", ")})`;
    case "cast":
      return `${e.mode}_cast(${text(e.child, names)} as ${typeText(e.type)})`;
    case "get_field":
      return `${text(e.child, names)}.${e.name}`;
    case "get_item":
      return `${text(e.child, names)}[${text(e.key, names)}]`;
    case "lambda":
      return `(${e.params.map((p) => p.name).join(", ")}) -> ${text(e.body, names)}`;
    case "lambda_variable":
      return e.name;
    case "over":
      return `${text(e.child, names)} over`;
    case "subquery":
      return `${e.subquery}(${e.values.map((a) => text(a, names)).join(", ")})`;
    case "udf":
      return `${e.fn.name}(${e.args.map((a) => text(a, names)).join(", ")})`;
  }
}

/** A type without nullability. */
function typeText(type: DataType): string {
  switch (type.kind) {
    case "decimal":
      return `decimal(${type.precision},${type.scale})`;
    case "array":
      return `array<${typeText(type.elementType)}>`;
    case "map":
      return `map<${typeText(type.keyType)},${typeText(type.valueType)}>`;
    case "struct":
      return `struct<${type.fields.map((f) => `${f.name}:${typeText(f.type)}`).join(",")}>`;
    default:
      return type.kind;
  }
}
