import { MillraceError, nearest } from "../errors.ts";
import type { DataType, StructField, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { canCast, castMayBeNull, castSuggestion, isIntegral, sameType, tryCastMayBeNull } from "./coercion.ts";
import { constantOf, setConstant } from "./constant.ts";
import type { ArgumentType, Field, FunctionCatalog, FunctionSignature, ResolvedExpr } from "./resolved.ts";
import { walkExpr } from "./walk.ts";

export type CallArg =
  | { readonly expr: ResolvedExpr; readonly lambda?: undefined }
  | {
      readonly lambda: (types: readonly { type: DataType; nullable: boolean }[]) => ResolvedExpr;
      readonly expr?: undefined;
    };

/** Types a call by its signature and writes the casts of its arguments out. */
export function resolveCall(signature: FunctionSignature, args: readonly CallArg[], distinct: boolean): ResolvedExpr {
  const bodies: (ResolvedExpr | undefined)[] = args.map(() => undefined);
  const types = args.map((a, i): ArgumentType => {
    if (a.expr) return argumentOf(a.expr);
    return {
      type: { kind: "null" },
      nullable: true,
      lambda: (params) => {
        const body = a.lambda(params);
        bodies[i] = body;
        return { type: body.type, nullable: body.nullable };
      },
    };
  });
  const { type, nullable, casts, again, folded } = signature.resolve(types);
  const resolved = args.map((a, i): ResolvedExpr => {
    if (a.lambda) {
      const body = bodies[i];
      if (body) return body;
      throw new MillraceError("INVALID_ARGUMENT", `${signature.name} takes no lambda as argument ${i + 1}.`);
    }
    const cast = casts?.[i];
    const expr = folded?.[i] ? literalOf(a.expr) : a.expr;
    return cast ? castExpr(expr, cast, "ansi", () => signature.name) : expr;
  });
  if (again !== undefined) resolved.push(castExpr(resolved[0]!, again, "ansi", () => signature.name));
  const call: ResolvedExpr = { kind: "call", name: signature.name, args: resolved, distinct, type, nullable };
  if (signature.nondeterministic || signature.kind !== "scalar") varying.add(call);
  else rememberConstant(signature, call, resolved);
  return call;
}

function rememberConstant(signature: FunctionSignature, call: ResolvedExpr, args: readonly ResolvedExpr[]): void {
  if (signature.constant === undefined) return;
  const values: Value[] = [];
  for (const a of args) {
    const value = constantOf(a);
    if (value === undefined) return;
    values.push(value);
  }
  const value = signature.constant(values, { args: args.map((a) => a.type), result: call.type });
  if (value !== undefined) setConstant(call, value);
}

/** A constant as the literal of its value. */
function literalOf(e: ResolvedExpr): ResolvedExpr {
  const value = constantOf(e);
  return value === undefined ? e : { kind: "literal", value, of: e, type: e.type, nullable: e.nullable };
}

/** Calls that are no constants, whatever their arguments are. */
const varying = new WeakSet<ResolvedExpr>();

/** What a signature is told of an argument. */
export function argumentOf(e: ResolvedExpr): ArgumentType {
  const { type, nullable } = e;
  const about = {
    type,
    nullable,
    ...((e.kind === "column" || e.kind === "get_field" || e.kind === "lambda_variable") && { name: e.name }),
    ...(e.kind === "call" && e.name === "array" && { elements: e.args.map((item) => item.nullable) }),
  };
  if (e.kind === "literal") return { ...about, literal: e.value, constant: e.value, foldable: true };
  if (!isConstant(e)) return about;
  const constant = constantOf(e);
  return { ...about, foldable: true, ...(constant !== undefined && { constant }) };
}

/** Whether an expression is made of constants only. */
function isConstant(e: ResolvedExpr): boolean {
  for (const part of walkExpr(e)) {
    if (["column", "lambda_variable", "over", "subquery", "udf"].includes(part.kind) || varying.has(part)) return false;
  }
  return true;
}

/** A cast, left out where the type is right already and folded where that is exact. */
export function castExpr(e: ResolvedExpr, type: DataType, mode: "ansi" | "try", text: () => string): ResolvedExpr {
  if (sameType(e.type, type)) return e;
  if (!canCast(e.type, type)) {
    throw new MillraceError(
      `DATATYPE_MISMATCH.${castSuggestion(e.type, type)}`,
      `Cannot resolve "${text()}" due to data type mismatch: cannot cast "${sqlName(e.type)}" to "${sqlName(type)}".`,
      { parameters: { srcType: `"${sqlName(e.type)}"`, targetType: `"${sqlName(type)}"` } },
    );
  }
  if (e.kind === "literal") {
    const value = foldCast(e.value, e.type, type);
    if (value !== undefined) return { kind: "literal", value, ...(e.of && { of: e.of }), type, nullable: e.nullable };
  }
  const lossy = mode === "try" ? tryCastMayBeNull(e.type, type) : castMayBeNull(e.type, type);
  return { kind: "cast", child: e, mode, type, nullable: e.nullable || lossy };
}

/** A cast that a query asks for: parts of a nested type are nullable as the written type says, whatever the value's own say. */
export function castAsWritten(e: ResolvedExpr, type: DataType, mode: "ansi" | "try", text: () => string): ResolvedExpr {
  const made = castExpr(e, type, mode, text);
  const nested = type.kind === "array" || type.kind === "map" || type.kind === "struct";
  // A condition that is cast is no literal to Spark.
  const condition = made === e && e.kind === "literal" && type.kind === "boolean";
  return (made === e && nested) || condition ? { kind: "cast", child: e, mode, type, nullable: e.nullable } : made;
}

function foldCast(value: Value, from: DataType, to: DataType): Value | undefined {
  if (value === null) return null;
  if (from.kind === "decimal" && to.kind === "double" && typeof value === "string") return Number(value);
  if (!isIntegral(from) || (typeof value !== "number" && typeof value !== "bigint")) return undefined;
  if (to.kind === "long") return BigInt(value);
  if (to.kind === "double" && typeof value === "number") return value;
  if (to.kind === "integer" && from.kind !== "long") return value;
  return undefined;
}

export function columnOf(field: Field): ResolvedExpr {
  return { kind: "column", id: field.id, name: field.name, type: field.type, nullable: field.nullable };
}

export function getField(child: ResolvedExpr, field: StructField): ResolvedExpr {
  return { kind: "get_field", child, name: field.name, type: field.type, nullable: child.nullable || field.nullable };
}

export function unresolvedRoutine(name: string, catalog: FunctionCatalog): MillraceError {
  const near = nearest(name, catalog.names());
  return new MillraceError("UNRESOLVED_ROUTINE", `Cannot resolve routine \`${name}\`.`, {
    hint: near ? `Did you mean ${near}?` : undefined,
    parameters: { routineName: `\`${name}\`` },
  });
}
