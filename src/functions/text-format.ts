import { MillraceError } from "../errors.ts";
import { commonTypeOf, decimalOf, isNumeric } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { formatFunctions } from "./datetime-format.ts";
import {
  type FunctionDef,
  family,
  type NativeFunction,
  nativeFunction,
  raise,
  tried,
  unexpectedType,
} from "./define.ts";
import { decimalFormat, decimalText, type FormatArg, javaFormat } from "./java-format.ts";
import { formatNumber, type NumberFormat, parseNumberFormat, readNumber } from "./number-format.ts";
import {
  any,
  BINARY,
  BOOLEAN,
  binary,
  DOUBLE,
  differing,
  INT,
  LONG,
  opt,
  param,
  pattern,
  rest,
  STRING,
  string,
  text,
} from "./params.ts";
import * as native from "./string-native.ts";

/** Text as bytes and back, and numbers as text. */
const fn = family("string");

const isBinary = (t: DataType | undefined): boolean => t?.kind === "binary";
const onText = (call: Parameters<NonNullable<FunctionDef["sql"]>>[2], f: NativeFunction, s: string, type: DataType) =>
  call(f, [{ sql: s, type: STRING }], type);

/** A number as it is; text is not one. */
const number = param('"NUMERIC"', ({ type }) => (isNumeric(type) || type.kind === "null" ? type : undefined));

const isUtf8Name = (charset: unknown): boolean => typeof charset === "string" && charset.toUpperCase() === "UTF-8";
const malformed = raise("MALFORMED_CHARACTER_CODING", "Invalid value found when performing `decode` with UTF-8");

/** `decode(x, search, result, ..., default)`: the result behind the first equal search value, nulls being equal. */
function decodeCases([x, ...rest]: string[]): string {
  let sql = "CASE";
  for (let i = 0; i + 1 < rest.length; i += 2) sql += ` WHEN ${x} IS NOT DISTINCT FROM ${rest[i]} THEN ${rest[i + 1]}`;
  return `${sql}${rest.length % 2 === 1 ? ` ELSE ${rest.at(-1)}` : ""} END`;
}

const printers = new Map<string, NativeFunction>();
/** `format_string` for arguments of these types. */
function printer(types: readonly DataType[]): NativeFunction {
  const kinds = types.map((t) => t.kind);
  const key = kinds.join();
  let f = printers.get(key);
  if (f === undefined) {
    f = nativeFunction(
      "format_string",
      (format: string | null, ...values: FormatArg["value"][]) =>
        format === null
          ? null
          : javaFormat(
              format,
              values.map((value, i) => ({ value, kind: kinds[i]! })),
            ),
      { nulls: true },
    );
    printers.set(key, f);
  }
  return f;
}

const numberFormats = new Map<string, NumberFormat>();
function numberFormat(text: string): NumberFormat {
  let format = numberFormats.get(text);
  if (format === undefined) {
    format = parseNumberFormat(text);
    if (numberFormats.size > 100) numberFormats.clear();
    numberFormats.set(text, format);
  }
  return format;
}

const toChar = nativeFunction("to_char", (value: string, format: string) => formatNumber(value, numberFormat(format)));
const toNumber = nativeFunction("to_number", (value: string, format: string) => {
  const read = readNumber(value, numberFormat(format));
  if (read !== undefined) return read;
  throw new MillraceError(
    "INVALID_FORMAT.MISMATCH_INPUT",
    `The format is invalid: ${format}. The input "STRING" ${value} does not match the format.`,
  );
});
const tryToNumber = nativeFunction(
  "try_to_number",
  (value: string, format: string) => readNumber(value, numberFormat(format)) ?? null,
);
const formatDecimal = nativeFunction("format_number", (value: string, pattern: string) =>
  decimalFormat(value, pattern),
);
const formatDouble = nativeFunction("format_number", (value: number, pattern: string) =>
  decimalFormat(`${value < 0 ? "-" : ""}${decimalText(Math.abs(value))}`, pattern),
);

const literalFormat = (name: string, literal: unknown): string => {
  if (typeof literal === "string") return literal;
  throw notFoldable(name, "format");
};

const notFoldable = (name: string, input: string): MillraceError =>
  new MillraceError(
    "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
    `Cannot resolve "${name}" due to data type mismatch: the input "${input}" should be a foldable "STRING" expression.`,
  );

