import { MillraceError } from "../errors.ts";
import { canImplicitlyCast, commonTypeOf } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { ofText, substringConstant } from "./constants.ts";
import { type FunctionDef, family, type NativeCall, type NativeFunction, raise, unexpectedType } from "./define.ts";
import {
  any,
  BINARY,
  BOOLEAN,
  differing,
  INT,
  int,
  long,
  opt,
  pattern,
  rest,
  STRING,
  string,
  text,
  typeOf,
} from "./params.ts";
import * as native from "./string-native.ts";

const fn = family("string");

const strings: DataType = { kind: "array", elementType: STRING, containsNull: false };
const isBinary = (t: DataType | undefined): boolean => t?.kind === "binary";

/** A call of a TypeScript function over text. */
const overText = (call: NativeCall, f: NativeFunction, args: readonly string[], type: DataType): string =>
  call(
    f,
    args.map((sql) => ({ sql, type: STRING })),
    type,
  );

/** `sql` where no argument is null. */
function whole(args: readonly (string | undefined)[], sql: string): string {
  const conditions = args.flatMap((a) => (a === undefined || /^'[^']*'$/.test(a) ? [] : [`${a} IS NOT NULL`]));
  return conditions.length === 0 ? sql : `CASE WHEN ${conditions.join(" AND ")} THEN ${sql} END`;
}

/** DuckDB changes the case of single letters only: letters that become several, or look at their neighbours, go to TypeScript. */
function changeCase(call: NativeCall, f: NativeFunction, s: string, special: string): string {
  const other = overText(call, f, [s], STRING);
  return `CASE WHEN strlen(${s}) = length(${s}) OR NOT regexp_matches(${s}, '[${special}]') THEN ${f.name}(${s}) WHEN ${s} IS NOT NULL THEN ${other} END`;
}
const GROWS = "\u00df\u0149\u01f0\u0390\u03b0\u0587\u1e96-\u1e9a\u1f50-\u1fff\ufb00-\ufb17";
const SHRINKS = "\u0130\u03a3";

/** Characters from position `p` (1 the first, 0 as 1, negative from the end) and at most `n` of them, as Spark counts them. */
function substring(s: string, p: string, n: string | undefined, isBlob: boolean): string {
  const length = isBlob ? `octet_length(${s})` : `length(${s})`;
  // A negative start before the text eats up the length: substring('abc', -5, 3) is 'a'.
  const start = `(CASE WHEN ${p} > 0 THEN CAST(${p} AS BIGINT) WHEN ${p} < 0 THEN ${length} + ${p} + 1 WHEN ${p} = 0 THEN 1 END)`;
  const end = n === undefined ? length : `least(${start} + ${n} - 1, ${length})`;
  const none = isBlob ? "''::BLOB" : "''";
  if (isBlob) {
    const from = `greatest(${start}, 1)`;
    return `CASE WHEN ${start} > ${length} OR ${end} < ${from} THEN CASE WHEN ${s} IS NOT NULL THEN ${none} END WHEN ${end} IS NOT NULL THEN from_hex(substring(hex(${s}), 2 * ${from} - 1, 2 * (${end} - ${from} + 1))) END`;
  }
  if (n === undefined) return whole([p], `array_slice(${s}, greatest(${start}, 1), ${length})`);
  return `CASE WHEN ${n} <= 0 THEN ${whole([s, p], none)} WHEN ${n} > 0 AND ${p} IS NOT NULL THEN array_slice(${s}, greatest(${start}, 1), ${end}) END`;
}

/** Texts or bytes behind each other. Of a constant null DuckDB would forget the type. */
function joined(parts: readonly string[], isBlob: boolean): string {
  const sql = `(${parts.join(" || ")})`;
  return /\bNULL\b/.test(sql) ? `CAST(${sql} AS ${isBlob ? "BLOB" : "VARCHAR"})` : sql;
}

/** Padding to a length; binary is padded in hexadecimal. */
function pad(name: "lpad" | "rpad", s: string, n: string, p: string | undefined, isBlob: boolean): string {
  if (isBlob) {
    const fill = p === undefined ? "'00'" : `hex(${p})`;
    const cut = `left(hex(${s}), 2 * ${n})`;
    const all = name === "lpad" ? `lpad(hex(${s}), 2 * ${n}, ${fill})` : `rpad(hex(${s}), 2 * ${n}, ${fill})`;
    return whole([s, n, p], `from_hex(CASE WHEN ${n} <= 0 THEN '' WHEN ${fill} = '' THEN ${cut} ELSE ${all} END)`);
  }
  const fill = p ?? "' '";
  const text = `${name}(${s}, ${n}, ${fill})`;
  return `CASE WHEN ${n} <= 0 THEN ${whole([s, p], "''")} ${p === undefined || /^'.+'$/.test(p) ? "" : `WHEN ${fill} = '' THEN left(${s}, ${n}) `}WHEN ${n} > 0 THEN ${text} END`;
}

/** A binary first and second argument stay binary, else all is text. */
const sameText = (types: readonly DataType[]): (DataType | undefined)[] => {
  const binaries = types.filter((t) => isBinary(t)).length;
  return binaries === types.length
    ? types.map(() => BINARY)
    : types.map((t) => (isBinary(t) || t.kind === "string" ? STRING : undefined));
};

export const stringFunctions: readonly FunctionDef[] = [
  fn(
    "upper",
    [string],
    STRING,
    ["upper('SparkSql')", "SPARKSQL"],
    ([s], _, call) => changeCase(call, native.upper, s!, GROWS),
    { aliases: ["ucase"], constant: ofText((s) => s.toUpperCase()) },
  ),
  fn(
    "lower",
    [string],
    STRING,
    ["lower('SparkSql')", "sparksql"],
    ([s], _, call) => changeCase(call, native.lower, s!, SHRINKS),
    { aliases: ["lcase"], constant: ofText((s) => s.toLowerCase()) },
  ),
  fn(
    "initcap",
    [string],
    STRING,
    ["initcap('sPark sql')", "Spark Sql"],
    ([s]) =>
      `array_to_string(list_transform(string_split(${s}, ' '), lambda w: upper(left(w, 1)) || lower(array_slice(w, 2, length(w)))), ' ')`,
  ),
  fn(
    "length",
    [text],
    INT,
    ["length('Spark SQL ')", 10],
    ([s], { args: [t] }) => `CAST(${isBinary(t) ? "octet_length" : "length"}(${s}) AS INTEGER)`,
    { aliases: ["char_length", "character_length", "len"], constant: ofText((s) => [...s].length) },
  ),
  fn(
    "octet_length",
    [text],
    INT,
    ["octet_length('Spark SQL')", 9],
    ([s], { args: [t] }) => `CAST(${isBinary(t) ? "octet_length" : "strlen"}(${s}) AS INTEGER)`,
  ),
  fn(
    "bit_length",
    [text],
    INT,
    ["bit_length('Spark SQL')", 72],
    ([s], { args: [t] }) => `CAST(8 * ${isBinary(t) ? "octet_length" : "strlen"}(${s}) AS INTEGER)`,
  ),
  fn(
    "concat",
    [rest(any)],
    (types) =>
      types.length === 0 ? STRING : types.every((t) => t.kind === "array" || isBinary(t)) ? types[0]! : STRING,
    ["concat('Spark', 'SQL')", "SparkSQL"],
    (args, { result }) =>
      args.length === 0
        ? "''"
        : result.kind === "array"
          ? args.reduce((a, b) => `CASE WHEN ${a} IS NOT NULL AND ${b} IS NOT NULL THEN list_concat(${a}, ${b}) END`)
          : joined(args, isBinary(result)),
    {
      coerce: (types) => {
        if (types.some((t) => t.kind === "array")) {
          const type = commonTypeOf(types);
          if (type === undefined || types.some((t) => t.kind === "null")) throw differing("concat", types);
          return types.map(() => type);
        }
        return types.length > 0 && types.every(isBinary) ? types : types.map(() => STRING);
      },
      constant: ofText((...texts) => texts.join("")),
    },
  ),
  fn(
    "concat_ws",
    [string, rest(any)],
    STRING,
    ["concat_ws(' ', 'Spark', 'SQL')", "Spark SQL"],
    (args, { args: types, literals }, call) => {
      const [sep, ...rest] = args;
      // Arrays are spread, nulls skipped.
      const lists = rest.map((a, i) =>
        types[i + 1]?.kind === "array" ? `coalesce(${a}, [])` : `[CAST(${a} AS VARCHAR)]`,
      );
      if (lists.length === 0) return `CASE WHEN ${sep} IS NOT NULL THEN '' END`;
      const all = lists.reduce((a, b) => `list_concat(${a}, ${b})`);
      const kept = `list_filter(${all}, lambda w: w IS NOT NULL)`;
      // DuckDB's separator must be a constant.
      const constant = literals?.[0];
      if (typeof constant !== "string") {
        const list = { sql: kept, type: strings } as const;
        return call(native.join, [{ sql: sep!, type: STRING }, list], STRING);
      }
      return `coalesce(array_to_string(${kept}, ${sqlString(constant)}), '')`;
    },
    {
      coerce: (types) =>
        types.map((t, i) => {
          const type = t.kind === "array" && i > 0 ? { ...t, elementType: STRING } : STRING;
          if (!canImplicitlyCast(t, type)) {
            throw unexpectedType("concat_ws", i, i === 0 ? '"STRING"' : '("ARRAY<STRING>" or "STRING")', t);
          }
          return type;
        }),
      nullable: ([sep]) => sep!.nullable,
    },
  ),
  fn(
    "substring",
    [text, int, opt(int)],
    typeOf(0),
    ["substring('Spark SQL', -3)", "SQL"],
    ([s, p, n], { args: [t] }) => substring(s!, p!, n, isBinary(t)),
    { aliases: ["substr"], constant: ofText(substringConstant) },
  ),
  fn(
    "substring_index",
    [string, pattern, int],
    STRING,
    ["substring_index('www.apache.org', '.', 2)", "www.apache"],
    ([s, d, n], { literals }, call) => {
      // Spark looks for the next delimiter one character further: those that overlap with themselves are found more often.
      const delimiter = literals?.[1];
      if (typeof delimiter !== "string" || overlaps(delimiter)) {
        const args = [s!, d!].map((sql) => ({ sql, type: STRING }));
        return call(native.substringIndex, [...args, { sql: n!, type: INT }], STRING);
      }
      if (delimiter === "") return whole([s, n], "''");
      const parts = `string_split(${s}, ${d})`;
      return `CASE WHEN ${n} = 0 THEN ${whole([s], "''")} WHEN ${n} > 0 THEN array_to_string(${parts}[1:${n}], ${d}) ELSE array_to_string(${parts}[greatest(len(${parts}) + ${n} + 1, 1):], ${d}) END`;
    },
  ),
  fn("left", [text, int], typeOf(0), ["left('Spark SQL', 3)", "Spa"], ([s, n], { args: [t] }) =>
    isBinary(t)
      ? substring(s!, "1", n, true)
      : `CASE WHEN ${n} <= 0 THEN ${whole([s], "''")} ELSE left(${s}, ${n}) END`,
  ),
  fn(
    "right",
    [string, int],
    STRING,
    ["right('Spark SQL', 3)", "SQL"],
    ([s, n]) => `CASE WHEN ${n} <= 0 THEN ${whole([s], "''")} ELSE right(${s}, ${n}) END`,
    { nullable: "always" },
  ),
  // Without characters Spark trims spaces only, not tabs or line ends. With two arguments the characters come first.
  trim("trim", ["trim('    SparkSQL   ')", "SparkSQL"]),
  trim("ltrim", ["ltrim('    SparkSQL   ')", "SparkSQL   "]),
  trim("rtrim", ["rtrim('KS', 'SparkSQLKS')", "SparkSQL"]),
  fn(
    "btrim",
    [string, opt(string)],
    STRING,
    ["btrim('SSparkSQLS', 'SL')", "parkSQ"],
    ([s, c]) => `trim(${s}, ${c ?? "' '"})`,
  ),
  padding("lpad", ["lpad('hi', 5, '??')", "???hi"]),
  padding("rpad", ["rpad('hi', 5, '??')", "hi???"]),
  fn(
    "repeat",
    [string, int],
    STRING,
    ["repeat('123', 2)", "123123"],
    ([s, n]) => whole([n], `repeat(${s}, greatest(${n}, 0))`),
    { constant: ofText((s, n) => (s.length * n < 1000 ? s.repeat(Math.max(0, n)) : undefined)) },
  ),
  fn("space", [int], STRING, ["concat(space(2), '1')", "  1"], ([n]) => whole([n], `repeat(' ', greatest(${n}, 0))`)),
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
    ([s, a, b]) =>
      `CASE WHEN ${a} = ''${b === undefined ? "" : ` AND ${b} IS NOT NULL`} THEN ${s} ELSE replace(${s}, ${a}, ${b ?? "''"}) END`,
    { constant: ofText((s, a, b = "") => (a === "" ? s : s.replaceAll(a, () => b))) },
  ),
  fn("translate", [string, string, string], STRING, ["translate('AaBbCc', 'abc', '123')", "A1B2C3"]),
  fn(
    "overlay",
    [text, text, int, opt(int)],
    typeOf(0),
    ["overlay('Spark SQL' PLACING '_' FROM 6)", "Spark_SQL"],
    ([s, r, p, n], { args: [t] }) => {
      const blob = isBinary(t);
      const length = blob ? `octet_length(${r})` : `length(${r})`;
      const cut = n === undefined ? length : `CASE WHEN ${n} >= 0 THEN ${n} ELSE ${length} END`;
      const before = substring(s!, "1", `(CAST(${p} AS BIGINT) - 1)`, blob);
      const after = substring(s!, `(CAST(${p} AS BIGINT) + ${cut})`, undefined, blob);
      return joined([`(${before})`, r!, `(${after})`], blob);
    },
    { coerce: ([a, b]) => (isBinary(a) && isBinary(b) ? [] : [STRING, STRING]) },
  ),
  fn(
    "locate",
    [string, string, opt(int)],
    INT,
    ["locate('bar', 'foobarbar')", 4],
    ([a, s, p]) => {
      if (p === undefined) return `CAST(instr(${s}, ${a}) AS INTEGER)`;
      const rest = `array_slice(${s}, ${p}, length(${s}))`;
      return whole(
        [a, s],
        `coalesce(CASE WHEN ${p} < 1 THEN 0 WHEN ${a} = '' THEN 1 WHEN ${p} <= length(${s}) AND instr(${rest}, ${a}) > 0 THEN CAST(instr(${rest}, ${a}) + ${p} - 1 AS INTEGER) END, 0)`,
      );
    },
    { aliases: ["position"], nullable: ([a, s]) => a!.nullable || s!.nullable },
  ),
  fn("instr", [string, string], INT, ["instr('SparkSQL', 'SQL')", 6], ([s, a]) => `CAST(instr(${s}, ${a}) AS INTEGER)`),
  fn(
    "split_part",
    [string, string, int],
    STRING,
    ["split_part('11.12.13', '.', 3)", "13"],
    ([s, d, n]) => {
      const zero = raise(
        "INVALID_INDEX_OF_ZERO",
        "The index 0 is invalid. An index shall be either < 0 or > 0 (the first element has index 1).",
      );
      return `CASE WHEN ${n} = 0 THEN ${whole([s, d], zero)} WHEN ${d} = '' THEN CASE WHEN ${n} IN (1, -1) THEN ${s} ELSE ${whole([s], "''")} END ELSE split_part(${s}, ${d}, ${n}) END`;
    },
    { nullable: "always" },
  ),
  inside("contains", "contains", ["contains('Spark SQL', 'Spark')", true]),
  inside("startswith", "starts_with", ["startswith('Spark SQL', 'Spark')", true]),
  inside("endswith", "ends_with", ["endswith('Spark SQL', 'SQL')", true]),
  fn("ascii", [string], INT, ["ascii('2')", 50], ([s]) => `CASE WHEN ${s} = '' THEN 0 ELSE ascii(${s}) END`),
  fn(
    "chr",
    [long],
    STRING,
    ["chr(65)", "A"],
    ([n]) => `CASE WHEN ${n} < 0 THEN '' ELSE chr(CAST(${n} % 256 AS INTEGER)) END`,
    { aliases: ["char"] },
  ),
  fn("levenshtein", [string, string, opt(int)], INT, ["levenshtein('kitten', 'sitting')", 3], ([a, b, n], _, call) => {
    const texts = [a!, b!].map((sql) => ({ sql, type: STRING }));
    if (n !== undefined) return call(native.levenshteinWithin, [...texts, { sql: n, type: INT }], INT);
    // DuckDB counts bytes.
    const ascii = `strlen(${a}) = length(${a}) AND strlen(${b}) = length(${b})`;
    return `CASE WHEN ${ascii} THEN CAST(levenshtein(${a}, ${b}) AS INTEGER) WHEN ${a} IS NOT NULL AND ${b} IS NOT NULL THEN ${call(native.levenshtein, texts, INT)} END`;
  }),
  fn("soundex", [string], STRING, ["soundex('Miller')", "M460"], (args, _, call) =>
    overText(call, native.soundex, args, STRING),
  ),
  fn("find_in_set", [string, string], INT, ["find_in_set('ab', 'abc,b,ab,c,def')", 3], ([a, s]) =>
    whole(
      [a, s],
      `CASE WHEN contains(${a}, ',') THEN 0 ELSE CAST(coalesce(list_position(string_split(${s}, ','), ${a}), 0) AS INTEGER) END`,
    ),
  ),
  fn(
    "elt",
    [int, any, rest(any)],
    typeOf(1),
    ["elt(2, 'scala', 'java')", "java"],
    ([n, ...values]) => {
      const cases = values.map((v, i) => `WHEN ${n} = ${i + 1} THEN ${v}`).join(" ");
      return `CASE ${cases} WHEN ${n} IS NOT NULL THEN error('[INVALID_ARRAY_INDEX] The index ' || ${n} || ' is out of bounds. The array has ${values.length} elements.') END`;
    },
    {
      nullable: "always",
      coerce: ([n, ...types]) => [n, ...types.map(() => (types.every(isBinary) ? BINARY : STRING))],
    },
  ),
  fn(
    "mask",
    [string, opt(string), opt(string), opt(string), opt(string)],
    STRING,
    ["mask('AbCD123-@$#')", "XxXXnnn-@$#"],
    ([s, ...by], _, call) => {
      const marks = ["'X'", "'x'", "'n'", "CAST(NULL AS VARCHAR)"].map((d, i) => by[i] ?? d);
      return overText(call, native.mask, [s!, ...marks], STRING);
    },
    {
      nullable: "always",
      coerce: (types, args) => {
        for (const { literal } of args.slice(1)) {
          if (typeof literal === "string" && [...literal].length !== 1) {
            throw new MillraceError(
              "DATATYPE_MISMATCH.INPUT_SIZE_NOT_ONE",
              `Cannot resolve "mask" due to data type mismatch: Length of "${literal}" should be 1.`,
            );
          }
        }
        return types;
      },
    },
  ),
  fn(
    "quote",
    [string],
    STRING,
    ["quote('Spark')", "'Spark'"],
    ([s]) => `('''' || replace(${s}, '''', '\\''') || '''')`,
    { nullable: "always" },
  ),
  fn(
    "luhn_check",
    [string],
    BOOLEAN,
    ["luhn_check('8112189876')", true],
    (args, _, call) => overText(call, native.luhnCheck, args, BOOLEAN),
    { nullable: "always" },
  ),
];

