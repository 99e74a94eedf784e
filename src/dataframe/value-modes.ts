import { MillraceError } from "../errors.ts";
import type { Expr } from "../plan/expr.ts";
import type { Relation, RelationNode } from "../plan/relation.ts";
import { SCRIPT_VALUE } from "../plan/script-value-name.ts";
import { relationInputs } from "../plan/walk.ts";
import type { DataType, StructType } from "../types/data-type.ts";
import { MODE_KEY, valueMode } from "../types/schema.ts";

const known = new WeakMap<object, boolean>();

/** Whether a plan has values that stand in TypeScript in another way than usual. Looks at everything but rows. */
export function hasModes(value: unknown): boolean {
  if (typeof value === "string") return value.includes(MODE_KEY);
  if (typeof value !== "object" || value === null || value instanceof Date || ArrayBuffer.isView(value)) return false;
  const before = known.get(value);
  if (before !== undefined) return before;
  const found = Object.entries(value).some(([k, v]) => k === MODE_KEY || (k !== "rows" && hasModes(v)));
  known.set(value, found);
  return found;
}

function hasNames(plan: Relation): boolean {
  return plan.kind === "sql" || plan.kind === "named_table" || relationInputs(plan).some(hasNames);
}

/** Whether rows of a plan may stand in TypeScript in another way than usual. What names in it mean the session knows: its `views`. */
export function mayHaveModes(plan: Relation, views: ReadonlyMap<string, Relation>): boolean {
  return hasModes(plan) || (views.size > 0 && hasNames(plan) && [...views.values()].some(hasModes));
}

/** A plan whose rows go to TypeScript. */
export function forScript(plan: Relation, views: ReadonlyMap<string, Relation>): Relation {
  if (!mayHaveModes(plan, views)) return plan;
  return Object.freeze<Relation>({
    kind: "project",
    input: plan,
    exprs: [{ kind: "call", name: SCRIPT_VALUE, args: [{ kind: "star" }] }],
  });
}

/** An argument that goes to TypeScript. */
export function forScriptArg(e: Expr): Expr {
  return { kind: "call", name: SCRIPT_VALUE, args: [e] };
}

/** A node that makes rows in TypeScript with `schema`: microseconds come as longs and become timestamps above it. */
export function fromScript(schema: StructType, make: (schema: StructType) => RelationNode): RelationNode {
  refuseNested(schema);
  if (!schema.fields.some((f) => valueMode(f) === "micros")) return make(schema);
  const raw: StructType = {
    kind: "struct",
    fields: schema.fields.map((f) =>
      valueMode(f) === "micros" ? { name: f.name, type: { kind: "long" }, nullable: f.nullable } : f,
    ),
  };
  const exprs = schema.fields.map((f): Expr => {
    const column: Expr = { kind: "attribute", name: `\`${f.name.replaceAll("`", "``")}\`` };
    if (valueMode(f) !== "micros") return column;
    const time: Expr = { kind: "call", name: "timestamp_micros", args: [column] };
    const child: Expr = f.type.kind === "timestamp" ? time : { kind: "cast", child: time, type: f.type, mode: "ansi" };
    return { kind: "alias", child, name: f.name, ...(f.metadata && { metadata: f.metadata }) };
  });
  return { kind: "project", input: make(raw), exprs };
}

/** Microseconds inside arrays, maps and structs can be read, but not written from TypeScript. */
function refuseNested(schema: StructType): void {
  const nested = (type: DataType): boolean =>
    type.kind === "struct"
      ? type.fields.some((f) => valueMode(f) === "micros" || nested(f.type))
      : type.kind === "array"
        ? nested(type.elementType)
        : type.kind === "map" && nested(type.valueType);
  for (const f of schema.fields) {
    if (
      nested(f.type) ||
      (valueMode(f) === "micros" && f.type.kind !== "timestamp" && f.type.kind !== "timestamp_ntz")
    ) {
      throw new MillraceError(
        "INVALID_SCHEMA",
        `The field "${f.name}" has timestamps in microseconds inside it, which rows made in TypeScript cannot give.`,
        {
          hint: "Leave the mode out there, or give the timestamps a field of their own.",
        },
      );
    }
  }
}
