import { isIntegral, isInterval } from "../plan/coercion.ts";
import type { DataType, DayTimeIntervalType, YearMonthIntervalType } from "../types/data-type.ts";
import { sqlString, sqlType } from "../types/duckdb-types.ts";
import { DAY_TIME_FIELDS, intervalFields, intervalRange } from "../types/interval-type.ts";
import { microsOf } from "../types/time-units.ts";

/** Casts from and to interval types as Spark 4 does them. A day-time interval is a DuckDB INTERVAL, a year-month interval an INTEGER. */

type IntervalType = DayTimeIntervalType | YearMonthIntervalType;

/**
 * SQL of a cast where one side is an interval (not to text); undefined where Spark has none. `orFail` makes an attempt that gave null fail.
 */
export function castInterval(
  sql: string,
  from: DataType,
  to: DataType,
  mode: "ansi" | "try",
  orFail: (attempt: string) => string,
): string | undefined {
  const plain = (x: string, type: DataType): string =>
    `${mode === "try" ? "TRY_CAST" : "CAST"}(${x} AS ${sqlType(type)})`;
  if (isInterval(to)) {
    if (from.kind === "string") return orFail(fromText(sql, to));
    const [, end] = intervalRange(to);
    if (from.kind === to.kind) return truncated(sql, to, end);
    const year = to.kind === "interval_year_month";
    const unit = year ? (end === "year" ? 12n : 1n) : microsOf(end)!;
    const scaled = isIntegral(from)
      ? `CAST(${sql} AS HUGEINT) * ${unit}`
      : from.kind === "decimal"
        ? `round(${sql} * ${unit})`
        : undefined;
    if (scaled === undefined) return undefined;
    return year ? plain(scaled, { kind: "integer" }) : `to_microseconds(${plain(scaled, { kind: "long" })})`;
  }
  if (!isInterval(from)) return undefined;
  const [, end] = intervalRange(from);
  const year = from.kind === "interval_year_month";
  const unit = year ? (end === "year" ? 12n : 1n) : microsOf(end)!;
  const value = year ? sql : `epoch_us(${sql})`;
  if (isIntegral(to)) return plain(`${value} // ${unit}`, to);
  if (to.kind !== "decimal") return undefined;
  return plain(year ? `${value} // ${unit}` : `CAST(${value} AS DECIMAL(28,6)) / ${unit}`, to);
}

/** Cut to the last field that the type has. */
function truncated(sql: string, to: IntervalType, end: string): string {
  if (end === "second" || end === "month") return sql;
  if (to.kind === "interval_year_month") return `(${sql} // 12 * 12)`;
  return `to_microseconds(epoch_us(${sql}) // ${microsOf(end)} * ${microsOf(end)})`;
}

/** The value in text such as `1 02:03:04.5`, alone or as `INTERVAL '...' DAY TO SECOND`; null where it is malformed. */
function fromText(sql: string, to: IntervalType): string {
  const name = intervalFields(to).replaceAll(" ", "\\s+");
  const pattern = sqlString(textPattern(to));
  const body = `regexp_replace(trim(${sql}), ${sqlString(`(?i)^interval\\s+([+-]?)\\s*'([^']*)'\\s+${name}$`)}, '\\1\\2')`;
  const group = (i: number): string => `regexp_extract(${body}, ${pattern}, ${i})`;
  const [start, end] = intervalRange(to);
  const fields: readonly string[] = to.kind === "interval_day_time" ? DAY_TIME_FIELDS : ["year", "month"];
  const terms = fields.slice(fields.indexOf(start), fields.indexOf(end) + 1).map((field, i) => {
    const digits = group(i + 2);
    if (field === "second") {
      return `CAST(split_part(${digits}, '.', 1) AS BIGINT) * 1000000 + CAST(left(rpad(split_part(${digits}, '.', 2), 6, '0'), 6) AS BIGINT)`;
    }
    const unit = to.kind === "interval_day_time" ? microsOf(field)! : field === "year" ? 12n : 1n;
    return `CAST(${digits} AS BIGINT) * ${unit}`;
  });
  const value = `TRY(CASE WHEN ${group(1)} = '-' THEN -1 ELSE 1 END * (${terms.join(" + ")}))`;
  const made = to.kind === "interval_day_time" ? `to_microseconds(${value})` : `TRY_CAST(${value} AS INTEGER)`;
  return `CASE WHEN regexp_full_match(${body}, ${pattern}) THEN ${made} END`;
}

/** A sign and each field as a group. */
function textPattern(to: IntervalType): string {
  const [start, end] = intervalRange(to);
  if (to.kind === "interval_year_month") return start === end ? "([+-]?)(\\d{1,10})" : "([+-]?)(\\d{1,9})-(\\d{1,2})";
  const first = DAY_TIME_FIELDS.indexOf(start as "day");
  const last = DAY_TIME_FIELDS.indexOf(end as "day");
  let pattern = "([+-]?)";
  for (let i = first; i <= last; i++) {
    if (i > first) pattern += i === 1 ? " +" : ":";
    const digits = i === first ? "\\d{1,13}" : "\\d{1,2}";
    pattern += i === 3 ? `(${digits}(?:\\.\\d{1,9})?)` : `(${digits})`;
  }
  return pattern;
}
