import type { DataType } from "../types/data-type.ts";
import { commonInterval, sameInterval } from "../types/interval-type.ts";

/**
 * Spark 4's implicit casts in its default ANSI mode.
 * https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html#type-promotion-and-precedence
 */

type Decimal = Extract<DataType, { kind: "decimal" }>;

const NUMERIC_ORDER = ["byte", "short", "integer", "long", "decimal", "float", "double"];
const INTEGRAL = new Set(["byte", "short", "integer", "long"]);
const INTEGRAL_DIGITS: Record<string, number> = { byte: 3, short: 5, integer: 10, long: 20 };
const DATETIME_ORDER = ["date", "timestamp_ntz", "timestamp"];

export const isNumeric = (t: DataType): boolean => NUMERIC_ORDER.includes(t.kind);
export const isIntegral = (t: DataType): boolean => INTEGRAL.has(t.kind);
const isFractional = (t: DataType): boolean => t.kind === "float" || t.kind === "double" || t.kind === "decimal";
const isDatetime = (t: DataType): boolean => DATETIME_ORDER.includes(t.kind);
type IntervalType = Extract<DataType, { kind: "interval_day_time" | "interval_year_month" }>;
/** A day-time or a year-month interval. */
export const isInterval = (t: DataType): t is IntervalType =>
  t.kind === "interval_day_time" || t.kind === "interval_year_month";
const isAtomic = (t: DataType): boolean => t.kind !== "array" && t.kind !== "map" && t.kind !== "struct";

/** Equal but for nullability inside, names of fields included. */
export function sameType(a: DataType, b: DataType): boolean {
  if (a === b) return true;
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case "decimal":
      return a.precision === (b as Decimal).precision && a.scale === (b as Decimal).scale;
    case "array":
      return sameType(a.elementType, (b as typeof a).elementType);
    case "map":
      return sameType(a.keyType, (b as typeof a).keyType) && sameType(a.valueType, (b as typeof a).valueType);
    case "struct": {
      const other = (b as typeof a).fields;
      return (
        a.fields.length === other.length &&
        a.fields.every((f, i) => f.name === other[i]!.name && sameType(f.type, other[i]!.type))
      );
    }
    case "interval_day_time":
    case "interval_year_month":
      return sameInterval(a, b as typeof a);
    default:
      return true;
  }
}

/** Whether values of this type can be sorted and compared with `<`. */
export function isOrderable(t: DataType): boolean {
  switch (t.kind) {
    case "map":
    case "interval":
      return false;
    case "array":
      return isOrderable(t.elementType);
    case "struct":
      return t.fields.every((f) => isOrderable(f.type));
    default:
      return true;
  }
}

/** A decimal type cut to 38 digits as Spark cuts it, giving up fraction digits beyond six before whole digits. */
export function boundedDecimal(precision: number, scale: number): Decimal {
  if (precision <= 38) return { kind: "decimal", precision, scale };
  const whole = precision - scale;
  return { kind: "decimal", precision: 38, scale: Math.max(38 - whole, Math.min(scale, 6)) };
}

/** The decimal that holds every value of an integral type. */
export function decimalOf(type: DataType): Decimal | undefined {
  if (type.kind === "decimal") return type;
  const digits = INTEGRAL_DIGITS[type.kind];
  return digits === undefined ? undefined : { kind: "decimal", precision: digits, scale: 0 };
}

function widerDecimal(a: Decimal, b: Decimal): Decimal {
  const scale = Math.max(a.scale, b.scale);
  return boundedDecimal(Math.max(a.precision - a.scale, b.precision - b.scale) + scale, scale);
}

