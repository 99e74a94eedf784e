import { MillraceError } from "../errors.ts";
import { formatJava } from "../formats/java-datetime/format.ts";
import { parseInstant, parseJava } from "../formats/java-datetime/parse.ts";
import { type Token, tokensOf } from "../formats/java-datetime/pattern.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { type FunctionDef, family, type NativeCall, nativeFunction, type SqlTypes } from "./define.ts";
import { any, BOOLEAN, DATE, LONG, long, opt, pattern, STRING, TIMESTAMP } from "./params.ts";
import { instant, local } from "./zone.ts";

const fn = family("datetime");
const NTZ: DataType = { kind: "timestamp_ntz" };

// ------------------------------------------------------------------------------------------------------------ TypeScript's part

/** Patterns that SQL has no exact words for are read and written row by row. */
const formatNative = nativeFunction("date_format", formatJava);
const parseNative = nativeFunction(
  "to_timestamp",
  (text: string, pattern: string, zone: string, strict: boolean, hint: string) => {
    const micros = parseInstant(text, pattern, zone);
    return micros ?? unparsed(text, strict, hint);
  },
);
const parseLocalNative = nativeFunction(
  "to_timestamp_ntz",
  (text: string, pattern: string, strict: boolean, hint: string) => {
    return parseJava(text, pattern)?.wallMicros ?? unparsed(text, strict, hint);
  },
);

function unparsed(text: string, strict: boolean, hint: string): null {
  if (!strict) return null;
  throw new MillraceError("CANNOT_PARSE_TIMESTAMP", `Text '${text}' could not be parsed.`, {
    hint: `Use \`${hint}\` to tolerate invalid input string and return NULL instead.`,
    parameters: { func: `\`${hint}\`` },
  });
}

// ------------------------------------------------------------------------------------------------------------ SQL's part

/** Letters that strftime and strptime write and read as Java does, given that the text has the right number of digits. */
const CODES: Readonly<Record<string, readonly [code: string, digits: string]>> = {
  yyyy: ["%Y", "[1-9][0-9]{3}"],
  MM: ["%m", "[0-9]{2}"],
  dd: ["%d", "[0-9]{2}"],
  HH: ["%H", "[0-9]{2}"],
  mm: ["%M", "[0-9]{2}"],
  ss: ["%S", "[0-9]{2}"],
  SSS: ["%g", "[0-9]{3}"],
  SSSSSS: ["%f", "[0-9]{6}"],
};
/** These can be written only: in reading their case and width are free in Java. */
const WRITTEN: Readonly<Record<string, string>> = {
  y: "%Y",
  yy: "%y",
  M: "%-m",
  MMM: "%b",
  MMMM: "%B",
  L: "%-m",
  LL: "%m",
  d: "%-d",
  DDD: "%j",
  H: "%-H",
  hh: "%I",
  h: "%-I",
  m: "%-M",
  s: "%-S",
  a: "%p",
  E: "%a",
  EE: "%a",
  EEE: "%a",
  EEEE: "%A",
};

/** strftime's form of a pattern; undefined where there is none that is exact. */
function strftime(tokens: readonly Token[]): string | undefined {
  let out = "";
  for (const t of tokens) {
    if (t.kind === "optional") return undefined;
    if (t.kind === "text") out += t.text.replaceAll("%", "%%");
    else {
      const run = t.letter.repeat(t.count);
      const code = CODES[run]?.[0] ?? WRITTEN[run];
      if (code === undefined) return undefined;
      out += code;
    }
  }
  return out;
}

/** strptime's form of a pattern and the expression that its text must match. */
function strptime(tokens: readonly Token[]): { readonly format: string; readonly shape: string } | undefined {
  let format = "";
  let shape = "";
  const seen = new Set<string>();
  for (const t of tokens) {
    if (t.kind === "optional") return undefined;
    if (t.kind === "text") {
      // Letters may be of either case in Java.
      if (/[A-Za-z%]/.test(t.text.replaceAll("T", ""))) return undefined;
      format += t.text;
      shape += t.text.replace(/[^A-Za-z0-9]/g, "\\$&");
    } else {
      const code = CODES[t.letter.repeat(t.count)];
      if (code === undefined || seen.has(t.letter)) return undefined;
      seen.add(t.letter);
      format += code[0];
      shape += code[1];
    }
  }
  // What the pattern leaves out is 1970 in Java and 1900 in DuckDB.
  return seen.has("y") && format.includes("%Y") ? { format, shape } : undefined;
}

