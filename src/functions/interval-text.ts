import type { DayTimeIntervalType, YearMonthIntervalType } from "../types/data-type.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { DAY_TIME_FIELDS, intervalFields, intervalRange } from "../types/interval-type.ts";
import { microsOf } from "../types/time-units.ts";

/** SQL of an interval's text, `INTERVAL '1 02:03:04.5' DAY TO SECOND`. */
export function intervalToString(sql: string, type: DayTimeIntervalType | YearMonthIntervalType): string {
  const [start, end] = intervalRange(type);
  const after = sqlString(`' ${intervalFields(type).toUpperCase()}`);
  if (type.kind === "interval_year_month") {
    const months = `abs(CAST(${sql} AS BIGINT))`;
    const body =
      start === "month" ? months : end === "year" ? `${months} // 12` : `(${months} // 12) || '-' || (${months} % 12)`;
    return `'INTERVAL ''' || CASE WHEN ${sql} < 0 THEN '-' ELSE '' END || (${body}) || ${after}`;
  }
  const us = `epoch_us(${sql})`;
  // The smallest long has no positive counterpart.
  const a = `abs(CAST(${us} AS HUGEINT))`;
  const first = DAY_TIME_FIELDS.indexOf(start as "day");
  const last = DAY_TIME_FIELDS.indexOf(end as "day");
  const parts: string[] = [];
  for (let i = first; i <= last; i++) {
    const field = DAY_TIME_FIELDS[i]!;
    const all = `(${a} // ${microsOf(field)})`;
    const value = i === first ? all : `(${all} % ${field === "hour" ? 24 : 60})`;
    if (i > first) parts.push(i === 1 ? "' '" : "':'");
    parts.push(field === "day" ? value : `printf('%02d', CAST(${value} AS BIGINT))`);
    if (field === "second") {
      parts.push(
        `CASE WHEN ${us} % 1000000 = 0 THEN '' ELSE '.' || rtrim(printf('%06d', CAST(${a} % 1000000 AS BIGINT)), '0') END`,
      );
    }
  }
  return `'INTERVAL ''' || CASE WHEN ${us} < 0 THEN '-' ELSE '' END || ${parts.join(" || ")} || ${after}`;
}
