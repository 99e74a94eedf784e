import { structSql } from "../duckdb/literal.ts";
import { MillraceError } from "../errors.ts";
import { narrowed, tried } from "../functions/define.ts";
import { intervalToString } from "../functions/interval-text.ts";
import { dateText, timestampText } from "../functions/time-text.ts";
import type { DataType, StructType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlString, sqlType } from "../types/duckdb-types.ts";
import { sameInterval } from "../types/interval-type.ts";
import {
  orFail,
  stringToDate,
  stringToDecimal,
  stringToTimestamp,
  stringToTimestampNtz,
  trimmed,
} from "./cast-from-text.ts";
import { castInterval } from "./cast-interval.ts";
import { fromLocal, toLocal } from "./local-time.ts";

/** `ansi` fails on a value that cannot be cast, `try` gives null. https://spark.apache.org/docs/latest/sql-ref-ansi-compliance.html#cast */
export type CastMode = "ansi" | "try";

/** SQL function for bytes that are not UTF-8, registered by `openDatabase`. */
const UTF8_REPAIR = "millrace_utf8";

const INTEGRAL = new Set(["byte", "short", "integer", "long"]);
/** Digits that a whole number may have. */
const DIGITS: Readonly<Record<string, number>> = { byte: 3, short: 5, integer: 10, long: 19 };
const FRACTIONAL = new Set(["float", "double"]);
const NUMERIC = new Set([...INTEGRAL, ...FRACTIONAL, "decimal"]);

/**
 * DuckDB SQL that casts as Spark does (4.x, ANSI). `sql` may be repeated in the result, so it must not be volatile. `today` is SQL of the
 * session's day, to which a time without a day belongs.
 *
 * @throws MillraceError DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION for a pair of types that Spark does not cast
 */
