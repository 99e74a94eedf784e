import { isIntegral } from "../plan/coercion.ts";
import { integralConstant } from "../plan/constant.ts";
import type { FunctionSignature } from "../plan/resolved.ts";
import type { DataType, Value } from "../types/data-type.ts";

/** What calls over constants give, for functions that want to know an argument before any row. Undefined where a call would fail. */
export type Constant = NonNullable<FunctionSignature["constant"]>;

/** Of a function that gives null for a null. */
export const unlessAnyNull =
  (of: Constant): Constant =>
  (values, types) =>
    values.includes(null) ? null : of(values, types);

/** Of a function over text: arguments of other types have no value here. */
export const ofText = (of: (...texts: any[]) => Value | undefined): Constant =>
  unlessAnyNull((values, { args, result }) => {
    const fits = args.every((t) => t.kind === "string" || t.kind === "integer");
    return fits && (result.kind === "string" || result.kind === "integer") ? of(...values) : undefined;
  });

const WHOLE: Readonly<Record<string, (a: bigint, b: bigint) => bigint | undefined>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "%": (a, b) => (b === 0n ? undefined : a % b),
  div: (a, b) => (b === 0n ? undefined : a / b),
};

const FLOATING: Readonly<Record<string, (a: number, b: number) => number | undefined>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => (b === 0 ? undefined : a / b),
  "%": (a, b) => (b === 0 ? undefined : a % b),
};

/** An operator on whole numbers, which must not overflow, on doubles and, where it says how, on decimals. */
export const arithmeticConstant = (
  op: string,
  decimals?: (a: string, b: string, result: Extract<DataType, { kind: "decimal" }>) => string | undefined,
): Constant =>
  unlessAnyNull(([a, b], { args, result }) => {
    const all = (fits: (t: DataType) => boolean): boolean => args.every(fits);
    if (isIntegral(result) && all(isIntegral)) {
      const value = WHOLE[op]?.(BigInt(a as number | bigint), BigInt(b as number | bigint));
      return value === undefined ? undefined : integralConstant(value, result);
    }
    if (result.kind === "double" && all((t) => t.kind === "double")) return FLOATING[op]?.(a as number, b as number);
    if (result.kind === "decimal" && all((t) => t.kind === "decimal")) return decimals?.(String(a), String(b), result);
    return undefined;
  });

export const negativeConstant: Constant = unlessAnyNull(([a], { result }) => {
  if (isIntegral(result)) return integralConstant(-BigInt(a as number | bigint), result);
  if (result.kind === "double") return -(a as number);
  if (result.kind !== "decimal") return undefined;
  const text = String(a);
  return text.startsWith("-") ? text.slice(1) : /[1-9]/.test(text) ? `-${text}` : text;
});

/** A comparison of two whole numbers, conditions or texts. */
export const comparisonConstant = (holds: (order: number) => boolean): Constant =>
  unlessAnyNull(([a, b], { args: [t] }) => {
    if (isIntegral(t!) || t!.kind === "boolean") {
      const [x, y] = [BigInt(a as number), BigInt(b as number)];
      return holds(x < y ? -1 : x > y ? 1 : 0);
    }
    return t!.kind === "string" ? holds(Buffer.compare(Buffer.from(String(a)), Buffer.from(String(b)))) : undefined;
  });

/** AND (`false` decides) and OR (`true` does). */
export const logicalConstant =
  (decides: boolean): Constant =>
  (values) =>
    values.includes(decides) ? decides : values.includes(null) ? null : !decides;

/** `if` and `when`: conditions and values in turn, what is left at last. */
export const caseConstant: Constant = (values) => {
  for (let i = 0; i + 1 < values.length; i += 2) if (values[i] === true) return values[i + 1];
  return values.length % 2 === 1 ? values.at(-1) : null;
};

/** The characters of a text from a position on, from 1 or from the end. */
export function substringConstant(text: string, position: number, length = Number.POSITIVE_INFINITY): string {
  const all = [...text];
  const start = position > 0 ? position - 1 : position < 0 ? all.length + position : 0;
  return all.slice(Math.max(0, start), Math.max(0, start + length)).join("");
}

/** A map whose keys are texts, as options are; the same key twice fails. */
export const mapConstant: Constant = (values, { result }) => {
  if (result.kind !== "map" || result.keyType.kind !== "string") return undefined;
  const map = new Map<Value, Value>();
  for (let i = 0; i < values.length; i += 2) {
    if (values[i] === null || map.has(values[i]!)) return undefined;
    map.set(values[i]!, values[i + 1]!);
  }
  return map;
};
