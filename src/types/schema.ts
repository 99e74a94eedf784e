import type { StandardSchemaV1 } from "@standard-schema/spec";
import { MillraceError } from "../errors.ts";
import type { DataType, StructField, StructType } from "./data-type.ts";
import { parseDdl } from "./ddl.ts";
import { isStandardSchema, structOfStandardSchema } from "./standard-schema.ts";

/**
 * A data type together with the TypeScript type of its values. `metadata` goes to the field that has this type.
 */
export interface Type<T> {
  readonly dataType: DataType;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Phantom: never there at run time. */
  readonly "~type": T;
}

/** A struct type as made by `schema`; the type of a row. */
export interface Schema<R> extends Type<R> {
  readonly dataType: StructType;
}

/** A type whose values are never null, made by `t.notNull`. */
export interface NotNull<T> extends Type<T> {
  readonly notNull: true;
}

/** The TypeScript type of a type or schema: `type Flight = Infer<typeof Flight>`. */
export type Infer<S> = S extends Type<infer T> ? T : S extends StandardSchemaV1<any, infer O> ? RowOf<O> : never;

export type FieldTypes = { readonly [name: string]: Type<any> };
type FieldValue<T> = T extends NotNull<infer V> ? V : T extends Type<infer V> ? V | null : never;
export type RowOfFields<F> = { -readonly [K in keyof F]: FieldValue<F[K]> };

type Leaf = string | number | bigint | boolean | Date | Uint8Array | null | undefined | ReadonlyMap<any, any>;
type NullableFields<O> = { -readonly [K in keyof O]-?: RowOf<Exclude<O[K], undefined>> | null };
/** A row read by a schema of another library: every field may be null, as in every schema that Spark reads. */
export type RowOf<O> = O extends Leaf
  ? O
  : O extends readonly (infer E)[]
    ? RowOf<Exclude<E, undefined>>[]
    : string extends keyof O
      ? Map<string, O[keyof O]>
      : NullableFields<O>;

/** Anything that says what a row looks like: `schema({...})`, a StructType, or a schema of zod, valibot, arktype and others. */
export type SchemaLike<R = any> = Schema<R> | StandardSchemaV1<any, R>;

/**
 * The metadata key that says how a value stands in TypeScript, where it is not the default: `number` for `t.long({ mode:
 * "number" })`, `micros` for `t.timestamp({ mode: "micros" })`. It holds for the elements of an array and the values of a map too.
 */
export const MODE_KEY = "millrace:mode";
export type ValueMode = "number" | "micros";

/** How the values of a field stand in TypeScript, undefined for the default. */
export function valueMode(field: {
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
}): ValueMode | undefined {
  return field.metadata?.[MODE_KEY] as ValueMode | undefined;
}

function type<T>(dataType: DataType, metadata?: Readonly<Record<string, unknown>>): Type<T> {
  return Object.freeze({ dataType, ...(metadata && { metadata }) }) as Type<T>;
}

/** `mode: "number"` gives numbers instead of bigints: exact up to 2^53, and what JSON.stringify takes. */
type LongType = Type<bigint> &
  (<const M extends "bigint" | "number">(options: { readonly mode: M }) => Type<M extends "number" ? number : bigint>);
/** `mode: "micros"` gives microseconds since 1970 as a bigint instead of a Date, which has milliseconds only. */
type TimestampType = Type<Date> &
  (<const M extends "date" | "micros">(options: { readonly mode: M }) => Type<M extends "micros" ? bigint : Date>);

function withMode<T extends Type<any>>(kind: "long" | "timestamp" | "timestamp_ntz"): T {
  const dataType: DataType = { kind };
  const make = ({ mode }: { mode: string }): Type<any> => {
    if (mode === "number" || mode === "micros") return type(dataType, { [MODE_KEY]: mode });
    return type(dataType);
  };
  return Object.freeze(Object.assign(make, { dataType })) as unknown as T;
}

/**
 * Spark's data types. `t.int`, `t.array(t.string)`, `t.struct({ x: t.double })`, `t.decimal(10, 2)`.
 * Values in TypeScript: docs/architecture.md, "DuckDB types".
 */
