import { MillraceError } from "../errors.ts";
import { commonType, isIntegral, isInterval, isNumeric } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { intervalFields } from "../types/interval-type.ts";
import { raise, type SqlTypes } from "./define.ts";
import { DATE, DOUBLE, LONG, TIMESTAMP } from "./params.ts";
import { local, plusMonths } from "./zone.ts";

/**
 * Arithmetic of dates, timestamps and intervals: what `+ - * /` mean where one side is one of them. A day-time interval is a DuckDB
 * INTERVAL of microseconds, a year-month interval an INTEGER of months.
 */
export interface TemporalRule {
  readonly casts: readonly [DataType, DataType];
  readonly type: DataType;
  sql(a: string, b: string, types: SqlTypes): string;
}

const DAY_TIME: DataType = { kind: "interval_day_time" };
const YEAR_MONTH: DataType = { kind: "interval_year_month" };
const NTZ: DataType = { kind: "timestamp_ntz" };
const DAYS: DataType = { kind: "interval_day_time", start: "day", end: "day" };
const DAY_US = 86_400_000_000;

const isTime = (t: DataType): boolean => t.kind === "timestamp" || t.kind === "timestamp_ntz";
const micros = (x: string): string => `epoch_us(${x})`;

/** A timestamp and so many microseconds, whole days on the calendar. */
export const plusMicros = (t: string, us: string): string =>
  `(${t} + (to_days(CAST(${us} // ${DAY_US} AS INTEGER)) + to_microseconds(${us} % ${DAY_US})))`;

/** A point in time and an interval of months, days and shorter times, in this order. */
function plusCalendar(t: string, i: string, op: "+" | "-", type: DataType, { timeZone }: SqlTypes): string {
  const part = (name: string): string => `${op}CAST(date_part('${name}', ${i}) AS BIGINT)`;
  const months = `CAST(${part("year")} * 12 ${part("month")} AS INTEGER)`;
  const rest = `(${part("hour")} * 3600000000 ${part("minute")} * 60000000 ${part("microsecond")})`;
  const sum = plusMonths(t, months, type, timeZone);
  return `(${sum} + (to_days(CAST(${part("day")} AS INTEGER)) + to_microseconds(${rest})))`;
}

/** The rule for two types, undefined where plain numbers are added. Throws where an interval stands beside what it cannot go with. */
export function temporalRule(name: string, a: DataType, b: DataType): TemporalRule | undefined {
  switch (name) {
    case "+":
      return sum("+", a, b) ?? flipped(sum("+", b, a));
    case "-":
      return difference(a, b) ?? sum("-", a, b);
    case "*":
      return scaled(a, b) ?? flipped(scaled(b, a));
    case "/":
      return divided(a, b);
  }
  return undefined;
}

function flipped(rule: TemporalRule | undefined): TemporalRule | undefined {
  return rule && { casts: [rule.casts[1], rule.casts[0]], type: rule.type, sql: (a, b, t) => rule.sql(b, a, t) };
}

/** A point in time and an interval or a number of days; two intervals of one kind. */
function sum(op: "+" | "-", a: DataType, b: DataType): TemporalRule | undefined {
  const rule = (x: DataType, y: DataType, type: DataType, sql: TemporalRule["sql"]): TemporalRule => ({
    casts: [x, y],
    type,
    sql,
  });
  const signed = (x: string): string => (op === "-" ? `(-${x})` : x);
  if (isInterval(b) || b.kind === "interval") {
    if (isInterval(a) && isInterval(b)) {
      const type = commonType(a, b);
      if (type === undefined) throw unfit(op, a, b);
      return type.kind === "interval_year_month"
        ? rule(a, b, type, (x, y) => `CAST(${x} ${op} ${y} AS INTEGER)`)
        : rule(a, b, type, (x, y) => `to_microseconds(${micros(x)} ${op} ${micros(y)})`);
    }
    if (a.kind === "null") return isInterval(b) ? rule(b, b, b, (x) => x) : undefined;
    const point = a.kind === "string" ? TIMESTAMP : a;
    if (point.kind === "date") {
      if (b.kind === "interval_year_month")
        return rule(a, b, DATE, (d, m) => plusMonths(d, signed(m), DATE, undefined));
      if (b.kind === "interval")
        return rule(a, b, DATE, (d, i, t) => `CAST(${plusCalendar(d, i, op, NTZ, t)} AS DATE)`);
      if (intervalFields(b as never) === "day")
        return rule(a, b, DATE, (d, i) => `(${d} ${op} CAST(${micros(i)} // ${DAY_US} AS INTEGER))`);
      return rule(TIMESTAMP, b, TIMESTAMP, (t, i) => plusMicros(t, signed(micros(i))));
    }
    if (!isTime(point)) {
      if (isInterval(a)) throw unfit(op, a, b);
      return undefined;
    }
    if (b.kind === "interval_year_month")
      return rule(point, b, point, (t, m, { timeZone }) => plusMonths(t, signed(m), point, timeZone));
    return rule(point, b, point, (t, i, types) =>
      b.kind === "interval" ? plusCalendar(t, i, op, point, types) : plusMicros(t, signed(micros(i))),
    );
  }
  if (a.kind === "date" && isIntegral(b) && b.kind !== "long") {
    const int: DataType = { kind: "integer" };
    return rule(a, int, DATE, (d, n) => `(${d} ${op} ${n})`);
  }
  if (a.kind === "date" && b.kind === "long") throw unfit(op, a, b);
  return undefined;
}

