import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { orderKey, orderKeyType } from "../types/order-key.ts";
import { merged } from "./aggregate-batch.ts";
import { arrayOf } from "./collection-types.ts";
import { type AggregateDef, type FunctionDef, family, type SqlTypes } from "./define.ts";
import { any, constant, INT, int, opt, orderable } from "./params.ts";

const fn = family("aggregate");

const byValues = {
  schema: "x STRING, y INT",
  rows: [
    ["a", 10],
    ["b", 50],
    ["c", 20],
  ],
};

/** The values beside so many extremes: pairs, the most extreme first. */
const pairs = (x: DataType, by: DataType): DataType =>
  arrayOf({
    kind: "struct",
    fields: [
      { name: "k", type: by, nullable: false },
      { name: "v", type: x, nullable: true },
    ],
  });

/** max_by and min_by: the value beside the extreme, or beside the `k` most extreme; rows without an order value do not count. */
function extreme(pickSql: string, bestSql: string, better: string): AggregateDef {
  const first = (list: string, { literals }: SqlTypes): string =>
    `list_sort(${list}, '${better === ">" ? "DESC" : "ASC"}')[1:${literals![2]}]`;
  return {
    state: ([x, y, k]) =>
      k
        ? [{ name: "top", type: pairs(x!, orderKeyType(y!)), init: "NULL" }]
        : [
            { name: "v", type: x!, init: "NULL" },
            { name: "by", type: orderKeyType(y!), init: "NULL" },
          ],
    partial: ([x, given, k], types) => {
      const y = orderKey(given!, types.args[1]!);
      return k
        ? [first(`list(struct_pack(k := ${y}, v := ${x})) FILTER (${given} IS NOT NULL)`, types)]
        : [`${pickSql}(${x}, ${y}) FILTER (${given} IS NOT NULL)`, `${bestSql}(${y})`];
    },
    merge: ([lv, lb], [rv, rb], types) =>
      types.args[2]
        ? [merged((l, r) => first(`list_concat(${l}, ${r})`, types))(lv!, rv!)]
        : [
            `CASE WHEN ${lb} IS NULL OR ${rb} ${better} ${lb} THEN ${rv} ELSE ${lv} END`,
            merged((l, r) => `CASE WHEN ${r} ${better} ${l} THEN ${r} ELSE ${l} END`)(lb!, rb!),
          ],
    mergeAggregate: ([v, b], types) =>
      types.args[2]
        ? [first(`flatten(list(${v}) FILTER (${v} IS NOT NULL))`, types)]
        : [`${pickSql}(${v}, ${b}) FILTER (${b} IS NOT NULL)`, `${bestSql}(${b})`],
    final: ([v], types) => (types.args[2] ? `list_transform(${v}, lambda e: struct_extract(e, 'v'))` : v!),
    streaming: true,
  };
}

const ofExtreme = (name: string, result: string, aggregate: AggregateDef): FunctionDef =>
  fn(
    name,
    [any, orderable, opt(constant(int))],
    ([t], args) => (args.length === 3 ? arrayOf(t!) : t!),
    [`${name}(x, y)`, result],
    {
      values: byValues,
      aggregate,
      coerce: ([x, y], [, , k]) => {
        if (k === undefined) return [x, y];
        const parameters = { functionName: `\`${name}\``, exprName: "`k`" };
        if (k.literal === undefined) {
          throw new MillraceError(
            "DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
            `The count of \`${name}\` must be a literal.`,
            {
              parameters,
            },
          );
        }
        const n = Number(k.literal);
        if (n < 1 || n > 100_000) {
          throw new MillraceError(
            "DATATYPE_MISMATCH.VALUE_OUT_OF_RANGE",
            `The count of \`${name}\` must be between 1 and 100000, but it is ${n}.`,
            { parameters },
          );
        }
        return [x, y, INT];
      },
    },
  );

export const extremeFunctions: readonly FunctionDef[] = [
  ofExtreme("max_by", "b", extreme("arg_max_null", "max", ">")),
  ofExtreme("min_by", "a", extreme("arg_min_null", "min", "<")),
];
