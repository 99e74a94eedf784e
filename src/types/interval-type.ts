import type { DayTimeField, DayTimeIntervalType, YearMonthField, YearMonthIntervalType } from "./data-type.ts";
import { MICROS_OF } from "./time-units.ts";

/** The fields of interval types, the largest first. */
export const DAY_TIME_FIELDS: readonly DayTimeField[] = ["day", "hour", "minute", "second"];
export const YEAR_MONTH_FIELDS: readonly YearMonthField[] = ["year", "month"];

type IntervalType = DayTimeIntervalType | YearMonthIntervalType;

/** The first and last field of an interval type. */
export function intervalRange(type: IntervalType): readonly [start: string, end: string] {
  return type.kind === "interval_day_time"
    ? [type.start ?? "day", type.end ?? "second"]
    : [type.start ?? "year", type.end ?? "month"];
}

/** `day to second`, `month`. */
export function intervalFields(type: IntervalType): string {
  const [start, end] = intervalRange(type);
  return start === end ? start : `${start} to ${end}`;
}

/** The type of `INTERVAL start TO end`; undefined where the fields do not go together. */
export function intervalType(start: string, end: string): IntervalType | undefined {
  const [a, b] = [start.toLowerCase(), end.toLowerCase()];
  const from = DAY_TIME_FIELDS.indexOf(a as DayTimeField);
  const to = DAY_TIME_FIELDS.indexOf(b as DayTimeField);
  if (from >= 0 && to >= from) {
    if (a === "day" && b === "second") return { kind: "interval_day_time" };
    return { kind: "interval_day_time", start: a as DayTimeField, end: b as DayTimeField };
  }
  if (a === "year" && b === "month") return { kind: "interval_year_month" };
  if (a === b && (a === "year" || a === "month")) return { kind: "interval_year_month", start: a, end: a };
  return undefined;
}

/** The narrowest type with the fields of both; undefined for one of each kind. */
export function commonInterval(a: IntervalType, b: IntervalType): IntervalType | undefined {
  if (a.kind !== b.kind) return undefined;
  const order: readonly string[] = a.kind === "interval_day_time" ? DAY_TIME_FIELDS : YEAR_MONTH_FIELDS;
  const [a1, a2] = intervalRange(a);
  const [b1, b2] = intervalRange(b);
  const start = order[Math.min(order.indexOf(a1), order.indexOf(b1))]!;
  return intervalType(start, order[Math.max(order.indexOf(a2), order.indexOf(b2))]!);
}

/** Whether both have the same fields. */
export function sameInterval(a: IntervalType, b: IntervalType): boolean {
  return a.kind === b.kind && intervalFields(a) === intervalFields(b);
}

/** A value as Spark prints it: `INTERVAL '1 02:03:04.5' DAY TO SECOND`. */
export function intervalText(value: bigint | number, type: IntervalType): string {
  const [start, end] = intervalRange(type);
  const name = intervalFields(type).toUpperCase();
  if (type.kind === "interval_year_month") {
    const months = Math.abs(Number(value));
    const years = Math.trunc(months / 12);
    const body = start === "month" ? months : end === "year" ? years : `${years}-${months % 12}`;
    return `INTERVAL '${Number(value) < 0 ? "-" : ""}${body}' ${name}`;
  }
  const micros = BigInt(value);
  let rest = micros < 0n ? -micros : micros;
  let text = micros < 0n ? "-" : "";
  const fields = DAY_TIME_FIELDS.slice(
    DAY_TIME_FIELDS.indexOf(start as DayTimeField),
    DAY_TIME_FIELDS.indexOf(end as DayTimeField) + 1,
  );
  for (const [i, f] of fields.entries()) {
    if (i > 0) text += fields[i - 1] === "day" ? " " : ":";
    const n = String(rest / MICROS_OF[f]);
    text += f === "day" ? n : n.padStart(2, "0");
    rest %= MICROS_OF[f];
    if (f === "second" && rest > 0n) text += `.${String(rest).padStart(6, "0").replace(/0+$/, "")}`;
  }
  return `INTERVAL '${text}' ${name}`;
}
