import type { DataType } from "../types/data-type.ts";
import { type FunctionDef, family, raise } from "./define.ts";
import {
  any,
  BINARY,
  BOOLEAN,
  binary,
  INT,
  int,
  LONG,
  long,
  opt,
  rest,
  STRING,
  string,
  text,
  typeOf,
} from "./params.ts";

const fn = family("string");
const strings: DataType = { kind: "array", elementType: STRING, containsNull: false };

/** A call's first argument of text, left out in DuckDB where it is binary. */
const isBinary = (t: DataType | undefined): boolean => t?.kind === "binary";

/** LIKE with backslash as the escape character, as in Spark. */
const like =
  (op: string) =>
  ([a, b, e]: string[]): string =>
    `(${a} ${op} ${b} ESCAPE ${e ?? "'\\'"})`;

/** Java's `$1` in a replacement is RE2's `\1`. */
const replacement = (r: string): string => `regexp_replace(${r}, '\\$([0-9])', '\\\\\\1', 'g')`;

/** Characters from position `p` (1 the first, 0 as 1, negative from the end) and at most `n` of them, as Spark counts them. */
function substring(s: string, p: string, n: string | undefined): string {
  // A negative start before the text eats up the length: substring('abc', -5, 3) is 'a'.
  const start = `(CASE WHEN ${p} > 0 THEN CAST(${p} AS BIGINT) WHEN ${p} < 0 THEN length(${s}) + ${p} + 1 ELSE 1 END)`;
  if (n === undefined) return `array_slice(${s}, greatest(${start}, 1), length(${s}))`;
  return `CASE WHEN ${n} <= 0 THEN '' ELSE array_slice(${s}, greatest(${start}, 1), least(${start} + ${n} - 1, length(${s}))) END`;
}

