import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { MillraceError } from "../../src/errors.ts";
import type { Relation } from "../../src/plan/relation.ts";
import { decodeArrowColumns } from "../../src/spark/arrow.ts";
import { SparkConnectClient } from "../../src/spark/client/client.ts";
import { decodeSchema, encodeRelation } from "../../src/spark/encode.ts";
import {
  type CommandSchema,
  ExpressionSchema,
  type Plan,
  PlanSchema,
  type RelationSchema,
} from "../../src/spark/proto/spark-connect_pb.ts";
import type { StructType } from "../../src/types/data-type.ts";
import { failure, type Outcome, rowsOutcome } from "./outcome.ts";

export type RelationInit = MessageInitShape<typeof RelationSchema>;

/** A query that takes longer is a failure of its own kind. */
const PATIENCE_MS = 60_000;

/** A session of a real Spark: what it answers to plans as the protocol has them, every value exact. */
export class SparkLane {
  readonly client: SparkConnectClient;

  private constructor(client: SparkConnectClient) {
    this.client = client;
  }

  static async connect(url: string): Promise<SparkLane> {
    return new SparkLane(await SparkConnectClient.connect(url));
  }

  async run(root: RelationInit): Promise<Outcome> {
    return this.#rows(() => create(PlanSchema, { opType: { case: "root", value: root } }));
  }

  /** A plan of ours, through our encoder. */
  async encoded(plan: () => Relation): Promise<Outcome> {
    return this.#rows(() => create(PlanSchema, { opType: { case: "root", value: encodeRelation(plan(), {}) } }));
  }

  /** A projection of ours through our encoder, with further columns as Spark reads their text. */
  async together(plan: () => Relation, texts: readonly MessageInitShape<typeof ExpressionSchema>[]): Promise<Outcome> {
    return this.#rows(() => {
      const value = encodeRelation(plan(), {});
      if (value.relType.case !== "project") throw new Error("Only a projection takes further columns.");
      value.relType.value.expressions.push(...texts.map((t) => create(ExpressionSchema, t)));
      return create(PlanSchema, { opType: { case: "root", value } });
    });
  }

  /** The rows of a small relation in Arrow's form; none of an empty one. */
  async arrow(root: RelationInit): Promise<Uint8Array | undefined> {
    const plan = create(PlanSchema, { opType: { case: "root", value: root } });
    const found: Uint8Array[] = [];
    for await (const { responseType } of this.client.execute(plan)) {
      if (responseType.case === "arrowBatch" && Number(responseType.value.rowCount) > 0) {
        found.push(responseType.value.data);
      }
    }
    if (found.length > 1) throw new Error("The table came in several batches.");
    return found[0];
  }

  async #rows(make: () => Plan): Promise<Outcome> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    try {
      let schema: StructType | undefined;
      const parts: { columns: unknown[][]; rowCount: number }[] = [];
      for await (const response of this.client.execute(make(), { signal })) {
        if (response.schema) schema = decodeSchema(response.schema);
        if (response.responseType.case !== "arrowBatch") continue;
        const { data, rowCount } = response.responseType.value;
        if (schema!.fields.length === 0) parts.push({ columns: [], rowCount: Number(rowCount) });
        else parts.push(...decodeArrowColumns(data, schema!, { timestamps: "micros" }).batches);
      }
      const columns = schema!.fields.map((_, i) => parts.flatMap((p) => p.columns[i]!));
      const count = parts.reduce((sum, p) => sum + p.rowCount, 0);
      return rowsOutcome(schema!, columns, count);
    } catch (error) {
      if (signal.aborted) {
        return failure(new MillraceError("INTERNAL", `No result after ${PATIENCE_MS / 1000} s.`, { cause: error }));
      }
      return failure(error);
    }
  }

  async sql(query: string): Promise<Outcome> {
    return this.run({ relType: { case: "sql", value: { query } } });
  }

  /** Does a command for its effect. */
  async command(commandType: MessageInitShape<typeof CommandSchema>["commandType"]): Promise<void> {
    const plan = create(PlanSchema, { opType: { case: "command", value: { commandType: commandType! } } });
    for await (const _ of this.client.execute(plan));
  }

  async conf(pairs: Readonly<Record<string, string | undefined>>): Promise<void> {
    const set = Object.fromEntries(
      Object.entries(pairs).filter((pair): pair is [string, string] => pair[1] !== undefined),
    );
    const unset = Object.keys(pairs).filter((key) => pairs[key] === undefined);
    if (Object.keys(set).length > 0) await this.client.conf.set(set);
    if (unset.length > 0) await this.client.conf.unset(...unset);
  }

  async close(): Promise<void> {
    await this.client.close();
  }
}
