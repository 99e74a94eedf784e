import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { type FunctionDef, family, type NativeCall, type NativeFunction, type SqlTypes } from "./define.ts";
import { type CompiledRegex, javaRegex } from "./java-regex.ts";
import { BOOLEAN, constant, INT, int, opt, pattern, STRING, string } from "./params.ts";
import * as native from "./regex-native.ts";

const fn = family("regex");
const strings = (containsNull: boolean): DataType => ({ kind: "array", elementType: STRING, containsNull });
const differsInSurrogates = {
  reason:
    "A pattern that matches the empty text does so between whole characters; Java also looks inside of a character beyond U+FFFF.",
  when: () => false,
};

// ----------------------------------------------------------------------------------------------------------------------- LIKE

/** LIKE with backslash as the escape character, as in Spark, which refuses an escape before an ordinary character. */
const like =
  (op: string) =>
  ([a, b, e]: string[], { literals }: SqlTypes): string => {
    const mark = e === undefined ? "\\" : literals?.[2];
    const pattern = literals?.[1];
    const text = `(${a} ${op} ${b} ESCAPE ${e ?? "'\\'"})`;
    if (typeof mark !== "string") return text;
    if (typeof pattern === "string") {
      checkLike(pattern, mark);
      return text;
    }
    const [m] = [[...mark][0] ?? "\\"];
    const c = /^[A-Za-z0-9]$/.test(m!) ? m! : `\\${m}`;
    const fine = `regexp_full_match(${b}, ${sqlString(`(?s)(?:[^${c}]|${c}[_%${c}])*`)})`;
    return `CASE WHEN ${fine} THEN ${text} WHEN ${b} IS NOT NULL THEN error('[INVALID_FORMAT.ESC_IN_THE_MIDDLE] The format is invalid: ''' || ${b} || '''. The escape character is not allowed to precede it.') END`;
  };

function checkLike(pattern: string, mark: string): void {
  for (let i = 0; i < pattern.length; i++) {
    if (pattern[i] !== mark) continue;
    const next = pattern[++i];
    if (next === "_" || next === "%" || next === mark) continue;
    throw new MillraceError(
      next === undefined ? "INVALID_FORMAT.ESC_AT_THE_END" : "INVALID_FORMAT.ESC_IN_THE_MIDDLE",
      next === undefined
        ? `The format is invalid: '${pattern}'. The escape character is not allowed to end with.`
        : `The format is invalid: '${pattern}'. The escape character is not allowed to precede '${next}'.`,
      { parameters: { format: `'${pattern}'` } },
    );
  }
}

// ------------------------------------------------------------------------------------------------------------------ RE2 or not

/** Calls a TypeScript function over text, pattern and whole numbers or more text. */
function callNative(
  call: NativeCall,
  f: NativeFunction,
  args: readonly [sql: string, type: DataType][],
  type: DataType,
): string {
  return call(
    f,
    args.map(([sql, t]) => ({ sql, type: t })),
    type,
  );
}

/**
 * `fast` with the pattern in RE2's dialect where it means the same, for the texts it means the same for; else `exact`. A pattern from a
 * column is read row by row.
 */
function either(
  name: string,
  s: string,
  pattern: unknown,
  exact: string,
  fast: (re2: string, regex: CompiledRegex) => string | undefined,
): string {
  if (typeof pattern !== "string") return exact;
  const regex = javaRegex(pattern, name);
  const sql = regex.re2 === undefined ? undefined : fast(sqlString(regex.re2), regex);
  if (sql === undefined) return exact;
  const conditions = [
    ...(regex.ascii ? [`strlen(${s}) = length(${s})`] : []),
    ...(regex.noLineEnd ? [`NOT regexp_matches(${s}, '[\\n\\r\\x{85}\\x{2028}\\x{2029}]')`] : []),
  ];
  return conditions.length === 0
    ? sql
    : `CASE WHEN ${conditions.join(" AND ")} THEN ${sql} WHEN ${s} IS NOT NULL THEN ${exact} END`;
}

/** A replacement of Java's as RE2's, undefined where it names a group beyond 9 or one that is not there, which only a match finds out. */
function re2Replacement(text: string, groups: number): string | undefined {
  const parts = native.partsOfReplacement(text, groups);
  if (typeof parts === "string") return undefined;
  if (parts.some((p) => typeof p === "number" && p > 9)) return undefined;
  return parts.map((p) => (typeof p === "number" ? `\\${p}` : p.replaceAll("\\", "\\\\"))).join("");
}

const isIndex = (i: unknown, regex: CompiledRegex): i is number =>
  typeof i === "number" && i >= 0 && i <= Math.min(9, regex.groups);

