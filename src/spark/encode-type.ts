import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { MillraceError } from "../errors.ts";
import type {
  DataType,
  DayTimeIntervalType,
  StructField,
  StructType,
  YearMonthIntervalType,
} from "../types/data-type.ts";
import { DAY_TIME_FIELDS, intervalRange, intervalType, YEAR_MONTH_FIELDS } from "../types/interval-type.ts";
import * as pb from "./proto/spark-connect_pb.ts";

/** Our type as Spark Connect's. */
export function encodeType(type: DataType): pb.DataType {
  return create(pb.DataTypeSchema, { kind: kindOf(type) });
}

type Init = NonNullable<MessageInitShape<typeof pb.DataTypeSchema>["kind"]>;

function kindOf(type: DataType): Init {
  switch (type.kind) {
    case "null":
      return { case: "null", value: {} };
    case "boolean":
      return { case: "boolean", value: {} };
    case "byte":
      return { case: "byte", value: {} };
    case "short":
      return { case: "short", value: {} };
    case "integer":
      return { case: "integer", value: {} };
    case "long":
      return { case: "long", value: {} };
    case "float":
      return { case: "float", value: {} };
    case "double":
      return { case: "double", value: {} };
    case "string":
      return { case: "string", value: {} };
    case "binary":
      return { case: "binary", value: {} };
    case "date":
      return { case: "date", value: {} };
    case "timestamp":
      return { case: "timestamp", value: {} };
    case "timestamp_ntz":
      return { case: "timestampNtz", value: {} };
    case "interval_day_time":
      return { case: "dayTimeInterval", value: fieldNumbers(type, DAY_TIME_FIELDS) };
    case "interval_year_month":
      return { case: "yearMonthInterval", value: fieldNumbers(type, YEAR_MONTH_FIELDS) };
    case "interval":
      return { case: "calendarInterval", value: {} };
    case "decimal":
      return { case: "decimal", value: { precision: type.precision, scale: type.scale } };
    case "array":
      return { case: "array", value: { elementType: encodeType(type.elementType), containsNull: type.containsNull } };
    case "map":
      return {
        case: "map",
        value: {
          keyType: encodeType(type.keyType),
          valueType: encodeType(type.valueType),
          valueContainsNull: type.valueContainsNull,
        },
      };
    case "struct":
      return {
        case: "struct",
        value: {
          fields: type.fields.map((f) => ({
            name: f.name,
            dataType: encodeType(f.type),
            nullable: f.nullable,
            ...(f.metadata && { metadata: JSON.stringify(f.metadata) }),
          })),
        },
      };
  }
}

/** Spark counts the fields of an interval from the largest. */
function fieldNumbers(
  type: DayTimeIntervalType | YearMonthIntervalType,
  order: readonly string[],
): { readonly startField: number; readonly endField: number } {
  const [start, end] = intervalRange(type);
  return { startField: order.indexOf(start), endField: order.indexOf(end) };
}

/** Spark Connect's type as ours. `path` is the column, for the error. Throws UNSUPPORTED_DATATYPE. */
export function decodeType(type: pb.DataType | undefined, path = ""): DataType {
  const kind = type?.kind;
  switch (kind?.case) {
    case "null":
    case "boolean":
    case "byte":
    case "short":
    case "integer":
    case "long":
    case "float":
    case "double":
    case "string":
    case "binary":
    case "date":
    case "timestamp":
      return { kind: kind.case };
    case "char":
    case "varChar":
      return { kind: "string" };
    case "timestampNtz":
      return { kind: "timestamp_ntz" };
    case "calendarInterval":
      return { kind: "interval" };
    case "dayTimeInterval":
    case "yearMonthInterval": {
      const order = kind.case === "dayTimeInterval" ? DAY_TIME_FIELDS : YEAR_MONTH_FIELDS;
      const { startField = 0, endField = order.length - 1 } = kind.value;
      const interval = intervalType(order[startField] ?? "", order[endField] ?? "");
      if (interval !== undefined) return interval;
      break;
    }
    case "decimal":
      return { kind: "decimal", precision: kind.value.precision ?? 10, scale: kind.value.scale ?? 0 };
    case "array":
      return {
        kind: "array",
        elementType: decodeType(kind.value.elementType, `${path}.element`),
        containsNull: kind.value.containsNull,
      };
    case "map":
      return {
        kind: "map",
        keyType: decodeType(kind.value.keyType, `${path}.key`),
        valueType: decodeType(kind.value.valueType, `${path}.value`),
        valueContainsNull: kind.value.valueContainsNull,
      };
    case "struct":
      return { kind: "struct", fields: kind.value.fields.map((f) => fieldOf(f, path)) };
    case "udt":
      return decodeType(kind.value.sqlType, path);
  }
  const name = TYPE_NAMES[kind?.case ?? ""] ?? kind?.case ?? "unknown";
  throw new MillraceError(
    "UNSUPPORTED_DATATYPE",
    `The column \`${path}\` has the type ${name}, which has no form in TypeScript.`,
    { hint: `Cast it to a string: col("${path}").cast("string").`, parameters: { typeName: name } },
  );
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  variant: "VARIANT",
  time: "TIME",
};

interface AnyMetadata {
  [key: string]: unknown;
}

function fieldOf(f: pb.DataType_StructField, path: string): StructField {
  const metadata = f.metadata === undefined || f.metadata === "" ? {} : (JSON.parse(f.metadata) as AnyMetadata);
  // Spark's own mark of a column that nobody named.
  delete metadata.__autoGeneratedAlias;
  return {
    name: f.name,
    type: decodeType(f.dataType, path === "" ? f.name : `${path}.${f.name}`),
    nullable: f.nullable,
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
}

/** The schema of a result. */
export function decodeSchema(type: pb.DataType | undefined): StructType {
  const decoded = decodeType(type);
  if (decoded.kind === "struct") return decoded;
  throw new MillraceError("INTERNAL", `The server gave a schema that is no struct but ${decoded.kind}.`);
}
