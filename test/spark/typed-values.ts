import fc from "fast-check";
import type { DataType, StructType, Value } from "../../src/types/data-type.ts";

/** A type and its values: what goes to Spark and is to come back the same. */
export interface Typed {
  readonly type: DataType;
  readonly values: fc.Arbitrary<Value>;
}

// No lone surrogates: they have no UTF-8.
const text = fc.string({ unit: "grapheme", maxLength: 12 });
const name = fc.string({ unit: "grapheme-ascii", minLength: 1, maxLength: 8 }).filter((n) => n.trim() !== "");

/** Years 1 to 9999, in milliseconds. */
const instant = fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 }).map((ms): Value => new Date(ms));
const day = fc.integer({ min: -719_162, max: 2_932_896 }).map((d): Value => new Date(d * 86_400_000));

/** A decimal in Spark's form: all digits of the scale, one before the point, no sign of zero. */
function decimal(precision: number, scale: number): fc.Arbitrary<Value> {
  return fc
    .bigInt({ min: -(10n ** BigInt(precision)) + 1n, max: 10n ** BigInt(precision) - 1n })
    .map((scaled): Value => {
      const digits = (scaled < 0n ? -scaled : scaled).toString().padStart(scale + 1, "0");
      const point = digits.length - scale;
      return `${scaled < 0n ? "-" : ""}${digits.slice(0, point)}${scale > 0 ? `.${digits.slice(point)}` : ""}`;
    });
}

const double = fc.double();
const atoms: readonly Typed[] = [
  { type: { kind: "boolean" }, values: fc.boolean() },
  { type: { kind: "byte" }, values: fc.integer({ min: -128, max: 127 }) },
  { type: { kind: "short" }, values: fc.integer({ min: -32768, max: 32767 }) },
  { type: { kind: "integer" }, values: fc.integer() },
  { type: { kind: "long" }, values: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
  { type: { kind: "float" }, values: fc.float() },
  { type: { kind: "double" }, values: double },
  { type: { kind: "string" }, values: text },
  { type: { kind: "binary" }, values: fc.uint8Array({ maxLength: 10 }).map((b) => new Uint8Array(b)) },
  { type: { kind: "date" }, values: day },
  { type: { kind: "timestamp" }, values: instant },
  { type: { kind: "timestamp_ntz" }, values: instant },
  { type: { kind: "interval_day_time" }, values: fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n }) },
  { type: { kind: "interval_year_month" }, values: fc.integer({ min: -100_000, max: 100_000 }) },
];

const atom: fc.Arbitrary<Typed> = fc.oneof(
  fc.constantFrom(...atoms),
  fc
    .tuple(fc.integer({ min: 1, max: 38 }), fc.nat(38))
    .filter(([precision, scale]) => scale <= precision)
    .map(
      ([precision, scale]): Typed => ({
        type: { kind: "decimal", precision, scale },
        values: decimal(precision, scale),
      }),
    ),
);

/** Keys that a JavaScript Map tells apart as Spark does. */
const key: fc.Arbitrary<Typed> = fc.constantFrom(
  ...atoms.filter(({ type }) => ["integer", "long", "string", "boolean", "short"].includes(type.kind)),
);

const orNull = (values: fc.Arbitrary<Value>, nullable: boolean): fc.Arbitrary<Value> =>
  nullable ? fc.option(values, { nil: null }) : values;

/** Any type with values of it, three levels deep at most. */
export const typed: fc.Arbitrary<Typed> = level(3);
/** A row of such columns. */
export const typedRow: fc.Arbitrary<Typed & { readonly type: StructType }> = struct(level(2), 1);

function level(depth: number): fc.Arbitrary<Typed> {
  if (depth === 0) return atom;
  const inner = level(depth - 1);
  const array = fc.tuple(inner, fc.boolean()).map(
    ([of, containsNull]): Typed => ({
      type: { kind: "array", elementType: of.type, containsNull },
      values: fc.array(orNull(of.values, containsNull), { maxLength: 4 }),
    }),
  );
  const map = fc.tuple(key, inner, fc.boolean()).map(
    ([k, v, valueContainsNull]): Typed => ({
      type: { kind: "map", keyType: k.type, valueType: v.type, valueContainsNull },
      values: fc
        .array(fc.tuple(k.values, orNull(v.values, valueContainsNull)), { maxLength: 3 })
        .map((entries): Value => new Map(entries)),
    }),
  );
  return fc.oneof({ weight: 3, arbitrary: atom }, array, map, struct(inner, 0));
}

function struct(inner: fc.Arbitrary<Typed>, minLength: number): fc.Arbitrary<Typed & { readonly type: StructType }> {
  return fc
    .uniqueArray(fc.record({ name, of: inner, nullable: fc.boolean() }), {
      minLength,
      maxLength: 4,
      selector: (f) => f.name.toLowerCase(),
    })
    .map((fields) => ({
      type: {
        kind: "struct" as const,
        fields: fields.map((f) => ({ name: f.name, type: f.of.type, nullable: f.nullable })),
      },
      values: fc
        .tuple(...fields.map((f) => orNull(f.of.values, f.nullable)))
        .map((values): Value => Object.fromEntries(fields.map((f, i) => [f.name, values[i]!]))),
    }));
}
