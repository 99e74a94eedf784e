import { MillraceError } from "../errors.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { NO_FIELD, quoteIdentifier, sqlString, sqlType } from "../types/duckdb-types.ts";
import { show } from "../types/show.ts";

/** A value as DuckDB SQL of exactly `sqlType(type)`. */
export function literalSql(value: Value | undefined, type: DataType): string {
  if (value === null || value === undefined) return `CAST(NULL AS ${sqlType(type)})`;
  switch (type.kind) {
    case "null":
      return "CAST(NULL AS INTEGER)";
    case "boolean":
      return value ? "true" : "false";
    case "integer":
      return Number(value) < 0 ? `(${Number(value)})` : String(Number(value));
    case "byte":
    case "short":
      return `CAST(${Number(value)} AS ${sqlType(type)})`;
    case "long":
      return `CAST(${sqlString(String(value))} AS BIGINT)`;
    case "float":
    case "double":
      return `CAST(${sqlString(numberText(Number(value)))} AS ${sqlType(type)})`;
    case "decimal":
      return `CAST(${sqlString(String(value))} AS ${sqlType(type)})`;
    case "string":
      return sqlString(String(value));
    case "binary":
      return `from_hex('${Buffer.from(value as Uint8Array).toString("hex")}')`;
    case "date":
      return `CAST(make_timestamp(${millis(value, type)}000) AS DATE)`;
    case "timestamp":
      return `make_timestamptz(${millis(value, type)}000)`;
    case "timestamp_ntz":
      return `make_timestamp(${millis(value, type)}000)`;
    case "interval_year_month":
      return `CAST(${Number(value)} AS INTEGER)`;
    case "interval_day_time":
    case "interval":
      return `to_microseconds(${BigInt(value as bigint)})`;
    case "array": {
      const items = (value as readonly Value[]).map((item) => literalSql(item, type.elementType));
      return `CAST([${items.join(", ")}] AS ${sqlType(type)})`;
    }
    case "map": {
      const entries = value instanceof Map ? [...value] : Object.entries(value as { [name: string]: Value });
      const keys = entries.map(([k]) => literalSql(k as Value, type.keyType));
      const values = entries.map(([, v]) => literalSql(v as Value, type.valueType));
      return `CAST(map([${keys.join(", ")}], [${values.join(", ")}]) AS ${sqlType(type)})`;
    }
    case "struct": {
      const object = value as { [name: string]: Value };
      return structSql(type.fields.map((f) => [f.name, literalSql(object[f.name], f.type)]));
    }
  }
}

/** A struct of named expressions. */
export function structSql(fields: readonly (readonly [name: string, sql: string])[]): string {
  if (fields.length === 0) return `struct_pack(${quoteIdentifier(NO_FIELD)} := CAST(NULL AS BOOLEAN))`;
  return `struct_pack(${fields.map(([name, sql]) => `${quoteIdentifier(name)} := ${sql}`).join(", ")})`;
}

function millis(value: Value, type: DataType): number {
  const ms = value instanceof Date ? value.getTime() : Number.NaN;
  if (Number.isNaN(ms)) {
    throw new MillraceError("INVALID_VALUE", `${show(value)} is not a ${sqlName(type)}.`, {
      hint: "Give a valid Date.",
    });
  }
  return ms;
}

function numberText(n: number): string {
  if (Number.isNaN(n)) return "nan";
  if (n === Number.POSITIVE_INFINITY) return "inf";
  if (n === Number.NEGATIVE_INFINITY) return "-inf";
  return Object.is(n, -0) ? "-0.0" : String(n);
}
