import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { MillraceError } from "../../src/errors.ts";
import { decodeArrowColumns } from "../../src/spark/arrow.ts";
import { ErrorInfoSchema } from "../../src/spark/proto/google-rpc_pb.ts";
import {
  type DataType as PbType,
  PlanSchema,
  type RelationSchema,
  SparkConnectService,
} from "../../src/spark/proto/spark-connect_pb.ts";
import type { DataType, StructType } from "../../src/types/data-type.ts";
import { failure, type Outcome, rowsOutcome } from "./outcome.ts";

export type RelationInit = MessageInitShape<typeof RelationSchema>;
export type PlanInit = MessageInitShape<typeof PlanSchema>;

/** A session of a real Spark: what it answers to plans as the protocol has them. */
export class SparkLane {
  readonly #client;
  readonly #ids = { sessionId: randomUUID(), userContext: { userId: "parity" } };

  constructor(url: string) {
    const { host } = new URL(url.replace(/^sc:/, "http:"));
    this.#client = createClient(SparkConnectService, createGrpcTransport({ baseUrl: `http://${host}` }));
  }

  /** Rows of a relation, exact. */
  async run(root: RelationInit): Promise<Outcome> {
    try {
      let schema: StructType | undefined;
      const parts: { columns: unknown[][]; rowCount: number }[] = [];
      for await (const response of this.#execute({ opType: { case: "root", value: root } })) {
        if (response.schema) schema = typeOf(response.schema) as StructType;
        if (response.responseType.case === "arrowBatch") {
          const { data } = response.responseType.value;
          parts.push(...decodeArrowColumns(data, schema!, { timestamps: "micros" }).batches);
        }
      }
      const columns = schema!.fields.map((_, i) => parts.flatMap((p) => p.columns[i]!));
      return rowsOutcome(
        schema!,
        columns,
        parts.reduce((sum, p) => sum + p.rowCount, 0),
      );
    } catch (error) {
      return failure(error);
    }
  }

  async sql(query: string): Promise<Outcome> {
    return this.run({ relType: { case: "sql", value: { query } } });
  }

  /** Does a command for its effect. */
  async command(plan: PlanInit): Promise<void> {
    for await (const _ of this.#execute(plan));
  }

  async conf(pairs: Readonly<Record<string, string | undefined>>): Promise<void> {
    const set = Object.entries(pairs).flatMap(([key, value]) => (value === undefined ? [] : [{ key, value }]));
    const unset = Object.keys(pairs).filter((key) => pairs[key] === undefined);
    if (set.length > 0) {
      await this.#client.config({ ...this.#ids, operation: { opType: { case: "set", value: { pairs: set } } } });
    }
    if (unset.length > 0) {
      await this.#client.config({ ...this.#ids, operation: { opType: { case: "unset", value: { keys: unset } } } });
    }
  }

  async *#execute(plan: PlanInit) {
    try {
      yield* this.#client.executePlan({ ...this.#ids, plan: create(PlanSchema, plan) });
    } catch (error) {
      throw sparkError(error);
    }
  }

  async close(): Promise<void> {
    await this.#client.releaseSession(this.#ids);
  }
}

function sparkError(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error;
  const info = error.findDetails(ErrorInfoSchema)[0];
  if (error.code === Code.Unavailable || info === undefined) return error;
  const code = (info.metadata.errorClass ?? info.reason) as any;
  return new MillraceError(code, error.rawMessage, { sqlState: info.metadata.sqlState ?? "" });
}

/** A type as Spark announces it. */
export function typeOf(type: PbType): DataType {
  const { kind } = type;
  switch (kind.case) {
    case "null":
    case "binary":
    case "boolean":
    case "byte":
    case "short":
    case "integer":
    case "long":
    case "float":
    case "double":
    case "string":
    case "date":
    case "timestamp":
      return { kind: kind.case };
    case "timestampNtz":
      return { kind: "timestamp_ntz" };
    case "char":
    case "varChar":
      return { kind: "string" };
    case "dayTimeInterval":
      return { kind: "interval_day_time" };
    case "decimal":
      return { kind: "decimal", precision: kind.value.precision ?? 10, scale: kind.value.scale ?? 0 };
    case "array":
      return { kind: "array", elementType: typeOf(kind.value.elementType!), containsNull: kind.value.containsNull };
    case "map":
      return {
        kind: "map",
        keyType: typeOf(kind.value.keyType!),
        valueType: typeOf(kind.value.valueType!),
        valueContainsNull: kind.value.valueContainsNull,
      };
    case "struct":
      return {
        kind: "struct",
        fields: kind.value.fields.map((f) => ({ name: f.name, type: typeOf(f.dataType!), nullable: f.nullable })),
      };
  }
  throw new MillraceError("UNSUPPORTED_DATATYPE", `Spark's type ${kind.case} has no form in TypeScript.`);
}