/** The least common type of two, undefined where Spark has none. */
export function commonType(a: DataType, b: DataType): DataType | undefined {
  if (sameType(a, b)) return mergeNullability(a, b);
  if (a.kind === "null") return b;
  if (b.kind === "null") return a;
  if (isNumeric(a) && isNumeric(b)) {
    if (a.kind === "decimal" || b.kind === "decimal") {
      const x = decimalOf(a);
      const y = decimalOf(b);
      return x && y ? widerDecimal(x, y) : { kind: "double" };
    }
    // An integral type and a float meet in double: a float cannot hold every int.
    if ((a.kind === "float" && isIntegral(b)) || (b.kind === "float" && isIntegral(a))) return { kind: "double" };
    return NUMERIC_ORDER.indexOf(a.kind) > NUMERIC_ORDER.indexOf(b.kind) ? a : b;
  }
  if (isDatetime(a) && isDatetime(b)) {
    return DATETIME_ORDER.indexOf(a.kind) > DATETIME_ORDER.indexOf(b.kind) ? a : b;
  }
  if (isInterval(a) && isInterval(b)) return commonInterval(a, b);
  if (a.kind === "string" && isAtomic(b)) return promotedString(b);
  if (b.kind === "string" && isAtomic(a)) return promotedString(a);
  if (a.kind === "array" && b.kind === "array") {
    const elementType = commonType(a.elementType, b.elementType);
    if (elementType === undefined) return undefined;
    const cast = castMayBeNull(a.elementType, elementType) || castMayBeNull(b.elementType, elementType);
    return { kind: "array", elementType, containsNull: a.containsNull || b.containsNull || cast };
  }
  if (a.kind === "map" && b.kind === "map") {
    const keyType = commonType(a.keyType, b.keyType);
    const valueType = commonType(a.valueType, b.valueType);
    return (
      keyType &&
      valueType && { kind: "map", keyType, valueType, valueContainsNull: a.valueContainsNull || b.valueContainsNull }
    );
  }
  if (a.kind === "struct" && b.kind === "struct" && a.fields.length === b.fields.length) {
    const fields = a.fields.map((f, i) => {
      const g = b.fields[i]!;
      const type = f.name.toLowerCase() === g.name.toLowerCase() ? commonType(f.type, g.type) : undefined;
      return type && { ...f, type, nullable: f.nullable || g.nullable };
    });
    return fields.every((f) => f !== undefined) ? { kind: "struct", fields: fields as any } : undefined;
  }
  return undefined;
}

/** In ANSI mode a string beside another type becomes that type: whole numbers as long, fractions as double. */
function promotedString(other: DataType): DataType {
  if (isIntegral(other)) return { kind: "long" };
  if (isFractional(other)) return { kind: "double" };
  return other;
}

function mergeNullability(a: DataType, b: DataType): DataType {
  if (a === b) return a;
  if (a.kind === "array" && b.kind === "array") {
    return {
      kind: "array",
      elementType: mergeNullability(a.elementType, b.elementType),
      containsNull: a.containsNull || b.containsNull,
    };
  }
  if (a.kind === "map" && b.kind === "map") {
    return {
      kind: "map",
      keyType: a.keyType,
      valueType: mergeNullability(a.valueType, b.valueType),
      valueContainsNull: a.valueContainsNull || b.valueContainsNull,
    };
  }
  if (a.kind === "struct" && b.kind === "struct") {
    return {
      kind: "struct",
      fields: a.fields.map((f, i) => ({
        ...f,
        type: mergeNullability(f.type, b.fields[i]!.type),
        nullable: f.nullable || b.fields[i]!.nullable,
      })),
    };
  }
  return a;
}

export function commonTypeOf(types: readonly DataType[]): DataType | undefined {
  let common: DataType | undefined = types[0];
  for (const type of types.slice(1)) common = common && commonType(common, type);
  return common;
}

/** Whether an argument may be cast to a parameter's type without being asked (function calls and inserts, ANSI). */
export function canImplicitlyCast(from: DataType, to: DataType): boolean {
  if (sameType(from, to) || from.kind === "null") return true;
  if (from.kind === "string") return isAtomic(to);
  if (to.kind === "string") return isAtomic(from);
  // Any number may stand for any other; what does not fit fails at run time.
  if (isNumeric(from) && isNumeric(to)) return true;
  if (isDatetime(from) && isDatetime(to)) return true;
  if (isInterval(from) && from.kind === to.kind) return true;
  if (from.kind === "array" && to.kind === "array") return canImplicitlyCast(from.elementType, to.elementType);
  if (from.kind === "map" && to.kind === "map") {
    return canImplicitlyCast(from.keyType, to.keyType) && canImplicitlyCast(from.valueType, to.valueType);
  }
  if (from.kind === "struct" && to.kind === "struct") {
    return (
      from.fields.length === to.fields.length &&
      from.fields.every((f, i) => canImplicitlyCast(f.type, to.fields[i]!.type))
    );
  }
  return false;
}

