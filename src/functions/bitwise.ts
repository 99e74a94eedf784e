import { MillraceError } from "../errors.ts";
import { commonTypeOf, isIntegral } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type FunctionDef, family } from "./define.ts";
import { any, INT, int, LONG, param, typeOf } from "./params.ts";

const fn = family("bitwise");

const integral = param('"INTEGRAL"', ({ type }) => (isIntegral(type) ? type : type.kind === "null" ? INT : undefined));
const countable = param('"INTEGRAL" or "BOOLEAN"', (arg) =>
  arg.type.kind === "boolean" ? arg.type : integral.accept(arg),
);
/** int or long: what shifts take; text and other numbers become int. */
const shifted = param('"INT" or "BIGINT"', (arg) => (arg.type.kind === "long" ? LONG : int.accept(arg)));

const BITS: Readonly<Record<string, number>> = { byte: 8, short: 16, integer: 32, long: 64 };

const bits =
  (name: string) =>
  (types: readonly DataType[]): DataType[] => {
    const t = commonTypeOf(types);
    if (t?.kind === "null") return [INT, INT];
    if (t !== undefined && isIntegral(t)) return [t, t];
    throw new MillraceError(
      "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES",
      `Cannot resolve "(a ${name} b)" due to data type mismatch: the operands have the types ${types.map((x) => `"${sqlName(x)}"`).join(" and ")}.`,
    );
  };

/**
 * A shift of the two's complement: the number of places counts modulo the width, bits fall out on either side. The bits are held by the
 * next wider type, and the sign put back.
 */
function shift(a: string, n: string, type: DataType, op: "<<" | ">>>"): string {
  const long = type.kind === "long";
  const wide = long ? "HUGEINT" : "BIGINT";
  const all = long ? "18446744073709551615::HUGEINT" : "4294967295::BIGINT";
  const sign = long ? "9223372036854775808::HUGEINT" : "2147483648::BIGINT";
  const places = `(${n} & ${long ? 63 : 31})`;
  const given = `(CAST(${a} AS ${wide}) & ${all})`;
  const moved = op === "<<" ? `((${given} * (CAST(1 AS ${wide}) << ${places})) & ${all})` : `(${given} >> ${places})`;
  return `CAST(xor(${moved}, ${sign}) - ${sign} AS ${sqlType(type)})`;
}

export const bitwiseFunctions: readonly FunctionDef[] = [
  fn("&", [any, any], typeOf(0), ["3 & 5", 1], ([a, b]) => `(${a} & ${b})`, { coerce: bits("&") }),
  fn("|", [any, any], typeOf(0), ["3 | 5", 7], ([a, b]) => `(${a} | ${b})`, { coerce: bits("|") }),
  fn("^", [any, any], typeOf(0), ["3 ^ 5", 6], ([a, b]) => `xor(${a}, ${b})`, { coerce: bits("^") }),
  fn("~", [integral], typeOf(0), ["~ 0", -1], ([a]) => `(~${a})`),
  fn(
    "shiftleft",
    [shifted, int],
    typeOf(0),
    ["shiftleft(2, 1)", 4],
    ([a, n], { result }) => shift(a!, n!, result, "<<"),
    {
      aliases: ["<<"],
    },
  ),
  fn(
    "shiftright",
    [shifted, int],
    typeOf(0),
    ["shiftright(4, 1)", 2],
    ([a, n], { result }) =>
      `(CAST(${a} AS ${sqlType(result)}) >> CAST(${n} & ${result.kind === "long" ? 63 : 31} AS ${sqlType(result)}))`,
    { aliases: [">>"] },
  ),
  fn(
    "shiftrightunsigned",
    [shifted, int],
    typeOf(0),
    ["shiftrightunsigned(-8, 1)", 2147483644],
    ([a, n], { result }) => shift(a!, n!, result, ">>>"),
    { aliases: [">>>"] },
  ),
  fn("bit_count", [countable], INT, ["bit_count(7)", 3], ([a], { args: [t] }) =>
    t!.kind === "boolean" ? `CAST(${a} AS INTEGER)` : `CAST(bit_count(CAST(${a} AS BIGINT)) AS INTEGER)`,
  ),
  fn(
    "bit_get",
    [integral, int],
    { kind: "byte" },
    ["bit_get(11, 2)", 0],
    ([a, n], { args: [t] }) => {
      const width = BITS[t!.kind] ?? 32;
      return `CASE WHEN ${n} >= 0 AND ${n} < ${width} THEN CAST((CAST(${a} AS BIGINT) >> CAST(${n} AS BIGINT)) & 1 AS TINYINT) WHEN ${a} IS NOT NULL AND ${n} IS NOT NULL THEN error('[INVALID_PARAMETER_VALUE.BIT_POSITION_RANGE] The value of parameter(s) \`pos\` in \`bit_get\` is invalid: expects an integer value in [0, ${width}), but got ' || ${n} || '.') END`;
    },
    { aliases: ["getbit"] },
  ),
];
