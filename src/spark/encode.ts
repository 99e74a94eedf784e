import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { MillraceError } from "../errors.ts";
import type { Expr } from "../plan/expr.ts";
import type { JoinType, Relation } from "../plan/relation.ts";
import { SCRIPT_VALUE } from "../plan/script-value-name.ts";
import { withLiterals } from "../plan/sql/parameters.ts";
import type { Value } from "../types/data-type.ts";
import { toSparkJson } from "../types/struct-json.ts";
import { encodeColumns } from "./arrow-encode.ts";
import type { EncodeContext } from "./encode-context.ts";
import { ExprEncoder, encodeExpr, notPortable, type Subqueries } from "./encode-expr.ts";
import { encodeLiteral, encodeUntyped } from "./encode-literal.ts";
import { encodeType } from "./encode-type.ts";
import { sparkSource } from "./formats.ts";
import * as pb from "./proto/spark-connect_pb.ts";

export type { CachedRows, EncodeContext } from "./encode-context.ts";
export { decodeSchema, decodeType } from "./encode-type.ts";
export { encodeExpr, encodeLiteral, encodeType };

type Node<K extends Relation["kind"]> = Extract<Relation, { kind: K }>;
type RelInit = NonNullable<MessageInitShape<typeof pb.RelationSchema>["relType"]>;

/**
 * A plan as Spark Connect's relation. A node without a counterpart does not compile.
 *
 * @throws MillraceError UNSUPPORTED_FEATURE, UNKNOWN_OPTION, FUNCTION_NOT_PORTABLE, INVALID_VALUE
 * @example encodeRelation({ kind: "range", start: 0n, end: 5n, step: 1n }, {})
 */
export function encodeRelation(plan: Relation, context: EncodeContext): pb.Relation {
  return new RelationEncoder(context).relation(plan);
}

/** Ids of subqueries, far from those of DataFrames. */
let lastSubqueryId = 1n << 40n;

class RelationEncoder {
  readonly #context: EncodeContext;

  constructor(context: EncodeContext) {
    this.#context = context;
  }

  relation(plan: Relation): pb.Relation {
    const references: pb.Relation[] = [];
    const subqueries: Subqueries = {
      add: (query) => {
        const id = ++lastSubqueryId;
        const common = create(pb.RelationCommonSchema, { planId: id });
        references.push(create(pb.RelationSchema, { ...this.relation(query), common }));
        return id;
      },
    };
    const relType = this.#node(plan, new ExprEncoder(this.#context, subqueries));
    const common = plan.planId === undefined ? {} : { common: { planId: BigInt(plan.planId) } };
    if (references.length === 0) return create(pb.RelationSchema, { relType, ...common });
    const root = create(pb.RelationSchema, { relType, ...common });
    return create(pb.RelationSchema, { relType: { case: "withRelations", value: { root, references } } });
  }

