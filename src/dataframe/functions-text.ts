import { Column, columnExpr } from "./column.ts";
import {
  type AnyColumn,
  type ColumnOrName,
  call,
  columns,
  type Literal,
  literals,
  type Maybe,
  type MaybeWithLiterals,
  optionsExpr,
  type Unary,
  type WithLiterals,
} from "./functions-core.ts";
import { literal } from "./literal.ts";
import type { Arg, NeedOf } from "./row-types.ts";

type Text = string | Uint8Array;
type Num = number | bigint;
/** Options of a reader or writer, `{ sep: "|" }`. */
type Options = Readonly<Record<string, string | number | boolean>>;

// ---------------------------------------------------------------------------------------------------------------------- text

/** As `upper`. */
export const ucase = columns("upper") as Unary<"upper", string, string>;
/** As `lower`. */
export const lcase = columns("lower") as Unary<"lower", string, string>;
/** As `length`. */
export const char_length = columns("length") as Unary<"length", Text, number>;
/** As `length`. */
export const character_length = char_length;
/** The number of bits in UTF-8. */
export const bit_length = columns("bit_length") as Unary<"bit_length", Text, number>;
/** Without spaces (or the given characters) at both ends. */
export const btrim = literals("btrim") as WithLiterals<string, [characters?: Literal<string>], string>;
/** Part of the text replaced, from a position on: 1 is the first character. */
export const overlay = literals("overlay") as WithLiterals<
  string,
  [replacement: Literal<string>, position: Literal<number>, length?: Literal<number>],
  string
>;
/** A code of how a name sounds in English. */
export const soundex = columns("soundex") as Unary<"soundex", string, string>;
/** The position (from 1) of the text in a list separated by commas, 0 when it is not there. */
export const find_in_set = literals("find_in_set") as WithLiterals<string, [list: Literal<string>], number>;
/** Letters and digits replaced by one character of their kind: `X`, `x`, `n`. */
export const mask = literals("mask") as MaybeWithLiterals<
  string,
  [upper?: string | null, lower?: string | null, digit?: string | null, other?: string | null],
  string
>;
/** The text between single quotes. */
export const quote = columns("quote") as Maybe<"quote", string, string>;
/** Whether the digits are a valid number by Luhn's check, as card numbers are. */
export const luhn_check = columns("luhn_check") as Maybe<"luhn_check", string, boolean>;
/** Text as bytes: `hex` (the default), `utf-8` or `base64`. */
export const to_binary = literals("to_binary") as MaybeWithLiterals<string, [format?: string], Uint8Array>;
/** As `to_binary`; null for text that is malformed. */
export const try_to_binary = literals("try_to_binary") as MaybeWithLiterals<string, [format?: string], Uint8Array>;
/** A number by a format such as `$99,999.99`, a time by a pattern, or bytes as `hex`, `utf-8` or `base64`. */
export const to_char = literals("to_char") as MaybeWithLiterals<any, [format: string], string>;
/** As `to_char`. */
export const to_varchar = to_char;
/** The decimal that a text says by a format such as `$99,999.99`. */
export const to_number = literals("to_number") as WithLiterals<string, [format: string], string>;
/** As `to_number`; null for text that does not fit. */
export const try_to_number = literals("try_to_number") as MaybeWithLiterals<string, [format: string], string>;
/** Whether the bytes are UTF-8. */
export const is_valid_utf8 = columns("is_valid_utf8") as Maybe<"is_valid_utf8", Text, boolean>;
/** The bytes as text, U+FFFD in the place of what is not UTF-8. */
export const make_valid_utf8 = columns("make_valid_utf8") as Maybe<"make_valid_utf8", Text, string>;
/** The bytes as text; fails where they are not UTF-8. */
export const validate_utf8 = columns("validate_utf8") as Maybe<"validate_utf8", Text, string>;
/** The bytes as text, null where they are not UTF-8. */
export const try_validate_utf8 = columns("try_validate_utf8") as Maybe<"try_validate_utf8", Text, string>;
/** As `rlike`. */
export const regexp = literals("rlike") as WithLiterals<string, [regex: Literal<string>], boolean>;
/** As `rlike`. */
export const regexp_like = regexp;
/** The position (from 1) of the first match of a regular expression, 0 without one. */
export const regexp_instr = literals("regexp_instr") as WithLiterals<string, [regex: Literal<string>], number>;
/** The first match of a regular expression, null without one. */
export const regexp_substr = literals("regexp_substr") as MaybeWithLiterals<string, [regex: Literal<string>], string>;
/** The n-th of the columns, 1 the first. Fails where there is none. */
export function elt<const A extends readonly ColumnOrName[]>(
  n: Literal<number>,
  ...cols: A
): Column<any, string, NeedOf<A[number]>> {
  return call("elt", n instanceof Column ? n.expr : literal(n), ...cols.map(columnExpr));
}

// ---------------------------------------------------------------------------------------------------------------------- URLs

/** A part of a URL (`HOST`, `PATH`, `QUERY`, `REF`, `PROTOCOL`, `FILE`, `AUTHORITY`, `USERINFO`), or one parameter of its query. */
export const parse_url = literals("parse_url") as MaybeWithLiterals<string, [part: string, key?: string], string>;
/** As `parse_url`; null for what is no URL. */
export const try_parse_url = literals("try_parse_url") as MaybeWithLiterals<
  string,
  [part: string, key?: string],
  string
