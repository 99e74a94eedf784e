import { MillraceError } from "../errors.ts";
import { commonType, commonTypeOf, isOrderable } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { hasNulls, orderKey } from "../types/order-key.ts";
import { caseConstant } from "./constants.ts";
import { type FunctionDef, family, type Options, unexpectedType } from "./define.ts";
import { any, BOOLEAN, common, differing, double, INT, NULL, param, rest, typeOf } from "./params.ts";

const fn = family("conditional");

/** Conditions at even places become boolean, results at odd places and the default their common type. */
function whenTypes(types: readonly DataType[]): DataType[] {
  for (const [i, t] of types.entries()) {
    if (i % 2 === 0 && i + 1 < types.length && t.kind !== "boolean")
      throw unexpectedType("CASE WHEN", i, '"BOOLEAN"', t);
  }
  const isResult = (i: number): boolean => i % 2 === 1 || (i === types.length - 1 && types.length % 2 === 1);
  const results = types.filter((_, i) => isResult(i));
  const type = commonTypeOf(results);
  if (type === undefined) throw differing("CASE WHEN", results);
  return types.map((_, i) => (isResult(i) ? type : BOOLEAN));
}

/** A condition; text is none. */
const condition = param('"BOOLEAN"', ({ type }) =>
  type.kind === "boolean" || type.kind === "null" ? BOOLEAN : undefined,
);

/** The common type of all, in which text does not become a number, and which has an order. */
const orderedCommon =
  (name: string): NonNullable<Options["coerce"]> =>
  (types) => {
    const texts = types.filter((t) => t.kind === "string").length;
    const type =
      texts > 0 && types.some((t) => t.kind !== "string" && t.kind !== "null") ? undefined : commonTypeOf(types);
    if (type === undefined) throw differing(name, types);
    return types.map(() => comparable(name, type));
  };

/** greatest and least; nulls inside of structs and arrays come before all else. */
const mostOf =
  (name: "greatest" | "least"): NonNullable<FunctionDef["sql"]> =>
  (args, { result }) => {
    if (!hasNulls(result)) return `${name}(${args.join(", ")})`;
    const keyed = args.map(
      (a) => `CASE WHEN ${a} IS NOT NULL THEN struct_pack(k := ${orderKey(a, result)}, v := ${a}) END`,
    );
    return `struct_extract(list_sort([${keyed.join(", ")}], '${name === "greatest" ? "DESC" : "ASC"}', 'NULLS LAST')[1], 'v')`;
  };

/** A type whose values can be compared; maps cannot. */
function comparable(name: string, type: DataType): DataType {
  if (isOrderable(type)) return type;
  throw new MillraceError(
    "DATATYPE_MISMATCH.INVALID_ORDERING_TYPE",
    `Cannot resolve "${name}" due to data type mismatch: it does not support ordering on the type "${sqlName(type)}".`,
  );
}

/** The type that two values are compared in by `nullif`. */
function comparedIn(a: DataType, b: DataType): DataType {
  const type = commonTypeOf([a, b]);
  if (type === undefined) throw differingOperands("nullif", [a, b]);
  return comparable("nullif", type);
}

/** Two values that have no common type to be compared in. */
function differingOperands(name: string, [a, b]: readonly DataType[]): MillraceError {
  const [left, right] = [`"${sqlName(a!)}"`, `"${sqlName(b!)}"`];
  return new MillraceError(
    "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES",
    `Cannot resolve "${name}" due to data type mismatch: ${left} and ${right} cannot be compared.`,
    { parameters: { left, right } },
  );
}

