import { randomUUID } from "node:crypto";
import { mkdir, readdir, rm, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import type { WriteFilesRequest, WrittenFile } from "../connectors/connector.ts";
import { fileError } from "../durable-files.ts";
import { MillraceError } from "../errors.ts";
import type { DataType, StructType } from "../types/data-type.ts";
import { quoteIdentifier, sqlString, sqlType } from "../types/duckdb-types.ts";
import type { Connection } from "./duckdb.ts";
import { csvText, jsonLine } from "./text-values.ts";

const CODEC: Readonly<Record<string, string>> = {
  snappy: "SNAPPY",
  zstd: "ZSTD",
  gzip: "GZIP",
  lz4: "LZ4_RAW",
  lz4_raw: "LZ4_RAW",
  brotli: "BROTLI",
  none: "UNCOMPRESSED",
  uncompressed: "UNCOMPRESSED",
};

/**
 * Writes a table expression to files with new names in a folder, which is made where missing, and tells what was written. No rows, no
 * files. Parquet goes out as DuckDB writes it; JSON lines and CSV as Spark writes them (no null fields in JSON, ISO timestamps).
 *
 * @throws MillraceError INVALID_OPTION for an unknown compression, DISK_FULL, DIRECTORY_NOT_WRITABLE, ENGINE_FAILED
 */
export async function copyToFiles(
  connection: Connection,
  from: string,
  schema: StructType,
  request: WriteFilesRequest,
): Promise<readonly WrittenFile[]> {
  try {
    await mkdir(request.directory, { recursive: true });
  } catch (error) {
    throw fileError(request.directory, error);
  }
  // As in Spark, the names of one write share an id.
  const job = randomUUID();
  try {
    return await (request.format === "parquet"
      ? copyParquet(connection, from, schema, request, job)
      : copyText(connection, from, schema, request, job));
  } catch (error) {
    await removePartial(request.directory, job);
    throw error;
  }
}

/** What a failed write has left would take the space that the next attempt needs. */
async function removePartial(directory: string, job: string): Promise<void> {
  for (const name of await readdir(directory, { recursive: true })) {
    if (name.includes(job)) await rm(join(directory, name), { force: true });
  }
}

async function copyParquet(
  connection: Connection,
  from: string,
  schema: StructType,
  request: WriteFilesRequest,
  job: string,
): Promise<readonly WrittenFile[]> {
  const codec = (request.compression ?? "snappy").toLowerCase();
  if (CODEC[codec] === undefined) throw unknownCompression(request.compression, Object.keys(CODEC));
  const extension = codec === "none" || codec === "uncompressed" ? "parquet" : `${codec}.parquet`;
  const options = ["FORMAT parquet", "RETURN_STATS", `COMPRESSION ${CODEC[codec]}`];
  if (request.copyOptions) options.push(request.copyOptions);
  const partitionBy = request.partitionBy ?? [];
  const target = destination(request, job, extension, options);
  const select = `SELECT ${columnsFor(schema, partitionBy, (f) => `CAST(${quoteIdentifier(f.name)} AS ${sqlType(f.type)}) AS ${quoteIdentifier(f.name)}`)} FROM ${from}`;
  const result = await connection.query(`COPY (${select}) TO ${sqlString(target)} (${options.join(", ")})`);
  const inFile = schema.fields.filter((f) => !partitionBy.includes(f.name));
  return (result.rows as unknown as readonly StatsRow[])
    .filter((row) => row.count > 0n)
    .map((row) => ({
      path: relativePath(request.directory, row.filename),
      bytes: Number(row.file_size_bytes),
      rowCount: Number(row.count),
      partitionValues: Object.fromEntries(partitionBy.map((name) => [name, row.partition_keys?.get(name) ?? null])),
      ...(request.statistics && { statistics: fileStatistics(inFile, row.column_statistics) }),
    }));
}

interface StatsRow {
  readonly filename: string;
  readonly count: bigint;
  readonly file_size_bytes: bigint;
  readonly column_statistics: ReadonlyMap<string, ReadonlyMap<string, string>> | null;
  readonly partition_keys: ReadonlyMap<string, string | null> | null;
}

async function copyText(
  connection: Connection,
  from: string,
  schema: StructType,
  request: WriteFilesRequest,
  job: string,
): Promise<readonly WrittenFile[]> {
  const partitionBy = request.partitionBy ?? [];
  const inFile = schema.fields.filter((f) => !partitionBy.includes(f.name));
  const options = ["FORMAT csv", "RETURN_FILES"];
  const codec = (request.compression ?? "none").toLowerCase();
  let extension: string = request.format;
  if (codec === "gzip" || codec === "zstd") {
    options.push(`COMPRESSION ${codec.toUpperCase()}`);
    extension += codec === "gzip" ? ".gz" : ".zst";
  } else if (codec !== "none" && codec !== "uncompressed") {
    throw unknownCompression(request.compression, ["none", "gzip", "zstd"]);
  }
  let columns: string;
  if (request.format === "json") {
    // DuckDB's own JSON writer is its CSV writer with these options; it keeps nulls and takes no PARTITION_BY.
    options.push("HEADER false", "QUOTE ''", "ESCAPE ''", "DELIMITER '\\n'");
    columns = [
      `${jsonLine(inFile)} AS ${quoteIdentifier("\u0001json")}`,
      ...partitionColumns(schema, partitionBy),
    ].join(", ");
  } else {
    columns = columnsFor(
      schema,
      partitionBy,
      (f) => `${csvText(quoteIdentifier(f.name), f.type)} AS ${quoteIdentifier(f.name)}`,
    );
  }
  if (request.copyOptions) options.push(request.copyOptions);
  // Spark writes no header unless asked, DuckDB does.
  if (request.format === "csv" && !/\bHEADER\b/i.test(request.copyOptions ?? "")) options.push("HEADER false");
  const target = destination(request, job, extension, options);
  const result = await connection.query(
    `COPY (SELECT ${columns} FROM ${from}) TO ${sqlString(target)} (${options.join(", ")})`,
  );
  const written = result.rows[0] as unknown as { Count: bigint; Files: readonly string[] };
  const files: WrittenFile[] = [];
  for (const file of written.Files) {
    const path = relativePath(request.directory, file);
    files.push({
      path,
      bytes: (await stat(file)).size,
      rowCount: written.Files.length === 1 ? Number(written.Count) : await countRows(connection, file, request),
      partitionValues: valuesFromPath(path),
    });
  }
  return files;
}

/** Rows of one of several files that a partitioned text write made; COPY tells only their sum. */
async function countRows(connection: Connection, file: string, request: WriteFilesRequest): Promise<number> {
  const from =
    request.format === "json"
      ? `read_json_objects(${sqlString(file)}, format = 'newline_delimited')`
      : `read_csv(${sqlString(file)}, all_varchar = true, header = ${/HEADER\s+true/i.test(request.copyOptions ?? "")})`;
  const { columns } = await connection.query(`SELECT count(*) FROM ${from}`);
  return Number(columns[0]![0]);
}

function destination(request: WriteFilesRequest, job: string, extension: string, options: string[]): string {
  if ((request.partitionBy ?? []).length === 0) {
    options.push("WRITE_EMPTY_FILE false");
    return join(request.directory, `part-00000-${job}-c000.${extension}`);
  }
  options.push(
    `PARTITION_BY (${request.partitionBy!.map(quoteIdentifier).join(", ")})`,
    // Names are unique, so nothing is ever overwritten; without this DuckDB refuses a folder that holds files.
    "OVERWRITE_OR_IGNORE",
    `FILENAME_PATTERN 'part-0000{i}-${job}-c000'`,
    `FILE_EXTENSION '${extension}'`,
  );
  return request.directory;
}

function columnsFor(
  schema: StructType,
  partitionBy: readonly string[],
  column: (f: StructType["fields"][number]) => string,
): string {
  const inFile = schema.fields.filter((f) => !partitionBy.includes(f.name)).map(column);
  return [...(inFile.length === 0 ? ["1 AS none"] : inFile), ...partitionColumns(schema, partitionBy)].join(", ");
}

/** Partition values are text: Spark's form of it, which for a timestamp is the session's wall clock without a zone. */
function partitionColumns(schema: StructType, partitionBy: readonly string[]): string[] {
  return partitionBy.map((name) => {
    const field = schema.fields.find((f) => f.name === name);
    if (field === undefined) {
      throw new MillraceError("INVALID_OPTION", `There is no column \`${name}\` to partition by.`, {
        hint: `The columns are ${schema.fields.map((f) => f.name).join(", ")}.`,
      });
    }
    const column = quoteIdentifier(name);
    if (field.type.kind === "timestamp") return `CAST(timezone('UTC', ${column}) AS VARCHAR) AS ${column}`;
    return column;
  });
}

function relativePath(directory: string, file: string): string {
  return relative(directory, file).split(sep).join("/");
}

/** The values in `a=1/b=x%2Fy/part-...`. */
function valuesFromPath(path: string): Record<string, string | null> {
  const values: Record<string, string | null> = {};
  for (const part of path.split("/").slice(0, -1)) {
    const at = part.indexOf("=");
    if (at <= 0) continue;
    const text = decodeURIComponent(part.slice(at + 1));
    values[decodeURIComponent(part.slice(0, at))] = text === "__HIVE_DEFAULT_PARTITION__" ? null : text;
  }
  return values;
}

function unknownCompression(given: string | undefined, known: readonly string[]): MillraceError {
  return new MillraceError("INVALID_OPTION", `\`compression\` cannot be ${JSON.stringify(given)}.`, {
    hint: `Use one of ${known.join(", ")}.`,
  });
}

/** Statistics of one file from COPY's RETURN_STATS, as text in the form of Delta's. Nested columns have none. */
function fileStatistics(
  fields: StructType["fields"],
  stats: StatsRow["column_statistics"],
): NonNullable<WrittenFile["statistics"]> {
  const result: Record<string, { min?: string; max?: string; nullCount: number }> = {};
  for (const f of fields) {
    const s = stats?.get(quoteIdentifier(f.name));
    const nulls = s?.get("null_count");
    if (s === undefined || nulls === undefined) continue;
    // Spark counts NaN as the greatest number; a maximum without it would hide rows.
    const bounded = s.get("has_nan") !== "true";
    const min = bounded ? bound(s.get("min"), f.type, false) : undefined;
    const max = bounded ? bound(s.get("max"), f.type, true) : undefined;
    result[f.name] = { ...(min !== undefined && { min }), ...(max !== undefined && { max }), nullCount: Number(nulls) };
  }
  return result;
}

function bound(text: string | undefined, type: DataType, isMax: boolean): string | undefined {
  if (text === undefined) return undefined;
  switch (type.kind) {
    case "byte":
    case "short":
    case "integer":
    case "long":
    case "decimal":
    case "string":
    case "date":
      return text;
    case "float":
    case "double":
      return /^-?[0-9]/.test(text) ? text : undefined;
    case "boolean":
      return text === "1" || text === "true" ? "true" : "false";
    case "timestamp":
    case "timestamp_ntz": {
      // Milliseconds, rounded outwards so that the bounds hold for the microseconds too.
      const match = /^(\d{4,}-\d\d-\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?/.exec(text);
      if (match === null) return undefined;
      const micros = (match[3] ?? "").padEnd(6, "0");
      const ms =
        Date.parse(`${match[1]}T${match[2]}.${micros.slice(0, 3)}Z`) + (isMax && micros.slice(3) !== "000" ? 1 : 0);
      if (Number.isNaN(ms)) return undefined;
      const iso = new Date(ms).toISOString();
      return type.kind === "timestamp" ? iso : iso.slice(0, -1);
    }
    default:
      return undefined;
  }
}
