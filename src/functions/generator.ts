import { MillraceError } from "../errors.ts";
import { sameType } from "../plan/coercion.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType, StructType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type FunctionDef, family, type Result } from "./define.ts";
import { any, array, arrayOrMap, constant, INT, integer, rest } from "./params.ts";

const fn = family("generator");

/** Rows as an array of structs: the form in which every generator gives its outputs. */
const rowsOf = (...fields: [name: string, type: DataType, nullable: boolean][]): DataType => ({
  kind: "array",
  elementType: { kind: "struct", fields: fields.map(([name, type, nullable]) => ({ name, type, nullable })) },
  containsNull: false,
});

const exploded: Result = ([t]) =>
  t!.kind === "map"
    ? rowsOf(["key", t!.keyType, false], ["value", t!.valueType, t!.valueContainsNull])
    : rowsOf(["col", (t as any).elementType, (t as any).containsNull]);
const posExploded: Result = ([t]) =>
  t!.kind === "map"
    ? rowsOf(["pos", INT, false], ["key", t!.keyType, false], ["value", t!.valueType, t!.valueContainsNull])
    : rowsOf(["pos", INT, false], ["col", (t as any).elementType, (t as any).containsNull]);

const explode = (x: string, t: DataType): string =>
  t.kind === "map" ? `map_entries(${x})` : `list_transform(${x}, lambda e: struct_pack(col := e))`;
const posExplode = (x: string, t: DataType): string =>
  t.kind === "map"
    ? `list_transform(map_entries(${x}), lambda e, i: struct_pack(pos := CAST(i - 1 AS INTEGER), "key" := e.key, "value" := e.value))`
    : `list_transform(${x}, lambda e, i: struct_pack(pos := CAST(i - 1 AS INTEGER), col := e))`;

/** The rows that stack makes: its values in turn, the last row filled with nulls. */
function stacked(args: readonly ArgumentType[]): { readonly rows: number; readonly columns: number } {
  const rows = args[0]?.literal === undefined ? Number.NaN : Number(args[0].literal);
  if (args.length < 2)
    throw new MillraceError("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", "The `stack` requires > 1 parameters.");
  if (args[0]!.literal === undefined || !Number.isInteger(rows))
    throw new MillraceError(
      "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
      "The number of rows of `stack` must be a constant.",
    );
  if (rows < 1)
    throw new MillraceError(
      "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
      "The number of rows of `stack` must be greater than 0.",
    );
  return { rows, columns: Math.ceil((args.length - 1) / rows) };
}

const stack = fn(
  "stack",
  [constant(integer), rest(any)],
  (types, args) => {
    const { columns } = stacked(args);
    return rowsOf(
      ...Array.from({ length: columns }, (_, c): [string, DataType, boolean] => [`col${c}`, types[1 + c]!, true]),
    );
  },
  [
    "stack(2, 1, 2, 3)",
    [
      [1, 2],
      [3, null],
    ],
  ],
  (args, { result, literals }) => {
    const fields = ((result as Extract<DataType, { kind: "array" }>).elementType as StructType).fields;
    const values = args.slice(1);
    const rows = Array.from(
      { length: Number(literals?.[0]) },
      (_, r) =>
        `struct_pack(${fields.map((f, c) => `${f.name} := CAST(${values[r * fields.length + c] ?? "NULL"} AS ${sqlType(f.type)})`).join(", ")})`,
    );
    return `[${rows.join(", ")}]`;
  },
  {
    kind: "generator",
    nullable: "always",
    coerce: (types, args) => {
      const { columns } = stacked(args);
      const column = Array.from({ length: columns }, (_, c) => {
        const own = types.slice(1).filter((_, i) => i % columns === c);
        const [first] = own.filter((t) => t.kind !== "null");
        if (own.some((t) => t.kind !== "null" && !sameType(t, first!)))
          throw new MillraceError(
            "DATATYPE_MISMATCH.STACK_COLUMN_DIFF_TYPES",
            `The values of column ${c} of \`stack\` are of several types.`,
          );
        return first ?? own[0]!;
      });
      return types.map((t, i) => (i === 0 ? t : column[(i - 1) % columns]!));
    },
  },
);

/** The fields of a null struct are null. */
const inlined: Result = ([t]) => {
  const row = t as Extract<DataType, { kind: "array" }>;
  const fields = row.elementType.kind === "struct" ? row.elementType.fields : [];
  return rowsOf(...fields.map((f): [string, DataType, boolean] => [f.name, f.type, f.nullable || row.containsNull]));
};

export const generatorFunctions: readonly FunctionDef[] = (["", "_outer"] as const).flatMap((outer) => [
  fn(
    `explode${outer}`,
    [arrayOrMap],
    exploded,
    [`explode${outer}(array(10, 20))`, [10, 20]],
    ([x], { args: [t] }) => explode(x!, t!),
    { kind: "generator", nullable: "always" },
  ),
  fn(
    `posexplode${outer}`,
    [arrayOrMap],
    posExploded,
    [
      `posexplode${outer}(array(10, 20))`,
      [
        [0, 10],
        [1, 20],
      ],
    ],
    ([x], { args: [t] }) => posExplode(x!, t!),
    { kind: "generator", nullable: "always" },
  ),
  fn(
    `inline${outer}`,
    [array],
    inlined,
    [
      `inline${outer}(array(struct(1, 'a'), struct(2, 'b')))`,
      [
        [1, "a"],
        [2, "b"],
      ],
    ],
    ([x]) => x!,
    { kind: "generator", nullable: "always" },
  ),
  ...(outer === "" ? [stack] : []),
]);
