import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { MillraceError } from "../errors.ts";
import type { Expr, FrameBound } from "../plan/expr.ts";
import { nameParts } from "../plan/names.ts";
import { sqlName } from "../types/ddl.ts";
import { intervalText } from "../types/interval-type.ts";
import { functionCall, sparkCall } from "./encode-call.ts";
import type { EncodeContext } from "./encode-context.ts";
import { encodeLiteral } from "./encode-literal.ts";
import { encodeType } from "./encode-type.ts";
import * as pb from "./proto/spark-connect_pb.ts";

/** The subqueries of a node's expressions: Spark Connect has them beside the node, named by an id. */
export interface Subqueries {
  add(plan: Extract<Expr, { kind: "subquery" }>["plan"]): bigint;
}

/** An expression as Spark Connect's. Throws FUNCTION_NOT_PORTABLE, INVALID_VALUE. */
export function encodeExpr(e: Expr, context: EncodeContext, subqueries?: Subqueries): pb.Expression {
  return new ExprEncoder(context, subqueries).expr(e);
}

/** Expressions that stand in one node. */
export class ExprEncoder {
  readonly #context: EncodeContext;
  readonly #subqueries: Subqueries | undefined;
  /** Parameters of the lambdas around, innermost last. */
  readonly #lambdas: (readonly string[])[] = [];

  constructor(context: EncodeContext, subqueries?: Subqueries) {
    this.#context = context;
    this.#subqueries = subqueries;
  }

  all(list: readonly Expr[]): pb.Expression[] {
    return list.map((e) => this.expr(e));
  }

  expr(e: Expr): pb.Expression {
    switch (e.kind) {
      case "literal":
        return this.#literal(e);
      case "attribute":
        return this.#attribute(e);
      case "star":
        if (e.except !== undefined)
          throw new MillraceError("INTERNAL", "A star with EXCEPT is made from SQL text only.");
        return of({
          case: "unresolvedStar",
          value: {
            ...(e.target !== undefined && { unparsedTarget: `${e.target}.*` }),
            ...(e.planId !== undefined && { planId: BigInt(e.planId) }),
          },
        });
      case "call": {
        const call = sparkCall(e);
        if ("kind" in call) return this.expr(call);
        if ("sql" in call) return of({ case: "expressionString", value: { expression: call.sql } });
        return functionCall(call.name, this.all(call.args), e.distinct === true);
      }
      case "alias":
        return of({ case: "alias", value: this.alias(e) });
      case "cast":
        // A typed literal is never null, which a cast from text would not say.
        if (e.typed && e.child.kind === "literal") {
          const text = String(e.child.value).replaceAll("\\", "\\\\").replaceAll("'", "\\'");
          return of({ case: "expressionString", value: { expression: `${sqlName(e.type)} '${text}'` } });
        }
        return of({
          case: "cast",
          value: {
            expr: this.expr(e.child),
            castToType: { case: "type", value: encodeType(e.type) },
            // A plain cast is what the session's spark.sql.ansi.enabled says.
            evalMode: e.mode === "try" ? pb.Expression_Cast_EvalMode.TRY : pb.Expression_Cast_EvalMode.UNSPECIFIED,
          },
        });
      case "sort_order":
        return of({ case: "sortOrder", value: this.sortOrder(e) });
      case "extract":
        return of({
          case: "unresolvedExtractValue",
          value: { child: this.expr(e.child), extraction: this.expr(e.extraction) },
        });
      case "lambda":
        this.#lambdas.push(e.params);
        try {
          const parameters = e.params.map((name) => ({ nameParts: [name] }));
          return of({ case: "lambdaFunction", value: { function: this.expr(e.body), arguments: parameters } });
        } finally {
          this.#lambdas.pop();
        }
      case "lambda_variable":
        return lambdaVariable([e.name]);
      case "window":
        return this.#window(e);
      case "subquery":
        return this.#subquery(e);
      case "udf":
        return this.#udf(e);
    }
  }

  alias(e: Extract<Expr, { kind: "alias" }>): MessageInitShape<typeof pb.Expression_AliasSchema> {
    return {
      expr: this.expr(e.child),
      name: e.names ? [...e.names] : [e.name],
      ...(e.metadata && { metadata: JSON.stringify(e.metadata) }),
    };
  }

