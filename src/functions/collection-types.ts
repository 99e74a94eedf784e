import type { DataType } from "../types/data-type.ts";
import type { Result } from "./define.ts";

/** What the functions of arrays, maps and lambdas share. */

export type ArrayType = Extract<DataType, { kind: "array" }>;
export type MapType = Extract<DataType, { kind: "map" }>;
export const arrayOf = (elementType: DataType, containsNull = true): DataType => ({
  kind: "array",
  elementType,
  containsNull,
});
export const element: Result = ([t]) => (t as ArrayType).elementType;
export const entry = (t: MapType): DataType => ({
  kind: "struct",
  fields: [
    { name: "key", type: t.keyType, nullable: false },
    { name: "value", type: t.valueType, nullable: t.valueContainsNull },
  ],
});

/** `x` where it is not null, else null. */
export const unlessNull = (xs: string[], sql: string): string =>
  `CASE WHEN ${xs.map((x) => `${x} IS NOT NULL`).join(" AND ")} THEN ${sql} END`;
