import { randomUUID } from "node:crypto";
import type { Backend, BatchTarget, Conf, ExplainMode, StreamingQueryHandle, StreamTarget } from "../backend.ts";
import { connectorFor, resolveOptions } from "../connectors/index.ts";
import { type Connection, type Database, openDatabase } from "../duckdb/duckdb.ts";
import { toRows } from "../duckdb/rows.ts";
import { createSinkBatch } from "../duckdb/stored-batch.ts";
import { MillraceError } from "../errors.ts";
import { catalog } from "../functions/index.ts";
import { analyze, schemaOf } from "../plan/analyze.ts";
import type { Relation } from "../plan/relation.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { checkBatch } from "../plan/streaming-rules.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { refuseRepeatedColumns } from "../types/repeated-column.ts";
import { EmbeddedCatalog } from "./catalog/catalog.ts";
import { outputSelect } from "./compile.ts";
import { pathsOf, prepare } from "./execute.ts";
import { expandPlan } from "./expand.ts";
import { explainPlan } from "./explain.ts";
import { databaseZone } from "./local-time.ts";
import { runnerParts } from "./stream-parts.ts";

export interface EmbeddedBackendOptions {
  /** DuckDB threads of batch plans; default: all cores. */
  readonly threads?: number;
  /** Such as `4GB`; default: DuckDB's. */
  readonly memoryLimit?: string;
  readonly tempDirectory?: string;
}

type Read = Extract<Relation, { kind: "read" }>;

/** A batch plan that is ready to run: one statement on a connection of its own. */
export interface OpenPlan {
  readonly schema: StructType;
  /** A SELECT with the plan's columns, in order. */
  readonly sql: string;
  readonly connection: Connection;
  close(): Promise<void>;
}

/** What the embedded engine can beside what every engine does. */
export interface EmbeddedEngine extends Backend {
  /** Analyses and compiles a batch plan, for who reads DuckDB's own values, such as microseconds. Throws as `run` does. */
  open(plan: Relation, conf: Conf): Promise<OpenPlan>;
  /** The analysed plan; throws analysis errors. */
  analyze(plan: Relation, conf: Conf): Promise<ResolvedRelation>;
}

/**
 * The embedded engine: plans are compiled to DuckDB SQL and run in this process.
 *
 * @example
 * const backend = createEmbeddedBackend();
 * for await (const rows of backend.run(plan, {})) console.log(rows);
 * await backend.close();
 */
export function createEmbeddedBackend(options: EmbeddedBackendOptions = {}): EmbeddedEngine {
  return new EmbeddedBackend(options);
}

class EmbeddedBackend implements EmbeddedEngine {
  readonly name = "embedded";
  readonly #options: EmbeddedBackendOptions;
  #database: Promise<Database> | undefined;
  /** Schemas of readers, asked for once: a DataFrame keeps the schema it was made with, as in Spark. */
  readonly #schemas = new WeakMap<Read, Promise<StructType>>();
  readonly #queries = new Set<StreamingQueryHandle>();
  readonly catalog: EmbeddedCatalog = new EmbeddedCatalog(this);

  constructor(options: EmbeddedBackendOptions) {
    this.#options = options;
  }

  async schema(plan: Relation, conf: Conf): Promise<StructType> {
    return schemaOf(await this.analyze(plan, conf));
  }

  async *run(plan: Relation, conf: Conf): AsyncGenerator<readonly AnyRow[], void, undefined> {
    const open = await this.open(plan, conf);
    try {
      const names = open.schema.fields.map((f) => f.name);
      for await (const chunk of open.connection.stream(open.sql)) {
        yield toRows(names, chunk.columns, chunk.rowCount);
      }
    } finally {
      await open.close();
    }
  }