const zoneSql = (timeZone: string | undefined): string =>
  timeZone === undefined ? "current_setting('TimeZone')" : sqlString(timeZone);

/** Text of an instant, or of a wall clock, by a pattern. */
function format(
  x: string,
  type: DataType,
  pattern: string,
  literal: Value | undefined,
  types: SqlTypes,
  native: NativeCall,
  micros = `epoch_us(${x})`,
): string {
  const ntz = type.kind === "timestamp_ntz";
  const zone = ntz ? "'UTC'" : zoneSql(types.timeZone);
  const slow = native(
    formatNative,
    [
      { sql: micros, type: LONG },
      { sql: pattern, type: STRING },
      { sql: zone, type: STRING },
    ],
    STRING,
  );
  const code = typeof literal === "string" ? strftime(tokensOf(literal, "format")) : undefined;
  if (code === undefined) return slow;
  if (code === "") return `CASE WHEN ${micros} IS NOT NULL THEN '' END`;
  const wall = ntz ? x : local(x, types.timeZone);
  // Years of fewer or more digits are written in other ways.
  return `CASE WHEN ${micros} BETWEEN -30610000000000000 AND 253402128000000000 THEN strftime(${wall}, ${sqlString(code)}) ELSE ${slow} END`;
}

/** The instant (or wall clock, for timestamp_ntz) that a text names by a pattern. */
function parse(
  x: string,
  result: "timestamp" | "timestamp_ntz",
  pattern: string,
  literal: Value | undefined,
  types: SqlTypes,
  native: NativeCall,
  strict: boolean,
  hint: string,
): string {
  const ntz = result === "timestamp_ntz";
  const flags = [
    { sql: String(strict), type: BOOLEAN },
    { sql: sqlString(hint), type: STRING },
  ];
  const text = [
    { sql: x, type: STRING },
    { sql: pattern, type: STRING },
  ];
  const micros = ntz
    ? native(parseLocalNative, [...text, ...flags], LONG)
    : native(parseNative, [...text, { sql: zoneSql(types.timeZone), type: STRING }, ...flags], LONG);
  const slow = `${ntz ? "make_timestamp" : "make_timestamptz"}(${micros})`;
  const fast = typeof literal === "string" ? strptime(tokensOf(literal, "parse")) : undefined;
  if (fast === undefined) return slow;
  const wall = `try_strptime(${x}, ${sqlString(fast.format)})`;
  const shape = sqlString(fast.shape);
  return `CASE WHEN regexp_full_match(${x}, ${shape}) THEN coalesce(${ntz ? wall : instant(wall, types.timeZone)}, ${slow}) ELSE ${slow} END`;
}

const DEFAULT = "yyyy-MM-dd HH:mm:ss";

/** Microseconds of seconds. What has no room in a long is cut to its lower 64 bits, as Java does. */
const wrapped = (x: string): string =>
  `CASE WHEN ${x} BETWEEN -9223372036854 AND 9223372036854 THEN ${x} * 1000000 ELSE CAST((CAST(${x} AS HUGEINT) * 1000000 + 9223372036854775808) % 18446744073709551616 + CASE WHEN CAST(${x} AS HUGEINT) * 1000000 + 9223372036854775808 < 0 AND (CAST(${x} AS HUGEINT) * 1000000 + 9223372036854775808) % 18446744073709551616 <> 0 THEN 18446744073709551616 ELSE 0 END - 9223372036854775808 AS BIGINT) END`;

