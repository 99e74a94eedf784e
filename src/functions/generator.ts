import type { DataType } from "../types/data-type.ts";
import { type FunctionDef, family, type Result } from "./define.ts";
import { array, arrayOrMap, INT } from "./params.ts";

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
    ([t]) => t!,
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
]);