export const regexFunctions: readonly FunctionDef[] = [
  fn("like", [string, pattern, opt(string)], BOOLEAN, ["'Spark' like '_park'", true], like("LIKE")),
  fn("ilike", [string, pattern, opt(string)], BOOLEAN, ["'Spark' ilike '_PARK'", true], like("ILIKE")),
  fn(
    "rlike",
    [string, pattern],
    BOOLEAN,
    ["'Spark' rlike 'p.r'", true],
    ([s, r], { literals }, call) =>
      either(
        "rlike",
        s!,
        literals?.[1],
        callNative(
          call,
          native.matches,
          [
            [s!, STRING],
            [r!, STRING],
          ],
          BOOLEAN,
        ),
        (re2) => `regexp_matches(${s}, ${re2})`,
      ),
    { aliases: ["regexp", "regexp_like"] },
  ),
  fn(
    "regexp_extract",
    [string, pattern, opt(constant(int))],
    STRING,
    ["regexp_extract('100-200', '(\\\\d+)-(\\\\d+)', 1)", "100"],
    ([s, r, i = "1"], { literals }, call) => {
      const group = literals?.[2] ?? (i === "1" ? 1 : undefined);
      const exact = callNative(
        call,
        native.extract,
        [
          [s!, STRING],
          [r!, STRING],
          [i, INT],
        ],
        STRING,
      );
      return either("regexp_extract", s!, literals?.[1], exact, (re2, regex) =>
        isIndex(group, regex) ? `regexp_extract(${s}, ${re2}, ${group})` : undefined,
      );
    },
  ),
  fn(
    "regexp_extract_all",
    [string, pattern, opt(constant(int))],
    strings(true),
    ["regexp_extract_all('100-200, 300-400', '(\\\\d+)-(\\\\d+)', 1)", ["100", "300"]],
    ([s, r, i = "1"], { literals }, call) => {
      const group = literals?.[2] ?? (i === "1" ? 1 : undefined);
      const exact = callNative(
        call,
        native.extractAll,
        [
          [s!, STRING],
          [r!, STRING],
          [i, INT],
        ],
        strings(true),
      );
      return either("regexp_extract_all", s!, literals?.[1], exact, (re2, regex) => {
        if (regex.empty || !isIndex(group, regex)) return undefined;
        const all = `regexp_extract_all(${s}, ${re2}, ${group})`;
        return group === 0 ? all : `list_transform(${all}, lambda m: coalesce(m, ''))`;
      });
    },
  ),
  fn(
    "regexp_replace",
    [string, pattern, pattern, opt(constant(int))],
    STRING,
    ["regexp_replace('100-200', '(\\\\d+)', 'num')", "num-num"],
    ([s, r, t, p = "1"], { literals }, call) => {
      const exact = callNative(
        call,
        native.replace,
        [
          [s!, STRING],
          [r!, STRING],
          [t!, STRING],
          [p, INT],
        ],
        STRING,
      );
      const text = literals?.[2];
      return either("regexp_replace", s!, literals?.[1], exact, (re2, regex) => {
        if (regex.empty || regex.noLineEnd || typeof text !== "string" || p !== "1") return undefined;
        const to = re2Replacement(text, regex.groups);
        if (to === undefined) return undefined;
        return regex.literal !== undefined && !/[\\$]/.test(text)
          ? `replace(${s}, ${sqlString(regex.literal)}, ${sqlString(text)})`
          : `regexp_replace(${s}, ${re2}, ${sqlString(to)}, 'g')`;
      });
    },
    {
      coerce: (types, args) => {
        const at = args[3]?.literal;
        if (at !== undefined && at !== null && Number(at) < 1) {
          throw new MillraceError(
            "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
            `Cannot resolve "regexp_replace" due to data type mismatch: The position must be between (0, 2147483647] (current value = ${at}).`,
          );
        }
        return types;
      },
      differences: [differsInSurrogates],
    },
  ),
  fn(
    "regexp_count",
    [string, pattern],
    INT,
    ["regexp_count('Steven Jones and Stephen Smith', 'Ste(v|ph)en')", 2],
    ([s, r], { literals }, call) =>
      either(
        "regexp_count",
        s!,
        literals?.[1],
        callNative(
          call,
          native.count,
          [
            [s!, STRING],
            [r!, STRING],
          ],
          INT,
        ),
        (re2, regex) => (regex.empty ? undefined : `CAST(len(regexp_extract_all(${s}, ${re2})) AS INTEGER)`),
      ),
    { differences: [differsInSurrogates] },
  ),
  fn(
    "regexp_instr",
    [string, string, opt(constant(int))],
    INT,
    ["regexp_instr('user@spark.apache.org', '@[^.]*')", 5],
    ([s, r], _, call) =>
      callNative(
        call,
        native.position,
        [
          [s!, STRING],
          [r!, STRING],
        ],
        INT,
      ),
    { nullable: (args) => args.some((a) => a.nullable) },
  ),
  fn(
    "regexp_substr",
    [string, string],
    STRING,
    ["regexp_substr('Steven Jones and Stephen Smith', 'Ste(v|ph)en')", "Steven"],
    ([s, r], _, call) =>
      callNative(
        call,
        native.first,
        [
          [s!, STRING],
          [r!, STRING],
        ],
        STRING,
      ),
    { nullable: "always" },
  ),
  fn(
    "split",
    [string, pattern, opt(constant(int))],
    strings(false),
    ["split('oneAtwoBthreeC', '[ABC]')", ["one", "two", "three", ""]],
    ([s, r, n = "-1"], { literals }, call) => {
      const exact = callNative(
        call,
        native.split,
        [
          [s!, STRING],
          [r!, STRING],
          [n, INT],
        ],
        strings(false),
      );
      const regexp = literals?.[1];
      if (regexp === "") return exact;
      return either("split", s!, regexp, exact, (re2, regex) => {
        if (regex.empty || regex.noLineEnd || regex.groups > 0) return undefined;
        const limit = n === "-1" ? -1 : literals?.[2];
        if (regex.literal !== undefined) {
          const text = sqlString(regex.literal);
          const parts = `string_split(${s}, ${text})`;
          if (n === "-1" || (typeof limit === "number" && limit <= 0)) return parts;
          return `CASE WHEN ${n} <= 0 OR len(${parts}) <= ${n} THEN ${parts} WHEN ${s} IS NOT NULL AND ${n} IS NOT NULL THEN list_append(${parts}[1:${n} - 1], array_to_string(${parts}[${n}:], ${text})) END`;
        }
        return typeof limit === "number" && limit <= 0 ? `string_split_regex(${s}, ${re2})` : undefined;
      });
    },
    { differences: [differsInSurrogates] },
  ),
];