/** `to_timestamp` and its like: text by a pattern; anything else is cast. */
function reader(
  name: string,
  result: "timestamp" | "timestamp_ntz",
  strict: boolean,
  example: readonly [string, unknown],
): FunctionDef {
  const type: DataType = { kind: result };
  return fn(
    name,
    [any, opt(pattern)],
    type,
    example,
    ([x, p], types, native) =>
      p === undefined || types.args[0]!.kind !== "string"
        ? x!
        : parse(x!, result, p, types.literals?.[1], types, native, strict, "try_to_timestamp"),
    {
      nullable: strict ? "args" : "always",
      coerce: ([t, p]) => (t!.kind === "string" && p !== undefined ? [STRING, STRING] : [type, p && STRING]),
    },
  );
}

const dateReader = (name: string, strict: boolean, example: readonly [string, unknown]): FunctionDef =>
  fn(
    name,
    [any, opt(pattern)],
    DATE,
    example,
    ([x, p], types, native) =>
      p === undefined || types.args[0]!.kind !== "string"
        ? x!
        : `CAST(${parse(x!, "timestamp_ntz", p, types.literals?.[1], types, native, strict, "try_to_date")} AS DATE)`,
    {
      nullable: strict ? "args" : "always",
      coerce: ([t, p]) => (t!.kind === "string" && p !== undefined ? [STRING, STRING] : [DATE, p && STRING]),
    },
  );

/** Whole seconds since 1970 of a text by a pattern, or of a time. */
const seconds = (name: string, aliases: string[], optional: boolean): FunctionDef =>
  fn(
    name,
    [optional ? opt(any) : any, opt(pattern)],
    LONG,
    [`${name}('2016-04-08', 'yyyy-MM-dd')`, 1460073600n],
    ([x, p], types, native) => {
      if (x === undefined) return "CAST(floor(epoch(now())) AS BIGINT)";
      const time =
        types.args[0]!.kind === "string"
          ? parse(
              x,
              "timestamp",
              p ?? `'${DEFAULT}'`,
              p === undefined ? DEFAULT : types.literals?.[1],
              types,
              native,
              true,
              "try_to_timestamp",
            )
          : x;
      return `(epoch_us(${time}) // 1000000)`;
    },
    { aliases, coerce: ([t, p]) => (t === undefined ? [] : [t.kind === "string" ? STRING : TIMESTAMP, p && STRING]) },
  );

export const formatFunctions: readonly FunctionDef[] = [
  reader("to_timestamp", "timestamp", true, ["to_timestamp('2016-12-31 00:12:00')", new Date("2016-12-31T00:12:00Z")]),
  reader("to_timestamp_ltz", "timestamp", true, [
    "to_timestamp_ltz('2016-12-31', 'yyyy-MM-dd')",
    new Date("2016-12-31T00:00:00Z"),
  ]),
  reader("to_timestamp_ntz", "timestamp_ntz", true, [
    "to_timestamp_ntz('2016-12-31', 'yyyy-MM-dd')",
    new Date("2016-12-31T00:00:00Z"),
  ]),
  reader("try_to_timestamp", "timestamp", false, ["try_to_timestamp('foo', 'yyyy-MM-dd')", null]),
  dateReader("to_date", true, ["to_date('2009-07-30 04:17:52')", new Date("2009-07-30T00:00:00Z")]),
  dateReader("try_to_date", false, ["try_to_date('foo', 'yyyy-MM-dd')", null]),
  fn(
    "date_format",
    [any, pattern],
    STRING,
    ["date_format('2016-04-08', 'y-MM')", "2016-04"],
    ([x, p], types, native) => format(x!, types.args[0]!, p!, types.literals?.[1], types, native),
    { coerce: ([t]) => [t!.kind === "timestamp_ntz" ? NTZ : TIMESTAMP, STRING] },
  ),
  fn(
    "from_unixtime",
    [long, opt(pattern)],
    STRING,
    ["from_unixtime(0, 'yyyy-MM-dd HH:mm:ss')", "1970-01-01 00:00:00"],
    ([x, p], types, native) => {
      const micros = wrapped(x!);
      const literal = p === undefined ? DEFAULT : types.literals?.[1];
      return format(`make_timestamptz(${micros})`, TIMESTAMP, p ?? `'${DEFAULT}'`, literal, types, native, micros);
    },
    { nullable: "always" },
  ),
  seconds("unix_timestamp", [], true),
  seconds("to_unix_timestamp", [], false),
];
