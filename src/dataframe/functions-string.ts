import { type Column, columnExpr, operand } from "./column.ts";
import { call, columns, type Literal, literals, type Maybe, type Unary, type WithLiterals } from "./functions-core.ts";
import { literal } from "./literal.ts";
import type { Arg, Lift, NeedOf, TypeOf } from "./row-types.ts";

type Text = string | Uint8Array;

/** The text in upper case. */
export const upper = columns("upper") as Unary<"upper", string, string>;
/** The text in lower case. */
export const lower = columns("lower") as Unary<"lower", string, string>;
/** Each word with a capital letter. */
export const initcap = columns("initcap") as Unary<"initcap", string, string>;
/** The number of characters of text, or bytes of binary. */
export const length = columns("length") as Unary<"length", Text, number>;
/** The number of bytes in UTF-8. */
export const octet_length = columns("octet_length") as Unary<"octet_length", Text, number>;
/** The text backwards. */
export const reverse = columns("reverse") as Unary<"reverse", string, string>;
/** `trim` and its like take the characters first in SQL. */
const trimming =
  (name: string) =>
  (column: any, characters?: any): any =>
    call(name, ...(characters === undefined ? [] : [operand(characters)]), columnExpr(column));
/** Without spaces (or the given characters) at both ends. */
export const trim = trimming("trim") as WithLiterals<string, [characters?: string], string>;
/** Without spaces (or the given characters) at the start. */
export const ltrim = trimming("ltrim") as WithLiterals<string, [characters?: string], string>;
/** Without spaces (or the given characters) at the end. */
export const rtrim = trimming("rtrim") as WithLiterals<string, [characters?: string], string>;
/** Filled up at the start, or cut, to a length. */
export const lpad = literals("lpad") as WithLiterals<string, [length: Literal<number>, pad: string], string>;
/** Filled up at the end, or cut, to a length. */
export const rpad = literals("rpad") as WithLiterals<string, [length: Literal<number>, pad: string], string>;
/** The text several times. */
export const repeat = literals("repeat") as WithLiterals<string, [times: Literal<number>], string>;
/** Characters from a position: 1 is the first, negative counts from the end. */
export const substring = literals("substring") as WithLiterals<
  string,
  [position: Literal<number>, length?: Literal<number>],
  string
>;
/** As `substring`. */
export const substr = substring;
/** What stands before the n-th delimiter, counted from the end for a negative n. */
export const substring_index = literals("substring_index") as WithLiterals<
  string,
  [delimiter: string, count: number],
  string
>;
/** The first characters. */
export const left = literals("left") as WithLiterals<string, [length: Literal<number>], string>;
/** The last characters. */
export const right = literals("right") as WithLiterals<string, [length: Literal<number>], string>;
/** Every occurrence of a text replaced by another. */
export const replace = literals("replace") as WithLiterals<
  string,
  [search: Literal<string>, replacement?: Literal<string>],
  string
>;
/** Characters replaced one by one. */
export const translate = literals("translate") as WithLiterals<string, [matching: string, replacing: string], string>;
/** The position (from 1) of a text in the column, 0 when it is not there. */
export const instr = literals("instr") as WithLiterals<string, [substring: Literal<string>], number>;
/** As `instr`, the text first; the search starts at `position`. */
export function locate<const A extends Arg<string>>(
  substring: string,
  column: A,
  position?: number,
): Column<Lift<number, TypeOf<A>>, string, NeedOf<A, string>> {
  return call(
    "locate",
    literal(substring),
    columnExpr(column as string),
    ...(position === undefined ? [] : [literal(position)]),
  );
}
/** The parts between matches of a regular expression; at most `limit` of them. */
export const split = literals("split") as WithLiterals<string, [regex: string, limit?: number], string[]>;
/** One of the parts between delimiters, from 1; negative counts from the end. */
export const split_part = literals("split_part") as WithLiterals<
  string,
  [delimiter: Literal<string>, part: Literal<number>],
  string
>;
/** A group of the first match of a regular expression; empty text without a match. */
export const regexp_extract = literals("regexp_extract") as WithLiterals<
  string,
  [regex: string, group?: number],
  string