export const stringFunctions: readonly FunctionDef[] = [
  fn("upper", [string], STRING, ["upper('SparkSql')", "SPARKSQL"], { aliases: ["ucase"] }),
  fn("lower", [string], STRING, ["lower('SparkSql')", "sparksql"], { aliases: ["lcase"] }),
  fn(
    "length",
    [text],
    INT,
    ["length('Spark SQL ')", 10],
    ([s], { args: [t] }) => `CAST(${isBinary(t) ? "octet_length" : "length"}(${s}) AS INTEGER)`,
    { aliases: ["char_length", "character_length", "len"] },
  ),
  fn(
    "octet_length",
    [text],
    INT,
    ["octet_length('Spark SQL')", 9],
    ([s], { args: [t] }) => `CAST(${isBinary(t) ? `octet_length(${s})` : `strlen(${s})`} AS INTEGER)`,
  ),
  fn(
    "concat",
    [rest(any)],
    (types) =>
      types.length > 0 && types.every((t) => t.kind === "array")
        ? types[0]!
        : types.length > 0 && types.every(isBinary)
          ? BINARY
          : STRING,
    ["concat('Spark', 'SQL')", "SparkSQL"],
    (args, { result }) =>
      args.length === 0
        ? "''"
        : result.kind === "array"
          ? args.reduce((a, b) => `CASE WHEN ${a} IS NOT NULL AND ${b} IS NOT NULL THEN list_concat(${a}, ${b}) END`)
          : `(${args.join(" || ")})`,
    {
      coerce: (types) =>
        types.every((t) => t.kind === "array" || t.kind === "null") || types.every(isBinary)
          ? types
          : types.map(() => STRING),
    },
  ),
  fn(
    "concat_ws",
    [string, rest(any)],
    STRING,
    ["concat_ws(' ', 'Spark', 'SQL')", "Spark SQL"],
    (args, { args: types }) => {
      const [sep, ...rest] = args;
      // Arrays are spread, nulls skipped.
      const lists = rest.map((a, i) =>
        types[i + 1]?.kind === "array" ? `coalesce(${a}, [])` : `[CAST(${a} AS VARCHAR)]`,
      );
      if (lists.length === 0) return `CASE WHEN ${sep} IS NOT NULL THEN '' END`;
      const all = lists.reduce((a, b) => `list_concat(${a}, ${b})`);
      return `CASE WHEN ${sep} IS NOT NULL THEN coalesce(array_to_string(list_filter(${all}, lambda w: w IS NOT NULL), ${sep}), '') END`;
    },
    { coerce: (types) => types.map((t) => (t.kind === "array" ? t : STRING)), nullable: ([sep]) => sep!.nullable },
  ),
  fn(
    "substring",
    [string, int, opt(int)],
    STRING,
    ["substring('Spark SQL', -3)", "SQL"],
    ([s, p, n]) => substring(s!, p!, n),
    { aliases: ["substr"] },
  ),
  fn(
    "substring_index",
    [string, string, int],
    STRING,
    ["substring_index('www.apache.org', '.', 2)", "www.apache"],
    ([s, d, n]) =>
      `CASE WHEN ${n} = 0 OR ${d} = '' THEN '' WHEN ${n} > 0 THEN array_to_string(string_split(${s}, ${d})[1:${n}], ${d}) ELSE array_to_string(string_split(${s}, ${d})[greatest(len(string_split(${s}, ${d})) + ${n} + 1, 1):], ${d}) END`,
  ),
  fn(
    "left",
    [string, int],
    STRING,
    ["left('Spark SQL', 3)", "Spa"],
    ([s, n]) => `CASE WHEN ${n} <= 0 THEN '' ELSE left(${s}, ${n}) END`,
  ),
  fn(
    "right",
    [string, int],
    STRING,
    ["right('Spark SQL', 3)", "SQL"],
    ([s, n]) => `CASE WHEN ${n} <= 0 THEN '' ELSE right(${s}, ${n}) END`,
  ),
  // Without characters Spark trims spaces only, not tabs or line ends.
  fn(
    "trim",
    [string, opt(string)],
    STRING,
    ["trim('    SparkSQL   ')", "SparkSQL"],
    ([s, c]) => `trim(${s}, ${c ?? "' '"})`,
    { aliases: ["btrim"] },
  ),
  fn(
    "ltrim",
    [string, opt(string)],
    STRING,
    ["ltrim('    SparkSQL   ')", "SparkSQL   "],
    ([s, c]) => `ltrim(${s}, ${c ?? "' '"})`,
  ),
  fn(
    "rtrim",
    [string, opt(string)],
    STRING,
    ["rtrim('    SparkSQL   ')", "    SparkSQL"],
    ([s, c]) => `rtrim(${s}, ${c ?? "' '"})`,
  ),
  fn(
    "lpad",
    [string, int, opt(string)],
    STRING,
    ["lpad('hi', 5, '??')", "???hi"],
    ([s, n, p]) =>
      `CASE WHEN ${n} <= 0 THEN '' WHEN ${p ?? "' '"} = '' THEN left(${s}, ${n}) ELSE lpad(${s}, ${n}, ${p ?? "' '"}) END`,
  ),
  fn(
    "rpad",
    [string, int, opt(string)],
    STRING,
    ["rpad('hi', 5, '??')", "hi???"],
    ([s, n, p]) =>
      `CASE WHEN ${n} <= 0 THEN '' WHEN ${p ?? "' '"} = '' THEN left(${s}, ${n}) ELSE rpad(${s}, ${n}, ${p ?? "' '"}) END`,
  ),
  fn("repeat", [string, int], STRING, ["repeat('123', 2)", "123123"], ([s, n]) => `repeat(${s}, greatest(${n}, 0))`),
  fn(
    "reverse",
    [any],
    typeOf(0),
    ["reverse('Spark SQL')", "LQS krapS"],
    ([s], { args: [t] }) => (t!.kind === "array" ? `list_reverse(${s})` : `reverse(${s})`),
    { coerce: ([t]) => [t!.kind === "array" ? t : STRING] },
  ),
  fn(
    "replace",
    [string, string, opt(string)],
    STRING,
    ["replace('ABCabc', 'abc', 'DEF')", "ABCDEF"],
    ([s, a, b]) => `CASE WHEN ${a} = '' THEN ${s} ELSE replace(${s}, ${a}, ${b ?? "''"}) END`,
  ),
  fn("translate", [string, string, string], STRING, ["translate('AaBbCc', 'abc', '123')", "A1B2C3"]),
  fn(
    "overlay",
    [string, string, int, opt(int)],
    STRING,
    ["overlay('Spark SQL' PLACING '_' FROM 6)", "Spark_SQL"],
    ([s, r, p, n]) =>
      `(left(${s}, greatest(${p} - 1, 0)) || ${r} || array_slice(${s}, greatest(${p} + ${n ? `CASE WHEN ${n} >= 0 THEN ${n} ELSE length(${r}) END` : `length(${r})`}, 1), length(${s})))`,
  ),
  fn(
    "locate",
    [string, string, opt(int)],
    INT,
    ["locate('bar', 'foobarbar')", 4],
    ([a, s, p]) =>
      p === undefined
        ? `CAST(instr(${s}, ${a}) AS INTEGER)`
        : `CASE WHEN ${p} < 1 THEN 0 WHEN ${p} > length(${s}) + 1 THEN 0 ELSE CAST(coalesce(nullif(instr(array_slice(${s}, ${p}, length(${s})), ${a}), 0) + ${p} - 1, 0) AS INTEGER) END`,
    { aliases: ["position"] },
  ),
  fn("instr", [string, string], INT, ["instr('SparkSQL', 'SQL')", 6], ([s, a]) => `CAST(instr(${s}, ${a}) AS INTEGER)`),
  fn(
    "split",
    [string, string, opt(int)],
    strings,
    ["split('oneAtwoBthreeC', '[ABC]')", ["one", "two", "three", ""]],
    ([s, r, n]) =>
      n === undefined
        ? `string_split_regex(${s}, ${r})`
        : `CASE WHEN ${n} <= 0 OR len(string_split_regex(${s}, ${r})) <= ${n} THEN string_split_regex(${s}, ${r}) ELSE list_append(string_split_regex(${s}, ${r})[1:${n} - 1], regexp_replace(${s}, '^(?s)' || repeat('(?:.*?(?:' || ${r} || '))', ${n} - 1), '')) END`,
  ),
  fn(
    "split_part",
    [string, string, int],
    STRING,
    ["split_part('11.12.13', '.', 3)", "13"],
    ([s, d, n]) =>
      `CASE WHEN ${n} = 0 THEN ${raise("INVALID_ARRAY_INDEX", "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).")} WHEN ${d} = '' THEN CASE WHEN ${n} IN (1, -1) THEN ${s} ELSE '' END ELSE split_part(${s}, ${d}, ${n}) END`,
  ),
  fn("like", [string, string, opt(string)], BOOLEAN, ["'Spark' like '_park'", true], like("LIKE")),
  fn("ilike", [string, string, opt(string)], BOOLEAN, ["'Spark' ilike '_PARK'", true], like("ILIKE")),
  fn("rlike", [string, string], BOOLEAN, ["'Spark' rlike 'p.r'", true], ([s, r]) => `regexp_matches(${s}, ${r})`, {
    aliases: ["regexp", "regexp_like"],
  }),
  fn(
    "regexp_extract",
    [string, string, opt(int)],
    STRING,
    ["regexp_extract('100-200', '(\\\\d+)-(\\\\d+)', 1)", "100"],
    ([s, r, i]) => `regexp_extract(${s}, ${r}, ${i ?? "1"})`,
  ),
  fn(
    "regexp_extract_all",
    [string, string, opt(int)],
    strings,
    ["regexp_extract_all('100-200, 300-400', '(\\\\d+)-(\\\\d+)', 1)", ["100", "300"]],
    ([s, r, i]) => `regexp_extract_all(${s}, ${r}, ${i ?? "1"})`,
  ),
  fn(
    "regexp_replace",
    [string, string, string],
    STRING,
    ["regexp_replace('100-200', '(\\\\d+)', 'num')", "num-num"],
    ([s, r, t]) => `regexp_replace(${s}, ${r}, ${replacement(t!)}, 'g')`,
  ),
  fn(
    "regexp_count",
    [string, string],
    INT,
    ["regexp_count('Steven Jones and Stephen Smith', 'Ste(v|ph)en')", 2],
    ([s, r]) => `CAST(len(regexp_extract_all(${s}, ${r})) AS INTEGER)`,
  ),
  fn("contains", [string, string], BOOLEAN, ["contains('Spark SQL', 'Spark')", true]),
  fn(
    "startswith",
    [string, string],
    BOOLEAN,
    ["startswith('Spark SQL', 'Spark')", true],
    ([s, p]) => `starts_with(${s}, ${p})`,
  ),
  fn(
    "endswith",
    [string, string],
    BOOLEAN,
    ["endswith('Spark SQL', 'SQL')", true],
    ([s, p]) => `ends_with(${s}, ${p})`,
  ),
  fn(
    "initcap",
    [string],
    STRING,
    ["initcap('sPark sql')", "Spark Sql"],
    ([s]) =>
      `array_to_string(list_transform(string_split(${s}, ' '), lambda w: upper(left(w, 1)) || lower(array_slice(w, 2, length(w)))), ' ')`,
  ),
  fn("ascii", [string], INT, ["ascii('2')", 50], ([s]) => `CASE WHEN ${s} = '' THEN 0 ELSE ascii(${s}) END`),
  fn(
    "chr",
    [long],
    STRING,
    ["chr(65)", "A"],
    ([n]) => `CASE WHEN ${n} < 0 THEN '' ELSE chr(CAST(${n} % 256 AS INTEGER)) END`,
    { aliases: ["char"] },
  ),
  fn("space", [int], STRING, ["concat(space(2), '1')", "  1"], ([n]) => `repeat(' ', greatest(${n}, 0))`),
  fn(
    "levenshtein",
    [string, string],
    INT,
    ["levenshtein('kitten', 'sitting')", 3],
    ([a, b]) => `CAST(levenshtein(${a}, ${b}) AS INTEGER)`,
  ),
  fn("base64", [binary], STRING, ["base64('Spark SQL')", "U3BhcmsgU1FM"], ([b]) => `to_base64(${b})`),
  fn(
    "unbase64",
    [string],
    BINARY,
    ["cast(unbase64('U3BhcmsgU1FM') as string)", "Spark SQL"],
    ([s]) => `from_base64(${s})`,
  ),
  fn(
    "hex",
    [any],
    STRING,
    ["hex(17)", "11"],
    ([x], { args: [t] }) => (t!.kind === "long" ? `upper(printf('%x', ${x}))` : `upper(hex(${x}))`),
    { coerce: ([t]) => [t!.kind === "binary" ? BINARY : t!.kind === "string" ? STRING : LONG] },
  ),
  fn(
    "unhex",
    [string],
    BINARY,
    ["cast(unhex('537061726B2053514C') as string)", "Spark SQL"],
    ([s]) => `TRY(unhex(CASE WHEN length(${s}) % 2 = 1 THEN '0' || ${s} ELSE ${s} END))`,
    { nullable: "always" },
  ),
  fn(
    "format_number",
    [any, int],
    STRING,
    ["format_number(12332.123456, 4)", "12,332.1235"],
    ([x, n]) => `CASE WHEN ${n} >= 0 THEN format('{:,.' || CAST(${n} AS VARCHAR) || 'f}', ${x}) END`,
    { coerce: () => [{ kind: "double" }, INT], nullable: "always" },
  ),
  fn(
    "format_string",
    [string, rest(any)],
    STRING,
    ["format_string('Hello World %d %s', 100, 'days')", "Hello World 100 days"],
    (args) => `printf(${args.join(", ")})`,
    { aliases: ["printf"] },
  ),
  fn("encode", [string, string], BINARY, ["cast(encode('abc', 'utf-8') as string)", "abc"], ([s]) => `encode(${s})`),
  fn("decode", [binary, string], STRING, ["decode(encode('abc', 'utf-8'), 'utf-8')", "abc"], ([b]) => `decode(${b})`),
  fn(
    "find_in_set",
    [string, string],
    INT,
    ["find_in_set('ab', 'abc,b,ab,c,def')", 3],
    ([a, s]) =>
      `CASE WHEN contains(${a}, ',') THEN 0 ELSE CAST(coalesce(list_position(string_split(${s}, ','), ${a}), 0) AS INTEGER) END`,
  ),
];