const numberOf = (name: "to_number" | "try_to_number", example: readonly [string, unknown]): FunctionDef =>
  fn(
    name,
    [string, pattern],
    (_, args) => {
      const f = args[1]?.literal === null ? undefined : numberFormat(literalFormat(name, args[1]?.literal));
      return { kind: "decimal", precision: f?.precision ?? 10, scale: f?.scale ?? 0 };
    },
    example,
    ([s, f], { result }, call) =>
      call(
        name === "to_number" ? toNumber : tryToNumber,
        [
          { sql: s!, type: STRING },
          { sql: f!, type: STRING },
        ],
        result,
      ),
    { nullable: name === "to_number" ? "args" : "always" },
  );

type BinaryFormat = "hex" | "base64" | "utf-8";
function binaryFormat(name: string, literal: unknown): BinaryFormat | undefined {
  if (literal === undefined || literal === null) return undefined;
  const format = String(literal).toLowerCase();
  if (format === "hex" || format === "base64") return format;
  if (format === "utf-8" || format === "utf8") return "utf-8";
  throw new MillraceError(
    "DATATYPE_MISMATCH.INVALID_ARG_VALUE",
    `Cannot resolve "${name}" due to data type mismatch: The "fmt" value must to be a "STRING" literal of 'hex', 'utf-8', 'utf8', or 'base64', but got '${literal}'.`,
  );
}

const isBinaryFormat = (literal: unknown): boolean => /^(hex|base64|utf-?8)$/i.test(String(literal));

const unhex = (s: string): string =>
  tried(s, (x) => `unhex(CASE WHEN length(${x}) % 2 = 1 THEN '0' || ${x} ELSE ${x} END)`);
/** Text of bytes in UTF-8, null where they are not. */
const decoded = (b: string): string => tried(b, (x) => `decode(${x})`);

const toBinary = (name: "to_binary" | "try_to_binary", example: readonly [string, unknown]): FunctionDef => {
  // A format that does not exist gives null where errors are tolerated.
  const formatOf = (literal: unknown): BinaryFormat | undefined =>
    name === "try_to_binary" && !isBinaryFormat(literal) ? undefined : binaryFormat(name, literal);
  return fn(
    name,
    [string, opt(pattern)],
    BINARY,
    example,
    ([s, f], { literals }, call) => {
      const format = f === undefined ? "hex" : formatOf(literals?.[1]);
      if (format === undefined) return "CAST(NULL AS BLOB)";
      if (format === "utf-8") return `encode(${s})`;
      const attempt = format === "hex" ? unhex(s!) : onText(call, native.strictBase64, s!, BINARY);
      if (name === "try_to_binary") return attempt;
      return `coalesce(${attempt}, CASE WHEN ${s} IS NOT NULL THEN error('[CONVERSION_INVALID_INPUT] The value ''' || ${s} || ''' (${format.toUpperCase()}) cannot be converted to "BINARY" because it is malformed. Use \`try_to_binary\` to tolerate malformed input and return NULL instead.') END)`;
    },
    {
      coerce: (types, args) => {
        const format = args[1];
        if (format !== undefined && format.literal === undefined && format.type.kind !== "null")
          throw notFoldable(name, "fmt");
        return types;
      },
      nullable: (args) =>
        name === "try_to_binary" || args.some((a) => a.nullable) || binaryFormat(name, args[1]?.literal) !== "base64",
    },
  );
};

const dateFormat = formatFunctions.find((f) => f.name === "date_format")!;