>;
/** A group of every match. */
export const regexp_extract_all = literals("regexp_extract_all") as WithLiterals<
  string,
  [regex: string, group?: number],
  string[]
>;
/** Every match of a regular expression replaced; `$1` stands for the first group. */
export const regexp_replace = literals("regexp_replace") as WithLiterals<
  string,
  [regex: Literal<string>, replacement: Literal<string>],
  string
>;
/** The number of matches. */
export const regexp_count = literals("regexp_count") as WithLiterals<string, [regex: string], number>;
/** Whether a regular expression matches somewhere. */
export const rlike = literals("rlike") as WithLiterals<string, [regex: Literal<string>], boolean>;
/** Whether the text matches a LIKE pattern. */
export const like = literals("like") as WithLiterals<string, [pattern: Literal<string>], boolean>;
/** As `like`, without regard to case. */
export const ilike = literals("ilike") as WithLiterals<string, [pattern: Literal<string>], boolean>;
/** Whether a text stands in it. */
export const contains = literals("contains") as WithLiterals<string, [text: Literal<string>], boolean>;
/** Whether it starts with a text. */
export const startswith = literals("startswith") as WithLiterals<string, [text: Literal<string>], boolean>;
/** Whether it ends with a text. */
export const endswith = literals("endswith") as WithLiterals<string, [text: Literal<string>], boolean>;
/** The code of the first character. */
export const ascii = columns("ascii") as Unary<"ascii", string, number>;
/** The character of a code. */
export const chr = columns("chr") as Unary<"chr", number | bigint, string>;
/** The number of single changes between two texts. */
export const levenshtein = columns("levenshtein") as <const A extends Arg<string>, const B extends Arg<string>>(
  a: A,
  b: B,
) => Column<Lift<number, TypeOf<A> | TypeOf<B>>, string, NeedOf<A, string> | NeedOf<B, string>>;
/** Bytes as base 64. */
export const base64 = columns("base64") as Unary<"base64", Text, string>;
/** Base 64 as bytes. */
export const unbase64 = columns("unbase64") as Unary<"unbase64", string, Uint8Array>;
/** A number, text or bytes in hexadecimal. */
export const hex = columns("hex") as Unary<"hex", any, string>;
/** Hexadecimal as bytes; null for text that is none. */
export const unhex = columns("unhex") as Maybe<"unhex", string, Uint8Array>;
/** Text as bytes in a character set: UTF-8, UTF-16, ISO-8859-1, ... */
export const encode = literals("encode") as WithLiterals<string, [charset: string], Uint8Array>;
/** Bytes as text of a character set. */
export const decode = literals("decode") as WithLiterals<Uint8Array, [charset: string], string>;
/** A number with separators of thousands and so many decimals. */
export const format_number = literals("format_number") as WithLiterals<
  number | bigint | string,
  [decimals: number],
  string
>;
/** The texts one after the other; null if one is. */
export const concat = columns("concat") as <const A extends readonly Arg<any>[]>(
  ...cols: A
) => Column<Lift<string, TypeOf<A[number]>>, string, NeedOf<A[number]>>;
/** The texts with a separator between them, nulls skipped. */
export function concat_ws<const A extends readonly Arg<any>[]>(
  separator: string,
  ...cols: A
): Column<string, string, NeedOf<A[number]>> {
  return call("concat_ws", literal(separator), ...(cols as readonly any[]).map(columnExpr));
}
/** Text by a format of Java's String.format, `format_string("%d of %s", "n", "name")`. */
export function format_string<const A extends readonly Arg<any>[]>(
  format: string,
  ...cols: A
): Column<Lift<string, TypeOf<A[number]>>, string, NeedOf<A[number]>> {
  return call("format_string", literal(format), ...(cols as readonly any[]).map(columnExpr));
}
/** MD5 in hexadecimal. */
export const md5 = columns("md5") as Unary<"md5", Text, string>;
/** SHA-1 in hexadecimal. */
export const sha1 = columns("sha1") as Unary<"sha1", Text, string>;
/** SHA-2 in hexadecimal. */
export const sha2 = literals("sha2") as WithLiterals<Text, [bits: 0 | 224 | 256 | 384 | 512], string>;