  #node(r: Relation, e: ExprEncoder): RelInit {
    switch (r.kind) {
      case "read":
        return this.#read(r);
      case "named_table":
        return {
          case: "read",
          value: {
            isStreaming: r.streaming,
            readType: { case: "namedTable", value: { unparsedIdentifier: r.name, options: { ...r.options } } },
          },
        };
      case "sql":
        return { case: "sql", value: this.#sql(r, e) };
      case "local":
        return this.#local(r);
      case "range":
        return { case: "range", value: { start: r.start, end: r.end, step: r.step } };
      case "project":
        return { case: "project", value: { input: this.relation(r.input), expressions: e.all(r.exprs) } };
      case "filter":
        return { case: "filter", value: { input: this.relation(r.input), condition: e.expr(r.condition) } };
      case "with_columns":
        return {
          case: "withColumns",
          value: {
            input: this.relation(r.input),
            aliases: r.columns.map((c) => e.alias({ kind: "alias", child: c.expr, name: c.name })),
          },
        };
      case "with_columns_renamed":
        return {
          case: "withColumnsRenamed",
          value: {
            input: this.relation(r.input),
            renames: Object.entries(r.renames).map(([colName, newColName]) => ({ colName, newColName })),
          },
        };
      case "drop": {
        // A plain name drops every column of that name and none is no error, as df.drop("a") does.
        const names = r.columns.filter(isPlainName);
        return {
          case: "drop",
          value: {
            input: this.relation(r.input),
            columns: e.all(r.columns.filter((c) => !isPlainName(c))),
            columnNames: names.map((c) => c.name),
          },
        };
      }
      case "to_df":
        return { case: "toDf", value: { input: this.relation(r.input), columnNames: [...r.names] } };
      case "na_drop":
        return {
          case: "dropNa",
          value: {
            input: this.relation(r.input),
            cols: [...r.columns],
            ...(r.minNonNulls !== undefined && { minNonNulls: r.minNonNulls }),
          },
        };
      case "na_fill":
        return {
          case: "fillNa",
          value: { input: this.relation(r.input), cols: [...r.columns], values: r.values.map(encodeUntyped) },
        };
      case "na_replace":
        return {
          case: "replace",
          value: {
            input: this.relation(r.input),
            cols: [...r.columns],
            replacements: r.replacements.map(({ from, to }) => ({
              oldValue: replacement(from),
              newValue: replacement(to),
            })),
          },
        };
      case "aggregate":
        return this.#aggregate(r, e);
      case "join":
        return this.#join(r, e);
      case "set_op": {
        const types = pb.SetOperation_SetOpType;
        return {
          case: "setOp",
          value: {
            leftInput: this.relation(r.left),
            rightInput: this.relation(r.right),
            setOpType: { union: types.UNION, intersect: types.INTERSECT, except: types.EXCEPT }[r.op],
            isAll: r.all,
            byName: r.byName,
            allowMissingColumns: r.allowMissingColumns,
          },
        };
      }
      case "sort":
        return {
          case: "sort",
          value: {
            input: this.relation(r.input),
            order: r.order.map((o) => e.sortOrder(o)),
            isGlobal: r.global,
          },
        };
      case "limit":
        return { case: "limit", value: { input: this.relation(r.input), limit: r.limit } };
      case "offset":
        return { case: "offset", value: { input: this.relation(r.input), offset: r.offset } };
      case "deduplicate":
        return {
          case: "deduplicate",
          value: {
            input: this.relation(r.input),
            ...(r.columns === "all" ? { allColumnsAsKeys: true } : { columnNames: [...r.columns] }),
            withinWatermark: r.withinWatermark,
          },
        };
      case "with_watermark":
        return {
          case: "withWatermark",
          value: { input: this.relation(r.input), eventTime: r.column, delayThreshold: r.delay },
        };
      case "subquery_alias":
        return { case: "subqueryAlias", value: { input: this.relation(r.input), alias: r.alias } };
      case "sample":
        return {
          case: "sample",
          value: {
            input: this.relation(r.input),
            lowerBound: r.lower,
            upperBound: r.upper,
            withReplacement: r.withReplacement,
            seed: r.seed,
          },
        };
      case "repartition":
        if (r.exprs.length > 0) {
          return {
            case: "repartitionByExpression",
            value: {
              input: this.relation(r.input),
              partitionExprs: e.all(r.exprs),
              ...(r.partitions !== undefined && { numPartitions: r.partitions }),
            },
          };
        }
        return {
          case: "repartition",
          value: { input: this.relation(r.input), numPartitions: r.partitions ?? 1, shuffle: true },
        };
      case "map_rows": {
        const { functions } = this.#context;
        if (functions === undefined) throw notPortable(r.fn.name);
        return functions.mapRows(r, this.relation(r.input)).relType as RelInit;
      }
      case "transform_with_state": {
        const { functions } = this.#context;
        if (functions === undefined) throw notPortable(r.processor.name);
        return functions.transformWithState(r, this.relation(r.input), e.all(r.grouping)).relType as RelInit;
      }
      case "select":
      case "generate":
      case "inline_table":
      case "sql_pivot":
      case "unpivot":
        throw new MillraceError("INTERNAL", `A plan for Spark has the node ${r.kind}, which only SQL text turns into.`);
    }
  }

  #read(r: Node<"read">): RelInit {
    const source = sparkSource(r.format, r.options, r.paths, this.#context.environment);
    return {
      case: "read",
      value: {
        isStreaming: r.streaming,
        readType: {
          case: "dataSource",
          value: {
            format: source.format,
            ...(r.schema && { schema: JSON.stringify(toSparkJson(r.schema)) }),
            options: source.options,
            paths: [...source.paths],
          },
        },
      },
    };
  }

