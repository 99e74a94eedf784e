import type { MessageInitShape } from "@bufbuild/protobuf";
import { encodeColumns } from "../../src/spark/arrow.ts";
import type { ExpressionSchema } from "../../src/spark/proto/spark-connect_pb.ts";
import type { StructType, Value } from "../../src/types/data-type.ts";
import { toDdl } from "../../src/types/ddl.ts";
import type { RelationInit } from "./spark-lane.ts";

/** Messages of Spark Connect written without our encoder, for the lane that judges it. */

export function namedTable(name: string): RelationInit {
  return {
    relType: { case: "read", value: { readType: { case: "namedTable", value: { unparsedIdentifier: name } } } },
  };
}

export function expressionText(sql: string): MessageInitShape<typeof ExpressionSchema> {
  return { exprType: { case: "expressionString", value: { expression: sql } } };
}

export function localRelation(table: {
  readonly schema: StructType;
  readonly rows: readonly (readonly Value[])[];
}): RelationInit {
  const columns = table.schema.fields.map((_, i) => table.rows.map((row) => row[i] ?? null));
  return {
    relType: {
      case: "localRelation",
      value: { data: encodeColumns(table.schema, columns), schema: toDdl(table.schema) },
    },
  };
}