/** Whether a delimiter starts with what it ends with. */
function overlaps(d: string): boolean {
  for (let i = 1; i < d.length; i++) if (d.startsWith(d.slice(i))) return true;
  return false;
}

function trim(name: string, example: readonly [string, unknown]): FunctionDef {
  const spaces = name === "trim" ? /^ +| +$/g : name === "ltrim" ? /^ +/ : / +$/;
  return fn(
    name,
    [string, opt(string)],
    STRING,
    example,
    ([a, b]) => (b === undefined ? `${name}(${a}, ' ')` : `${name}(${b}, ${a})`),
    { constant: ofText((s, other) => (other === undefined ? s.replace(spaces, "") : undefined)) },
  );
}

function padding(name: "lpad" | "rpad", example: readonly [string, unknown]): FunctionDef {
  return fn(
    name,
    [text, int, opt(text)],
    typeOf(0),
    example,
    ([s, n, p], { args: [t] }) => pad(name, s!, n!, p, isBinary(t)),
    {
      coerce: ([a, , c]) =>
        isBinary(a) && (c === undefined || isBinary(c))
          ? []
          : [STRING, undefined, c === undefined ? undefined : STRING],
    },
  );
}

/** Whether one text or binary stands in another. */
function inside(name: string, own: string, example: readonly [string, unknown]): FunctionDef {
  return fn(
    name,
    [text, text],
    BOOLEAN,
    example,
    ([s, p], { args: [t] }, call) => {
      if (!isBinary(t)) return `${own}(${s}, ${p})`;
      if (name !== "contains") return `${own}(hex(${s}), hex(${p}))`;
      const args = [s!, p!].map((sql) => ({ sql, type: BINARY }));
      return call(native.containsBytes, args, BOOLEAN);
    },
    // Of bytes it is a call that Spark knows nothing of.
    { coerce: sameText, nullable: (args) => args.some((a) => a.nullable) || args.every((a) => isBinary(a.type)) },
  );
}
