import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { DAY_TIME_FIELDS, intervalType } from "../types/interval-type.ts";
import { microsOf } from "../types/time-units.ts";
import type { Expr } from "./expr.ts";

/** Interval literals of SQL: `INTERVAL 1 day 2 hours`, `INTERVAL '1-2' YEAR TO MONTH`. Their type has just the fields that are written. */

const FIELD: Readonly<Record<string, string>> = { microsecond: "second", millisecond: "second", week: "day" };

const fits = (n: bigint, bits: number): boolean => BigInt.asIntN(bits, n) === n;

/** Numbers and units, `1 day 2 hours`, `-1.5 seconds`. */
export function intervalOfUnits(text: string): Expr {
  const fail = (why: string): MillraceError =>
    new MillraceError("PARSE_SYNTAX_ERROR", `The interval "${text}" ${why}.`, {
      hint: 'Write a number and a unit, such as "interval 10 minutes" or "interval 1 day 12 hours".',
    });
  const pattern = /\s*([+-]?)\s*(\d+)(?:\.(\d{1,9}))?\s*([a-zA-Z]+)\s*/gy;
  const body = text.trim().replace(/^interval\s+/i, "");
  if (body === "") throw fail("is empty");
  let months = 0n;
  let micros = 0n;
  const fields = new Set<string>();
  while (pattern.lastIndex < body.length) {
    const m = pattern.exec(body);
    if (m === null) throw fail("is not an interval");
    const unit = m[4]!.toLowerCase().replace(/s$/, "");
    const sign = m[1] === "-" ? -1n : 1n;
    if (m[3] !== undefined && unit !== "second") throw fail("has a fraction, which only seconds may have");
    if (unit === "year" || unit === "month") {
      months += sign * BigInt(m[2]!) * (unit === "year" ? 12n : 1n);
    } else {
      const one = microsOf(unit);
      if (one === undefined) throw fail(`has the unknown unit "${m[4]}"`);
      micros += sign * (BigInt(m[2]!) * one + BigInt((m[3] ?? "").padEnd(6, "0").slice(0, 6)));
    }
    fields.add(FIELD[unit] ?? unit);
  }
  const yearMonth = fields.has("year") || fields.has("month");
  if (yearMonth && DAY_TIME_FIELDS.some((f) => fields.has(f))) {
    throw fail("mixes months or years with days or times, which have no common length");
  }
  const order = yearMonth ? ["year", "month"] : DAY_TIME_FIELDS;
  const used = order.filter((f) => fields.has(f));
  const type = intervalType(used[0]!, used.at(-1)!)!;
  if (yearMonth ? !fits(months, 32) : !fits(micros, 64)) {
    throw new MillraceError("INVALID_INTERVAL_FORMAT.ARITHMETIC_EXCEPTION", `The interval "${text}" is too long.`);
  }
  return { kind: "literal", value: yearMonth ? Number(months) : micros, type };
}

/** `INTERVAL '1 02:03:04.5' DAY TO SECOND`. */
export function intervalOfRange(text: string, start: string, end: string): Expr {
  const fail = (): MillraceError =>
    new MillraceError(
      "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING",
      `Error parsing '${text}' to interval: it does not have the form of ${start} to ${end}.`,
    );
  const type: DataType | undefined = intervalType(start, end);
  if (type === undefined) {
    throw new MillraceError("PARSE_SYNTAX_ERROR", `INTERVAL does not go from ${start} to ${end}.`);
  }
  if (type.kind === "interval_year_month") {
    const m = /^\s*([+-]?)(\d+)-(\d+)\s*$/.exec(text);
    if (m === null || Number(m[3]) > 11) throw fail();
    const months = (Number(m[2]) * 12 + Number(m[3])) * (m[1] === "-" ? -1 : 1);
    return { kind: "literal", value: months, type };
  }
  const fields = DAY_TIME_FIELDS.slice(
    DAY_TIME_FIELDS.indexOf(start.toLowerCase() as "day"),
    DAY_TIME_FIELDS.indexOf(end.toLowerCase() as "day") + 1,
  );
  const parts = fields.map(
    (f, i) => `${i === 0 ? "" : fields[i - 1] === "day" ? " +" : ":"}(\\d+${f === "second" ? "(?:\\.\\d{1,9})?" : ""})`,
  );
  const m = new RegExp(`^\\s*([+-]?)${parts.join("")}\\s*$`).exec(text);
  if (m === null) throw fail();
  let micros = 0n;
  for (const [i, f] of fields.entries()) {
    const [whole, fraction = ""] = m[i + 2]!.split(".");
    if (i > 0 && Number(whole) > (f === "hour" ? 23 : 59)) throw fail();
    micros += BigInt(whole!) * microsOf(f)!;
    if (f === "second") micros += BigInt(fraction.padEnd(6, "0").slice(0, 6));
  }
  return { kind: "literal", value: m[1] === "-" ? -micros : micros, type };
}
