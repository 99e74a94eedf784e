import { MillraceError, nearest } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import type { Expr } from "./expr.ts";

/** Which of a record's two byte columns. */
export type RecordPart = "key" | "value";

/** How the bytes of a column become a value, for an engine that knows SQL only; undefined leaves the bytes as they are. */
type Decoder = (part: RecordPart, encoding: string) => Expr | undefined;

const bytes: Decoder = () => undefined;
const text: Decoder = (part, encoding) =>
  /^utf-?8$/i.test(encoding)
    ? cast(column(part), { kind: "string" })
    : call("decode", column(part), string(encoding.toUpperCase()));

/** Kafka's deserializers by the name of their class, without the package and the word Deserializer. */
const DECODERS: Readonly<Record<string, Decoder>> = {
  String: text,
  // A UUID travels as its text.
  UUID: text,
  ByteArray: bytes,
  Bytes: bytes,
  ByteBuffer: bytes,
  Short: (part) => fixed(part, "Short", 2, { kind: "short" }, cast(signedBits(part, 2), { kind: "short" })),
  Integer: (part) => fixed(part, "Integer", 4, { kind: "integer" }, cast(signedBits(part, 4), { kind: "integer" })),
  Long: (part) => fixed(part, "Long", 8, { kind: "long" }, signedBits(part, 8)),
  Float: (part) => fixed(part, "Float", 4, { kind: "float" }, cast(ieee(part, 4, 23, 150), { kind: "float" })),
  Double: (part) => fixed(part, "Double", 8, { kind: "double" }, ieee(part, 8, 52, 1075)),
  Boolean: (part) => fixed(part, "Boolean", 1, { kind: "boolean" }, truth(part)),
  Void: () => cast({ kind: "literal", value: null, type: { kind: "null" } }, { kind: "string" }),
};

/** Words that programs use for the same: JavaScript's own classes among them. */
const ALSO: Readonly<Record<string, string>> = {
  int: "Integer",
  bigint: "Long",
  buffer: "ByteArray",
  uint8array: "ByteArray",
};

/** Deserializers that need more than the bytes, with what to do instead. */
const ELSEWHERE: readonly (readonly [pattern: RegExp, advice: string])[] = [
  [/json/i, "Use StringDeserializer and from_json(col(PART), schema): the query then knows the columns."],
  [
    /avro|protobuf|thrift/i,
    "Leave it out; the column is then bytes, which a TypeScript function (map, udf) can decode.",
  ],
  [/^list$/i, "Leave it out; the column is then bytes, which a TypeScript function (map, udf) can decode."],
  [
    /^number$/i,
    "Say how many bytes a number has: IntegerDeserializer (4), LongDeserializer or DoubleDeserializer (8).",
  ],
];

/**
 * What the column `part` becomes under a deserializer of Kafka's: given by the name of its class, with or without its package and the word
 * Deserializer. Undefined for the ones that leave bytes. As in Kafka, bytes of a wrong length are an error.
 *
 * @throws MillraceError INVALID_OPTION for one that is not known, with what to do instead
 */
export function deserialized(part: RecordPart, deserializer: string, encoding: string): Expr | undefined {
  const name = deserializer.trim().replace(/^.*[.$/]/, "");
  const short = name.replace(/Deserializer$/i, "");
  const names = Object.keys(DECODERS);
  const known = ALSO[short.toLowerCase()] ?? names.find((n) => n.toLowerCase() === short.toLowerCase());
  if (known !== undefined) return DECODERS[known]!(part, encoding);
  const near = nearest(short, names);
  const advice = ELSEWHERE.find(([pattern]) => pattern.test(short))?.[1].replace("PART", JSON.stringify(part));
  throw new MillraceError(
    "INVALID_OPTION",
    `The option "${part}.deserializer" is ${JSON.stringify(deserializer)}, which is none of Kafka's own deserializers.`,
    {
      hint:
        advice ??
        (near === undefined
          ? `It is one of ${names.map((n) => `${n}Deserializer`).join(", ")}. For a format of your own leave it out: the column is then bytes, which a TypeScript function (map, udf) can decode.`
          : `Did you mean ${near}Deserializer?`),
      parameters: { option: `${part}.deserializer` },
    },
  );
}