  sortOrder(e: Expr): pb.Expression_SortOrder {
    const order = e.kind === "sort_order" ? e : ({ child: e, direction: "asc", nulls: "first" } as const);
    return create(pb.Expression_SortOrderSchema, {
      child: this.expr(order.child),
      direction:
        order.direction === "asc"
          ? pb.Expression_SortOrder_SortDirection.ASCENDING
          : pb.Expression_SortOrder_SortDirection.DESCENDING,
      nullOrdering:
        order.nulls === "first"
          ? pb.Expression_SortOrder_NullOrdering.SORT_NULLS_FIRST
          : pb.Expression_SortOrder_NullOrdering.SORT_NULLS_LAST,
    });
  }

  #literal(e: Extract<Expr, { kind: "literal" }>): pb.Expression {
    const { type, value } = e;
    if (value !== null && (type.kind === "interval_day_time" || type.kind === "interval_year_month") && type.start) {
      // A literal message has no fields, so INTERVAL '3' DAY goes as its text.
      const expression = intervalText(value as bigint | number, type);
      return of({ case: "expressionString", value: { expression } });
    }
    return of({ case: "literal", value: encodeLiteral(value, type) });
  }

  #attribute(e: Extract<Expr, { kind: "attribute" }>): pb.Expression {
    if (this.#lambdas.length > 0) {
      const parts = nameParts(e.name);
      if (this.#lambdas.some((names) => names.includes(parts[0]!))) return lambdaVariable(parts);
    }
    return of({
      case: "unresolvedAttribute",
      value: { unparsedIdentifier: e.name, ...(e.planId !== undefined && { planId: BigInt(e.planId) }) },
    });
  }

  #window(e: Extract<Expr, { kind: "window" }>): pb.Expression {
    const { frame } = e;
    return of({
      case: "window",
      value: {
        windowFunction: this.expr(e.child),
        partitionSpec: this.all(e.partitionBy),
        orderSpec: e.orderBy.map((o) => this.sortOrder(o)),
        ...(frame && {
          frameSpec: {
            frameType:
              frame.type === "row"
                ? pb.Expression_Window_WindowFrame_FrameType.ROW
                : pb.Expression_Window_WindowFrame_FrameType.RANGE,
            lower: this.#bound(frame.lower),
            upper: this.#bound(frame.upper),
          },
        }),
      },
    });
  }

  #bound(bound: FrameBound): MessageInitShape<typeof pb.Expression_Window_WindowFrame_FrameBoundarySchema> {
    if (bound === "unbounded") return { boundary: { case: "unbounded", value: true } };
    if (bound === "current_row" || bound === 0 || bound === 0n)
      return { boundary: { case: "currentRow", value: true } };
    const whole = typeof bound === "bigint" || Number.isSafeInteger(bound);
    const small = whole && bound >= -2147483648 && bound <= 2147483647;
    const literal = small
      ? encodeLiteral(Number(bound), { kind: "integer" })
      : whole
        ? encodeLiteral(BigInt(bound), { kind: "long" })
        : encodeLiteral(bound, { kind: "double" });
    return { boundary: { case: "value", value: of({ case: "literal", value: literal }) } };
  }

  #subquery(e: Extract<Expr, { kind: "subquery" }>): pb.Expression {
    if (this.#subqueries === undefined) {
      throw new MillraceError("UNSUPPORTED_FEATURE", "A subquery cannot stand here on Spark.");
    }
    const types = pb.SubqueryExpression_SubqueryType;
    return of({
      case: "subqueryExpression",
      value: {
        planId: this.#subqueries.add(e.plan),
        subqueryType: { scalar: types.SCALAR, exists: types.EXISTS, in: types.IN }[e.type],
        inSubqueryValues: this.all(e.values ?? []),
      },
    });
  }

  #udf(e: Extract<Expr, { kind: "udf" }>): pb.Expression {
    const { functions } = this.#context;
    if (functions === undefined) throw notPortable(e.fn.name);
    return functions.udf(e, this.all(e.args));
  }
}

export function notPortable(name: string): MillraceError {
  return new MillraceError("FUNCTION_NOT_PORTABLE", `The TypeScript function ${name} cannot go to Spark from here.`, {
    parameters: { function: name },
  });
}

function lambdaVariable(parts: readonly string[]): pb.Expression {
  return of({ case: "unresolvedNamedLambdaVariable", value: { nameParts: [...parts] } });
}

type ExprInit = NonNullable<MessageInitShape<typeof pb.ExpressionSchema>["exprType"]>;

function of(exprType: ExprInit): pb.Expression {
  return create(pb.ExpressionSchema, { exprType });
}