export function castSql(
  sql: string,
  from: DataType,
  to: DataType,
  mode: CastMode,
  timeZone: string,
  today?: string,
): string {
  if (sameType(from, to)) return sql;
  if (from.kind === "null") return `CAST(NULL AS ${sqlType(to)})`;
  const plain = (x: string): string => `${mode === "try" ? "TRY_CAST" : "CAST"}(${x} AS ${sqlType(to)})`;
  const fitted = mostDigits(from) > sureDigits(to) ? (x: string): string => narrowed(plain(x)) : plain;
  const refuse = (): never => {
    throw new MillraceError(
      "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION",
      `Cannot cast ${sqlName(from)} to ${sqlName(to)}.`,
    );
  };
  if (to.kind !== "string") {
    const interval = castInterval(sql, from, to, mode, (attempt) => orFail(attempt, sql, to, mode));
    if (interval !== undefined) return interval;
  }
  switch (to.kind) {
    case "string":
      return toStringSql(sql, from, timeZone);
    case "binary":
      if (from.kind === "string") return `encode(${sql})`;
      return refuse();
    case "boolean":
      if (from.kind === "string") {
        const text = `lower(${trimmed(sql)})`;
        return orFail(
          `CASE WHEN ${text} IN ('t','true','y','yes','1') THEN true WHEN ${text} IN ('f','false','n','no','0') THEN false END`,
          sql,
          to,
          mode,
        );
      }
      if (NUMERIC.has(from.kind)) return `(${sql} <> 0)`;
      return refuse();
    case "byte":
    case "short":
    case "integer":
    case "long":
      if (from.kind === "string") {
        // DuckDB alone would take 1.5, 1e3, 0x1F and 1_000.
        return orFail(
          `CASE WHEN regexp_full_match(${sql}, '\\s*[+-]?[0-9]+\\s*') THEN TRY_CAST(${sql} AS ${sqlType(to)}) END`,
          sql,
          to,
          mode,
        );
      }
      if (from.kind === "boolean") return plain(sql);
      if (INTEGRAL.has(from.kind)) return fitted(sql);
      // DuckDB rounds, Spark cuts off.
      if (NUMERIC.has(from.kind)) return fitted(`trunc(${sql})`);
      if (from.kind === "timestamp")
        return narrowed(plain(`(epoch_us(${sql}) - ((epoch_us(${sql}) % 1000000) + 1000000) % 1000000) // 1000000`));
      return refuse();
    case "float":
    case "double":
      if (from.kind === "string") {
        return orFail(
          `CASE WHEN NOT contains(${sql}, '_') THEN TRY_CAST(regexp_replace(${trimmed(sql)}, '^([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)[dDfF]$', '\\1') AS ${sqlType(to)}) END`,
          sql,
          to,
          mode,
        );
      }
      if (to.kind === "float" && from.kind === "double") {
        // What is too large for a float is infinite, where DuckDB would stop.
        return `CASE WHEN isfinite(${sql}) AND abs(${sql}) >= 3.4028235677973366e38 THEN CAST(CASE WHEN ${sql} > 0 THEN 'inf' ELSE '-inf' END AS FLOAT) ELSE CAST(${sql} AS FLOAT) END`;
      }
      if (from.kind === "boolean" || NUMERIC.has(from.kind)) return plain(sql);
      if (from.kind === "timestamp") return plain(`epoch_us(${sql}) / 1000000.0::DOUBLE`);
      return refuse();
    case "decimal":
      if (from.kind === "string") return stringToDecimal(sql, to, mode);
      if (from.kind === "boolean") return plain(`CAST(${sql} AS INTEGER)`);
      if (FRACTIONAL.has(from.kind)) {
        // Java rounds the shortest digits of a double, half up; what is no number is null.
        const digits = `CAST(CAST(${sql} AS DOUBLE) AS VARCHAR)`;
        return `CASE WHEN isfinite(${sql}) THEN ${plain(digits)} END`;
      }
      if (NUMERIC.has(from.kind)) return fitted(sql);
      if (from.kind === "timestamp")
        return plain(`CAST(epoch_us(${sql}) AS DECIMAL(20,0)) * CAST(0.000001 AS DECIMAL(7,6))`);
      return refuse();
    case "date":
      if (from.kind === "string") return orFail(stringToDate(sql), sql, to, mode);
      if (from.kind === "timestamp") return `CAST(${toLocal(sql, timeZone)} AS DATE)`;
      if (from.kind === "timestamp_ntz") return `CAST(${sql} AS DATE)`;
      return refuse();
    case "timestamp":
      if (from.kind === "string") return orFail(stringToTimestamp(sql, timeZone, today), sql, to, mode);
      if (from.kind === "date") return fromLocal(`CAST(${sql} AS TIMESTAMP)`, timeZone);
      if (from.kind === "timestamp_ntz") return fromLocal(sql, timeZone);
      if (INTEGRAL.has(from.kind)) return `make_timestamptz(CAST(${sql} AS BIGINT) * 1000000)`;
      if (from.kind === "decimal") return `make_timestamptz(CAST(floor(${sql} * 1000000) AS BIGINT))`;
      if (FRACTIONAL.has(from.kind)) {
        const micros = `trunc(CAST(${sql} AS DOUBLE) * 1000000)`;
        if (mode === "try")
          return `make_timestamptz(TRY_CAST(CASE WHEN isfinite(${sql}) THEN ${micros} END AS BIGINT))`;
        const invalid = `error('[CAST_INVALID_INPUT] The value ' || ${sql} || ' of the type "${sqlName(from)}" cannot be cast to "TIMESTAMP" because it is malformed. Use \`try_cast\` to tolerate malformed input and return NULL instead.')`;
        return `CASE WHEN isfinite(${sql}) THEN make_timestamptz(CAST(${micros} AS BIGINT)) WHEN ${sql} IS NOT NULL THEN ${invalid} END`;
      }
      return refuse();
    case "timestamp_ntz":
      if (from.kind === "string") return orFail(stringToTimestampNtz(sql), sql, to, mode);
      if (from.kind === "date") return `CAST(${sql} AS TIMESTAMP)`;
      if (from.kind === "timestamp") return toLocal(sql, timeZone);
      return refuse();
    case "interval_day_time":
    case "interval_year_month":
    case "interval":
      return refuse();
    case "array":
      if (from.kind !== "array") return refuse();
      return `list_transform(${sql}, lambda e: ${castSql("e", from.elementType, to.elementType, mode, timeZone, today)})`;
    case "map":
      if (from.kind !== "map") return refuse();
      return `map_from_entries(list_transform(map_entries(${sql}), lambda e: ${structSql([
        ["key", castSql("e.key", from.keyType, to.keyType, mode, timeZone, today)],
        ["value", castSql("e.value", from.valueType, to.valueType, mode, timeZone, today)],
      ])}))`;
    case "struct":
      if (from.kind !== "struct" || from.fields.length !== to.fields.length) return refuse();
      return structCast(sql, from, to, (x, a, b) => castSql(x, a, b, mode, timeZone, today));
    case "null":
      return refuse();
  }
}

/** The digits before the point that an exact number may have; of other types 0. */
const mostDigits = (type: DataType): number =>
  type.kind === "decimal" ? type.precision - type.scale : (DIGITS[type.kind] ?? 0);

/** So many digits before the point any exact number of the type has room for. */
const sureDigits = (type: DataType): number => mostDigits(type) - (INTEGRAL.has(type.kind) ? 1 : 0);

/** Fields match by position, as in Spark (DuckDB matches them by name). */
function structCast(
  sql: string,
  from: StructType,
  to: StructType,
  cast: (sql: string, from: DataType, to: DataType) => string,
): string {
  const fields = to.fields.map((f, i) => {
    const source = from.fields[i]!;
    const value = `struct_extract(${sql}, ${sqlString(source.name)})`;
    return [f.name, cast(value, source.type, f.type)] as const;
  });
  return `CASE WHEN ${sql} IS NOT NULL THEN ${structSql(fields)} END`;
}

