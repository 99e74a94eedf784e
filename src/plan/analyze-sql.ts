import { MillraceError } from "../errors.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { aggregateOver, resolveAggregate } from "./analyze-aggregate.ts";
import type { Builder } from "./analyze-base.ts";
import { generate, nestedGenerator } from "./analyze-generator.ts";
import { Scope } from "./analyze-scope.ts";
import { commonType } from "./coercion.ts";
import type { Expr } from "./expr.ts";
import { quoted } from "./names.ts";
import type { Relation } from "./relation.ts";
import { castExpr, columnOf, resolveCall } from "./resolve-expr.ts";
import type { Field, NamedExpr, ResolvedExpr } from "./resolved.ts";
import type { Node } from "./scope.ts";
import { exprName, exprText } from "./sql-text.ts";
import { walkExpr } from "./walk.ts";

type Of<K extends Relation["kind"]> = Extract<Relation, { kind: K }>;

const STRING: DataType = { kind: "string" };
const literal = (value: Value, type: DataType): ResolvedExpr => ({
  kind: "literal",
  value,
  type,
  nullable: value === null,
});

function call(b: Builder, name: string, ...args: ResolvedExpr[]): ResolvedExpr {
  const signature = b.env.catalog.lookup(name);
  if (signature === undefined) throw new MillraceError("INTERNAL", `The function table has no ${name}.`);
  return resolveCall(
    signature,
    args.map((expr) => ({ expr })),
    false,
  );
}

/** LATERAL VIEW and table functions: the generator's rows beside each row of the input. */
export function resolveGenerate(b: Builder, input: Node, r: Of<"generate">): Node {
  const generator: Expr =
    r.outer && r.generator.kind === "call" && !/_outer$/i.test(r.generator.name)
      ? { ...r.generator, name: `${r.generator.name.toLowerCase()}_outer` }
      : r.generator;
  const scope: Scope = new Scope(b, input, {
    hidden: false,
    generator: (signature, args, type, nested) => {
      if (nested) throw nestedGenerator(signature);
      return generate(b, scope, signature, args, type, undefined);
    },
  });
  if (generator.kind !== "call" || b.env.catalog.lookup(generator.name)?.kind !== "generator") {
    const name = quoted(exprText(r.generator).split("(")[0]!);
    throw new MillraceError(
      "UNRESOLVABLE_TABLE_VALUED_FUNCTION",
      `Could not resolve ${name} to a table-valued function.`,
      { hint: "Use range, explode, posexplode or inline.", parameters: { name } },
    );
  }
  scope.exprs.resolve(generator);
  const made = scope.node;
  const outputs = scope.generated ?? [];
  const { columns: names } = r;
  if (names !== undefined && names.length !== outputs.length) {
    throw new MillraceError(
      r.input.kind === "local" ? "NUM_TABLE_VALUE_ALIASES_MISMATCH" : "UDTF_ALIAS_NUMBER_MISMATCH",
      `The generator has ${outputs.length} columns, but ${names.length} names were given.`,
    );
  }
  const qualifiers = r.alias === undefined ? [] : [r.alias];
  const renamed = new Map(outputs.map((f, i) => [f.id, names ? b.remember({ ...f, name: names[i]! }) : f] as const));
  const swap = (f: Field): Field => renamed.get(f.id) ?? f;
  const { rel } = made;
  if (rel.kind !== "generate") throw new MillraceError("INTERNAL", "A generator made no generate node.");
  return {
    ...input,
    rel: { ...rel, outputs: rel.outputs.map(swap), fields: rel.fields.map(swap) },
    columns: [...made.columns, ...outputs.map((f) => ({ field: swap(f), qualifiers }))],
    hidden: [],
  };
}

/** VALUES: columns `col1`, `col2`, ... of types that all rows have in common. */
export function resolveInlineTable(b: Builder, r: Of<"inline_table">): Node {
  const none = b.leaf({ kind: "local", rows: [[]] }, [], false);
  const width = r.rows[0]?.length ?? 0;
  const rows = r.rows.map((row, at) => {
    if (row.length !== width) {
      throw new MillraceError(
        "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH",
        `Invalid inline table. Inline table expected ${width} columns but found ${row.length} columns in row ${at}.`,
      );
    }
    return row.map((e) => new Scope(b, none).exprs.resolve(e));
  });
  const fields = Array.from({ length: width }, (_, i): Field => {
    const column = rows.map((row) => row[i]!);
    const type = column
      .map((e) => e.type)
      .reduce<DataType | undefined>((a, t) => a && commonType(a, t), { kind: "null" });
    // A text beside a number has no common type in a table.
    const mixed = column.some((e) => e.type.kind === "string") && column.some((e) => isNumeric(e.type));
    if (type === undefined || mixed) {
      throw new MillraceError(
        "INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE",
        `Found incompatible types in the column \`col${i + 1}\` for inline table.`,
      );
    }
    return b.field(
      `col${i + 1}`,
      type,
      column.some((e) => e.nullable),
    );
  });
  const cast = rows.map((row) => row.map((e, i) => castExpr(e, fields[i]!.type, "ansi", () => "VALUES")));
  if (cast.every((row) => row.every((e) => e.kind === "literal"))) {
    const values = cast.map((row) => row.map((e) => (e.kind === "literal" ? e.value : null)));
    return b.leaf({ kind: "local", rows: values }, fields, false);
  }
  const inputs = cast.map((row) => {
    const exprs = row.map((expr, i): NamedExpr => ({ field: b.derived(fields[i]!.name, expr), expr }));
    return b.project(b.leaf({ kind: "local", rows: [[]] }, [], false), exprs).rel;
  });
  return b.leaf({ kind: "union", inputs }, fields, false);
}

