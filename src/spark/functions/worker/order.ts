import type { AnyRow, DataType, StructType } from "../../../types/data-type.ts";

type Compare = (a: any, b: any) => number;

/** Rows by these columns in Spark's order: ascending, nulls first. Rows of equal columns keep their order. */
export function sorted(rows: AnyRow[], schema: StructType, columns: readonly string[]): AnyRow[] {
  if (columns.length === 0 || rows.length < 2) return rows;
  const keys = columns.map((name) => {
    const field = schema.fields.find((f) => f.name.toLowerCase() === name.toLowerCase())!;
    return { name: field.name, compare: withNulls(compareOf(field.type)) };
  });
  return rows.sort((a, b) => {
    for (const { name, compare } of keys) {
      const order = compare(a[name], b[name]);
      if (order !== 0) return order;
    }
    return 0;
  });
}

function withNulls(compare: Compare): Compare {
  return (a, b) => (a === null ? (b === null ? 0 : -1) : b === null ? 1 : compare(a, b));
}

const natural: Compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

function compareOf(type: DataType): Compare {
  switch (type.kind) {
    case "float":
    case "double":
      // NaN is the greatest, -0 equals 0.
      return (a: number, b: number) =>
        Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : Number.isNaN(b) ? -1 : natural(a, b);
    case "decimal": {
      const scaled = (v: string): bigint => {
        const [whole = "", part = ""] = v.split(".");
        return BigInt(whole + part.padEnd(type.scale, "0"));
      };
      return (a, b) => natural(scaled(a), scaled(b));
    }
    case "string":
      return (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
    case "binary":
      return (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b);
    case "array": {
      const item = withNulls(compareOf(type.elementType));
      return (a: unknown[], b: unknown[]) => {
        for (let i = 0; i < Math.min(a.length, b.length); i++) {
          const order = item(a[i], b[i]);
          if (order !== 0) return order;
        }
        return a.length - b.length;
      };
    }
    case "struct": {
      const fields = type.fields.map((f) => [f.name, withNulls(compareOf(f.type))] as const);
      return (a: AnyRow, b: AnyRow) => {
        for (const [name, compare] of fields) {
          const order = compare(a[name], b[name]);
          if (order !== 0) return order;
        }
        return 0;
      };
    }
    default:
      return natural;
  }
}
