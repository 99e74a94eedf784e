import { col, lit } from "../../../src/index.ts";
import { plans } from "../case.ts";

export const cases = [
  ...plans("plan-set", {
    union: (t) => t("people").select("id", "name").union(t("orders").select("id", "item")),
    unionAll: (t) => t("people").unionAll(t("people")),
    "union of other names": (t) => t("people").select("id").union(t("orders").select("qty")),
    "union widens types": (t) =>
      t("numbers")
        .select("b", "i", "f")
        .union(t("numbers").select("l", "m", "d")),
    "union of a date and a timestamp": (t) => t("times").select("d").union(t("times").select("t")),
    "union of a number and a string": (t) => t("people").select("id").union(t("people").select("name")),
    "union of a number and an array": (t) => t("nested").select("id").union(t("nested").select("a")),
    "union of other widths": (t) => t("people").select("id").union(t("people").select("id", "name")),
    "union with nulls": (t) =>
      t("people")
        .select("name")
        .union(t("people").select(lit(null))),
    "union of structs": (t) => t("nested").select("r").union(t("nested").select("r")),
    unionByName: (t) => t("people").select("id", "name").unionByName(t("people").select("name", "id")),
    "unionByName with columns missing": (t) =>
      t("people").select("id", "name").unionByName(t("people").select("id", "city"), { allowMissingColumns: true }),
    "unionByName without what is missing": (t) =>
      t("people").select("id", "name").unionByName(t("people").select("id", "city")),
    intersect: (t) => t("orders").select("item").intersect(t("orders").filter("id < 3").select("item")),
    intersectAll: (t) => t("orders").select("item").intersectAll(t("orders").filter("id < 6").select("item")),
    "intersect with nulls": (t) => t("orders").select("person").intersect(t("people").select("boss")),
    subtract: (t) => t("people").select("id").subtract(t("orders").select("person")),
    exceptAll: (t) => t("orders").select("item").exceptAll(t("orders").filter("id < 3").select("item")),
    "subtract of doubles": (t) => t("numbers").select("d").subtract(t("numbers").filter("id = 1").select("d")),
    "intersect of arrays": (t) => t("nested").select("a").intersect(t("nested").select("a")),
    "intersect of maps": (t) => t("nested").select("m").intersect(t("nested").select("m")),
    "subtract of other widths": (t) => t("people").select("id").subtract(t("people").select("id", "name")),
    "union then distinct": (t) => t("people").select("city").union(t("people").select("city")).distinct(),
    "union of three": (t) => t("people").select("id").union(t("orders").select("id")).union(t("empty").select("id")),
  }),
  ...plans("plan-na", {
    dropna: (t) => t("people").dropna(),
    "dropna of columns": (t) => t("people").dropna("age"),
    "na.drop all": (t) => t("orders").na.drop("all", ["person", "price"]),
    "na.drop with a threshold": (t) => t("orders").na.drop(2, ["person", "price", "at"]),
    "na.drop of NaN": (t) => t("numbers").select("id", "d").na.drop(),
    "fill of a number": (t) => t("people").fillna(0),
    "fill of a string": (t) => t("people").fillna("-"),
    "fill of a boolean": (t) => t("numbers").select("id", "p").fillna(true),
    "fill of columns": (t) => t("people").fillna(7, ["age"]),
    "fill by column": (t) => t("people").fillna({ age: 1, city: "none" }),
    "fill of NaN": (t) => t("numbers").select("id", "d", "f").fillna(1.5),
    "fill with a fraction in whole numbers": (t) => t("people").select("age", "boss").fillna(1.9),
    "fill of a column that is not there": (t) => t("people").fillna(1, ["nothing"]),
    "replace of a number": (t) => t("people").na.replace(28, 29, ["age"]),
    "replace of strings": (t) => t("people").na.replace({ Oslo: "O", Rome: "R" }, ["city"]),
    "replace in all columns": (t) => t("people").na.replace("Oslo", "O"),
    "replace by null": (t) => t("people").na.replace("Oslo", null, ["city"]),
    "replace of doubles": (t) => t("numbers").select("id", "d").na.replace(1.5, 2.5),
  }),
  ...plans("plan-create", {
    "rows with a DDL schema": (_, spark) =>
      spark.createDataFrame(
        [
          [1, "a"],
          [null, null],
        ],
        "id INT, s STRING",
      ),
    "every atomic type": (_, spark) =>
      spark.createDataFrame(
        [
          [
            true,
            1,
            2,
            3,
            4n,
            1.5,
            2.5,
            "1.25",
            "s",
            new Uint8Array([1, 255]),
            new Date("2020-02-29"),
            new Date("2020-02-29T12:34:56.789Z"),
            new Date("1969-12-31T23:59:59.999Z"),
          ],
        ],
        "a BOOLEAN, b BYTE, c SHORT, d INT, e LONG, f FLOAT, g DOUBLE, h DECIMAL(10,2), i STRING, j BINARY, k DATE, l TIMESTAMP, m TIMESTAMP_NTZ",
      ),
    "nested values": (_, spark) =>
      spark.createDataFrame(
        [[[1, null], new Map([["a", 1]]), { x: 1, y: "b" }, [[1], []], [{ k: "a" }, null]]],
        "a ARRAY<INT>, m MAP<STRING, INT>, r STRUCT<x: INT, y: STRING>, aa ARRAY<ARRAY<INT>>, ar ARRAY<STRUCT<k: STRING>>",
      ),
    "columns not null": (_, spark) => spark.createDataFrame([[1, "a"]], "id INT NOT NULL, s STRING NOT NULL"),
    "no rows": (_, spark) => spark.createDataFrame([], "id INT, s STRING"),
    "inferred types": (_, spark) => spark.createDataFrame([{ a: 1, b: "x", c: true, d: 1.5, e: 5n, f: new Date(0) }]),
    "special doubles": (_, spark) =>
      spark.createDataFrame([[Number.NaN], [-0], [Number.POSITIVE_INFINITY], [Number.MIN_VALUE]], "d DOUBLE"),
    "odd strings": (_, spark) => spark.createDataFrame([["'"], ["\\"], ["\u0000a"], ["😀\n"], [""]], "s STRING"),
    "long decimals": (_, spark) =>
      spark.createDataFrame([["12345678901234567890123456789012345.678"], ["-0.001"]], "d DECIMAL(38,3)"),
    "old dates": (_, spark) => spark.createDataFrame([[new Date("0001-01-01")], [new Date("9999-12-31")]], "d DATE"),
    "a filter over rows": (_, spark) => spark.createDataFrame([[1], [2], [3]], "x INT").filter(col("x").gt(1)),
    "more rows than fit in a statement": (_, spark) =>
      spark.createDataFrame(
        Array.from({ length: 3000 }, (_, i) => [i, `row ${i}`]),
        "id INT, s STRING",
      ),
  }),
];
