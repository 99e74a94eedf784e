import { MillraceError } from "../errors.ts";
import { sqlName } from "../types/ddl.ts";
import type { Builder } from "./analyze-base.ts";
import { commonType, sameType } from "./coercion.ts";
import { refuseMaps } from "./refuse-types.ts";
import type { Relation } from "./relation.ts";
import { castExpr, columnOf } from "./resolve-expr.ts";
import type { Field, NamedExpr, ResolvedExpr, ResolvedNode } from "./resolved.ts";
import { type Node, unresolved } from "./scope.ts";

type SetOp = Extract<Relation, { kind: "set_op" }>;

export function resolveSetOp(b: Builder, l: Node, r: Node, op: SetOp): Node {
  const [left, right] = op.byName ? alignByName(b, l, r, op) : [l, r];
  const name = op.op.toUpperCase();
  if (left.rel.fields.length !== right.rel.fields.length) {
    throw new MillraceError(
      "NUM_COLUMNS_MISMATCH",
      `${name} can only be performed on inputs with the same number of columns, but the first input has ${left.rel.fields.length} columns and the second input has ${right.rel.fields.length} columns.`,
      {
        parameters: {
          operator: name,
          firstNumColumns: String(left.rel.fields.length),
          invalidOrdinalNum: "second",
          invalidNumColumns: String(right.rel.fields.length),
        },
      },
    );
  }
  const types = left.rel.fields.map((f, i) => {
    const g = right.rel.fields[i]!;
    const type = commonType(f.type, g.type);
    if (type !== undefined) return type;
    throw new MillraceError(
      "INCOMPATIBLE_COLUMN_TYPE",
      `${name} can only be performed on tables with compatible column types. Column ${i + 1} of the second table is "${sqlName(g.type)}" type which is not compatible with "${sqlName(f.type)}" at the same column of the first table.`,
      { parameters: { operator: name, dataType1: `"${sqlName(g.type)}"`, dataType2: `"${sqlName(f.type)}"` } },
    );
  });
  const cast = (n: Node): Node => {
    if (n.rel.fields.every((f, i) => sameType(f.type, types[i]!))) return n;
    return b.project(
      n,
      n.rel.fields.map((f, i): NamedExpr => {
        if (sameType(f.type, types[i]!)) return { field: f, expr: columnOf(f) };
        const expr = castExpr(columnOf(f), types[i]!, "ansi", () => f.name);
        return { field: b.field(f.name, types[i]!, f.nullable), expr };
      }),
    );
  };
  if (op.op !== "union") refuseMaps([...left.rel.fields, ...right.rel.fields]);
  const a = cast(left);
  const c = cast(right);
  const fields = a.rel.fields.map((f, i): Field => {
    const g = c.rel.fields[i]!;
    const watermark = op.op === "union" ? (f.watermark ?? g.watermark) : f.watermark;
    const nullable = op.op === "union" ? f.nullable || g.nullable : f.nullable;
    const rest = { ...(f.metadata && { metadata: f.metadata }), ...(watermark && { watermark }) };
    return b.field(f.name, types[i]!, nullable, rest);
  });
  const byLeft = new Map(left.rel.fields.map((f, i) => [f.id, fields[i]!]));
  const plans = new Map([...left.plans].map(([id, fs]) => [id, fs.map((f) => byLeft.get(f.id) ?? f)] as const));
  const node = (n: ResolvedNode): Node => ({
    ...b.leaf(n, fields, a.rel.streaming || c.rel.streaming),
    plans,
  });
  if (op.op !== "union") return node({ kind: op.op, left: a.rel, right: c.rel, all: op.all });
  const union = node({ kind: "union", inputs: [a.rel, c.rel] });
  if (op.all) return union;
  return b.over(union, {
    kind: "deduplicate",
    input: union.rel,
    keys: fields.map((f) => f.id),
    withinWatermark: false,
  });
}

/** The right side in the order of the left; with `allowMissingColumns` what one side lacks is null there. */
function alignByName(b: Builder, left: Node, right: Node, op: SetOp): [Node, Node] {
  const find = (n: Node, name: string): Field | undefined => n.rel.fields.find((f) => b.same(f.name, name));
  const none = (f: Field): NamedExpr => {
    const expr: ResolvedExpr = { kind: "literal", value: null, type: f.type, nullable: true };
    return { field: b.field(f.name, f.type, true), expr };
  };
  const extra = right.rel.fields.filter((f) => !find(left, f.name));
  const lacking = left.rel.fields.filter((f) => !find(right, f.name));
  if (!op.allowMissingColumns) {
    const missing = lacking[0] ?? extra[0];
    if (missing) throw unresolved(missing.name, lacking[0] ? right.columns : left.columns);
  }
  const kept = (f: Field): NamedExpr => ({ field: f, expr: columnOf(f) });
  return [
    extra.length === 0 ? left : b.project(left, [...left.rel.fields.map(kept), ...extra.map(none)]),
    b.project(right, [
      ...left.rel.fields.map((f) => {
        const own = find(right, f.name);
        return own ? kept(own) : none(f);
      }),
      ...extra.map(kept),
    ]),
  ];
}