function difference(a: DataType, b: DataType): TemporalRule | undefined {
  const isDate = (t: DataType): boolean => t.kind === "date";
  if ((isDate(a) && (isDate(b) || b.kind === "string")) || (a.kind === "string" && isDate(b))) {
    return { casts: [DATE, DATE], type: DAYS, sql: (x, y) => `to_days(CAST(${x} - ${y} AS INTEGER))` };
  }
  if (isTime(a) || isTime(b)) {
    const fits = (t: DataType): boolean => isTime(t) || t.kind === "date" || t.kind === "string" || t.kind === "null";
    if (!fits(a) || !fits(b)) return undefined;
    const zoned = a.kind === "timestamp" || b.kind === "timestamp";
    const type: DataType = zoned ? TIMESTAMP : { kind: "timestamp_ntz" };
    // The difference of the wall clocks, as in Spark.
    return {
      casts: [type, type],
      type: DAY_TIME,
      sql: (x, y, { timeZone }) =>
        zoned
          ? `to_microseconds(${micros(local(x, timeZone))} - ${micros(local(y, timeZone))})`
          : `to_microseconds(${micros(x)} - ${micros(y)})`,
    };
  }
  return undefined;
}

/** Half up, as Spark rounds an interval times or by a fraction. */
const rounded = (x: string, year: boolean): string => `CAST(round(${x}) AS ${year ? "INTEGER" : "BIGINT"})`;

function scaled(a: DataType, b: DataType): TemporalRule | undefined {
  if (!isInterval(a) || !(isNumeric(b) || b.kind === "string" || b.kind === "null")) return undefined;
  const year = a.kind === "interval_year_month";
  const factor = isIntegral(b) ? LONG : DOUBLE;
  return {
    casts: [a, factor],
    type: year ? YEAR_MONTH : DAY_TIME,
    sql: (i, n) => {
      const value = year ? `CAST(${i} AS BIGINT)` : micros(i);
      const product = isIntegral(b)
        ? `CAST(${value} * ${n} AS ${year ? "INTEGER" : "BIGINT"})`
        : rounded(`${value} * ${n}`, year);
      return year ? product : `to_microseconds(${product})`;
    },
  };
}

function divided(a: DataType, b: DataType): TemporalRule | undefined {
  if (!isInterval(a) || !(isNumeric(b) || b.kind === "string" || b.kind === "null")) return undefined;
  const year = a.kind === "interval_year_month";
  const by = isIntegral(b) ? LONG : DOUBLE;
  const zero = raise(
    "INTERVAL_DIVIDED_BY_ZERO",
    "Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead.",
  );
  return {
    casts: [a, by],
    type: year ? YEAR_MONTH : DAY_TIME,
    sql: (i, n, { trying }) => {
      const value = year ? `CAST(${i} AS BIGINT)` : micros(i);
      // Integers are divided without doubles, which have no room for every microsecond.
      const wide = (x: string): string => `CAST(${x} AS HUGEINT)`;
      const quotient = isIntegral(b)
        ? `CAST((abs(${wide(value)}) * 2 + abs(${wide(n)})) // (abs(${wide(n)}) * 2) * sign(${value}) * sign(${n}) AS ${year ? "INTEGER" : "BIGINT"})`
        : rounded(`${value} / ${n}`, year);
      if (trying) return year ? quotient : `to_microseconds(${quotient})`;
      return `CASE WHEN ${n} = 0 THEN ${zero} ELSE ${year ? quotient : `to_microseconds(${quotient})`} END`;
    },
  };
}

function unfit(op: string, a: DataType, b: DataType): MillraceError {
  return new MillraceError(
    "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
    `Cannot resolve "(a ${op} b)" due to data type mismatch: an interval of the type "${sqlName(b)}" does not go with "${sqlName(a)}".`,
    { parameters: { left: `"${sqlName(a)}"`, right: `"${sqlName(b)}"` } },
  );
}
