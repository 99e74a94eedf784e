import type { DataType, StructField } from "../../types/data-type.ts";
import { quoteIdentifier, sqlString, sqlType } from "../../types/duckdb-types.ts";
import { valueMode } from "../../types/schema.ts";

/**
 * A column of a stored batch: what pyarrow wrote to Parquet with the column's exact type, and in the form that TypeScript asks for (a long as
 * a number, a timestamp in microseconds).
 */
export function storedColumn(field: StructField): string {
  const name = quoteIdentifier(field.name);
  // Parquet has no interval that Arrow would write: it is a number of microseconds there
  const exact =
    field.type.kind === "interval_day_time" ? `to_microseconds(${name})` : `CAST(${name} AS ${sqlType(field.type)})`;
  return `${inForm(exact, field.type, field.metadata, 0)} AS ${name}`;
}

/** The column of a batch without rows. */
export function emptyColumn(field: StructField): string {
  const form = inForm(`NULL::${sqlType(field.type)}`, field.type, field.metadata, 0);
  return `${form} AS ${quoteIdentifier(field.name)}`;
}

type Metadata = StructField["metadata"];

function inForm(value: string, type: DataType, metadata: Metadata, depth: number): string {
  if (!hasForm(type, metadata)) return value;
  const item = `v${depth}`;
  switch (type.kind) {
    case "long":
      return `CAST(${value} AS DOUBLE)`;
    case "timestamp":
    case "timestamp_ntz":
      return `epoch_us(${value})`;
    case "array":
      return `list_transform(${value}, lambda ${item}: ${inForm(item, type.elementType, metadata, depth + 1)})`;
    case "map": {
      const entry = `{'key': ${item}.key, 'value': ${inForm(`${item}.value`, type.valueType, metadata, depth + 1)}}`;
      return `map_from_entries(list_transform(map_entries(${value}), lambda ${item}: ${entry}))`;
    }
    case "struct": {
      const fields = type.fields.map((f) => {
        const part = inForm(`(${value}).${quoteIdentifier(f.name)}`, f.type, f.metadata, depth);
        return `${sqlString(f.name)}: ${part}`;
      });
      return `CASE WHEN ${value} IS NULL THEN NULL ELSE {${fields.join(", ")}} END`;
    }
    default:
      return value;
  }
}

/** Whether anything in a value stands in TypeScript in another way than usual. */
function hasForm(type: DataType, metadata: Metadata): boolean {
  switch (type.kind) {
    case "long":
      return valueMode({ metadata }) === "number";
    case "timestamp":
    case "timestamp_ntz":
      return valueMode({ metadata }) === "micros";
    case "array":
      return hasForm(type.elementType, metadata);
    case "map":
      return hasForm(type.valueType, metadata);
    case "struct":
      return type.fields.some((f) => hasForm(f.type, f.metadata));
    default:
      return false;
  }
}
