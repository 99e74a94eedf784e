import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { fromLocal, isUtc } from "./local-time.ts";

/** DuckDB SQL that reads Spark's texts of numbers, dates and times; null for what is malformed, unless an error is said to be raised. */

/** Spark's UTF8String.trimAll: spaces and control characters. */
export function trimmed(sql: string): string {
  return `trim(${sql}, E' \\t\\n\\r\\f\\x0B')`;
}

/** In ANSI mode a text that gave null fails, with Spark's message. */
export function orFail(attempt: string, sql: string, to: DataType, mode: "ansi" | "try"): string {
  if (mode === "try") return attempt;
  return `coalesce(${attempt}, CASE WHEN ${sql} IS NOT NULL THEN ${malformed(sql, to)} END)`;
}

function malformed(sql: string, to: DataType): string {
  return `error('[CAST_INVALID_INPUT] The value ''' || ${sql} || ''' of the type "STRING" cannot be cast to "${sqlName(to)}" because it is malformed. Correct the value as per the syntax, or change its target type. Use \`try_cast\` to tolerate malformed input and return NULL instead.')`;
}

/** A number that is none of the type fails otherwise than what is no number. */
export function stringToDecimal(sql: string, to: DataType, mode: "ansi" | "try"): string {
  const attempt = `CASE WHEN NOT contains(${sql}, '_') THEN TRY_CAST(${trimmed(sql)} AS ${sqlType(to)}) END`;
  if (mode === "try") return attempt;
  const isNumber = `regexp_full_match(${trimmed(sql)}, '[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?')`;
  const tooLarge = `error('[NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION] The value ' || ${sql} || ' cannot be represented as ${sqlName(to)}. Use \`try_cast\` to tolerate overflow and return NULL instead.')`;
  return `coalesce(${attempt}, CASE WHEN ${isNumber} THEN ${tooLarge} WHEN ${sql} IS NOT NULL THEN ${malformed(sql, to)} END)`;
}

/** `yyyy`, `yyyy-[m]m`, `yyyy-[m]m-[d]d`, and the last followed by `T` or a space and anything; a sign may stand in front. */
export function stringToDate(sql: string): string {
  const text = trimmed(sql);
  const unsigned = `ltrim(${text}, '+')`;
  return `CASE WHEN regexp_matches(${text}, '^[+-]?[0-9]{4,7}-[0-9]{1,2}-[0-9]{1,2}([T ].*)?$') THEN TRY_CAST(regexp_replace(${unsigned}, '[T ].*$', '') AS DATE) WHEN regexp_full_match(${text}, '[+-]?[0-9]{4,7}') THEN TRY_CAST(${unsigned} || '-01-01' AS DATE) WHEN regexp_full_match(${text}, '[+-]?[0-9]{4,7}-[0-9]{1,2}') THEN TRY_CAST(${unsigned} || '-01' AS DATE) END`;
}

const DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}";
const TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?";
const HOUR = "(?:[01]?[0-9]|2[0-3])";
const MINUTES = ":[0-5]?[0-9](?::[0-5]?[0-9](?:\\.[0-9]*)?)?";
const ANY_TIME = `${HOUR}(?:${MINUTES})?`;
const ZONE =
  "(?: ?(?:Z|(?:UTC|GMT|UT)?[+-](?:0?[0-9]|1[0-8])(?::?[0-5][0-9])?|UTC|GMT|UT|[A-Za-z][A-Za-z_]+(?:/[A-Za-z0-9_+-]+)*))?";

/** The text of a time in one of the rarer forms in DuckDB's: hours alone, `+1:00`, `UTC+2`. */
function usual(text: string): string {
  const steps: readonly [pattern: string, by: string][] = [
    ["^([0-9-]+)[ T]([0-9]{1,2})([^0-9:].*)?$", "\\1 \\2:00:00\\3"],
    ["^([0-9-]+)[ T]([0-9]{1,2}:[0-9]{1,2})([^0-9:].*)?$", "\\1 \\2:00\\3"],
    ["\\.([^0-9]|$)", "\\1"],
    ["(:[0-9.]+) ?(?:UTC|GMT|UT)?([+-])([0-9])((?::[0-9]{2})?)$", "\\1\\20\\3\\4"],
    ["(:[0-9.]+) ?(?:UTC|GMT|UT)?([+-][0-9]{2}):?([0-9]{2})$", "\\1\\2:\\3"],
    ["(:[0-9.]+) ?(?:UTC|GMT|UT)?([+-][0-9]{2})$", "\\1\\2"],
    ["(:[0-9.]+) ?(?:UTC|GMT|UT)$", "\\1Z"],
  ];
  return steps.reduce((x, [pattern, by]) => `regexp_replace(${x}, '${pattern}', '${by}')`, `ltrim(${text}, '+')`);
}

