import { MillraceError } from "../errors.ts";
import { MICROS_OF, microsOf } from "../types/time-units.ts";

/**
 * The length of an interval in Spark's words, "1 hour", "10 minutes 30 seconds", "interval 1.5 seconds", in microseconds.
 * Months and years have no fixed length, but where Spark takes a month for 31 days. Throws INVALID_ARGUMENT that names `what`.
 */
export function parseIntervalMicros(text: string, what = "interval", months?: "month of 31 days"): bigint {
  const fail = (why: string): MillraceError =>
    new MillraceError("INVALID_ARGUMENT", `The ${what} "${text}" ${why}.`, {
      hint: 'Write a number and a unit, such as "10 minutes" or "1 day 12 hours".',
    });
  const body = text.trim().replace(/^interval\s+/i, "");
  let total = 0n;
  const pattern = /\s*([+-]?)\s*(\d+)(?:\.(\d{1,6}))?\s*([a-zA-Z]+)\s*/gy;
  if (body === "") throw fail("is empty");
  while (pattern.lastIndex < body.length) {
    const m = pattern.exec(body);
    if (m === null) throw fail("is not an interval");
    const unit = m[4]!.toLowerCase().replace(/s$/, "");
    if ((unit === "month" || unit === "year") && months !== undefined && m[3] === undefined) {
      const length = BigInt(m[2]!) * (unit === "year" ? 12n : 1n) * 31n * MICROS_OF.day;
      total += m[1] === "-" ? -length : length;
      continue;
    }
    if (unit === "month" || unit === "year") throw fail("has months or years, which have no fixed length");
    const micros = microsOf(unit);
    if (micros === undefined) throw fail(`has the unknown unit "${m[4]}"`);
    let amount = BigInt(m[2]!) * micros;
    if (m[3] !== undefined) {
      if (unit !== "second") throw fail("has a fraction, which only seconds may have");
      amount += BigInt(m[3].padEnd(6, "0"));
    }
    total += m[1] === "-" ? -amount : amount;
  }
  return total;
}
