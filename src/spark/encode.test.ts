import { create, toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import type { Expr } from "../plan/expr.ts";
import { parseExpression } from "../plan/parse.ts";
import type { Relation } from "../plan/relation.ts";
import type { DataType, StructType } from "../types/data-type.ts";
import { parseDdl, parseType } from "../types/ddl.ts";
import { decodeArrow } from "./arrow.ts";
import {
  decodeType,
  type EncodeContext,
  encodeExpr,
  encodeLiteral,
  encodeRelation,
  encodeType,
  scriptRows,
} from "./encode.ts";
import type { FunctionShipper } from "./functions/shipper.ts";
import * as pb from "./proto/spark-connect_pb.ts";

const fn = { name: "twice", deterministic: true, call: (x: number) => x * 2 };
const marked = (text: string): pb.Expression =>
  create(pb.ExpressionSchema, { exprType: { case: "expressionString", value: { expression: text } } });
/** Says what it was asked for. */
const functions: FunctionShipper = {
  prepare: async () => {},
  udf: (e, args) => marked(`udf ${e.fn.name} of ${args.length}`),
  mapRows: (node, input) =>
    create(pb.RelationSchema, { relType: { case: "subqueryAlias", value: { input, alias: node.op } } }),
  transformWithState: (node, input, grouping) =>
    create(pb.RelationSchema, {
      relType: { case: "subqueryAlias", value: { input, alias: `${node.processor.name} by ${grouping.length}` } },
    }),
  conf: () => ({}),
};
const context: EncodeContext = { functions, environment: {} };

const relation = (plan: Relation, c: EncodeContext = context): any =>
  toJson(pb.RelationSchema, encodeRelation(plan, c));
const expression = (e: Expr): any => toJson(pb.ExpressionSchema, encodeExpr(e, context));

const range: Relation = { kind: "range", start: 0n, end: 5n, step: 1n };
const input = { range: { start: "0", end: "5", step: "1" } };
const attribute = (name: string): Expr => ({ kind: "attribute", name });
const id = attribute("id");
const one: Expr = { kind: "literal", value: 1, type: { kind: "integer" } };
const idJson = { unresolvedAttribute: { unparsedIdentifier: "id" } };
const oneJson = { literal: { integer: 1 } };

describe("relations", () => {
  /** One plan of each kind, with its message; a kind without one does not compile. */
  const cases: Record<Relation["kind"], readonly [plan: Relation, message: unknown][]> = {
    read: [
      [
        {
          kind: "read",
          format: "json",
          schema: parseDdl("a INT NOT NULL"),
          options: { multiLine: "true" },
          paths: ["/a", "/b"],
          streaming: true,
        },
        {
          read: {
            isStreaming: true,
            dataSource: {
              format: "json",
              schema: '{"type":"struct","fields":[{"name":"a","type":"integer","nullable":false,"metadata":{}}]}',
              options: { multiLine: "true" },
              paths: ["/a", "/b"],
            },
          },
        },
      ],
    ],
    named_table: [
      [
        { kind: "named_table", name: "db.`a b`", options: { versionAsOf: "1" }, streaming: false },
        { read: { namedTable: { unparsedIdentifier: "db.`a b`", options: { versionAsOf: "1" } } } },
      ],
    ],
    sql: [
      [{ kind: "sql", query: "SELECT 1" }, { sql: { query: "SELECT 1" } }],
      [{ kind: "sql", query: "SELECT ?", args: [one] }, { sql: { query: "SELECT 1" } }],
      [{ kind: "sql", query: "SELECT :x", args: { x: one } }, { sql: { query: "SELECT 1" } }],
    ],
    local: [
      [
        { kind: "local", schema: { kind: "struct", fields: [] }, rows: [[], []] },
        { drop: { input: { range: { start: "0", end: "2", step: "1" } }, columnNames: ["id"] } },
      ],
    ],
    range: [[range, input]],
    project: [
      [
        { kind: "project", input: range, exprs: [id, { kind: "alias", child: one, name: "x", metadata: { m: 1 } }] },
        { project: { input, expressions: [idJson, { alias: { expr: oneJson, name: ["x"], metadata: '{"m":1}' } }] } },
      ],
    ],
    filter: [
      [
        { kind: "filter", input: range, condition: parseExpression("id > 1") },
        { filter: { input, condition: { unresolvedFunction: { functionName: ">", arguments: [idJson, oneJson] } } } },
      ],
    ],
    with_columns: [
      [
        { kind: "with_columns", input: range, columns: [{ name: "x", expr: one }] },
        { withColumns: { input, aliases: [{ expr: oneJson, name: ["x"] }] } },
      ],
    ],
    with_columns_renamed: [
      [
        { kind: "with_columns_renamed", input: range, renames: { id: "x" } },
        { withColumnsRenamed: { input, renames: [{ colName: "id", newColName: "x" }] } },
      ],
    ],
    drop: [
      [
        { kind: "drop", input: range, columns: [id, attribute("s.x"), { kind: "attribute", name: "id", planId: 3 }] },
        {
          drop: {
            input,
            columns: [
              { unresolvedAttribute: { unparsedIdentifier: "s.x" } },
              { unresolvedAttribute: { unparsedIdentifier: "id", planId: "3" } },
            ],
            columnNames: ["id"],
          },
        },
      ],
    ],
    to_df: [[{ kind: "to_df", input: range, names: ["x"] }, { toDf: { input, columnNames: ["x"] } }]],
    na_drop: [
      [
        { kind: "na_drop", input: range, columns: ["id"], minNonNulls: 1 },
        { dropNa: { input, cols: ["id"], minNonNulls: 1 } },
      ],
    ],
    na_fill: [
      [{ kind: "na_fill", input: range, columns: [], values: [7] }, { fillNa: { input, values: [{ long: "7" }] } }],
    ],
    na_replace: [
      [
        {
          kind: "na_replace",
          input: range,
          columns: ["id"],
          replacements: [
            { from: 1, to: 2 },
            { from: "a", to: null },
          ],
        },
        {
          replace: {
            input,
            cols: ["id"],
            replacements: [
              { oldValue: { double: 1 }, newValue: { double: 2 } },
              { oldValue: { string: "a" }, newValue: { null: { null: {} } } },
            ],
          },
        },
      ],
    ],
    aggregate: [
      [
        { kind: "aggregate", input: range, group: "rollup", grouping: [id], aggregates: [parseExpression("count(*)")] },
        {
          aggregate: {
            input,
            groupType: "GROUP_TYPE_ROLLUP",
            groupingExpressions: [idJson],
            aggregateExpressions: [{ unresolvedFunction: { functionName: "count", arguments: [oneJson] } }],
          },
        },
      ],
      [
        {
          kind: "aggregate",
          input: range,
          group: "groupby",
          grouping: [],
          aggregates: [],
          pivot: { column: id, values: [1, "a", 2n] },
        },
        {
          aggregate: {
            input,
            groupType: "GROUP_TYPE_PIVOT",
            pivot: { col: idJson, values: [{ integer: 1 }, { string: "a" }, { long: "2" }] },
          },
        },
      ],
    ],
    join: [
      [
        { kind: "join", left: range, right: range, type: "left_anti", using: ["id"] },
        { join: { left: input, right: input, joinType: "JOIN_TYPE_LEFT_ANTI", usingColumns: ["id"] } },
      ],
      [
        { kind: "join", left: { ...range, planId: 4 }, right: range, type: "inner", condition: id },
        {
          join: {
            left: { ...input, common: { planId: "4" } },
            right: input,
            joinType: "JOIN_TYPE_INNER",
            joinCondition: idJson,
          },
        },
      ],
    ],
    set_op: [
      [
        {
          kind: "set_op",
          op: "except",
          left: range,
          right: range,
          all: true,
          byName: false,
          allowMissingColumns: false,
        },
        {
          setOp: {
            leftInput: input,
            rightInput: input,
            setOpType: "SET_OP_TYPE_EXCEPT",
            isAll: true,
            byName: false,
            allowMissingColumns: false,
          },
        },
      ],
    ],
    sort: [
      [
        {
          kind: "sort",
          input: range,
          order: [id, { kind: "sort_order", child: id, direction: "desc", nulls: "last" }],
          global: true,
        },
        {
          sort: {
            input,
            order: [
              { child: idJson, direction: "SORT_DIRECTION_ASCENDING", nullOrdering: "SORT_NULLS_FIRST" },
              { child: idJson, direction: "SORT_DIRECTION_DESCENDING", nullOrdering: "SORT_NULLS_LAST" },
            ],
            isGlobal: true,
          },
        },
      ],
    ],
    limit: [[{ kind: "limit", input: range, limit: 3 }, { limit: { input, limit: 3 } }]],
    offset: [[{ kind: "offset", input: range, offset: 3 }, { offset: { input, offset: 3 } }]],
    deduplicate: [
      [
        { kind: "deduplicate", input: range, columns: "all", withinWatermark: false },
        { deduplicate: { input, allColumnsAsKeys: true, withinWatermark: false } },
      ],
      [
        { kind: "deduplicate", input: range, columns: ["id"], withinWatermark: true },
        { deduplicate: { input, columnNames: ["id"], withinWatermark: true } },
      ],
    ],
    with_watermark: [
      [
        { kind: "with_watermark", input: range, column: "ts", delay: "1 hour" },
        { withWatermark: { input, eventTime: "ts", delayThreshold: "1 hour" } },
      ],
    ],
    subquery_alias: [[{ kind: "subquery_alias", input: range, alias: "r" }, { subqueryAlias: { input, alias: "r" } }]],
    sample: [
      [
        { kind: "sample", input: range, lower: 0, upper: 0.5, withReplacement: false, seed: 7n },
        { sample: { input, upperBound: 0.5, withReplacement: false, seed: "7" } },
      ],
    ],
    repartition: [
      [
        { kind: "repartition", input: range, partitions: 3, exprs: [] },
        { repartition: { input, numPartitions: 3, shuffle: true } },
      ],
      [
        { kind: "repartition", input: range, exprs: [id] },
        { repartitionByExpression: { input, partitionExprs: [idJson] } },
      ],
    ],
    map_rows: [
      [{ kind: "map_rows", input: range, op: "flat_map", fn }, { subqueryAlias: { input, alias: "flat_map" } }],
    ],
    transform_with_state: [
      [
        {
          kind: "transform_with_state",
          input: range,
          grouping: [id],
          processor: { name: "Sessions", create: () => ({}) },
          outputMode: "append",
          timeMode: "none",
          schema: parseDdl("a INT"),
        },
        { subqueryAlias: { input, alias: "Sessions by 1" } },
      ],
    ],
    // Spark gets the text of a query, not what it turns into here.
    select: [],
    generate: [],
    inline_table: [],
    sql_pivot: [],
    unpivot: [],
  };

  for (const [kind, list] of Object.entries(cases)) {
    for (const [i, [plan, message]] of list.entries()) {
      test(`${kind} ${i + 1}`, () => {
        expect(relation(plan)).toEqual(message);
        expect(relation({ ...plan, planId: 9 })).toEqual({ ...(message as object), common: { planId: "9" } });
      });
    }
  }

  test("local data is Arrow with the schema beside it", () => {
    const schema = parseDdl("a INT NOT NULL, b ARRAY<STRING>");
    const local = encodeRelation({ kind: "local", schema, rows: [[1, ["x", null]]] }, context).relType;
    if (local.case !== "localRelation") throw new Error(`got ${local.case}`);
    expect(decodeArrow(local.value.data!, schema).rows).toEqual([{ a: 1, b: ["x", null] }]);
    expect(JSON.parse(local.value.schema!).fields[0]).toMatchObject({ name: "a", nullable: false });
  });

  test("local data that was sent before is named by its hashes", () => {
    const plan: Relation = { kind: "local", schema: parseDdl("a INT"), rows: [[1]] };
    const sent = (cached: ReturnType<NonNullable<EncodeContext["cached"]>["get"]>) =>
      relation(plan, { ...context, cached: { get: () => cached } });
    expect(sent({ kind: "whole", hash: "h" })).toEqual({ cachedLocalRelation: { hash: "h" } });
    expect(sent({ kind: "chunked", dataHashes: ["a", "b"], schemaHash: "s" })).toEqual({
      chunkedCachedLocalRelation: { dataHashes: ["a", "b"], schemaHash: "s" },
    });
  });

  test("a subquery stands beside the plan under an id", () => {
    const condition: Expr = { kind: "subquery", type: "in", plan: range, values: [one] };
    const { withRelations } = relation({ kind: "filter", input: range, condition });
    const { planId } = withRelations.root.filter.condition.subqueryExpression;
    expect(withRelations).toEqual({
      root: {
        filter: {
          input,
          condition: { subqueryExpression: { planId, subqueryType: "SUBQUERY_TYPE_IN", inSubqueryValues: [oneJson] } },
        },
      },
      references: [{ ...input, common: { planId } }],
    });
  });

  test("functions without a way to travel are refused", () => {
    for (const plan of [cases.map_rows[0]![0], cases.transform_with_state[0]![0]]) {
      expect(() => encodeRelation(plan, {})).toThrow(expect.objectContaining({ code: "FUNCTION_NOT_PORTABLE" }));
    }
  });

  test("rows in the fields' own forms are the decoder's business", () => {
    const plan: Relation = {
      kind: "project",
      input: range,
      exprs: [{ kind: "call", name: "__script_value", args: [{ kind: "star" }] }],
    };
    expect(scriptRows(plan)).toEqual({ plan: range, modes: true });
    expect(scriptRows(range)).toEqual({ plan: range, modes: false });
  });
});

describe("expressions", () => {
  const call = (functionName: string, ...args: unknown[]): unknown => ({
    unresolvedFunction: { functionName, ...(args.length > 0 && { arguments: args }) },
  });
  const bound = { unresolvedNamedLambdaVariable: { nameParts: ["x"] } };
  const cases: Record<Expr["kind"], readonly [e: Expr, message: unknown][]> = {
    literal: [
      [one, oneJson],
      [parseExpression("interval '3' day"), { expressionString: { expression: "INTERVAL '3' DAY" } }],
      [parseExpression("interval '1 00:00:03' day to second"), { literal: { dayTimeInterval: "86403000000" } }],
      [{ kind: "literal", value: null, type: { kind: "date" } }, { literal: { null: { date: {} } } }],
    ],
    attribute: [
      [attribute("`a.b`.c"), { unresolvedAttribute: { unparsedIdentifier: "`a.b`.c" } }],
      [{ kind: "attribute", name: "a", planId: 2 }, { unresolvedAttribute: { unparsedIdentifier: "a", planId: "2" } }],
    ],
    star: [
      [{ kind: "star" }, { unresolvedStar: {} }],
      [{ kind: "star", target: "s" }, { unresolvedStar: { unparsedTarget: "s.*" } }],
      [{ kind: "star", planId: 2 }, { unresolvedStar: { planId: "2" } }],
    ],
    call: [
      [
        parseExpression("sum(distinct id)"),
        { unresolvedFunction: { functionName: "sum", arguments: [idJson], isDistinct: true } },
      ],
      [parseExpression("count(*)"), call("count", oneJson)],
      [parseExpression("id between 1 and 1"), call("and", call(">=", idJson, oneJson), call("<=", idJson, oneJson))],
      [parseExpression("id in (1)"), call("in", idJson, oneJson)],
      [parseExpression("case when id then 1 end"), call("when", idJson, oneJson)],
      [
        parseExpression("dateadd(month, 1, id)"),
        call("timestampadd", { literal: { string: "month" } }, oneJson, idJson),
      ],
      [{ kind: "call", name: "create_map", args: [one, one] }, call("map", oneJson, oneJson)],
      [{ kind: "call", name: "__script_value", args: [id] }, idJson],
    ],
    alias: [[{ kind: "alias", child: id, name: "x" }, { alias: { expr: idJson, name: ["x"] } }]],
    cast: [
      [
        { kind: "cast", child: id, type: { kind: "string" }, mode: "ansi" },
        { cast: { expr: idJson, type: { string: {} } } },
      ],
      [
        { kind: "cast", child: id, type: { kind: "date" }, mode: "try" },
        { cast: { expr: idJson, type: { date: {} }, evalMode: "EVAL_MODE_TRY" } },
      ],
    ],
    sort_order: [
      [
        { kind: "sort_order", child: id, direction: "asc", nulls: "last" },
        { sortOrder: { child: idJson, direction: "SORT_DIRECTION_ASCENDING", nullOrdering: "SORT_NULLS_LAST" } },
      ],
    ],
    extract: [
      [
        { kind: "extract", child: id, extraction: one },
        { unresolvedExtractValue: { child: idJson, extraction: oneJson } },
      ],
    ],
    lambda: [
      [
        parseExpression("transform(id, x -> x)"),
        call("transform", idJson, { lambdaFunction: { function: bound, arguments: [{ nameParts: ["x"] }] } }),
      ],
      [
        // A name within the lambda that is one of its parameters.
        { kind: "lambda", params: ["x"], body: attribute("x.y") },
        {
          lambdaFunction: {
            function: { unresolvedNamedLambdaVariable: { nameParts: ["x", "y"] } },
            arguments: [{ nameParts: ["x"] }],
          },
        },
      ],
    ],
    lambda_variable: [[{ kind: "lambda_variable", name: "x" }, bound]],
    window: [
      [
        parseExpression(
          "sum(id) over (partition by id order by id desc rows between 1 preceding and unbounded following)",
        ),
        {
          window: {
            windowFunction: call("sum", idJson),
            partitionSpec: [idJson],
            orderSpec: [{ child: idJson, direction: "SORT_DIRECTION_DESCENDING", nullOrdering: "SORT_NULLS_LAST" }],
            frameSpec: {
              frameType: "FRAME_TYPE_ROW",
              lower: { value: { literal: { integer: -1 } } },
              upper: { unbounded: true },
            },
          },
        },
      ],
      [
        {
          kind: "window",
          child: id,
          partitionBy: [],
          orderBy: [id],
          frame: { type: "range", lower: -(2n ** 40n), upper: 0 },
        },
        {
          window: {
            windowFunction: idJson,
            orderSpec: [{ child: idJson, direction: "SORT_DIRECTION_ASCENDING", nullOrdering: "SORT_NULLS_FIRST" }],
            frameSpec: {
              frameType: "FRAME_TYPE_RANGE",
              lower: { value: { literal: { long: "-1099511627776" } } },
              upper: { currentRow: true },
            },
          },
        },
      ],
    ],
    subquery: [],
    udf: [
      [
        { kind: "udf", fn, args: [id, one], type: { kind: "integer" } },
        { expressionString: { expression: "udf twice of 2" } },
      ],
    ],
  };
  for (const [kind, list] of Object.entries(cases)) {
    for (const [i, [e, message]] of list.entries()) {
      test(`${kind} ${i + 1}`, () => {
        expect(expression(e)).toEqual(message);
      });
    }
  }
});

describe("types and literals", () => {
  const types = [
    "BOOLEAN, TINYINT, SMALLINT, INT, BIGINT, FLOAT, DOUBLE, STRING, BINARY, DATE, TIMESTAMP, TIMESTAMP_NTZ, VOID",
    "DECIMAL(38,18), INTERVAL DAY, INTERVAL HOUR TO SECOND, INTERVAL DAY TO SECOND, INTERVAL YEAR, INTERVAL YEAR TO MONTH",
  ]
    .join(", ")
    .split(/, (?![0-9])/)
    .map((text) => parseType(text));
  const nested: DataType = {
    kind: "map",
    keyType: { kind: "string" },
    valueType: {
      kind: "array",
      elementType: {
        kind: "struct",
        fields: [
          { name: "x", type: { kind: "long" }, nullable: false, metadata: { "millrace:mode": "number" } },
          { name: "y", type: { kind: "decimal", precision: 5, scale: 2 }, nullable: true },
        ],
      },
      containsNull: false,
    },
    valueContainsNull: true,
  };

  test.each([...types, nested])("the type %j comes back", (type) => {
    expect(decodeType(encodeType(type))).toEqual(type);
  });

  test("types of Spark's that are text or another type here", () => {
    const of = (kind: pb.DataType["kind"]): DataType => decodeType(create(pb.DataTypeSchema, { kind }), "v");
    expect(of({ case: "char", value: create(pb.DataType_CharSchema, { length: 3 }) })).toEqual({ kind: "string" });
    expect(of({ case: "varChar", value: create(pb.DataType_VarCharSchema, { length: 3 }) })).toEqual({
      kind: "string",
    });
    expect(() => of({ case: "variant", value: create(pb.DataType_VariantSchema) })).toThrow(/`v` has the type VARIANT/);
    const udt = create(pb.DataType_UDTSchema, { sqlType: encodeType({ kind: "double" }) });
    expect(of({ case: "udt", value: udt })).toEqual({ kind: "double" });
  });

  test("Spark's mark of a column without a name of its own is left out", () => {
    const type = encodeType(parseDdl("a INT"));
    if (type.kind.case === "struct") type.kind.value.fields[0]!.metadata = '{"__autoGeneratedAlias":"true"}';
    expect(decodeType(type)).toEqual(parseDdl("a INT"));
  });

  const struct: StructType = parseDdl("x INT, y STRING");
  const literals: readonly (readonly [unknown, DataType, unknown])[] = [
    [true, { kind: "boolean" }, { boolean: true }],
    [-1, { kind: "byte" }, { byte: -1 }],
    [5n, { kind: "long" }, { long: "5" }],
    [Number.NaN, { kind: "double" }, { double: "NaN" }],
    ["1.50", { kind: "decimal", precision: 3, scale: 2 }, { decimal: { value: "1.50", precision: 3, scale: 2 } }],
    [new Uint8Array([255]), { kind: "binary" }, { binary: "/w==" }],
    [new Date(-1), { kind: "date" }, { date: -1 }],
    [new Date(-1), { kind: "timestamp" }, { timestamp: "-1000" }],
    [1n, { kind: "timestamp_ntz" }, { timestampNtz: "1" }],
    [14, { kind: "interval_year_month" }, { yearMonthInterval: 14 }],
    [
      [1, null],
      { kind: "array", elementType: { kind: "integer" }, containsNull: true },
      { array: { elementType: { integer: {} }, elements: [{ integer: 1 }, { null: { integer: {} } }] } },
    ],
    [
      new Map([["k", 1]]),
      { kind: "map", keyType: { kind: "string" }, valueType: { kind: "integer" }, valueContainsNull: true },
      {
        map: { keyType: { string: {} }, valueType: { integer: {} }, keys: [{ string: "k" }], values: [{ integer: 1 }] },
      },
    ],
    [
      { x: 1 },
      struct,
      {
        struct: {
          structType: toJson(pb.DataTypeSchema, encodeType(struct)),
          elements: [{ integer: 1 }, { null: { string: {} } }],
        },
      },
    ],
  ];
  for (const [value, type, message] of literals) {
    test(`a literal of ${type.kind}`, () => {
      expect(toJson(pb.Expression_LiteralSchema, encodeLiteral(value as never, type))).toEqual(message);
    });
  }

  test.each<[unknown, DataType]>([
    ["x", { kind: "integer" }],
    [1.5, { kind: "long" }],
    [1, { kind: "string" }],
    [1, { kind: "timestamp" }],
    [[1], { kind: "integer" }],
  ])("%j is no literal of %j", (value, type) => {
    expect(() => encodeLiteral(value as never, type)).toThrow(expect.objectContaining({ code: "INVALID_VALUE" }));
  });
});
