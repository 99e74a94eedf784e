import { MillraceError } from "../errors.ts";
import { isInterval } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { intervalRange } from "../types/interval-type.ts";
import { type FunctionDef, family } from "./define.ts";
import { any, constantString, DATE, DOUBLE, date, INT, STRING, TIMESTAMP } from "./params.ts";
import { local } from "./zone.ts";

const fn = family("datetime");
const BYTE: DataType = { kind: "byte" };
const SECONDS: DataType = { kind: "decimal", precision: 8, scale: 6 };

/** A part of a date as an int. */
const datePart = (
  name: string,
  example: readonly [string, unknown],
  aliases: string[] = [],
  sql = (x: string): string => `${name}(${x})`,
): FunctionDef => fn(name, [date], INT, example, ([x]) => `CAST(${sql(x!)} AS INTEGER)`, { aliases });

/** A part of the wall clock as an int. */
const timePart = (name: string, example: readonly [string, unknown]): FunctionDef =>
  fn(
    name,
    [any],
    INT,
    example,
    ([x], { args: [t], timeZone }) => `CAST(${name}(${t!.kind === "timestamp" ? local(x!, timeZone) : x}) AS INTEGER)`,
    {
      coerce: ([t]) => [t!.kind === "timestamp_ntz" ? t : TIMESTAMP],
    },
  );

interface Part {
  readonly names: string;
  readonly source: "date" | "time";
  readonly type: DataType;
  sql(x: string): string;
}

/** What `extract` takes of a date or time. */
const PARTS: readonly Part[] = [
  { names: "year y years yr yrs", source: "date", type: INT, sql: (x) => `year(${x})` },
  { names: "yearofweek isoyear", source: "date", type: INT, sql: (x) => `isoyear(${x})` },
  { names: "quarter qtr", source: "date", type: INT, sql: (x) => `quarter(${x})` },
  { names: "month mon mons months", source: "date", type: INT, sql: (x) => `month(${x})` },
  { names: "week w weeks", source: "date", type: INT, sql: (x) => `weekofyear(${x})` },
  { names: "day d days", source: "date", type: INT, sql: (x) => `day(${x})` },
  { names: "dayofweek dow", source: "date", type: INT, sql: (x) => `dayofweek(${x}) + 1` },
  { names: "dayofweek_iso dow_iso isodow", source: "date", type: INT, sql: (x) => `isodow(${x})` },
  { names: "doy", source: "date", type: INT, sql: (x) => `dayofyear(${x})` },
  { names: "hour h hours hr hrs", source: "time", type: INT, sql: (x) => `hour(${x})` },
  { names: "minute m min mins minutes", source: "time", type: INT, sql: (x) => `minute(${x})` },
  {
    names: "second s sec seconds secs",
    source: "time",
    type: SECONDS,
    sql: (x) => `CAST(((epoch_us(${x}) % 60000000) + 60000000) % 60000000 AS DECIMAL(18,0)) / 1000000`,
  },
];

const partOf = (field: string): Part | undefined => PARTS.find((p) => p.names.split(" ").includes(field.toLowerCase()));

/** What `extract` takes of an interval: the whole number of its largest field, and of the others what is left. */
const INTERVAL_PARTS: Readonly<Record<string, { readonly type: DataType; sql(x: string): string }>> = {
  year: { type: INT, sql: (x) => `${x} // 12` },
  month: { type: BYTE, sql: (x) => `${x} % 12` },
  day: { type: INT, sql: (x) => `epoch_us(${x}) // 86400000000` },
  hour: { type: BYTE, sql: (x) => `(epoch_us(${x}) // 3600000000) % 24` },
  minute: { type: BYTE, sql: (x) => `(epoch_us(${x}) // 60000000) % 60` },
  second: { type: SECONDS, sql: (x) => `CAST(epoch_us(${x}) % 60000000 AS DECIMAL(18,0)) / 1000000` },
};

function intervalPart(field: string, type: DataType): (typeof INTERVAL_PARTS)[string] | undefined {
  const name = partOf(field)?.names.split(" ")[0];
  if (name === undefined || !isInterval(type)) return undefined;
  const order = type.kind === "interval_year_month" ? ["year", "month"] : ["day", "hour", "minute", "second"];
  const [start, end] = intervalRange(type);
  const at = order.indexOf(name);
  return at >= order.indexOf(start) && at <= order.indexOf(end) ? INTERVAL_PARTS[name] : undefined;
}

function unknownField(field: unknown, type: DataType): MillraceError {
  return new MillraceError(
    "INVALID_EXTRACT_FIELD",
    `Cannot extract \`${field}\` from a value of the type "${sqlName(type)}".`,
    {
      parameters: { field: `\`${field}\`` },
    },
  );
}

const extract = (name: string, aliases: string[], example: readonly [string, unknown]): FunctionDef =>
  fn(
    name,
    [constantString, any],
    ([, t], [field]) => {
      if (field!.literal === null) return DOUBLE;
      const text = String(field!.literal);
      const part = isInterval(t!) ? intervalPart(text, t!) : partOf(text);
      if (part === undefined) throw unknownField(text, t!);
      return part.type;
    },
    example,
    ([, x], { args: [, t], result, literals, timeZone }) => {
      if (literals?.[0] === null) return "NULL";
      const field = String(literals?.[0]);
      const sql = isInterval(t!)
        ? intervalPart(field, t!)!.sql(x!)
        : partOf(field)!.sql(t!.kind === "timestamp" ? local(x!, timeZone) : x!);
      const type = result.kind === "decimal" ? "DECIMAL(8,6)" : result.kind === "byte" ? "TINYINT" : "INTEGER";
      return `CAST(${sql} AS ${type})`;
    },
    {
      aliases,
      coerce: ([, t], [field]) => {
        if (isInterval(t!) || field!.literal === null) return [STRING, t!];
        const part = partOf(String(field!.literal));
        if (part?.source === "date") return [STRING, DATE];
        return [STRING, t!.kind === "timestamp_ntz" ? t! : TIMESTAMP];
      },
    },
  );

export const extractFunctions: readonly FunctionDef[] = [
  datePart("year", ["year('2016-07-30')", 2016]),
  datePart("quarter", ["quarter('2016-08-31')", 3]),
  datePart("month", ["month('2016-07-30')", 7]),
  datePart("day", ["day('2009-07-30')", 30], ["dayofmonth"]),
  datePart("dayofyear", ["dayofyear('2016-04-09')", 100]),
  // Sunday is 1.
  datePart("dayofweek", ["dayofweek('2009-07-30')", 5], [], (x) => `(dayofweek(${x}) + 1)`),
  // Monday is 0.
  datePart("weekday", ["weekday('2009-07-30')", 3], [], (x) => `(isodow(${x}) - 1)`),
  datePart("weekofyear", ["weekofyear('2008-02-20')", 8]),
  timePart("hour", ["hour('2018-02-14 12:58:59')", 12]),
  timePart("minute", ["minute('2009-07-30 12:58:59')", 58]),
  timePart("second", ["second('2009-07-30 12:58:59')", 59]),
  fn("dayname", [date], STRING, ["dayname('2008-02-20')", "Wed"], ([d]) => `left(dayname(${d}), 3)`),
  fn("monthname", [date], STRING, ["monthname('2008-02-20')", "Feb"], ([d]) => `left(monthname(${d}), 3)`),
  extract("extract", [], ["extract(YEAR FROM timestamp '2019-08-12 01:00:00.123456')", 2019]),
  extract("date_part", ["datepart"], ["date_part('week', timestamp'2019-08-12 01:00:00.123456')", 33]),
];