  async open(plan: Relation, conf: Conf): Promise<OpenPlan> {
    const resolved = await this.analyze(plan, conf);
    checkBatch(resolved);
    const connection = await this.#connect(conf);
    try {
      const prepared = await prepare(resolved, connection, context(conf));
      return {
        schema: schemaOf(resolved),
        sql: outputSelect(resolved, prepared.sql),
        connection,
        async close() {
          try {
            await prepared.cleanup();
          } finally {
            connection.close();
          }
        },
      };
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async write(plan: Relation, target: BatchTarget, conf: Conf): Promise<void> {
    const connector = connectorFor(target.format);
    const { sink } = connector;
    if (sink?.writeBatch === undefined) {
      throw new MillraceError("UNSUPPORTED_OPERATION", `Format \`${connector.name}\` cannot be written by df.write.`, {
        hint: sink === undefined ? undefined : "Use writeStream.",
      });
    }
    const resolved = await this.analyze(plan, conf);
    checkBatch(resolved, "'write' can not be called on a streaming DataFrame.");
    const schema = schemaOf(resolved);
    const path = target.path ?? pathsOf({ paths: [], options: target.options })[0];
    const request = {
      options: resolveOptions(connector, target.options, "sink"),
      path,
      partitionBy: target.partitionBy,
      schema,
      outputMode: "append" as const,
    };
    refuseRepeatedColumns(schema);
    sink.validate?.(request);
    const connection = await this.#connect(conf);
    try {
      const ctx = context(conf);
      const prepared = await prepare(resolved, connection, ctx);
      try {
        const select = outputSelect(resolved, prepared.sql);
        let from = `(${select})`;
        let rowCount: number | undefined;
        // A sink whose files are its only reading takes the rows as they come; the others may read twice and have to see the same.
        if (!sink.atomic) {
          await connection.exec(`CREATE OR REPLACE TEMP TABLE millrace_batch AS ${select}`);
          from = "temp.main.millrace_batch";
          rowCount = Number((await connection.query(`SELECT count(*) FROM ${from}`)).columns[0]![0]);
        }
        await sink.writeBatch({
          ...request,
          mode: target.mode,
          batch: createSinkBatch({
            acquire: () => connection,
            from,
            schema,
            id: 0,
            queryId: randomUUID(),
            sinkName: connector.name,
            offsetsHash: "",
            timestampMs: ctx.timestampMs,
            outputMode: "append",
            rowCount,
          }),
        });
      } finally {
        await prepared.cleanup();
      }
    } finally {
      connection.close();
    }
  }

  async stream(plan: Relation, target: StreamTarget, conf: Conf): Promise<StreamingQueryHandle> {
    const resolved = await this.analyze(plan, conf);
    const { startStreamingQuery } = await import("./stream.ts");
    const sinks = await Promise.all(target.sinks.map((s) => this.catalog.sink(s, plan, conf)));
    const query = await startStreamingQuery(resolved, { ...target, sinks }, conf, {
      connectorFor,
      parts: (connection, streamPlan, c) => runnerParts(connection, streamPlan, timeZoneOf(c)),
      explain: (p, extended) => explainPlan(undefined, p, extended ? "extended" : "simple", explainContext(conf)),
    });
    this.#queries.add(query);
    return query;
  }

  async explain(plan: Relation, mode: ExplainMode, conf: Conf): Promise<string> {
    const resolved = await this.analyze(plan, conf);
    return explainPlan(plan, resolved, mode, explainContext(conf));
  }

  async close(): Promise<void> {
    const running = [...this.#queries].filter((q) => q.isActive);
    this.#queries.clear();
    await Promise.all(running.map((q) => q.stop()));
    const database = this.#database;
    this.#database = undefined;
    (await database)?.close();
  }

  /** Looks the schemas of sources up, which may need I/O, then analyses, which is pure. */
  async analyze(plan: Relation, conf: Conf): Promise<ResolvedRelation> {
    const { meaning, reads } = await expandPlan(plan, (table) => this.catalog.relation(table, conf));
    const schemas = new Map<Read, StructType>();
    for (const read of reads) schemas.set(read, await this.#schemaOfRead(read));
    return analyze(plan, {
      catalog,
      conf,
      scanSchema: (read) => schemas.get(read)!,
      expand: (node) => meaning.get(node),
      currentDatabase: this.catalog.currentDatabase,
    });
  }

  #schemaOfRead(read: Read): Promise<StructType> {
    let schema = this.#schemas.get(read);
    if (schema === undefined) {
      schema = schemaOfRead(read);
      this.#schemas.set(read, schema);
      schema.catch(() => this.#schemas.delete(read));
    }
    return schema;
  }

  /** The database of batch plans, with the settings of the first plan that needs it. */
  async #open(conf: Conf): Promise<Database> {
    const threads = Number(conf["millrace.engine.threads"]);
    const memoryLimit = conf["millrace.engine.memoryLimit"];
    try {
      return await openDatabase(":memory:", {
        ...(threads > 0 && { threads }),
        ...(memoryLimit !== undefined && { memoryLimit }),
        ...this.#options,
      });
    } catch (error) {
      this.#database = undefined;
      throw error;
    }
  }

  async #connect(conf: Conf): Promise<Connection> {
    this.#database ??= this.#open(conf);
    const connection = await (await this.#database).connect();
    const timeZone = databaseZone(timeZoneOf(conf));
    if (timeZone !== "UTC") {
      try {
        await connection.exec(`SET TimeZone = ${sqlString(timeZone)}`);
      } catch (error) {
        connection.close();
        throw new MillraceError(
          "INVALID_ARGUMENT",
          `spark.sql.session.timeZone cannot be ${JSON.stringify(timeZone)}.`,
          {
            hint: "Use UTC, a name such as Europe/Berlin, or an offset such as +02:00.",
            cause: error,
          },
        );
      }
    }
    return connection;
  }
}

async function schemaOfRead(read: Read): Promise<StructType> {
  const connector = connectorFor(read.format);
  const { source } = connector;
  if (source === undefined) {
    throw new MillraceError("UNSUPPORTED_OPERATION", `Format \`${connector.name}\` cannot be read, only written.`);
  }
  if (read.streaming && source.openStream === undefined) {
    throw new MillraceError("UNSUPPORTED_OPERATION", `Format \`${connector.name}\` cannot be read as a stream.`, {
      hint: "Use spark.read.",
    });
  }
  if (!read.streaming && source.openBatch === undefined) {
    throw new MillraceError("UNSUPPORTED_OPERATION", `Format \`${connector.name}\` can only be read as a stream.`, {
      hint: "Use spark.readStream.",
    });
  }
  if (source.fixedSchema && read.schema !== undefined) {
    throw new MillraceError("INVALID_SCHEMA", `Format \`${connector.name}\` has a fixed schema and takes none.`, {
      hint: "Leave .schema(...) out and cast the columns in a select.",
    });
  }
  const schema = await source.schema({
    options: resolveOptions(connector, read.options, "source"),
    paths: pathsOf(read),
    schema: read.schema,
  });
  const result = schema ?? read.schema;
  if (result === undefined) {
    throw new MillraceError("UNABLE_TO_INFER_SCHEMA", `Unable to infer schema for ${connector.name}.`, {
      hint: "Give one with .schema(...).",
    });
  }
  return result;
}

function timeZoneOf(conf: Conf): string {
  return conf["spark.sql.session.timeZone"] ?? "UTC";
}

function context(conf: Conf): { readonly timestampMs: number; readonly timeZone: string } {
  return { timestampMs: Date.now(), timeZone: timeZoneOf(conf) };
}

function explainContext(conf: Conf): { readonly timestampMs: number; readonly timeZone: string } {
  return { timestampMs: 0, timeZone: timeZoneOf(conf) };
}