/** Whether a cast may give null, by Spark's account, for a value that is not null. */
export function castMayBeNull(from: DataType, to: DataType): boolean {
  if (from.kind === "null" || sameType(from, to)) return false;
  if (from.kind === "string") return to.kind !== "binary";
  if (to.kind === "string") return false;
  if (from.kind === "timestamp") return ["byte", "short", "integer", "decimal"].includes(to.kind);
  if (to.kind === "timestamp") return from.kind === "float" || from.kind === "double";
  // A date has a wall clock, but Spark says that it may have none.
  if (to.kind === "date" || (from.kind === "date" && to.kind === "timestamp_ntz")) return true;
  if (to.kind === "decimal") {
    if (from.kind === "boolean") return to.precision - to.scale < 1;
    const given = decimalOf(from);
    if (given === undefined) return true;
    const whole = to.precision - to.scale - (given.precision - given.scale);
    return !(whole >= 0 && given.scale <= to.scale) && !(from.kind === "decimal" && whole > 0);
  }
  return isFractional(from) && isIntegral(to);
}

/** Whether `try_cast` may give null, by Spark's account: for any value that is not null unless no value can be lost. */
export function tryCastMayBeNull(from: DataType, to: DataType): boolean {
  if (from.kind === "null" || sameType(from, to)) return false;
  if (to.kind === "string") return !isAtomic(from);
  if (from.kind === "string") return to.kind !== "binary";
  if (from.kind === "timestamp") return to.kind !== "timestamp_ntz" && to.kind !== "long";
  if (to.kind === "timestamp") return !isDatetime(from) && from.kind !== "long";
  if (to.kind === "timestamp_ntz") return !isDatetime(from);
  if (from.kind === "array" && to.kind === "array") {
    return (from.containsNull && !to.containsNull) || tryCastMayBeNull(from.elementType, to.elementType);
  }
  if (to.kind === "decimal") {
    const given = decimalOf(from);
    if (given === undefined) return true;
    return to.scale < given.scale || to.precision - to.scale < given.precision - given.scale;
  }
  if (from.kind === "decimal" || !isNumeric(from) || !isNumeric(to)) return true;
  return NUMERIC_ORDER.indexOf(to.kind) < NUMERIC_ORDER.indexOf(from.kind);
}

/** What Spark says to a cast that does not exist: another function does it, or only the mode before ANSI had it. */
export function castSuggestion(
  from: DataType,
  to: DataType,
): "CAST_WITH_FUNC_SUGGESTION" | "CAST_WITH_CONF_SUGGESTION" | "CAST_WITHOUT_SUGGESTION" {
  if ((isNumeric(from) && to.kind === "date") || (from.kind === "date" && isNumeric(to)))
    return "CAST_WITH_FUNC_SUGGESTION";
  const legacy =
    (isIntegral(from) && to.kind === "binary") ||
    (from.kind === "boolean" && to.kind === "timestamp") ||
    ((from.kind === "date" || from.kind === "timestamp") && to.kind === "boolean");
  return legacy ? "CAST_WITH_CONF_SUGGESTION" : "CAST_WITHOUT_SUGGESTION";
}

/** Whether `cast` from one type to another exists at all in ANSI mode; it may still fail on a value. */
export function canCast(from: DataType, to: DataType): boolean {
  if (from.kind === "null" || sameType(from, to)) return true;
  if (to.kind === "null") return false;
  if (to.kind === "string") return true;
  if (from.kind === "array" && to.kind === "array") return canCast(from.elementType, to.elementType);
  if (from.kind === "map" && to.kind === "map") {
    return canCast(from.keyType, to.keyType) && canCast(from.valueType, to.valueType);
  }
  if (from.kind === "struct" && to.kind === "struct") {
    return from.fields.length === to.fields.length && from.fields.every((f, i) => canCast(f.type, to.fields[i]!.type));
  }
  if (!isAtomic(from) || !isAtomic(to)) return false;
  if (from.kind === "string") return true;
  if (from.kind === "boolean") return isNumeric(to);
  if (isInterval(from)) return from.kind === to.kind || isIntegral(to) || to.kind === "decimal";
  if (isInterval(to)) return isIntegral(from) || from.kind === "decimal";
  if (isNumeric(from)) return isNumeric(to) || to.kind === "boolean" || to.kind === "timestamp";
  if (from.kind === "timestamp") return isDatetime(to) || isNumeric(to);
  if (from.kind === "date" || from.kind === "timestamp_ntz") return isDatetime(to);
  return false;
}
