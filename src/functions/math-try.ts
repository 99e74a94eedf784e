import { isIntegral } from "../plan/coercion.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type FunctionDef, type NativeCall, narrowed, nativeFunction, type SqlTypes } from "./define.ts";
import { temporalRule } from "./interval-arithmetic.ts";
import { operators } from "./operator.ts";
import { INT, STRING } from "./params.ts";

/** An operator that gives null where it would fail. Its arguments may still fail, as in Spark. */
export function attempt(name: string, operator: string, example: readonly [string, unknown]): FunctionDef {
  const of = operators.find((o) => o.name === operator)!;
  return Object.freeze({
    ...of,
    name,
    family: "math",
    aliases: [],
    example: { sql: example[0], result: example[1] },
    sql: ((args, types, native) => tried(operator, args, types, native)) satisfies FunctionDef["sql"],
    resolve: (args: Parameters<FunctionDef["resolve"]>[0]) => ({ ...of.resolve(args), nullable: true }),
  });
}

function tried(operator: string, args: string[], types: SqlTypes, native: NativeCall): string {
  const { result: r } = types;
  const [a, b] = args as [string, string];
  // DuckDB's TRY takes nothing that may raise an error of ours, so what is in its reach is a value already.
  const within = (sql: (x: string, y: string) => string): string =>
    `list_transform([struct_pack(x := ${a}, y := ${b})], lambda t: ${sql("struct_extract(t, 'x')", "struct_extract(t, 'y')")})[1]`;
  if (r.kind === "decimal") {
    const [t, u] = types.args;
    const texts = [
      { sql: `CAST(${a} AS VARCHAR)`, type: STRING },
      { sql: `CAST(${b} AS VARCHAR)`, type: STRING },
      { sql: `'${operator}'`, type: STRING },
      { sql: String(r.precision), type: INT },
      { sql: String(r.scale), type: INT },
    ];
    if (t?.kind === "decimal" && u?.kind === "decimal") {
      return `CAST(${native(decimalArithmetic, texts, STRING)} AS ${sqlType(r)})`;
    }
  }
  const plain = { "+": "+", "-": "-", "*": "*", "/": "/", "%": "%" }[operator]!;
  if (isIntegral(r)) {
    const wide = (x: string): string => `CAST(${x} AS HUGEINT)`;
    const sql = narrowed(`TRY_CAST(${wide(a)} ${plain} ${wide(b)} AS ${sqlType(r)})`);
    return operator === "%" ? `CASE WHEN ${b} <> 0 THEN ${sql} END` : sql;
  }
  if (r.kind === "double" || r.kind === "float") {
    const sql = `${a} ${plain} ${b}`;
    return operator === "/" || operator === "%" ? `CASE WHEN ${b} <> 0 THEN ${sql} END` : `(${sql})`;
  }
  const divisor = operator === "/" ? `CASE WHEN ${b} <> 0 THEN ` : "";
  const attempted = within(
    (x, y) => `TRY(${temporalRule(operator, types.args[0]!, types.args[1]!)!.sql(x, y, { ...types, trying: true })})`,
  );
  return divisor === "" ? attempted : `${divisor}${attempted} END`;
}

/** Sums, products and quotients of decimals as Spark rounds them; null where the result has no room. */
const decimalArithmetic = nativeFunction(
  "decimal",
  (a: string, b: string, operator: string, precision: number, scale: number): string | null => {
    const parse = (text: string): [digits: bigint, scale: number] => {
      const [whole, fraction = ""] = text.split(".");
      return [BigInt(whole! + fraction), fraction.length];
    };
    const [x, sx] = parse(a);
    const [y, sy] = parse(b);
    const s = Math.max(sx, sy);
    const at = (digits: bigint, from: number, to: number): bigint => digits * 10n ** BigInt(to - from);
    let [n, d]: [bigint, bigint] = [0n, 1n];
    // The result is n / d * 10^-own.
    let own = s;
    if (operator === "+") n = at(x, sx, s) + at(y, sy, s);
    else if (operator === "-") n = at(x, sx, s) - at(y, sy, s);
    else if (operator === "*") [n, own] = [x * y, sx + sy];
    else {
      if (y === 0n) return null;
      if (operator === "%") n = at(x, sx, s) % at(y, sy, s);
      else [n, d, own] = [at(x, sx, s), at(y, sy, s), 0];
    }
    if (scale >= own) n *= 10n ** BigInt(scale - own);
    else d *= 10n ** BigInt(own - scale);
    const negative = n < 0n !== d < 0n;
    const [p, q] = [n < 0n ? -n : n, d < 0n ? -d : d];
    const rounded = (p * 2n + q) / (q * 2n);
    if (rounded >= 10n ** BigInt(precision)) return null;
    const text = String(rounded).padStart(scale + 1, "0");
    const point = text.length - scale;
    return `${negative ? "-" : ""}${text.slice(0, point)}${scale > 0 ? `.${text.slice(point)}` : ""}`;
  },
);
