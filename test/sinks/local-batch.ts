import { randomUUID } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { relative } from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { ColumnChunk, OutputMode, SinkBatch, WrittenFile } from "../../src/connectors/connector.ts";
import type { AnyRow, StructType } from "../../src/types/data-type.ts";

/** A batch whose rows are a SELECT: what a sink sees, without the engine, for tests of sinks alone. */
export interface LocalBatchSpec {
  readonly id?: number;
  readonly hash?: string;
  readonly queryId?: string;
  readonly sinkName?: string;
  readonly outputMode?: OutputMode;
  readonly schema: StructType;
  /** Yields the schema's columns in DuckDB's types. */
  readonly sql: string;
  /** Called before `writeFiles` and `query`, to break a batch halfway. */
  readonly before?: (what: "files" | "query") => void;
}

let shared: Promise<DuckDBConnection> | undefined;

function connection(): Promise<DuckDBConnection> {
  shared ??= DuckDBInstance.create(":memory:", { threads: "2" }).then(async (instance) => {
    const c = await instance.connect();
    await c.run(
      "SET TimeZone = 'UTC'; SET autoinstall_known_extensions = false; SET autoload_known_extensions = false",
    );
    return c;
  });
  return shared;
}

let queue: Promise<unknown> = Promise.resolve();

/** One statement at a time: the batches of a test share one connection. */
function exclusively<T>(work: (c: DuckDBConnection) => Promise<T>): Promise<T> {
  const result = queue.then(async () => await work(await connection()));
  queue = result.catch(() => undefined);
  return result;
}

export async function localBatch(spec: LocalBatchSpec): Promise<SinkBatch> {
  const table = `b_${randomUUID().replaceAll("-", "")}`;
  const rowCount = await exclusively(async (c) => {
    await c.run(`CREATE TABLE ${table} AS ${spec.sql}`);
    return Number((await c.runAndReadAll(`SELECT count(*) FROM ${table}`)).getRows()[0]![0]);
  });

  async function* chunks(sql: string): AsyncGenerator<ColumnChunk> {
    spec.before?.("query");
    const result = await exclusively(async (c) => {
      await c.run(`CREATE OR REPLACE TEMP VIEW batch AS FROM ${table}`);
      return await c.runAndReadAll(sql);
    });
    const columns = result.getColumnsJS();
    const size = result.currentRowCount;
    for (let at = 0; at < size; at += 2048) {
      const count = Math.min(2048, size - at);
      yield {
        rowCount: count,
        names: result.columnNames(),
        columns: columns.map((c) => c.slice(at, at + count)),
      };
    }
  }

  return {
    id: spec.id ?? 0,
    queryId: spec.queryId ?? "11111111-2222-3333-4444-555555555555",
    sinkName: spec.sinkName ?? "sink",
    offsetsHash: spec.hash ?? `hash-${spec.id ?? 0}`,
    timestampMs: Date.UTC(2024, 0, 1),
    schema: spec.schema,
    outputMode: spec.outputMode ?? "append",
    rowCount,
    async *rows() {
      for await (const chunk of chunks("SELECT * FROM batch")) {
        yield Array.from(
          { length: chunk.rowCount },
          (_, i) => Object.fromEntries(chunk.names.map((n, c) => [n, chunk.columns[c]![i]])) as AnyRow,
        );
      }
    },
    columns: (select) => chunks(`SELECT ${select?.map((n) => `"${n}"`).join(", ") ?? "*"} FROM batch`),
    query: (sql) => chunks(sql),
    async writeFiles(request) {
      spec.before?.("files");
      if (rowCount === 0) return [];
      await mkdir(request.directory, { recursive: true });
      const partitionBy = request.partitionBy ?? [];
      const target =
        partitionBy.length > 0 ? request.directory : `${request.directory}/part-${randomUUID()}.${request.format}`;
      const options = [`FORMAT ${request.format}`, "RETURN_STATS"];
      if (partitionBy.length > 0) {
        options.push(`PARTITION_BY (${partitionBy.map((n) => `"${n}"`).join(", ")})`, "APPEND");
        options.push("FILENAME_PATTERN 'part-{uuid}'");
      }
      const rows = await exclusively(async (c) =>
        (await c.runAndReadAll(`COPY (FROM ${table}) TO '${target}' (${options.join(", ")})`)).getRowObjectsJson(),
      );
      return rows.map((row) => {
        const entries = (v: unknown): [string, any][] =>
          (v as { key: string; value: any }[]).map((e) => [e.key, e.value]);
        const statistics: Record<string, { min?: unknown; max?: unknown; nullCount: number }> = {};
        for (const [path, stats] of entries(row["column_statistics"])) {
          const name = /^"([^"]+)"$/.exec(path)?.[1];
          if (name === undefined) continue;
          const s = Object.fromEntries(entries(stats));
          statistics[name] = { min: s["min"], max: s["max"], nullCount: Number(s["null_count"]) };
        }
        return {
          path: relative(request.directory, row["filename"] as string),
          bytes: Number(row["file_size_bytes"]),
          rowCount: Number(row["count"]),
          partitionValues: row["partition_keys"] === null ? {} : Object.fromEntries(entries(row["partition_keys"])),
          ...(request.statistics ? { statistics } : {}),
        } satisfies WrittenFile;
      });
    },
  };
}
