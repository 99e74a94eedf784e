import { commonTypeOf, isIntegral } from "../plan/coercion.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type FunctionDef, family } from "./define.ts";
import { any, DOUBLE, int, long, numeric, opt, STRING } from "./params.ts";

const fn = family("math");

const NUMBERS = [
  {
    reason:
      "Spark draws numbers for each partition from its own generator; the embedded engine has no partitions, so the numbers are others and a seed does not repeat them.",
  },
];
const random = { nullable: "never", nondeterministic: true, differences: NUMBERS } as const;

/** Functions of chance: each call may give another value. */
export const randomFunctions: readonly FunctionDef[] = [
  fn("rand", [opt(long)], DOUBLE, ["rand(0) between 0 and 1", true], () => "random()", {
    ...random,
    aliases: ["random"],
  }),
  // Two uniform numbers make a normal one (Box and Muller).
  fn(
    "randn",
    [opt(long)],
    DOUBLE,
    ["randn(0) is not null", true],
    () => "(sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))",
    random,
  ),
  fn(
    "uniform",
    [numeric, numeric, opt(long)],
    ([a, b]) => commonTypeOf([a!, b!]) ?? DOUBLE,
    ["uniform(10, 20) between 10 and 20", true],
    ([a, b], { result }) => {
      const value = `${a} + random() * (${b} - ${a})`;
      return `CAST(${isIntegral(result) ? `floor(${value})` : value} AS ${sqlType(result)})`;
    },
    {
      ...random,
      coerce: ([a, b, seed]) => {
        const type: DataType | undefined = commonTypeOf([a!, b!]);
        return [type, type, seed];
      },
    },
  ),
  fn(
    "randstr",
    [int, opt(any)],
    STRING,
    ["length(randstr(5))", 5],
    ([n]) =>
      `array_to_string(list_transform(range(CAST(${n} AS BIGINT)), lambda i: substr('0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ', 1 + CAST(floor(random() * 62) AS INTEGER) + 0 * CAST(i AS INTEGER), 1)), '')`,
    random,
  ),
];