export const t = Object.freeze({
  boolean: type<boolean>({ kind: "boolean" }),
  byte: type<number>({ kind: "byte" }),
  short: type<number>({ kind: "short" }),
  int: type<number>({ kind: "integer" }),
  long: withMode<LongType>("long"),
  float: type<number>({ kind: "float" }),
  double: type<number>({ kind: "double" }),
  string: type<string>({ kind: "string" }),
  binary: type<Uint8Array>({ kind: "binary" }),
  date: type<Date>({ kind: "date" }),
  timestamp: withMode<TimestampType>("timestamp"),
  timestampNtz: withMode<TimestampType>("timestamp_ntz"),
  /** A decimal of `precision` digits, `scale` of them after the point; a string in TypeScript. */
  decimal(precision = 10, scale = 0): Type<string> {
    if (!(Number.isInteger(precision) && precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision)) {
      throw new MillraceError("INVALID_SCHEMA", `decimal(${precision},${scale}) is not a decimal type.`, {
        hint: "Precision is 1 to 38, scale 0 to the precision.",
      });
    }
    return type({ kind: "decimal", precision, scale });
  },
  /** An array; its elements may be null. */
  array<T>(element: Type<T>): Type<(T | null)[]> {
    return type({ kind: "array", elementType: element.dataType, containsNull: true }, element.metadata);
  },
  /** A map; its values may be null, its keys may not. */
  map<K, V>(key: Type<K>, value: Type<V>): Type<Map<K, V | null>> {
    if (key.metadata?.[MODE_KEY] !== undefined || (valueMode(value) && key.dataType.kind === value.dataType.kind)) {
      throw new MillraceError("INVALID_SCHEMA", "A mode cannot be told apart for the keys and the values of a map.", {
        hint: "Leave the mode out of the map's key and value types.",
      });
    }
    return type(
      { kind: "map", keyType: key.dataType, valueType: value.dataType, valueContainsNull: true },
      value.metadata,
    );
  },
  /** A struct, as `schema(fields)`. */
  struct<const F extends FieldTypes>(fields: F): Schema<RowOfFields<F>> {
    return schema(fields);
  },
  /** A field that is never null. What a file or Kafka holds is always read as nullable, as in Spark. */
  notNull<T>(inner: Type<T>): NotNull<T> {
    return Object.freeze({
      dataType: inner.dataType,
      ...(inner.metadata && { metadata: inner.metadata }),
      notNull: true,
    }) as NotNull<T>;
  },
});

/**
 * Makes a schema from field types, or from an object schema of any Standard Schema library that can describe itself as JSON Schema (zod 4.2 and later).
 *
 * ```ts
 * const Flight = schema({ ts: t.timestamp, origin: t.string, delay: t.int });
 * const Same = schema(z.object({ ts: z.date(), origin: z.string(), delay: z.int32() }));
 * ```
 * Throws INVALID_SCHEMA.
 */
export function schema<const F extends FieldTypes>(fields: F): Schema<RowOfFields<F>>;
export function schema<O>(standard: StandardSchemaV1<any, O>): Schema<RowOf<O>>;
export function schema(given: FieldTypes | StandardSchemaV1): Schema<any> {
  if (isStandardSchema(given)) return type(structOfStandardSchema(given)) as Schema<any>;
  const fields = Object.entries(given).map(([name, t]): StructField => {
    if (t?.dataType === undefined) {
      throw new MillraceError("INVALID_SCHEMA", `The field "${name}" has no type.`, {
        hint: "Give each field one of t.string, t.int, t.timestamp, t.array(...), t.struct({...}).",
      });
    }
    return {
      name,
      type: t.dataType,
      nullable: (t as Partial<NotNull<any>>).notNull !== true,
      ...(t.metadata && { metadata: t.metadata }),
    };
  });
  return type({ kind: "struct", fields: Object.freeze(fields) }) as Schema<any>;
}

/** The StructType of anything that is a schema, DDL text such as `a INT, b STRING` too. Throws INVALID_SCHEMA, PARSE_SYNTAX_ERROR. */
export function structOf(given: SchemaLike | StructType | string): StructType {
  if (typeof given === "string") return parseDdl(given);
  if (isStandardSchema(given)) return structOfStandardSchema(given);
  if (typeof given === "object" && given !== null && "kind" in given && given.kind === "struct") return given;
  const dataType = (given as Partial<Schema<any>> | null | undefined)?.dataType;
  if (dataType?.kind === "struct") return dataType;
  throw new MillraceError("INVALID_SCHEMA", "A schema must be a struct.", {
    hint: 'Use schema({ name: t.string, ... }), DDL text such as "name STRING", or an object schema of a Standard Schema library.',
  });
}