export const textFormatFunctions: readonly FunctionDef[] = [
  fn(
    "base64",
    [binary],
    STRING,
    ["base64('Spark SQL')", "U3BhcmsgU1FM"],
    ([b]) =>
      // Lines of 76 characters, as MIME has them.
      `CASE WHEN octet_length(${b}) <= 57 THEN to_base64(${b}) ELSE rtrim(regexp_replace(to_base64(${b}), '(.{76})', E'\\\\1\\r\\n', 'g'), E'\\r\\n') END`,
  ),
  fn(
    "unbase64",
    [string],
    BINARY,
    ["cast(unbase64('U3BhcmsgU1FM') as string)", "Spark SQL"],
    ([s], _, call) =>
      `coalesce(${tried(s!, (x) => `CASE WHEN regexp_full_match(${x}, '[A-Za-z0-9+/]*={0,2}') THEN from_base64(${x}) END`)}, ${onText(call, native.unbase64, s!, BINARY)})`,
  ),
  fn(
    "hex",
    [any],
    STRING,
    ["hex(17)", "11"],
    ([x], { args: [t] }) => (t!.kind === "long" ? `upper(printf('%x', ${x}))` : `upper(hex(${x}))`),
    { coerce: ([t]) => [t!.kind === "binary" ? BINARY : t!.kind === "string" ? STRING : LONG] },
  ),
  fn("unhex", [string], BINARY, ["cast(unhex('537061726B2053514C') as string)", "Spark SQL"], ([s]) => unhex(s!), {
    nullable: "always",
  }),
  toBinary("to_binary", ["cast(to_binary('abc', 'utf-8') as string)", "abc"]),
  toBinary("try_to_binary", ["try_to_binary('a!', 'base64')", null]),
  fn(
    "encode",
    [string, pattern],
    BINARY,
    ["cast(encode('abc', 'utf-8') as string)", "abc"],
    ([s, c], { literals }, call) =>
      isUtf8Name(literals?.[1])
        ? `encode(${s})`
        : call(
            native.encode,
            [
              { sql: s!, type: STRING },
              { sql: c!, type: STRING },
            ],
            BINARY,
          ),
    { nullable: "always" },
  ),
  fn(
    "decode",
    [any, any, rest(any)],
    (types) => (types.length === 2 ? STRING : types[2]!),
    ["decode(encode('abc', 'utf-8'), 'utf-8')", "abc"],
    (args, { literals }, call) => {
      const [b, c] = args;
      if (args.length > 2) return decodeCases(args);
      if (isUtf8Name(literals?.[1]))
        return `coalesce(${decoded(b!)}, CASE WHEN ${b} IS NOT NULL THEN ${malformed} END)`;
      return call(
        native.decode,
        [
          { sql: b!, type: BINARY },
          { sql: c!, type: STRING },
        ],
        STRING,
      );
    },
    {
      coerce: (types) => {
        if (types.length === 2) return [BINARY, STRING];
        const isResult = (i: number): boolean => i > 0 && (i % 2 === 0 || i === types.length - 1);
        const searched = commonTypeOf(types.filter((_, i) => !isResult(i)));
        const result = commonTypeOf(types.filter((_, i) => isResult(i)));
        if (searched === undefined || result === undefined) throw differing("decode", types);
        return types.map((_, i) => (isResult(i) ? result : searched));
      },
      nullable: (args) =>
        args.length === 2 ||
        args.length % 2 === 1 ||
        args.some((a, i) => i > 0 && (i % 2 === 0 || i === args.length - 1) && a.nullable),
    },
  ),
  fn(
    "is_valid_utf8",
    [text],
    BOOLEAN,
    ["is_valid_utf8(x'80')", false],
    ([s], { args: [t] }, call) =>
      isBinary(t)
        ? call(native.isUtf8, [{ sql: s!, type: BINARY }], BOOLEAN)
        : `CASE WHEN ${s} IS NOT NULL THEN true END`,
    { nullable: "always" },
  ),
  fn("make_valid_utf8", [string], STRING, ["make_valid_utf8(x'61')", "a"], ([s]) => s!, { nullable: "always" }),
  fn(
    "validate_utf8",
    [text],
    STRING,
    ["validate_utf8(x'61')", "a"],
    ([s], { args: [t] }) =>
      isBinary(t)
        ? `coalesce(${decoded(s!)}, CASE WHEN ${s} IS NOT NULL THEN error('[INVALID_UTF8_STRING] Invalid UTF8 byte sequence found in string: ' || hex(${s}) || '.') END)`
        : s!,
    { nullable: "always" },
  ),
  fn(
    "try_validate_utf8",
    [text],
    STRING,
    ["try_validate_utf8(x'80')", null],
    ([s], { args: [t] }) => (isBinary(t) ? decoded(s!) : s!),
    { nullable: "always" },
  ),
  fn(
    "format_number",
    [number, any],
    STRING,
    ["format_number(12332.123456, 4)", "12,332.1235"],
    ([x, n], { args: [t, f], literals }, call) => {
      if (f!.kind === "integer" && t!.kind === "double") {
        // Java writes the shortest digits and zeros behind, DuckDB all that the double has.
        const places = `'#,##0' || CASE WHEN ${n} > 0 THEN '.' || repeat('0', ${n}) ELSE '' END`;
        const number = { sql: x!, type: DOUBLE };
        const long = call(formatDouble, [number, { sql: places, type: STRING }], STRING);
        return `CASE WHEN ${n} >= 0 THEN CASE WHEN isnan(${x}) THEN 'NaN' WHEN isinf(${x}) THEN CASE WHEN ${x} < 0 THEN '-' ELSE '' END || '∞' WHEN abs(${x}) * pow(10, ${n}) >= 1e15 THEN ${long} ELSE format('{:,.' || CAST(${n} AS VARCHAR) || 'f}', ${x}) END END`;
      }
      const pattern =
        f!.kind !== "integer"
          ? n!
          : typeof literals?.[1] === "number" && literals[1] >= 0
            ? sqlString(`#,##0${literals[1] > 0 ? `.${"0".repeat(literals[1])}` : ""}`)
            : `CASE WHEN ${n} > 0 THEN '#,##0.' || repeat('0', ${n}) WHEN ${n} = 0 THEN '#,##0' END`;
      const value = t!.kind === "double" ? `CAST(${x} AS DECIMAL(38,16))` : `CAST(${x} AS VARCHAR)`;
      return call(
        formatDecimal,
        [
          { sql: `CAST(${value} AS VARCHAR)`, type: STRING },
          { sql: pattern, type: STRING },
        ],
        STRING,
      );
    },
    {
      coerce: ([x, n]) => [
        x!.kind === "float" || x!.kind === "null" ? DOUBLE : undefined,
        n!.kind === "string" ? STRING : INT,
      ],
      nullable: "always",
    },
  ),
  fn(
    "format_string",
    [string, rest(any)],
    STRING,
    ["format_string('Hello World %d %s', 100, 'days')", "Hello World 100 days"],
    (args, { args: types }, call) =>
      call(
        printer(types.slice(1)),
        args.map((sql, i) => ({ sql, type: types[i]! })),
        STRING,
      ),
    {
      aliases: ["printf"],
      nullable: ([format]) => format!.nullable,
      coerce: (types) => types.map((t) => (isNumeric(t) || t.kind === "boolean" ? undefined : STRING)),
      differences: [
        {
          reason:
            "Dates, times, arrays and structs are written as a cast to text writes them; Spark shows their inner form.",
          when: (args) =>
            args.slice(1).some((a) => !isNumeric(a.type) && !["boolean", "string", "null"].includes(a.type.kind)),
        },
      ],
    },
  ),
  fn(
    "to_char",
    [any, pattern],
    STRING,
    ["to_char(78.12, '$99.99')", "$78.12"],
    ([x, f], types, call) => {
      const kind = types.args[0]!.kind;
      if (kind === "binary") {
        const format = binaryFormat("to_char", types.literals?.[1]);
        if (format === undefined) return "CAST(NULL AS VARCHAR)";
        if (format === "hex") return `upper(hex(${x}))`;
        return format === "base64"
          ? `to_base64(${x})`
          : `coalesce(${decoded(x!)}, CASE WHEN ${x} IS NOT NULL THEN ${malformed} END)`;
      }
      if (kind !== "decimal") return dateFormat.sql!([x!, f!], types, call);
      return call(
        toChar,
        [
          { sql: `CAST(${x} AS VARCHAR)`, type: STRING },
          { sql: f!, type: STRING },
        ],
        STRING,
      );
    },
    {
      aliases: ["to_varchar"],
      coerce: ([x], args) => {
        switch (x!.kind) {
          case "binary":
            binaryFormat("to_char", literalFormat("to_char", args[1]?.literal));
            return [BINARY, STRING];
          case "date":
          case "timestamp":
          case "timestamp_ntz":
            return [{ kind: "timestamp" }, STRING];
          default: {
            const to: DataType | undefined =
              x!.kind === "string" ? { kind: "decimal", precision: 38, scale: 18 } : asDecimal(x!);
            if (to === undefined) throw unexpectedType("to_char", 0, '"DECIMAL"', x!);
            if (args[1]?.literal !== null) numberFormat(literalFormat("to_char", args[1]?.literal));
            return [to, STRING];
          }
        }
      },
      nullable: (args) =>
        args.some((a) => a.nullable) || (args[0]!.type.kind === "binary" && /^utf/i.test(String(args[1]?.literal))),
    },
  ),
  numberOf("to_number", ["to_number('$78.12', '$99.99')", "78.12"]),
  numberOf("try_to_number", ["try_to_number('abc', '999')", null]),
];

/** The decimal that Spark makes of a number without being asked. */
function asDecimal(t: DataType): DataType | undefined {
  if (t.kind === "float") return { kind: "decimal", precision: 14, scale: 7 };
  if (t.kind === "double" || t.kind === "null") return { kind: "decimal", precision: 30, scale: 15 };
  return decimalOf(t);
}
