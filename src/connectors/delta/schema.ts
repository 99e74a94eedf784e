import { MillraceError } from "../../errors.ts";
import type { DataType, StructField, StructType } from "../../types/data-type.ts";
import { toSparkJson } from "../../types/struct-json.ts";

/** The schema that a table gets for rows of this schema: everything may be null, as when Spark creates a table, and our own metadata is left out. */
export function tableSchema(schema: StructType): StructType {
  return nullable(schema) as StructType;
}

function nullable(type: DataType): DataType {
  switch (type.kind) {
    case "struct":
      return {
        kind: "struct",
        fields: type.fields.map((f) => {
          const metadata = Object.fromEntries(
            Object.entries(f.metadata ?? {}).filter(([key]) => !key.startsWith("millrace:")),
          );
          return {
            name: f.name,
            type: nullable(f.type),
            nullable: true,
            ...(Object.keys(metadata).length === 0 ? {} : { metadata }),
          };
        }),
      };
    case "array":
      return { kind: "array", elementType: nullable(type.elementType), containsNull: true };
    case "map":
      return {
        kind: "map",
        keyType: nullable(type.keyType),
        valueType: nullable(type.valueType),
        valueContainsNull: true,
      };
    default:
      return type;
  }
}

/** What Delta or Parquet cannot hold. @throws MillraceError SINK_SCHEMA_MISMATCH naming the columns */
export function checkStorable(schema: StructType, partitionBy: readonly string[]): void {
  const faults: string[] = [];
  const seen = new Map<string, string>();
  for (const field of schema.fields) {
    const twin = seen.get(field.name.toLowerCase());
    if (twin !== undefined) faults.push(`${twin} and ${field.name} differ only in case`);
    seen.set(field.name.toLowerCase(), field.name);
    checkField(field, field.name, faults);
  }
  for (const name of partitionBy) {
    const field = schema.fields.find((f) => f.name === name);
    if (field === undefined) faults.push(`the partition column ${name} is not a column`);
    else if (["array", "map", "struct", "binary"].includes(field.type.kind)) {
      faults.push(`the partition column ${name} is of type ${field.type.kind}`);
    }
  }
  if (schema.fields.length > 0 && partitionBy.length >= schema.fields.length) {
    faults.push("every column is a partition column");
  }
  if (faults.length > 0) {
    throw new MillraceError("SINK_SCHEMA_MISMATCH", `A Delta table cannot hold these rows: ${faults.join("; ")}.`, {
      hint: "Rename, cast or drop the columns in the query.",
    });
  }
}

function checkField(field: StructField, path: string, faults: string[]): void {
  if (/[ ,;{}()\n\t=]/.test(field.name))
    faults.push(`the name ${JSON.stringify(path)} has one of the characters " ,;{}()\\n\\t="`);
  checkType(field.type, path, faults);
}

function checkType(type: DataType, path: string, faults: string[]): void {
  switch (type.kind) {
    case "null":
      faults.push(`${path} is always null (cast it to a type)`);
      break;
    case "interval_day_time":
    case "interval_year_month":
    case "interval":
      faults.push(`${path} is an interval`);
      break;
    case "array":
      checkType(type.elementType, `${path}.element`, faults);
      break;
    case "map":
      checkType(type.keyType, `${path}.key`, faults);
      checkType(type.valueType, `${path}.value`, faults);
      break;
    case "struct":
      for (const field of type.fields) checkField(field, `${path}.${field.name}`, faults);
      break;
    default:
  }
}

/**
 * The table's schema after a write: as it is when the rows fit, with the rows' new columns at the end when `merge`.
 *
 * @throws MillraceError SINK_SCHEMA_MISMATCH naming every column that does not fit
 */
export function schemaAfter(table: string, held: StructType, rows: StructType, merge: boolean): StructType {
  const faults: string[] = [];
  const added: StructField[] = [];
  const byName = new Map(held.fields.map((f) => [f.name, f]));
  const byLowerCase = new Map(held.fields.map((f) => [f.name.toLowerCase(), f.name]));
  let hasNewColumns = false;
  for (const field of tableSchema(rows).fields) {
    const column = byName.get(field.name);
    if (column === undefined) {
      const twin = byLowerCase.get(field.name.toLowerCase());
      if (twin !== undefined) faults.push(`column ${field.name} is spelt ${twin} in the table`);
      else if (merge) added.push(field);
      else {
        faults.push(`column ${field.name} is not in the table`);
        hasNewColumns = true;
      }
    } else if (typeText(column.type) !== typeText(field.type)) {
      faults.push(
        `column ${field.name} is ${typeText(column.type)} in the table and ${typeText(field.type)} in the rows`,
      );
    } else if (!column.nullable && rows.fields.find((f) => f.name === field.name)?.nullable !== false) {
      faults.push(`column ${field.name} may not be null in the table`);
    }
  }
  for (const column of held.fields) {
    if (!column.nullable && !rows.fields.some((f) => f.name === column.name)) {
      faults.push(`column ${column.name} may not be null in the table and is missing in the rows`);
    }
  }
  if (faults.length > 0) {
    throw new MillraceError(
      "SINK_SCHEMA_MISMATCH",
      `The rows do not fit the Delta table ${table}: ${faults.join("; ")}.`,
      {
        hint: hasNewColumns
          ? "Set mergeSchema to true to add columns, or change the query."
          : "Change the query, or write to another table.",
        parameters: { table },
      },
    );
  }
  return added.length === 0 ? held : { kind: "struct", fields: [...held.fields, ...added] };
}

/** Compared without nullability and metadata. */
function typeText(type: DataType): string {
  const json = JSON.stringify(toSparkJson(nullable(type)), (key, value) => (key === "metadata" ? undefined : value));
  return json.startsWith('"') ? JSON.parse(json) : json;
}
