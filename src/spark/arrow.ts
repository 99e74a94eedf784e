import { type Table, tableFromIPC } from "@uwdata/flechette";
import { MillraceError } from "../errors.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { columnsOfTable, type DecodeOptions, rowsOfTable, typeOfArrow } from "./arrow-decode.ts";
import { type EncodeOptions, encodeColumns } from "./arrow-encode.ts";

export type { DecodeOptions } from "./arrow-decode.ts";
export type { EncodeOptions } from "./arrow-encode.ts";
export { arrowType, encodeColumns } from "./arrow-encode.ts";

/** Rows of an Arrow IPC stream, with the schema that they were read by. */
export interface DecodedRows {
  readonly schema: StructType;
  readonly rows: AnyRow[];
}

/**
 * Rows from an Arrow IPC stream, values as in docs/architecture.md. `schema` is Spark's own, which knows more than Arrow does;
 * without it types and nullability are Arrow's. `rowCount` is needed for rows without columns. Throws UNSUPPORTED_DATATYPE.
 *
 * @example
 * const { rows } = decodeArrow(batch.data, schema);
 */
export function decodeArrow(
  bytes: Uint8Array,
  schema?: StructType,
  options: DecodeOptions & { readonly rowCount?: number } = {},
): DecodedRows {
  const table = read(bytes);
  const given = schema ?? schemaOfArrow(table);
  if (given.fields.length === 0) {
    return { schema: given, rows: Array.from({ length: options.rowCount ?? 0 }, (): AnyRow => ({})) };
  }
  const batches = table.children[0]?.data.length ?? 0;
  if (batches === 1) return { schema: given, rows: rowsOfTable(table, 0, given, options) };
  const rows: AnyRow[] = [];
  for (let i = 0; i < batches; i++) for (const row of rowsOfTable(table, i, given, options)) rows.push(row);
  return { schema: given, rows };
}

/** Columns of values from an Arrow IPC stream, one entry for each record batch in it. */
export function decodeArrowColumns(
  bytes: Uint8Array,
  schema?: StructType,
  options: DecodeOptions = {},
): { readonly schema: StructType; readonly batches: { readonly columns: unknown[][]; readonly rowCount: number }[] } {
  const table = read(bytes);
  const given = schema ?? schemaOfArrow(table);
  const data = table.children[0]?.data ?? [];
  return {
    schema: given,
    batches: data.map((b, i) => ({ columns: columnsOfTable(table, i, given, options), rowCount: b.length })),
  };
}

/**
 * An Arrow IPC stream of one record batch from row objects, in the types that Spark takes. Throws INVALID_VALUE that names the column.
 *
 * @example
 * const bytes = encodeArrow(parseDdl("id BIGINT, name STRING"), [{ id: 1n, name: "a" }]);
 */
export function encodeArrow(schema: StructType, rows: readonly AnyRow[], options: EncodeOptions = {}): Uint8Array {
  const columns = schema.fields.map((f) => rows.map((row) => row[f.name]));
  return encodeColumns(schema, columns, options);
}

function read(bytes: Uint8Array): Table {
  // Columns are views of the message, which 64-bit arrays want aligned.
  const { buffer, byteOffset, length } = bytes;
  // A Buffer's slices are Buffers, and views of it: values are neither.
  const aligned = byteOffset % 8 === 0 ? new Uint8Array(buffer, byteOffset, length) : new Uint8Array(bytes);
  let table: Table;
  try {
    table = tableFromIPC(aligned, { useBigInt: true, useBigIntTimestamp: true, useDecimalInt: true });
  } catch (error) {
    throw new MillraceError("INTERNAL", `An Arrow batch of ${bytes.length} bytes cannot be read.`, { cause: error });
  }
  return table;
}

function schemaOfArrow(table: Table): StructType {
  return {
    kind: "struct",
    fields: table.schema.fields.map((f) => ({ name: f.name, type: typeOfArrow(f.type, f.name), nullable: f.nullable })),
  };
}
