import {
  avg,
  col,
  collect_list,
  count,
  countDistinct,
  expr,
  first,
  last,
  lit,
  max,
  min,
  sum,
  window,
} from "../../../src/index.ts";
import { plans } from "../case.ts";

export const cases = [
  ...plans("plan-group", {
    "rows of what was collected": (t) =>
      t("orders").groupBy("item").agg(expr("explode(sort_array(collect_list(qty))) AS q"), expr("count(*) AS n")),
    "positions of what was collected": (t) =>
      t("orders").groupBy("item").agg(expr("posexplode(sort_array(collect_list(qty))) AS (p, q)")),
    "rows of what was collected, of all": (t) =>
      t("orders").select(expr("explode(sort_array(collect_set(item))) AS i"), expr("sum(qty) AS s")),
    "rows of a column that is not grouped": (t) => t("nested").groupBy("id").agg(expr("explode(a)")),
    "a generator inside an aggregate": (t) => t("nested").groupBy("id").agg(expr("sum(explode(a))")),
    count: (t) => t("people").groupBy("city").count(),
    "count without groups": (t) => t("people").groupBy().count(),
    "count of an empty table": (t) => t("empty").groupBy().count(),
    "groups of an empty table": (t) => t("empty").groupBy("s").count(),
    "agg without groups": (t) => t("people").agg(sum("age"), avg("age"), max("name")),
    "agg of an empty table": (t) => t("empty").agg(sum("x"), count("x"), max("s")),
    sum: (t) => t("orders").groupBy("item").sum("qty", "price"),
    "sum of all numbers": (t) => t("orders").groupBy("item").sum(),
    avg: (t) => t("orders").groupBy("item").avg("price"),
    mean: (t) => t("orders").groupBy("item").mean("qty"),
    "max and min": (t) => t("orders").groupBy("item").agg(max("at"), min("price")),
    "max by name": (t) => t("orders").groupBy("item").max("qty"),
    "min by name": (t) => t("orders").groupBy("item").min("qty"),
    "max of a string by name": (t) =>
      t("orders")
        .groupBy("person")
        .max("item" as never),
    "several keys": (t) => t("orders").groupBy("item", "person").count(),
    "a key with nulls": (t) => t("orders").groupBy("person").agg(count("*").as("n")),
    "an expression as key": (t) => t("people").groupBy(expr("age > 30")).count(),
    "an expression over a key": (t) => t("people").groupBy("age").agg(col("age").plus(1), count("*")),
    "a renamed key": (t) => t("people").groupBy(col("city").as("c")).count(),
    "double keys": (t) => t("numbers").groupBy("d").count(),
    "float keys": (t) => t("numbers").groupBy("f").count(),
    "array keys": (t) => t("nested").groupBy("a").count(),
    "struct keys": (t) => t("nested").groupBy("r").count(),
    "map keys": [
      (t) => t("nested").groupBy("m").count(),
      { known: "grouping by a map is refused: DuckDB compares maps by the order of their entries, Spark without it" },
    ],
    "binary keys": (t) => t("strings").groupBy("x").count(),
    "decimal keys": (t) => t("orders").groupBy("price").count(),
    "date keys": (t) => t("times").groupBy("d").count(),
    "count distinct": (t) => t("orders").groupBy("item").agg(countDistinct("person")),
    "count distinct of two": (t) => t("orders").agg(countDistinct("person", "item")),
    "sum distinct": (t) => t("orders").agg(expr("sum(DISTINCT qty)")),
    "an aggregate with a filter": (t) => t("orders").groupBy("item").agg(expr("count(*) FILTER (WHERE qty > 2) AS n")),
    "an aggregate of an expression": (t) => t("orders").agg(sum(col("price").multiply(col("qty")))),
    "an expression of aggregates": (t) =>
      t("orders")
        .groupBy("item")
        .agg(sum("qty").divide(count("*")).as("mean")),
    "first and last": (t) => t("orders").orderBy("id").coalesce(1).groupBy("item").agg(first("id"), last("id")),
    "first without nulls": (t) => t("orders").agg(expr("first(price, true) AS f"), expr("last(qty, true) AS l")),
    "a list in order": (t) => t("orders").orderBy("id").coalesce(1).groupBy().agg(collect_list("item")),
    "a sum of decimals": (t) => t("numbers").filter("id NOT IN (4, 5)").agg(sum("m"), sum("w"), avg("m")),
    "a sum that overflows": (t) => t("numbers").filter("id IN (2, 4)").agg(sum("l")),
    "an average of longs": [
      (t) => t("numbers").agg(avg("l")),
      {
        known: "longs are summed exactly before they are divided; Spark adds them as doubles and loses the last digits",
      },
    ],
    statistics: [
      (t) => t("people").agg(expr("stddev(age)"), expr("var_pop(age)"), expr("skewness(age)"), expr("corr(age, id)")),
      { tolerance: 1e-12 },
    ],
    "a literal in groupBy": (t) => t("people").groupBy(lit(1)).count(),
    "a column that is no key": (t) => t("people").groupBy("city").agg(col("name"), count("*")),
    "an aggregate as key": (t) => t("people").groupBy(sum("age")).count(),
    "an aggregate of an aggregate": (t) => t("people").agg(sum(sum("age"))),
    "an aggregate in select": (t) => t("people").select(sum("age"), max("name")),
    "an aggregate beside a column": (t) => t("people").select("name", sum("age")),
    "having as a filter": (t) => t("people").groupBy("city").count().filter("count > 1"),
    "groups by time windows": (t) =>
      t("orders")
        .groupBy(window(col("at"), "1 hour"))
        .agg(sum("qty")),
    "groups by sliding windows": (t) =>
      t("orders")
        .groupBy(window(col("at"), "1 hour", "30 minutes"), "item")
        .count(),
    "two time windows": (t) =>
      t("orders")
        .groupBy(window(col("at"), "1 hour"), window(col("at"), "2 hours"))
        .count(),
    "a window's fields": (t) =>
      t("orders")
        .groupBy(window(col("at"), "1 day"))
        .count()
        .select("window.start", "window.end", "count"),
    window_time: (t) =>
      t("orders")
        .groupBy(window(col("at"), "1 day"))
        .count()
        .selectExpr("window_time(window)", "count"),
  }),
  ...plans("plan-cube", {
    rollup: (t) => t("orders").rollup("item", "person").count(),
    cube: (t) => t("orders").cube("item", "person").agg(sum("qty")),
    "rollup with grouping_id": (t) => t("orders").rollup("item", "person").agg(expr("grouping_id()"), count("*")),
    "cube with grouping": (t) => t("orders").cube("item").agg(expr("grouping(item)"), count("*")),
    "rollup of an empty table": (t) => t("empty").rollup("s").count(),
    "grouping without grouping sets": (t) => t("orders").groupBy("item").agg(expr("grouping(item)")),
    "rollup of an expression": (t) => t("people").rollup(expr("age > 30")).count(),
  }),
  ...plans("plan-pivot", {
    "pivot with values": (t) => t("orders").groupBy("person").pivot("item", ["pen", "ink"]).sum("qty"),
    "pivot with count": (t) => t("orders").groupBy("person").pivot("item", ["pen", "ink", "none"]).count(),
    "pivot with two aggregates": (t) =>
      t("orders").groupBy("person").pivot("item", ["pen", "pad"]).agg(sum("qty").as("n"), max("price").as("p")),
    "pivot by a number": (t) => t("orders").groupBy("item").pivot("person", [1, 2]).count(),
    "pivot without groups": (t) => t("orders").groupBy().pivot("item", ["pen", "ink"]).agg(count("*")),
    "pivot with one unnamed aggregate": (t) => t("orders").groupBy("person").pivot("item", ["pen"]).agg(avg("price")),
  }),
];