// ------------------------------------------------------------------------------------------------------- expressions

const call = (name: string, ...args: Expr[]): Expr => ({ kind: "call", name, args });
const cast = (child: Expr, type: DataType): Expr => ({ kind: "cast", child, type, mode: "ansi" });
const column = (name: string): Expr => ({ kind: "attribute", name });
const string = (value: string): Expr => ({ kind: "literal", value, type: { kind: "string" } });
const int = (value: number): Expr => ({ kind: "literal", value, type: { kind: "integer" } });
const long = (value: bigint): Expr => ({ kind: "literal", value, type: { kind: "long" } });
const double = (value: number): Expr => ({ kind: "literal", value, type: { kind: "double" } });

/** The value of so many bytes, null for none, and for any other number of bytes an error that names the record. */
function fixed(part: RecordPart, name: string, length: number, type: DataType, value: Expr): Expr {
  const size = call("octet_length", column(part));
  return call(
    "when",
    call("isnull", column(part)),
    cast({ kind: "literal", value: null, type: { kind: "null" } }, type),
    call("==", size, int(length)),
    value,
    refused(part, `${name}Deserializer takes ${length} bytes`, type),
  );
}

function truth(part: RecordPart): Expr {
  const bits = signedBits(part, 1);
  return call(
    "when",
    call("==", bits, long(0n)),
    { kind: "literal", value: false, type: { kind: "boolean" } },
    call("==", bits, long(1n)),
    { kind: "literal", value: true, type: { kind: "boolean" } },
    refused(part, "BooleanDeserializer takes 0 or 1", { kind: "boolean" }),
  );
}

/** Fails the query with what the record has instead; of type `type`, so that it can stand among values. */
function refused(part: RecordPart, wanted: string, type: DataType): Expr {
  const found = call(
    "concat",
    string(`${wanted}; the ${part} of the record in `),
    column("topic"),
    string(", partition "),
    cast(column("partition"), { kind: "string" }),
    string(", offset "),
    cast(column("offset"), { kind: "string" }),
    string(" is 0x"),
    call("substring", call("hex", column(part)), int(1), int(64)),
    string(`. Leave "${part}.deserializer" out to have the bytes.`),
  );
  return cast(call("raise_error", found), type);
}

/** The bytes (at most eight, the highest first) as a whole number with its sign: SQL has no other way from bytes to one than their digits. */
function signedBits(part: RecordPart, length: number): Expr {
  const digits = call("hex", column(part));
  const above = "F".repeat(16 - 2 * length);
  const negative = call(">=", call("substring", digits, int(1), int(1)), string("8"));
  const whole = above === "" ? digits : call("concat", call("when", negative, string(above), string("")), digits);
  return cast(call("conv", whole, int(16), int(-10)), { kind: "long" });
}

/** The bytes as a floating-point number of IEEE 754: `fraction` bits behind the point, the exponent less `bias`. All steps are exact. */
function ieee(part: RecordPart, length: number, fraction: number, bias: number): Expr {
  const bits = signedBits(part, length);
  const top = length === 8 ? 2047 : 255;
  const one = 2n ** BigInt(fraction);
  const exponent = call("&", call("shiftright", bits, int(fraction)), long(BigInt(top)));
  const rest = call("&", bits, long(one - 1n));
  const sign = call("when", call("<", bits, long(0n)), double(-1), double(1));
  const mantissa = call("when", call("==", exponent, long(0n)), rest, call("+", rest, long(one)));
  const power = call("power", double(2), call("-", call("greatest", exponent, long(1n)), long(BigInt(bias))));
  return call(
    "when",
    call("<", exponent, long(BigInt(top))),
    call("*", call("*", cast(mantissa, { kind: "double" }), power), sign),
    call("==", rest, long(0n)),
    call("*", double(Number.POSITIVE_INFINITY), sign),
    double(Number.NaN),
  );
}
