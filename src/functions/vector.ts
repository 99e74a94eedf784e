import type { DataType } from "../types/data-type.ts";
import { arrayOf } from "./collection-types.ts";
import { type FunctionDef, family, raise } from "./define.ts";
import { opt, param } from "./params.ts";

const fn = family("vector");
const FLOAT: DataType = { kind: "float" };
const VECTOR = arrayOf(FLOAT);
const vector = param('"ARRAY<FLOAT>"', ({ type }) =>
  type.kind === "array" && type.elementType.kind === "float" ? type : undefined,
);
const float = param('"FLOAT"', ({ type }) => (type.kind === "float" ? FLOAT : undefined));

/** A vector with a null in it has no length. */
const whole = (x: string): string => `len(list_filter(${x}, lambda e: e IS NULL)) = 0`;
const doubles = (x: string): string => `CAST(${x} AS DOUBLE[])`;

/** A number of two vectors of one length. */
const ofTwo = (name: string, example: readonly [string, unknown], sql: (a: string, b: string) => string): FunctionDef =>
  fn(
    name,
    [vector, vector],
    FLOAT,
    example,
    ([a, b]) => {
      const differ = raise("VECTOR_DIMENSION_MISMATCH", `Vectors passed to \`${name}\` must have the same dimension.`);
      return `CASE WHEN len(${a}) <> len(${b}) THEN ${differ} WHEN ${whole(a!)} AND ${whole(b!)} THEN CAST(${sql(doubles(a!), doubles(b!))} AS FLOAT) END`;
    },
    { nullable: "always" },
  );

const norm = (x: string, p: string): string =>
  `CASE WHEN isinf(${p}) THEN list_max(list_transform(${x}, lambda e: abs(e))) ELSE pow(coalesce(list_sum(list_transform(${x}, lambda e: pow(abs(e), ${p}))), 0), 1.0 / ${p}) END`;

export const vectorFunctions: readonly FunctionDef[] = [
  ofTwo(
    "vector_inner_product",
    ["vector_inner_product(array(1F, 2F), array(3F, 4F))", 11],
    (a, b) => `CASE WHEN len(${a}) = 0 THEN 0 ELSE list_inner_product(${a}, ${b}) END`,
  ),
  ofTwo(
    "vector_l2_distance",
    ["vector_l2_distance(array(0F, 0F), array(3F, 4F))", 5],
    (a, b) => `CASE WHEN len(${a}) = 0 THEN 0 ELSE list_distance(${a}, ${b}) END`,
  ),
  ofTwo(
    "vector_cosine_similarity",
    ["vector_cosine_similarity(array(1F, 0F), array(2F, 0F))", 1],
    (a, b) =>
      `CASE WHEN len(list_filter(${a}, lambda e: e <> 0)) > 0 AND len(list_filter(${b}, lambda e: e <> 0)) > 0 THEN list_cosine_similarity(${a}, ${b}) END`,
  ),
  fn(
    "vector_norm",
    [vector, opt(float)],
    FLOAT,
    ["vector_norm(array(3F, 4F))", 5],
    ([x, p]) => `CASE WHEN ${whole(x!)} THEN CAST(${norm(doubles(x!), p ?? "2.0")} AS FLOAT) END`,
    { nullable: "always" },
  ),
  fn(
    "vector_normalize",
    [vector, opt(float)],
    VECTOR,
    ["vector_normalize(array(0F, 4F))", [0, 1]],
    ([x, p]) => {
      const length = norm(doubles(x!), p ?? "2.0");
      return `CASE WHEN ${whole(x!)} AND ${length} <> 0 THEN list_transform(${x}, lambda e: CAST(CAST(e AS DOUBLE) / (${length}) AS FLOAT)) END`;
    },
    { nullable: "always" },
  ),
];
