import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { BackendCatalog, CatalogQuestion, CommandResult, Conf, TableTarget, ViewTarget } from "../backend.ts";
import { MillraceError } from "../errors.ts";
import type { Relation } from "../plan/relation.ts";
import type { AnyRow, StructType, Value } from "../types/data-type.ts";
import { decodeArrowColumns } from "./arrow.ts";
import type { SparkConnectClient } from "./client/client.ts";
import { decodeSchema, encodeType } from "./encode.ts";
import * as pb from "./proto/spark-connect_pb.ts";
import { saveMode } from "./save-mode.ts";
import type { SparkSessionParts } from "./session-parts.ts";
import { SessionViews } from "./session-views.ts";

/** The catalog of a session on a Spark server: its own tables, views and commands. */
export function createSparkCatalog(parts: SparkSessionParts): SparkCatalog {
  return new SparkCatalog(parts);
}

let lastPlanId = 1n << 40n;
/** The server keeps the answer to a relation by its content: one that is asked again needs an id of its own, apart from those of DataFrames. */
const nextPlanId = (): bigint => ++lastPlanId;

type CatalogType = NonNullable<MessageInitShape<typeof pb.CatalogSchema>["catType"]>;

/** See `createSparkCatalog`. */
export class SparkCatalog implements BackendCatalog {
  readonly #parts: SparkSessionParts;
  readonly #views = new SessionViews();

  constructor(parts: SparkSessionParts) {
    this.#parts = parts;
  }

  async command(sql: Extract<Relation, { kind: "sql" }>, conf: Conf): Promise<CommandResult> {
    const input = await this.#parts.encode(sql, conf);
    const responses = await this.#parts.client.command(sqlCommand(input));
    this.#views.ran(sql, conf);
    for (const { responseType } of responses) {
      if (responseType.case !== "sqlCommandResult") continue;
      const { relation } = responseType.value;
      if (relation !== undefined) return this.#rows(relation);
    }
    return { schema: { kind: "struct", fields: [] }, rows: [] };
  }

  async createView(plan: Relation, view: ViewTarget, conf: Conf): Promise<void> {
    const input = await this.#parts.encode(plan, conf);
    await this.#parts.client.command(viewCommand(input, view));
    this.#views.made(plan, view, conf);
  }

  /** Makes the views of the lost session again in this client's; `encode` gives a plan as this session takes it. */
  async restore(
    client: SparkConnectClient,
    encode: (plan: Relation, conf: Conf) => Promise<pb.Relation>,
  ): Promise<void> {
    await this.#views.restore(async (making) => {
      const input = await encode(making.kind === "plan" ? making.plan : making.sql, making.conf);
      await client.command(making.kind === "plan" ? viewCommand(input, making.view) : sqlCommand(input));
    });
  }

  async writeTable(plan: Relation, target: TableTarget, conf: Conf): Promise<void> {
    const input = await this.#parts.encode(plan, conf);
    const methods = pb.WriteOperation_SaveTable_TableSaveMethod;
    const { path, ...options } = target.options;
    const location = target.path ?? path;
    await this.#parts.client.command(
      create(pb.CommandSchema, {
        commandType: {
          case: "writeOperation",
          value: {
            input,
            ...(target.format !== undefined && { source: target.format }),
            saveType: {
              case: "table",
              value: {
                tableName: target.name,
                saveMethod: target.method === "insert_into" ? methods.INSERT_INTO : methods.SAVE_AS_TABLE,
              },
            },
            mode: saveMode(target.mode),
            partitioningColumns: [...target.partitionBy],
            options: { ...options, ...(location !== undefined && { path: location }) },
          },
        },
      }),
    );
  }

  async ask(question: CatalogQuestion, conf: Conf): Promise<readonly AnyRow[]> {
    const relation = create(pb.RelationSchema, {
      common: { planId: nextPlanId() },
      relType: { case: "catalog", value: { catType: message(question) } },
    });
    const { schema, rows } = await this.#rows(relation);
    this.#views.asked(question, conf);
    return rows.map((row) => Object.fromEntries(schema.fields.map((f, i) => [f.name, row[i] ?? null])));
  }

  /** The rows of a small result. */
  async #rows(root: pb.Relation): Promise<CommandResult> {
    const plan = create(pb.PlanSchema, { opType: { case: "root", value: root } });
    let schema: StructType = { kind: "struct", fields: [] };
    const rows: Value[][] = [];
    for await (const response of this.#parts.client.execute(plan)) {
      if (response.schema !== undefined) schema = decodeSchema(response.schema);
      if (response.responseType.case !== "arrowBatch") continue;
      const { data, rowCount } = response.responseType.value;
      if (rowCount === 0n) continue;
      for (const batch of decodeArrowColumns(data, schema).batches) {
        for (let i = 0; i < batch.rowCount; i++) rows.push(batch.columns.map((c) => (c[i] ?? null) as Value));
      }
    }
    return { schema, rows };
  }
}

function sqlCommand(input: pb.Relation): pb.Command {
  return create(pb.CommandSchema, { commandType: { case: "sqlCommand", value: { input } } });
}

function viewCommand(input: pb.Relation, view: ViewTarget): pb.Command {
  const { name, global: isGlobal, replace } = view;
  return create(pb.CommandSchema, {
    commandType: { case: "createDataframeView", value: { input, name, isGlobal, replace } },
  });
}

/** A question as Spark's message: the same names, but for the schema. */
function message(question: CatalogQuestion): CatalogType {
  const { kind, ...value } = question;
  if (question.kind === "createTable") {
    const { kind: _, schema, options, ...rest } = question;
    return {
      case: "createTable",
      value: { ...rest, options: { ...options }, ...(schema && { schema: encodeType(schema) }) },
    };
  }
  if (!pb.CatalogSchema.fields.some((f) => f.localName === kind)) {
    throw new MillraceError("INTERNAL", `Spark Connect has no catalog message ${kind}.`);
  }
  return { case: kind, value } as CatalogType;
}