/**
 * Most timestamps in events carry no zone, a `Z` or an offset. With UTC as session zone those without offset take DuckDB's zone-less
 * parser, which is four times as fast as ICU's. Everything else is brought into the usual form first.
 */
export function stringToTimestamp(sql: string, timeZone: string, today?: string): string {
  const text = trimmed(sql);
  const plain = `TRY_CAST(${sql} AS TIMESTAMP)`;
  const withZone = (x: string): string => `TRY_CAST(${x} AS TIMESTAMP WITH TIME ZONE)`;
  const local = isUtc(timeZone) ? `make_timestamptz(epoch_us(${plain}))` : fromLocal(plain, timeZone);
  const rareValue = (given: string): string => {
    const rare = usual(given);
    const hasZone = `regexp_matches(${rare}, ':.*[-+A-Za-z]')`;
    return `CASE WHEN ${hasZone} THEN ${withZone(rare)} ELSE ${isUtc(timeZone) ? withZone(rare) : fromLocal(`TRY_CAST(${rare} AS TIMESTAMP)`, timeZone)} END`;
  };
  const timeOnly =
    today === undefined
      ? ""
      : ` WHEN regexp_full_match(${text}, '(?:T${ANY_TIME}|${HOUR}${MINUTES})${ZONE}') THEN ${rareValue(`CAST(${today} AS VARCHAR) || ' ' || ltrim(${text}, 'T')`)}`;
  const zoneless = isUtc(timeZone) ? `${DAY}[ T]${TIME}Z?` : `${DAY}[ T]${TIME}`;
  const offset = isUtc(timeZone) ? "[+-](?:0[0-9]|1[0-7]):[0-5][0-9]" : "(?:Z|[+-](?:0[0-9]|1[0-7]):[0-5][0-9])";
  return `CASE WHEN regexp_full_match(${sql}, '${zoneless}') THEN ${local} WHEN regexp_full_match(${sql}, '${DAY}[ T]${TIME}${offset}') THEN ${withZone(sql)} WHEN regexp_full_match(${text}, '[+-]?[0-9]{4,7}(?:-[0-9]{1,2}(?:-[0-9]{1,2})?)?') THEN ${fromLocal(`CAST((${stringToDate(sql)}) AS TIMESTAMP)`, timeZone)} WHEN regexp_full_match(${text}, '[+-]?[0-9]{4,7}-[0-9]{1,2}-[0-9]{1,2}[ T]${ANY_TIME}${ZONE}') THEN ${rareValue(text)}${timeOnly} END`;
}

/** A zone is read over. */
export function stringToTimestampNtz(sql: string): string {
  const text = trimmed(sql);
  const bare = `regexp_replace(${usual(text)}, '(:[0-9.:]*) ?(?:Z|[+-][0-9:]+|[A-Za-z][A-Za-z0-9_/+-]*)$', '\\1')`;
  return `CASE WHEN regexp_full_match(${sql}, '${DAY}[ T]${TIME}') THEN TRY_CAST(${sql} AS TIMESTAMP) WHEN regexp_full_match(${text}, '[+-]?[0-9]{4,7}(?:-[0-9]{1,2}(?:-[0-9]{1,2})?)?') THEN CAST((${stringToDate(sql)}) AS TIMESTAMP) WHEN regexp_full_match(${text}, '[+-]?[0-9]{4,7}-[0-9]{1,2}-[0-9]{1,2}[ T]${ANY_TIME}${ZONE}') THEN TRY_CAST(${bare} AS TIMESTAMP) END`;
}