export const conditionalFunctions: readonly FunctionDef[] = [
  fn("coalesce", [any, rest(any)], typeOf(0), ["coalesce(NULL, 1, NULL)", 1], {
    coerce: common("coalesce"),
    constant: (values) => values.find((v) => v !== null) ?? null,
    nullable: (args) => args.every((a) => a.nullable),
  }),
  fn(
    "if",
    [condition, any, any],
    typeOf(1),
    ["if(1 < 2, 'a', 'b')", "a"],
    ([c, a, b]) => `CASE WHEN ${c} THEN ${a} ELSE ${b} END`,
    {
      coerce: common("if", 1),
      constant: caseConstant,
      nullable: ([, a, b]) => a!.nullable || b!.nullable,
    },
  ),
  fn(
    "when",
    [any, any, rest(any)],
    (types) => types[1] ?? NULL,
    ["CASE WHEN 1 > 0 THEN 1 WHEN 2 > 0 THEN 2.0 ELSE 1.2 END", "1.0"],
    (args) => {
      let sql = "CASE";
      for (let i = 0; i + 1 < args.length; i += 2) sql += ` WHEN ${args[i]} THEN ${args[i + 1]}`;
      return `${sql}${args.length % 2 === 1 ? ` ELSE ${args.at(-1)}` : ""} END`;
    },
    {
      coerce: whenTypes,
      constant: caseConstant,
      nullable: (args) => {
        // What stands behind a condition that always holds is never reached.
        const certain = args.findIndex((a, i) => i % 2 === 0 && i + 1 < args.length && a.literal === true);
        const reached = certain < 0 ? args : args.slice(0, certain + 2);
        const otherwise = certain < 0 && args.length % 2 === 1 ? args.at(-1) : undefined;
        if (certain < 0 && otherwise === undefined) return true;
        return otherwise?.nullable === true || reached.some((a, i) => i % 2 === 1 && a.nullable);
      },
    },
  ),
  fn(
    "nullif",
    [any, any],
    typeOf(0),
    ["nullif(2, 2)", null],
    ([a, b, compared]) => `CASE WHEN ${compared} = ${b} THEN NULL ELSE ${a} END`,
    {
      // The result is of the first type; only the comparison is of the common one.
      coerce: ([a, b]) => [undefined, comparedIn(a!, b!)],
      again: ([a, b]) => comparedIn(a!, b!),
      nullable: "always",
    },
  ),
  fn(
    "nullifzero",
    [any],
    typeOf(0),
    ["nullifzero(0)", null],
    ([a, compared]) => `CASE WHEN ${compared} = 0 THEN NULL ELSE ${a} END`,
    {
      coerce: () => [undefined],
      again: ([t]) => {
        const type = commonType(t!, INT);
        if (type === undefined) throw differingOperands("nullifzero", [t!, INT]);
        return type;
      },
      nullable: "always",
    },
  ),
  fn(
    "zeroifnull",
    [any],
    typeOf(0),
    ["zeroifnull(NULL)", 0],
    ([a], { result }) => `coalesce(${a}, CAST(0 AS ${sqlType(result)}))`,
    {
      coerce: ([t]) => {
        const type = commonType(t!, INT);
        if (type === undefined) throw differing("zeroifnull", [t!, INT]);
        return [type];
      },
      nullable: "never",
    },
  ),
  fn(
    "equal_null",
    [any, any],
    BOOLEAN,
    ["equal_null(NULL, NULL)", true],
    ([a, b]) => `(${a} IS NOT DISTINCT FROM ${b})`,
    {
      coerce: (types) => {
        const type = commonTypeOf(types);
        if (type === undefined) throw differingOperands("equal_null", types);
        return types.map(() => comparable("equal_null", type));
      },
      nullable: "never",
    },
  ),
  fn("nvl", [any, any], typeOf(0), ["nvl(NULL, 'x')", "x"], ([a, b]) => `coalesce(${a}, ${b})`, {
    aliases: ["ifnull"],
    coerce: common("nvl"),
    nullable: (args) => args.every((a) => a.nullable),
  }),
  fn(
    "nvl2",
    [any, any, any],
    typeOf(1),
    ["nvl2(NULL, 2, 1)", 1],
    ([a, b, c]) => `CASE WHEN ${a} IS NOT NULL THEN ${b} ELSE ${c} END`,
    {
      coerce: common("nvl2", 1),
      nullable: ([, b, c]) => b!.nullable || c!.nullable,
    },
  ),
  fn("greatest", [any, any, rest(any)], typeOf(0), ["greatest(10, 9, 2, 4, 3)", 10], mostOf("greatest"), {
    coerce: orderedCommon("greatest"),
    nullable: (args) => args.every((a) => a.nullable),
  }),
  fn("least", [any, any, rest(any)], typeOf(0), ["least(10, 9, 2, 4, 3)", 2], mostOf("least"), {
    coerce: orderedCommon("least"),
    nullable: (args) => args.every((a) => a.nullable),
  }),
  fn("isnan", [double], BOOLEAN, ["isnan(cast('NaN' as double))", true], ([a]) => `coalesce(isnan(${a}), false)`, {
    nullable: "never",
  }),
  fn(
    "nanvl",
    [double, double],
    typeOf(0),
    ["nanvl(cast('NaN' as double), 123)", 123],
    ([a, b]) => `CASE WHEN isnan(${a}) THEN ${b} ELSE ${a} END`,
  ),
];