/** Equal but for what may be null. */
function sameType(a: DataType, b: DataType): boolean {
  if (a.kind !== b.kind) return false;
  switch (a.kind) {
    case "decimal":
      return b.kind === "decimal" && a.precision === b.precision && a.scale === b.scale;
    case "array":
      return b.kind === "array" && sameType(a.elementType, b.elementType);
    case "map":
      return b.kind === "map" && sameType(a.keyType, b.keyType) && sameType(a.valueType, b.valueType);
    case "struct":
      return (
        b.kind === "struct" &&
        a.fields.length === b.fields.length &&
        a.fields.every((f, i) => f.name === b.fields[i]!.name && sameType(f.type, b.fields[i]!.type))
      );
    case "interval_day_time":
    case "interval_year_month":
      return sameInterval(a, b as typeof a);
    default:
      return true;
  }
}

// ----------------------------------------------------------------------------------------------------------------- to string

/** Text of a value as Spark's `cast(... as string)` writes it. */
function toStringSql(sql: string, from: DataType, timeZone: string): string {
  switch (from.kind) {
    case "binary":
      // Spark keeps the bytes as they are; DuckDB's strings are UTF-8, so other bytes become U+FFFD, as they would be shown.
      return `coalesce(${tried(sql, (x) => `decode(${x})`)}, ${UTF8_REPAIR}(${sql}))`;
    case "float":
    case "double":
      return floatText(sql);
    case "decimal":
      // DuckDB leaves the zero out where there are only fraction digits.
      if (from.precision > from.scale) return `CAST(${sql} AS VARCHAR)`;
      return `regexp_replace(CAST(${sql} AS VARCHAR), '^(-?)\\.', '\\10.')`;
    case "date":
      return dateText(sql);
    case "timestamp":
      return timestampText(toLocal(sql, timeZone));
    case "timestamp_ntz":
      return timestampText(sql);
    case "interval_day_time":
    case "interval_year_month":
      return intervalToString(sql, from);
    case "array":
      return `CASE WHEN len(${sql}) = 0 THEN '[]' ELSE '[' || list_aggregate(list_transform(${sql}, lambda e: coalesce(${toStringSql("e", from.elementType, timeZone)}, 'null')), 'string_agg', ', ') || ']' END`;
    case "map": {
      const entry = `lambda e: ${toStringSql("e.key", from.keyType, timeZone)} || ' -> ' || coalesce(${toStringSql("e.value", from.valueType, timeZone)}, 'null')`;
      return `CASE WHEN cardinality(${sql}) = 0 THEN '{}' ELSE '{' || list_aggregate(list_transform(map_entries(${sql}), ${entry}), 'string_agg', ', ') || '}' END`;
    }
    case "struct": {
      const parts = from.fields.map(
        (f) => `coalesce(${toStringSql(`struct_extract(${sql}, ${sqlString(f.name)})`, f.type, timeZone)}, 'null')`,
      );
      const body = parts.length === 0 ? "''" : parts.join(" || ', ' || ");
      return `CASE WHEN ${sql} IS NOT NULL THEN '{' || ${body} || '}' END`;
    }
    default:
      return `CAST(${sql} AS VARCHAR)`;
  }
}

/**
 * Java's Double.toString: plain between 10^-3 and 10^7, else `1.5E10`. DuckDB writes the same shortest digits, but plain up to 10^16 and with
 * another exponent form.
 */
function floatText(x: string): string {
  const text = `CAST(${x} AS VARCHAR)`;
  const digits = `replace(split_part(ltrim(${text}, '-'), '.', 1), '.', '')`;
  const sign = `CASE WHEN ${x} < 0 THEN '-' ELSE '' END`;
  const allDigits = `rtrim(replace(ltrim(${text}, '-'), '.', ''), '0')`;
  // 1e+20, 1.5e-05
  const mantissa = `split_part(ltrim(${text}, '-'), 'e', 1)`;
  const exponent = `CAST(CAST(split_part(${text}, 'e', 2) AS INTEGER) AS VARCHAR)`;
  return `CASE WHEN ${x} IS NULL THEN NULL WHEN isnan(${x}) THEN 'NaN' WHEN isinf(${x}) THEN CASE WHEN ${x} > 0 THEN 'Infinity' ELSE '-Infinity' END WHEN ${x} = 0 OR (abs(${x}) >= 0.001 AND abs(${x}) < 10000000) THEN ${text} WHEN contains(${text}, 'e') THEN ${sign} || CASE WHEN contains(${mantissa}, '.') THEN ${mantissa} ELSE ${mantissa} || '.0' END || 'E' || ${exponent} WHEN abs(${x}) < 1 THEN ${smallText(x, text, sign)} ELSE ${sign} || left(${allDigits}, 1) || '.' || CASE WHEN length(${allDigits}) > 1 THEN substr(${allDigits}, 2) ELSE '0' END || 'E' || CAST(length(${digits}) - 1 AS VARCHAR) END`;
}

/** 0.00012 (DuckDB writes it plain) as 1.2E-4. */
function smallText(_x: string, text: string, sign: string): string {
  const fraction = `split_part(${text}, '.', 2)`;
  const significant = `ltrim(${fraction}, '0')`;
  return `${sign} || left(${significant}, 1) || '.' || CASE WHEN length(${significant}) > 1 THEN substr(${significant}, 2) ELSE '0' END || 'E-' || CAST(length(${fraction}) - length(${significant}) + 1 AS VARCHAR)`;
}
