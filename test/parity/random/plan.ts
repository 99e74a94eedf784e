import { col, type DataFrame, expr } from "../../../src/index.ts";
import { isOrderable } from "../../../src/plan/coercion.ts";
import type { DataType, StructType } from "../../../src/types/data-type.ts";
import type { TableName } from "../tables.ts";
import { ExpressionMaker, sqlOf } from "./expression.ts";
import type { Tape } from "./tape.ts";

/** A generated plan, and how it came about. */
export interface MadePlan {
  readonly df: DataFrame<any>;
  readonly steps: readonly string[];
}

export interface PlanInputs {
  table(name: TableName): DataFrame<any>;
  /** The columns of a plan; throws where it is refused. */
  schema(df: DataFrame<any>): Promise<StructType>;
}

const BASES: readonly TableName[] = ["mixed", "people", "orders", "numbers"];
const JOINS = ["inner", "left", "right", "outer", "left_semi", "left_anti"] as const;
/** Aggregates whose result does not depend on the order of rows. */
const SAFE = new Set([
  "count",
  "sum",
  "avg",
  "min",
  "max",
  "count_if",
  "bool_and",
  "bool_or",
  "bit_and",
  "bit_or",
  "bit_xor",
]);

const hasMap = (type: DataType): boolean =>
  type.kind === "map" ||
  (type.kind === "array" && hasMap(type.elementType)) ||
  (type.kind === "struct" && type.fields.some((f) => hasMap(f.type)));

/** Makes a plan of up to `most` steps over the tables. The same tape gives the same steps. */
export async function makePlan(tape: Tape, inputs: PlanInputs, most: number): Promise<MadePlan> {
  const base = tape.pick(BASES);
  let df = inputs.table(base);
  const steps: string[] = [base];
  const count = Math.min(most, 1 + tape.next(4));
  for (let i = 0; i < count; i++) {
    const schema = await inputs.schema(df);
    const [next, told] = step(tape, df, schema, inputs, i);
    df = next;
    steps.push(told);
  }
  return { df, steps };
}

function step(
  tape: Tape,
  df: DataFrame<any>,
  schema: StructType,
  inputs: PlanInputs,
  i: number,
): [df: DataFrame<any>, told: string] {
  const maker = new ExpressionMaker(tape, schema);
  const names = schema.fields.map((f) => f.name);
  const keys = schema.fields.filter((f) => !hasMap(f.type)).map((f) => f.name);
  const some = (list: readonly string[], most: number): string[] => [
    ...new Set(Array.from({ length: 1 + tape.next(most) }, () => tape.pick(list))),
  ];
  const distinctRows = (): DataFrame<any> => df.select(...keys);
  switch (tape.next(12)) {
    case 0:
    case 1: {
      const condition = sqlOf(maker.of("BOOLEAN", 2));
      return [df.filter(condition), `filter(${condition})`];
    }
    case 2: {
      const columns = some(names, 4);
      const made = sqlOf(maker.scalar(2));
      return [df.select(...columns, expr(made).as(`e${i}`)), `select(${columns}, ${made} AS e${i})`];
    }
    case 3: {
      const made = sqlOf(maker.scalar(2));
      const name = tape.chance(30) ? tape.pick(names) : `w${i}`;
      return [df.withColumn(name, expr(made)), `withColumn(${name}, ${made})`];
    }
    case 4:
    case 5: {
      if (keys.length === 0) return [df, "nothing"];
      const by = some(keys, 2);
      const aggregate = safeAggregate(maker);
      const grouped = tape.pick(["groupBy", "groupBy", "groupBy", "rollup", "cube"] as const);
      return [
        df[grouped](...by).agg(expr(aggregate).as(`a${i}`), expr("count(*)").as(`n${i}`)),
        `${grouped}(${by}).agg(${aggregate} AS a${i}, count(*) AS n${i})`,
      ];
    }
    case 6: {
      const name = tape.pick(["people", "orders", "mixed"] as const);
      const how = tape.pick(JOINS);
      const left = schema.fields.filter((f) => f.type.kind === "integer").map((f) => f.name);
      if (left.length === 0) return [df, "nothing"];
      const key = tape.pick(left);
      const more = { people: "city", orders: "item", mixed: "s" }[name];
      const other = inputs.table(name).select(col("id").as(`j${i}`), col(more).as(`k${i}`));
      return [df.join(other, expr(`\`${key}\` = j${i}`), how), `join(${name}, ${key} = id, ${how})`];
    }
    case 7: {
      const condition = sqlOf(maker.of("BOOLEAN", 1));
      return [df.union(df.filter(condition)), `union(itself.filter(${condition}))`];
    }
    case 8:
      if (keys.length === 0) return [df, "nothing"];
      return [distinctRows().distinct(), "distinct()"];
    case 9: {
      const order = schema.fields.filter((f) => isOrderable(f.type)).map((f) => f.name);
      if (order.length === 0) return [df, "nothing"];
      const n = 1 + tape.next(6);
      const sorted = df.select(...order).orderBy(...order.map((c) => (tape.chance(40) ? col(c).desc() : col(c).asc())));
      // 0.0 and -0.0 are equal keys: which of such rows are the first ones is free.
      if (schema.fields.some((f) => order.includes(f.name) && holdsFloats(f.type))) return [sorted, "orderBy(all)"];
      return [sorted.limit(n), `orderBy(all).limit(${n})`];
    }
    case 10: {
      const arrays = schema.fields.filter((f) => f.type.kind === "array").map((f) => f.name);
      if (arrays.length === 0) return [df, "nothing"];
      const name = tape.pick(arrays);
      const how = tape.pick(["explode", "explode_outer"]);
      return [df.selectExpr("*", `${how}(\`${name}\`) AS x${i}`), `${how}(${name}) AS x${i}`];
    }
    default: {
      const order = schema.fields.filter((f) => isOrderable(f.type)).map((f) => f.name);
      if (order.length === 0) return [df, "nothing"];
      const f = tape.pick(["rank()", "dense_rank()", "count(*)", "percent_rank()", "cume_dist()"]);
      const by = keys.length > 0 && tape.chance(50) ? `PARTITION BY \`${tape.pick(keys)}\` ` : "";
      const text = `${f} OVER (${by}ORDER BY \`${tape.pick(order)}\`)`;
      return [df.withColumn(`o${i}`, expr(text)), `withColumn(o${i}, ${text})`];
    }
  }
}

function safeAggregate(maker: ExpressionMaker): string {
  for (let attempt = 0; attempt < 20; attempt++) {
    const sql = sqlOf(maker.aggregate(1));
    if (SAFE.has(/^\w+/.exec(sql)?.[0] ?? "")) return sql;
  }
  return "count(*)";
}

function holdsFloats(type: DataType): boolean {
  if (type.kind === "array") return holdsFloats(type.elementType);
  if (type.kind === "struct") return type.fields.some((f) => holdsFloats(f.type));
  return type.kind === "float" || type.kind === "double";
}