>;
/** The text as it stands in a form or a query. */
export const url_encode = columns("url_encode") as Maybe<"url_encode", string, string>;
/** The reverse of `url_encode`. */
export const url_decode = columns("url_decode") as Maybe<"url_decode", string, string>;
/** As `url_decode`; null for malformed text. */
export const try_url_decode = columns("try_url_decode") as Maybe<"try_url_decode", string, string>;

// --------------------------------------------------------------------------------------------------------------------- hashes

/** CRC 32 of text or bytes. */
export const crc32 = columns("crc32") as Unary<"crc32", Text, bigint>;
/** As `sha1`. */
export const sha = columns("sha1") as Unary<"sha1", Text, string>;
/** Spark's 32-bit hash of values of any type, that of its partitioner. */
export const hash = columns("hash") as <const A extends readonly ColumnOrName[]>(
  ...cols: A
) => Column<number, string, NeedOf<A[number]>>;
/** A 64-bit hash of values of any type. */
export const xxhash64 = columns("xxhash64") as <const A extends readonly ColumnOrName[]>(
  ...cols: A
) => Column<bigint, string, NeedOf<A[number]>>;

// ----------------------------------------------------------------------------------------------------------------------- bits

/** How many bits are set. */
export const bit_count = columns("bit_count") as Unary<"bit_count", Num | boolean, number>;
/** The bit at a position, 0 the lowest. */
export const bit_get = literals("bit_get") as WithLiterals<Num, [position: Literal<number>], number>;
/** As `bit_get`. */
export const getbit = bit_get;
/** Shifts bits to the right, zeros coming in. */
export const shiftrightunsigned = literals("shiftrightunsigned") as WithLiterals<Num, [bits: number], number>;

// ------------------------------------------------------------------------------------------------------------------ conditions

/** Whether two columns are equal, nulls being equal. */
export function equal_null<const A extends ColumnOrName, const B extends ColumnOrName>(
  a: A,
  b: B,
): Column<boolean, string, NeedOf<A> | NeedOf<B>> {
  return call("equal_null", columnExpr(a), columnExpr(b));
}
/** Null where the number is 0. */
export const nullifzero = columns("nullifzero") as Maybe<"nullifzero", Num, number>;
/** 0 where the number is null. */
export const zeroifnull = columns("zeroifnull") as <const A extends Arg<Num>>(
  col: A,
) => Column<number, string, NeedOf<A, Num>>;
/** The second column where the first is not null, else the third. */
export function nvl2(a: ColumnOrName, b: ColumnOrName, c: ColumnOrName): AnyColumn {
  return call("nvl2", columnExpr(a), columnExpr(b), columnExpr(c));
}
/** Null where a condition holds; fails where it does not. */
export function assert_true(condition: AnyColumn, message?: string): AnyColumn {
  return call("assert_true", condition.expr, ...(message === undefined ? [] : [literal(message)]));
}

// ------------------------------------------------------------------------------------------------------------------ JSON, CSV

/** The names of a JSON object. */
export const json_object_keys = columns("json_object_keys") as Maybe<"json_object_keys", string, string[]>;
/** The schema of a JSON text, as DDL. */
export function schema_of_json(json: string, options?: Options): Column<string, string, never> {
  return call("schema_of_json", literal(json), ...optionsExpr(options));
}
/** A line of CSV read by a schema in DDL; values that do not fit are null. */
export function from_csv<const A extends Arg<string>>(
  col: A,
  schema: string,
  options?: Options,
): Column<any, string, NeedOf<A, string>> {
  return call("from_csv", columnExpr(col as ColumnOrName), literal(schema), ...optionsExpr(options));
}
/** A struct as a line of CSV. */
export function to_csv<const A extends ColumnOrName>(
  col: A,
  options?: Options,
): Column<string | null, string, NeedOf<A>> {
  return call("to_csv", columnExpr(col), ...optionsExpr(options));
}
/** The schema of a line of CSV, as DDL. */
export function schema_of_csv(csv: string, options?: Options): Column<string, string, never> {
  return call("schema_of_csv", literal(csv), ...optionsExpr(options));
}

// ---------------------------------------------------------------------------------------------------------------------- others

/** A random UUID. */
export const uuid = columns("uuid") as () => Column<string, "uuid()", never>;
/** Encrypted by AES: key of 16, 24 or 32 bytes; mode `GCM` (the default), `CBC` or `ECB`. */
export const aes_encrypt = literals("aes_encrypt") as MaybeWithLiterals<
  Text,
  [key: Literal<Text>, mode?: string, padding?: string],
  Uint8Array
>;
/** The reverse of `aes_encrypt`; fails for a wrong key. */
export const aes_decrypt = literals("aes_decrypt") as MaybeWithLiterals<
  Text,
  [key: Literal<Text>, mode?: string, padding?: string],
  Uint8Array
>;
/** As `aes_decrypt`; null for a wrong key. */
export const try_aes_decrypt = literals("try_aes_decrypt") as MaybeWithLiterals<
  Text,
  [key: Literal<Text>, mode?: string, padding?: string],
  Uint8Array
>;