function isNumeric(type: DataType): boolean {
  return ["byte", "short", "integer", "long", "float", "double", "decimal"].includes(type.kind);
}

/** `PIVOT (sum(v) FOR k IN ('a', 'b'))`: grouped by all columns that it does not name. */
export function resolveSqlPivot(b: Builder, input: Node, r: Of<"sql_pivot">): Node {
  const scope = new Scope(b, input, { hidden: false });
  const used = new Set<number>();
  for (const e of [...r.aggregates, ...r.columns]) {
    for (const x of walkExpr(scope.exprs.resolve(e))) if (x.kind === "column") used.add(x.id);
  }
  const kept = input.columns.filter((c) => !used.has(c.field.id));
  const grouping: Expr[] = [
    ...kept.map((c): Expr => ({ kind: "attribute", name: quoted([...c.qualifiers.slice(0, 1), c.field.name]) })),
    ...r.columns.map((child, i): Expr => ({ kind: "alias", child, name: `__pivot${i}` })),
  ];
  const first = resolveAggregate(b, input, grouping, r.aggregates);
  const all = first.rel.fields;
  const pivots = all.slice(kept.length, kept.length + r.columns.length);
  const results = all.slice(kept.length + r.columns.length);
  const named = r.values.flatMap(({ value, alias }) => {
    const parts = value.kind === "call" && value.name === "struct" && pivots.length > 1 ? value.args : [value];
    if (parts.length !== pivots.length) {
      throw new MillraceError(
        "DATATYPE_MISMATCH",
        `The pivot value ${exprText(value)} has ${parts.length} parts for ${pivots.length} columns.`,
      );
    }
    const condition = parts
      .map((p, i) => call(b, "<=>", columnOf(pivots[i]!), scope.exprs.resolve(p)))
      .reduce((x, y) => call(b, "and", x, y));
    const label = alias ?? (parts.length > 1 ? `{${parts.map((p) => exprText(p)).join(", ")}}` : exprText(value));
    return results.map((result) => {
      const cell = call(b, "if", condition, columnOf(result), literal(null, { kind: "null" }));
      const expr = call(b, "any_value", cell, literal(true, { kind: "boolean" }));
      return { name: results.length === 1 ? label : `${label}_${result.name}`, expr };
    });
  });
  const keys = all.slice(0, kept.length).map((field): NamedExpr => ({ field, expr: columnOf(field) }));
  return { ...aggregateOver(b, first, keys, named, { withKeys: true }), hidden: [] };
}

/** UNPIVOT: a row for each set of columns, with its name. */
export function resolveUnpivot(b: Builder, input: Node, r: Of<"unpivot">): Node {
  const scope = new Scope(b, input, { hidden: false });
  const sets = r.values.map(({ columns, alias }) => ({
    exprs: columns.map((c) => scope.exprs.resolve(c)),
    name: alias ?? columns.map((c) => exprName(c)).join("_"),
  }));
  if (sets.some((s) => s.exprs.length !== r.valueNames.length)) {
    throw new MillraceError(
      "UNPIVOT_VALUE_SIZE_MISMATCH",
      `All unpivot value columns must have the same size as there are value column names (${r.valueNames.join(", ")}).`,
    );
  }
  const types = r.valueNames.map((name, i) => {
    const type = sets
      .map((s) => s.exprs[i]!.type)
      .reduce<DataType | undefined>((a, t) => a && widened(a, t), {
        kind: "null",
      });
    if (type !== undefined) return type;
    throw new MillraceError(
      "UNPIVOT_VALUE_DATA_TYPE_MISMATCH",
      `Unpivot value columns must share a least common type, some types do not: ${sets.map((s) => sqlName(s.exprs[i]!.type)).join(", ")} for ${name}.`,
    );
  });
  const names = [r.variableName, ...r.valueNames];
  const rows = sets.map((s) =>
    call(
      b,
      "named_struct",
      ...[
        literal(s.name, STRING),
        ...s.exprs.map((e, i) => castExpr(e, types[i]!, "ansi", () => names[i + 1]!)),
      ].flatMap((e, i) => [literal(`c${i}`, STRING), e]),
    ),
  );
  const generator = call(b, "inline", call(b, "array", ...rows));
  const outputs = [
    b.field(r.variableName, STRING, false),
    ...r.valueNames.map((name, i) =>
      b.field(
        name,
        types[i]!,
        sets.some((s) => s.exprs[i]!.nullable),
      ),
    ),
  ];
  const taken = new Set(sets.flatMap((s) => s.exprs.map((e) => (e.kind === "column" ? e.id : -1))));
  const { rel } = input;
  const fields = [...rel.fields, ...outputs];
  const spread: Node = {
    rel: { kind: "generate", input: rel, generator, outputs, outer: false, fields, streaming: rel.streaming },
    columns: [...input.columns, ...outputs.map((field) => ({ field, qualifiers: [] }))],
    hidden: [],
    plans: input.plans,
  };
  const some = outputs.slice(1).map((f) => call(b, "isnotnull", columnOf(f)));
  const condition = some.reduce((x, y) => call(b, "or", x, y));
  const filtered = r.includeNulls ? spread : b.over(spread, { kind: "filter", input: spread.rel, condition });
  const exprs = fields.filter((f) => !taken.has(f.id)).map((f): NamedExpr => ({ field: f, expr: columnOf(f) }));
  return { ...b.project(filtered, exprs), hidden: [] };
}

/** Texts and numbers are not mixed. */
function widened(a: DataType, b: DataType): DataType | undefined {
  if ((a.kind === "string" && isNumeric(b)) || (b.kind === "string" && isNumeric(a))) return undefined;
  return commonType(a, b);
}
