import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { MillraceError } from "../errors.ts";
import type { DataType, Value } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { show } from "../types/show.ts";
import { encodeType } from "./encode-type.ts";
import * as pb from "./proto/spark-connect_pb.ts";

type Init = NonNullable<MessageInitShape<typeof pb.Expression_LiteralSchema>["literalType"]>;

/** A value of a type as Spark Connect's literal. Throws INVALID_VALUE. */
export function encodeLiteral(value: Value, type: DataType): pb.Expression_Literal {
  return create(pb.Expression_LiteralSchema, { literalType: literalOf(value, type) });
}

/** A literal whose type is not given, as in pivot and na.fill: a whole number is a long, other numbers are doubles. */
export function encodeUntyped(value: Value): pb.Expression_Literal {
  return encodeLiteral(value, untyped(value));
}

function untyped(value: Value): DataType {
  switch (typeof value) {
    case "string":
      return { kind: "string" };
    case "boolean":
      return { kind: "boolean" };
    case "bigint":
      return { kind: "long" };
    case "number":
      return { kind: Number.isSafeInteger(value) && !Object.is(value, -0) ? "long" : "double" };
  }
  if (value === null) return { kind: "null" };
  if (value instanceof Date) return { kind: "timestamp" };
  if (value instanceof Uint8Array) return { kind: "binary" };
  throw new MillraceError("INVALID_ARGUMENT", `A value of this kind cannot be a literal: ${show(value)}.`);
}

function literalOf(value: Value, type: DataType): Init {
  if (value === null || value === undefined) return { case: "null", value: encodeType(type) };
  const fail = (): never => {
    throw new MillraceError("INVALID_VALUE", `${show(value)} is no literal of the type ${sqlName(type)}.`);
  };
  switch (type.kind) {
    case "null":
      return fail();
    case "boolean":
      return typeof value === "boolean" ? { case: "boolean", value } : fail();
    case "byte":
    case "short":
    case "integer":
    case "float":
    case "double":
      return typeof value === "number" || typeof value === "bigint"
        ? { case: type.kind, value: Number(value) }
        : fail();
    case "long":
      return isWhole(value) ? { case: "long", value: BigInt(value) } : fail();
    case "interval_year_month":
      return isWhole(value) ? { case: "yearMonthInterval", value: Number(value) } : fail();
    case "interval":
      return fail();
    case "interval_day_time":
      return isWhole(value) ? { case: "dayTimeInterval", value: BigInt(value) } : fail();
    case "decimal":
      if (typeof value !== "string" && typeof value !== "number" && typeof value !== "bigint") return fail();
      return { case: "decimal", value: { value: String(value), precision: type.precision, scale: type.scale } };
    case "string":
      return typeof value === "string" ? { case: "string", value } : fail();
    case "binary":
      return value instanceof Uint8Array ? { case: "binary", value } : fail();
    case "date":
      return value instanceof Date ? { case: "date", value: Math.floor(value.getTime() / 86_400_000) } : fail();
    case "timestamp":
    case "timestamp_ntz": {
      const name = type.kind === "timestamp" ? "timestamp" : "timestampNtz";
      if (typeof value === "bigint") return { case: name, value };
      return value instanceof Date ? { case: name, value: BigInt(value.getTime()) * 1000n } : fail();
    }
    case "array": {
      if (!Array.isArray(value)) return fail();
      const elements = (value as readonly Value[]).map((v) => encodeLiteral(v, type.elementType));
      return { case: "array", value: { elementType: encodeType(type.elementType), elements } };
    }
    case "map": {
      if (!(value instanceof Map)) return fail();
      const entries = [...(value as ReadonlyMap<Value, Value>)];
      return {
        case: "map",
        value: {
          keyType: encodeType(type.keyType),
          valueType: encodeType(type.valueType),
          keys: entries.map(([k]) => encodeLiteral(k, type.keyType)),
          values: entries.map(([, v]) => encodeLiteral(v, type.valueType)),
        },
      };
    }
    case "struct": {
      if (typeof value !== "object") return fail();
      const object = value as { readonly [name: string]: Value };
      const elements = type.fields.map((f) => encodeLiteral(object[f.name] ?? null, f.type));
      return { case: "struct", value: { structType: encodeType(type), elements } };
    }
  }
}

function isWhole(value: Value): value is number | bigint {
  return typeof value === "bigint" || (typeof value === "number" && Number.isSafeInteger(value));
}
