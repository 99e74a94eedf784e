import { col, expr, lit } from "../../../src/index.ts";
import { plans } from "../case.ts";

const HOWS = ["inner", "left", "right", "outer", "left_semi", "left_anti", "cross"] as const;

const kinds = Object.fromEntries(
  HOWS.filter((how) => how !== "cross").flatMap((how) => [
    [
      `${how} by columns of both sides`,
      (t: any) => {
        const [p, o] = [t("people"), t("orders")];
        return p.join(o, p.col("id").eqNullSafe(o.col("person")), how);
      },
    ],
    [
      `${how} by an equality`,
      (t: any) => {
        const [p, o] = [t("people"), t("orders")];
        return p.join(o, p.col("id").eq(o.col("person")), how);
      },
    ],
    [`${how} by a range`, (t: any) => t("people").alias("p").join(t("orders").alias("o"), expr("p.id < o.qty"), how)],
    [`${how} using a column`, (t: any) => t("people").join(t("orders").withColumnRenamed("person", "x"), "id", how)],
    [
      `${how} using two columns`,
      (t: any) =>
        t("people")
          .select("id", "age")
          .join(t("people").select("id", "age", "name"), ["id", "age"], how),
    ],
    [`${how} with an empty right side`, (t: any) => t("people").join(t("empty"), "id", how)],
    [`${how} with an empty left side`, (t: any) => t("empty").join(t("people"), "id", how)],
    [
      `${how} by equality and a further condition`,
      (t: any) => t("people").alias("p").join(t("orders").alias("o"), expr("p.id = o.person AND o.qty > 2"), how),
    ],
  ]),
);

export const cases = plans("plan-join", {
  ...kinds,
  "cross join": (t) => t("people").crossJoin(t("orders")),
  "cross join with itself": (t) => t("people").select("id").crossJoin(t("people").select("name")),
  "self join by df.col": (t) => {
    const p = t("people");
    const b = p.alias("b");
    return p.join(b, p.col("boss").eq(col("b.id")), "left").select(p.col("name"), col("b.name").as("boss"));
  },
  "self join by aliases": (t) =>
    t("people").alias("a").join(t("people").alias("b"), expr("a.boss = b.id")).select("a.name", "b.name"),
  "self join of a filtered frame": (t) => {
    const p = t("people").filter("age > 20");
    return p.alias("a").join(p.alias("b"), expr("a.age = b.age AND a.id <> b.id")).select("a.id", col("b.id").as("o"));
  },
  "three tables": (t) =>
    t("people")
      .alias("p")
      .join(t("orders").alias("o"), expr("p.id = o.person"))
      .join(t("people").alias("b"), expr("p.boss = b.id"), "left")
      .select("p.name", "o.item", "b.name"),
  "keys of different types": (t) =>
    t("people").alias("a").join(t("orders").alias("b"), expr("a.id = CAST(b.person AS BIGINT)")),
  "a string meets a number": (t) =>
    t("people").alias("a").join(t("strings").alias("b"), expr("a.id = try_cast(b.n AS INT)"), "left"),
  "keys with NaN and -0.0": (t) =>
    t("numbers").alias("a").join(t("numbers").alias("b"), expr("a.d = b.d")).select("a.id", col("b.id").as("other")),
  "null-safe keys": (t) =>
    t("orders")
      .alias("a")
      .join(t("orders").alias("b"), expr("a.person <=> b.person"))
      .select("a.id", col("b.id").as("other")),
  "condition is true": (t) => t("people").join(t("orders"), lit(true)),
  "condition is null": (t) => t("people").join(t("orders"), expr("CAST(NULL AS BOOLEAN)"), "left"),
  "columns of one name on both sides": (t) => t("people").join(t("orders"), expr("age = qty")).select("name", "item"),
  "an ambiguous column": (t) => t("people").join(t("orders"), expr("age = qty")).select("id"),
  "drop of an ambiguous column by df.col": (t) => {
    const o = t("orders");
    return t("people").join(o, expr("age = qty"), "left").drop(o.col("id"));
  },
  "the right side's key after a right join using": (t) => {
    const o = t("orders");
    return t("people").join(o, "id", "right").select("id", o.col("item"));
  },
  "a condition that is no boolean": (t) => t("people").join(t("orders"), expr("age + qty")),
  "a using column that is not there": (t) => t("people").join(t("orders"), "nothing"),
  "a column of a frame that is not in the join": (t) => t("people").join(t("orders"), t("numbers").col("id").eq(1)),
});