  #local(r: Node<"local">): RelInit {
    const cached = this.#context.cached?.get(r);
    if (cached?.kind === "inline") {
      return { case: "localRelation", value: { data: cached.data, schema: cached.schema } };
    }
    if (cached?.kind === "whole") return { case: "cachedLocalRelation", value: { hash: cached.hash } };
    if (cached?.kind === "chunked") {
      return {
        case: "chunkedCachedLocalRelation",
        value: { dataHashes: [...cached.dataHashes], schemaHash: cached.schemaHash },
      };
    }
    if (r.schema.fields.length === 0 && r.rows.length > 0) {
      // Arrow counts rows by columns, so rows without columns are made of ids that are dropped.
      const ids: Relation = { kind: "range", start: 0n, end: BigInt(r.rows.length), step: 1n };
      return { case: "drop", value: { input: this.relation(ids), columnNames: ["id"] } };
    }
    return { case: "localRelation", value: encodeLocal(r) };
  }

  #sql(r: Node<"sql">, e: ExprEncoder): MessageInitShape<typeof pb.SQLSchema> {
    const { query, args } = r;
    if (args === undefined) return { query };
    const text = withLiterals(query, args);
    if (text !== undefined) return { query: text };
    if (Array.isArray(args)) return { query, posArguments: e.all(args as readonly Expr[]) };
    const named = Object.entries(args as Readonly<Record<string, Expr>>);
    return { query, namedArguments: Object.fromEntries(named.map(([name, value]) => [name, e.expr(value)])) };
  }

  #aggregate(r: Node<"aggregate">, e: ExprEncoder): RelInit {
    const types = pb.Aggregate_GroupType;
    return {
      case: "aggregate",
      value: {
        input: this.relation(r.input),
        groupType: r.pivot
          ? types.PIVOT
          : { groupby: types.GROUPBY, rollup: types.ROLLUP, cube: types.CUBE, pivot: types.PIVOT }[r.group],
        groupingExpressions: e.all(r.grouping),
        aggregateExpressions: e.all(r.aggregates),
        ...(r.pivot && { pivot: { col: e.expr(r.pivot.column), values: r.pivot.values.map(pivotValue) } }),
      },
    };
  }

  #join(r: Node<"join">, e: ExprEncoder): RelInit {
    if (r.natural || r.lateral) {
      throw new MillraceError("INTERNAL", "A plan for Spark has a join that only SQL text turns into.");
    }
    return {
      case: "join",
      value: {
        left: this.relation(r.left),
        right: this.relation(r.right),
        joinType: JOIN_TYPES[r.type],
        ...(r.condition && { joinCondition: e.expr(r.condition) }),
        usingColumns: [...(r.using ?? [])],
      },
    };
  }
}

const JOIN_TYPES: Readonly<Record<JoinType, pb.Join_JoinType>> = {
  inner: pb.Join_JoinType.INNER,
  left_outer: pb.Join_JoinType.LEFT_OUTER,
  right_outer: pb.Join_JoinType.RIGHT_OUTER,
  full_outer: pb.Join_JoinType.FULL_OUTER,
  left_semi: pb.Join_JoinType.LEFT_SEMI,
  left_anti: pb.Join_JoinType.LEFT_ANTI,
  cross: pb.Join_JoinType.CROSS,
};

/** The rows of a local relation as Arrow, with the schema as JSON. */
export function encodeLocal(
  r: Node<"local">,
  rows: readonly (readonly Value[])[] = r.rows,
): { readonly data: Uint8Array; readonly schema: string } {
  const columns = r.schema.fields.map((_, i) => rows.map((row) => row[i]));
  return { data: encodeColumns(r.schema, columns), schema: JSON.stringify(toSparkJson(r.schema)) };
}

/** Whether a plan's rows go to TypeScript in the fields' own forms; `plan` is then the plan below that says so. */
export function scriptRows(plan: Relation): { readonly plan: Relation; readonly modes: boolean } {
  const first = plan.kind === "project" && plan.exprs.length === 1 ? plan.exprs[0] : undefined;
  if (plan.kind !== "project" || first?.kind !== "call" || first.name !== SCRIPT_VALUE) return { plan, modes: false };
  const [argument] = first.args;
  return argument?.kind === "star" && argument.target === undefined
    ? { plan: plan.input, modes: true }
    : { plan, modes: false };
}

function isPlainName(e: Expr): e is Extract<Expr, { kind: "attribute" }> {
  return e.kind === "attribute" && e.planId === undefined && !/[.`]/.test(e.name);
}

/** Spark compares numbers of na.replace as doubles. */
function replacement(value: Value): pb.Expression_Literal {
  return typeof value === "number" ? encodeLiteral(value, { kind: "double" }) : encodeUntyped(value);
}

/** A value of pivot has the type that a literal in a column would have. */
function pivotValue(value: Value): pb.Expression_Literal {
  const small = typeof value === "number" && Number.isInteger(value) && Math.abs(value) < 2 ** 31;
  return small ? encodeLiteral(value, { kind: "integer" }) : encodeUntyped(value);
}
