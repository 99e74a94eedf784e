import { callAll, callOnRows } from "../../../duckdb/call-function.ts";
import { userFunctionFailed } from "../../../duckdb/user-error.ts";
import { MillraceError } from "../../../errors.ts";
import type { AnyRow, DataType, StructType } from "../../../types/data-type.ts";
import { decodeArrowColumns, encodeArrow, encodeColumns } from "../../arrow.ts";

type Named = { readonly name: string; readonly call: Function };

const MODES = { modes: true } as const;

/** Rows of results that are written at once. */
const CHUNK_ROWS = 10_000;

/** `map`, `flatMap` and `mapBatch` over one Arrow stream; gives Arrow streams. */
export async function* mapRows(
  op: "map" | "flat_map" | "map_batch",
  fn: Named,
  schema: StructType,
  input: Uint8Array,
  fields?: StructType,
): AsyncGenerator<Uint8Array, void, undefined> {
  const results = await callOnRows(op, fn, rowsOf(input, fields));
  for (let from = 0; from < results.length; from += CHUNK_ROWS) {
    const part = results.length <= CHUNK_ROWS ? results : results.slice(from, from + CHUNK_ROWS);
    yield encodeRows(fn.name, schema, part);
  }
}

/** Results as an Arrow stream; a value that does not fit is an error that names the function. */
export function encodeRows(name: string, schema: StructType, rows: readonly AnyRow[]): Uint8Array {
  try {
    return encodeArrow(schema, rows);
  } catch (error) {
    throw userFunctionFailed(name, error, rows[0]);
  }
}

/** A scalar function over the columns of one Arrow stream; gives a stream of one column. */
export function callScalar(fn: Named, type: DataType, input: Uint8Array, fields?: StructType): Uint8Array {
  const { call, name } = fn;
  const results: unknown[] = [];
  for (const { columns, rowCount } of decodeArrowColumns(input, fields, MODES).batches) {
    const [one, two] = columns;
    let i = 0;
    try {
      for (; i < rowCount; i++) {
        const result =
          columns.length === 1
            ? call(one![i])
            : columns.length === 2
              ? call(one![i], two![i])
              : call(...columns.map((column) => column[i]));
        if (isPromise(result)) {
          throw new MillraceError("INVALID_VALUE", "it returned a promise; a scalar function must be synchronous.", {
            hint: "Use `map` for asynchronous work.",
          });
        }
        results.push(result);
      }
    } catch (error) {
      throw userFunctionFailed(name, error, given(columns, i));
    }
  }
  const schema: StructType = { kind: "struct", fields: [{ name: `the result of ${name}`, type, nullable: true }] };
  try {
    return encodeColumns(schema, [results]);
  } catch (error) {
    throw userFunctionFailed(name, error, undefined);
  }
}

const KEEP: StructType = { kind: "struct", fields: [{ name: "keep", type: { kind: "boolean" }, nullable: false }] };

/** The decisions of a filter over rows that come as one struct column. */
export async function callFilter(fn: Named, input: Uint8Array, fields?: StructType): Promise<Uint8Array> {
  const outcomes = await callAll(fn.name, fn.call, rowsOf(input, fields));
  return encodeColumns(KEEP, [outcomes.map(Boolean)]);
}

/** Rows come as a column of structs. */
function rowsOf(input: Uint8Array, fields: StructType | undefined): AnyRow[] {
  const schema: StructType | undefined = fields && {
    kind: "struct",
    fields: [{ name: "row", type: fields, nullable: false }],
  };
  return decodeArrowColumns(input, schema, MODES).batches.flatMap(({ columns }) => columns[0] as AnyRow[]);
}

function isPromise(value: unknown): boolean {
  return typeof value === "object" && value !== null && typeof (value as PromiseLike<unknown>).then === "function";
}

function given(columns: readonly (readonly unknown[])[], row: number): unknown {
  const values = columns.map((column) => column[row]);
  return values.length === 1 ? values[0] : values;
}
