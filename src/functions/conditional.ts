import { commonTypeOf } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { type FunctionDef, family } from "./define.ts";
import { any, BOOLEAN, boolean, common, differing, double, NULL, orderable, rest, typeOf } from "./params.ts";

const fn = family("conditional");

/** Conditions at even places become boolean, results at odd places and the default their common type. */
function whenTypes(types: readonly DataType[]): DataType[] {
  const isResult = (i: number): boolean => i % 2 === 1 || (i === types.length - 1 && types.length % 2 === 1);
  const results = types.filter((_, i) => isResult(i));
  const type = commonTypeOf(results);
  if (type === undefined) throw differing("CASE WHEN", results);
  return types.map((_, i) => (isResult(i) ? type : BOOLEAN));
}

export const conditionalFunctions: readonly FunctionDef[] = [
  fn("coalesce", [any, rest(any)], typeOf(0), ["coalesce(NULL, 1, NULL)", 1], {
    coerce: common("coalesce"),
    nullable: (args) => args.every((a) => a.nullable),
  }),
  fn(
    "if",
    [boolean, any, any],
    typeOf(1),
    ["if(1 < 2, 'a', 'b')", "a"],
    ([c, a, b]) => `CASE WHEN ${c} THEN ${a} ELSE ${b} END`,
    {
      coerce: common("if", 1),
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
      nullable: (args) =>
        args.length % 2 === 0 || args.some((a, i) => a.nullable && (i % 2 === 1 || i === args.length - 1)),
    },
  ),
  fn("nullif", [any, any], typeOf(0), ["nullif(2, 2)", null], { coerce: common("nullif"), nullable: "always" }),
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
  fn("greatest", [orderable, orderable, rest(orderable)], typeOf(0), ["greatest(10, 9, 2, 4, 3)", 10], {
    coerce: common("greatest"),
    nullable: (args) => args.every((a) => a.nullable),
  }),
  fn("least", [orderable, orderable, rest(orderable)], typeOf(0), ["least(10, 9, 2, 4, 3)", 2], {
    coerce: common("least"),
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
