import { MillraceError } from "../../errors.ts";
import { toStrptime } from "../../formats/datetime-pattern.ts";
import { describeTable } from "../../formats/duckdb-inspect.ts";
import type { DataType, StructField, StructType } from "../../types/data-type.ts";
import { quoteIdentifier, sqlString, sqlType } from "../../types/duckdb-types.ts";
import type { BatchInput, Options } from "../connector.ts";
import type { FoundFile } from "./list.ts";

export type FileFormat = "parquet" | "json" | "csv";

/** Partition columns of the files with the types Spark infers from their values. */
export function partitionFields(files: readonly FoundFile[]): StructField[] {
  const names = new Set(files.flatMap((f) => Object.keys(f.partitions)));
  return [...names].map((name) => ({
    name,
    type: partitionType(files.map((f) => f.partitions[name] ?? null)),
    nullable: true,
  }));
}

function partitionType(values: readonly (string | null)[]): DataType {
  const given = values.filter((v) => v !== null);
  if (given.length === 0) return { kind: "string" };
  const whole = given.every((v) => /^[+-]?\d{1,18}$/.test(v));
  if (whole) return { kind: given.every((v) => Math.abs(Number(v)) <= 2147483647) ? "integer" : "long" };
  if (given.every((v) => /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(v))) return { kind: "double" };
  if (given.every((v) => /^\d{4}-\d\d-\d\d$/.test(v))) return { kind: "date" };
  if (given.every((v) => /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?$/.test(v))) return { kind: "timestamp" };
  return { kind: "string" };
}

/** The schema that Spark would infer for the files, partition columns last. */
export async function inferSchema(
  format: FileFormat,
  files: readonly FoundFile[],
  options: Options,
): Promise<StructType> {
  if (files.length === 0) {
    throw new MillraceError("UNABLE_TO_INFER_SCHEMA", `Unable to infer schema for ${format}: there are no files.`, {
      hint: "Give one with .schema(...).",
    });
  }
  const partitions = partitionFields(files);
  let data: StructType;
  try {
    data = await inferData(format, files, options);
  } catch (error) {
    throw new MillraceError(
      "UNABLE_TO_INFER_SCHEMA",
      `Unable to infer schema for ${format}: ${(error as Error).message.split("\n")[0]}`,
      { hint: "Give one with .schema(...).", cause: error },
    );
  }
  const fields = data.fields.filter((f) => !partitions.some((p) => p.name.toLowerCase() === f.name.toLowerCase()));
  return { kind: "struct", fields: [...fields, ...partitions] };
}

async function inferData(format: FileFormat, files: readonly FoundFile[], options: Options): Promise<StructType> {
  const list = fileList(files);
  switch (format) {
    case "parquet": {
      const some = options.mergeSchema === "true" ? files : files.slice(0, 1);
      return describeTable(`read_parquet(${fileList(some)}, union_by_name = true, hive_partitioning = false)`);
    }
    case "json": {
      const found = await describeTable(
        `read_json(${list}, ${jsonLayout(options)}, ignore_errors = ${options.multiLine !== "true"}, sample_size = -1, map_inference_threshold = -1, field_appearance_threshold = 0, convert_strings_to_integers = false, maximum_depth = -1, union_by_name = true, hive_partitioning = false)`,
      );
      // Spark sorts inferred fields by name and takes dates for strings.
      const type = asSparkInfersJson(found, options.primitivesAsString === "true") as StructType;
      return type;
    }
    case "csv": {
      if (options.inferSchema === "true") {
        const found = await describeTable(
          `read_csv(${list}, ${csvLayout(options, true)}, sample_size = -1, union_by_name = true, hive_partitioning = false, auto_type_candidates = ['BOOLEAN', 'INTEGER', 'BIGINT', 'DOUBLE', 'DATE', 'TIMESTAMP', 'TIMESTAMP WITH TIME ZONE', 'VARCHAR'])`,
        );
        return named(found, options, (t) => (t.kind === "timestamp_ntz" ? { kind: "timestamp" } : t));
      }
      const found = await describeTable(
        `read_csv(${fileList(files.slice(0, 1))}, ${csvLayout(options, true)}, all_varchar = true, hive_partitioning = false)`,
      );
      return named(found, options, () => ({ kind: "string" }));
    }
  }
}

/** Without a header Spark names CSV columns `_c0`, `_c1`, ... */
function named(found: StructType, options: Options, typeOf: (type: DataType) => DataType): StructType {
  return {
    kind: "struct",
    fields: found.fields.map((f, i) => ({
      name: options.header === "true" ? f.name : `_c${i}`,
      type: typeOf(f.type),
      nullable: true,
    })),
  };
}

function asSparkInfersJson(type: DataType, asString: boolean): DataType {
  switch (type.kind) {
    case "struct": {
      const fields = type.fields.map((f) => ({ ...f, type: asSparkInfersJson(f.type, asString) }));
      return { kind: "struct", fields: fields.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    }
    case "array":
      return { ...type, elementType: asSparkInfersJson(type.elementType, asString) };
    case "date":
    case "timestamp":
    case "timestamp_ntz":
    case "null":
      return { kind: "string" };
    case "boolean":
    case "long":
    case "double":
    case "decimal":
      return asString ? { kind: "string" } : type;
    default:
      return type;
  }
}

function fileList(files: readonly FoundFile[]): string {
  return `[${files.map((f) => sqlString(globSafe(f.path))).join(", ")}]`;
}

/** DuckDB expands patterns in file names; a class of one character stands for it. */
function globSafe(path: string): string {
  return path.replace(/[*?[]/g, (c) => `[${c}]`);
}

function jsonLayout(options: Options): string {
  return options.multiLine === "true"
    ? "format = 'auto', maximum_object_size = 268435456"
    : "format = 'newline_delimited', maximum_object_size = 67108864";
}

/** Lines of at most 64 MiB. The buffer must hold one; left alone DuckDB takes 16 times as much, 1 GiB for the smallest file. */
const CSV_LIMITS = "max_line_size = 67108864, buffer_size = 68157440";

function csvLayout(options: Options, sniffing = false): string {
  const mode = modeOf(options);
  const parts = [
    `header = ${options.header === "true"}`,
    `delim = ${sqlString(separator(options.sep ?? ","))}`,
    `quote = ${sqlString(options.quote ?? '"')}`,
    // Spark's escape is a backslash; DuckDB refuses to mix it with doubled quotes, which are far more common.
    `escape = ${sqlString(options.escape ?? options.quote ?? '"')}`,
    `nullstr = ${sqlString(options.nullValue ?? "")}`,
    "allow_quoted_nulls = false",
    CSV_LIMITS,
  ];
  // A row with too few or too many values is filled up or cut off, left out, or an error.
  if (mode === "PERMISSIVE" || sniffing) parts.push("null_padding = true", "strict_mode = false");
  else if (mode === "DROPMALFORMED") parts.push("ignore_errors = true");
  if (options.comment) parts.push(`comment = ${sqlString(options.comment)}`);
  // Padding short rows and reading one file in parallel exclude each other when values hold line breaks.
  if (options.multiLine === "true") parts.push("parallel = false");
  return parts.join(", ");
}

function separator(sep: string): string {
  return sep === "\\t" ? "\t" : sep;
}

/** A table expression over the files with the schema's columns under their names and of its types. */
export async function readFiles(
  format: FileFormat,
  files: readonly FoundFile[],
  schema: StructType,
  options: Options,
  columns: readonly string[] | undefined,
): Promise<BatchInput> {
  if (files.length === 0) return { kind: "sql", from: emptyTable(schema), rowCount: 0 };
  const partitions = new Map(
    partitionFields(files).map((f) => {
      const wanted = schema.fields.find((w) => w.name.toLowerCase() === f.name.toLowerCase());
      return [f.name.toLowerCase(), { ...f, type: wanted?.type ?? f.type }];
    }),
  );
  const wanted = columns === undefined ? undefined : new Set(columns);
  const read = schema.fields.filter((f) => wanted === undefined || wanted.has(f.name));
  const data = read.filter((f) => !partitions.has(f.name.toLowerCase()));
  const hive = hiveOptions([...partitions.values()]);
  const partitionColumn = (f: StructField): string => {
    const found = partitions.get(f.name.toLowerCase())!;
    return `CAST(${quoteIdentifier(found.name)} AS ${sqlType(f.type)})`;
  };
  const select = (value: (f: StructField) => string): string =>
    schema.fields
      .map((f) => {
        const sql = !read.includes(f)
          ? `CAST(NULL AS ${sqlType(f.type)})`
          : partitions.has(f.name.toLowerCase())
            ? partitionColumn(f)
            : value(f);
        return `${sql} AS ${quoteIdentifier(f.name)}`;
      })
      .join(", ");
  switch (format) {
    case "parquet":
      return parquetTable(files, schema, hive, select);
    case "json":
      return { kind: "sql", from: jsonTable(files, data, options, hive, select) };
    case "csv":
      return { kind: "sql", from: csvTable(files, schema, partitions, options, hive, select) };
  }
}

type Select = (value: (f: StructField) => string) => string;

function emptyTable(schema: StructType): string {
  const list = schema.fields.map((f) => `CAST(NULL AS ${sqlType(f.type)}) AS ${quoteIdentifier(f.name)}`);
  return `(SELECT ${list.length === 0 ? "1 AS none" : list.join(", ")} WHERE false)`;
}

function hiveOptions(partitions: readonly StructField[]): string {
  if (partitions.length === 0) return "hive_partitioning = false";
  // The path's text; the SELECT above casts it.
  const types = partitions.map((f) => `${quoteIdentifier(f.name)}: VARCHAR`);
  return `hive_partitioning = true, hive_types = {${types.join(", ")}}`;
}

async function parquetTable(
  files: readonly FoundFile[],
  schema: StructType,
  hive: string,
  select: Select,
): Promise<BatchInput> {
  const table = `read_parquet(${fileList(files)}, union_by_name = ${files.length > 1}, ${hive})`;
  const there = await describeTable(table);
  const names = new Map(there.fields.map((f) => [f.name.toLowerCase(), f]));
  const list = select((f) => {
    const found = names.get(f.name.toLowerCase());
    // A column that no file has is null, as in Spark.
    return found === undefined
      ? `CAST(NULL AS ${sqlType(f.type)})`
      : `CAST(${quoteIdentifier(found.name)} AS ${sqlType(f.type)})`;
  });
  return { kind: "sql", from: `(SELECT ${schema.fields.length === 0 ? "1 AS none" : list} FROM ${table})` };
}

const CORRUPT = "_corrupt_record";

function corruptName(options: Options): string {
  return options.columnNameOfCorruptRecord ?? CORRUPT;
}

function modeOf(options: Options): "PERMISSIVE" | "DROPMALFORMED" | "FAILFAST" {
  return (options.mode ?? "PERMISSIVE").toUpperCase() as "PERMISSIVE" | "DROPMALFORMED" | "FAILFAST";
}

function jsonTable(
  files: readonly FoundFile[],
  data: readonly StructField[],
  options: Options,
  hive: string,
  select: Select,
): string {
  const corrupt = data.find((f) => f.name === corruptName(options) && f.type.kind === "string");
  const read = data.filter((f) => f !== corrupt);
  const mode = modeOf(options);
  const patterned = options.timestampFormat !== undefined || options.dateFormat !== undefined;
  const rawType = (f: StructField): string =>
    patterned && (f.type.kind === "timestamp" || f.type.kind === "timestamp_ntz" || f.type.kind === "date")
      ? "VARCHAR"
      : sqlType(f.type);
  const value = (f: StructField, raw: string): string =>
    rawType(f) === "VARCHAR" && f.type.kind !== "string" ? patternedCast(raw, f.type, options, mode) : raw;
  if (options.multiLine === "true") {
    const columns = read.map((f) => `${sqlString(f.name)}: ${sqlString(rawType(f))}`).join(", ");
    const shape = read.length === 0 ? "" : `columns = {${columns}}, `;
    return `(SELECT ${select((f) => (f === corrupt ? "CAST(NULL AS VARCHAR)" : value(f, quoteIdentifier(f.name))))} FROM read_json(${fileList(files)}, ${shape}${jsonLayout(options)}, ${hive}))`;
  }
  if (corrupt === undefined && mode !== "DROPMALFORMED" && read.length > 0) {
    const columns = read.map((f) => `${sqlString(f.name)}: ${sqlString(rawType(f))}`).join(", ");
    return `(SELECT ${select((f) => value(f, quoteIdentifier(f.name)))} FROM read_json(${fileList(files)}, columns = {${columns}}, ${jsonLayout(options)}, ignore_errors = ${mode === "PERMISSIVE"}, ${hive}))`;
  }
  // Line by line, where a bad line has to be seen itself.
  const structure = `{${read.map((f) => `${JSON.stringify(f.name)}: ${jsonStructure(patterned && rawType(f) === "VARCHAR" ? { kind: "string" } : f.type)}`).join(",")}}`;
  const lines = `read_csv(${fileList(files)}, columns = {'\u0001line': 'VARCHAR'}, auto_detect = false, delim = '\u0001', quote = '', escape = '', header = false, nullstr = '\u0002', strict_mode = false, ${CSV_LIMITS}, ${hive})`;
  const line = quoteIdentifier("\u0001line");
  const parsed =
    read.length === 0 ? "NULL" : `CASE WHEN json_valid(${line}) THEN from_json(${line}, ${sqlString(structure)}) END`;
  const body = select((f) =>
    f === corrupt
      ? `CASE WHEN json_valid(${line}) THEN NULL ELSE ${line} END`
      : value(f, `struct_extract(parsed, ${sqlString(f.name)})`),
  );
  const where = mode === "DROPMALFORMED" ? ` WHERE json_valid(${line})` : "";
  return `(SELECT ${body} FROM (SELECT *, ${parsed} AS parsed FROM ${lines})${where})`;
}

/** DuckDB's description of a JSON value of a type. */
function jsonStructure(type: DataType): string {
  switch (type.kind) {
    case "struct":
      return `{${type.fields.map((f) => `${JSON.stringify(f.name)}: ${jsonStructure(f.type)}`).join(",")}}`;
    case "array":
      return `[${jsonStructure(type.elementType)}]`;
    default:
      return JSON.stringify(sqlType(type));
  }
}

function csvTable(
  files: readonly FoundFile[],
  schema: StructType,
  partitions: ReadonlyMap<string, StructField>,
  options: Options,
  hive: string,
  select: Select,
): string {
  const mode = modeOf(options);
  // CSV columns go by position, so all of the schema's are named; DuckDB reads only those that are selected.
  const inFile = schema.fields.filter((f) => !partitions.has(f.name.toLowerCase()));
  const columns = inFile.map((f) => `${sqlString(f.name)}: 'VARCHAR'`).join(", ");
  const table = `read_csv(${fileList(files)}, columns = {${columns}}, auto_detect = false, ${csvLayout(options)}, ${hive})`;
  const values = select((f) => csvValue(quoteIdentifier(f.name), f.type, options, mode));
  const bad =
    mode === "DROPMALFORMED"
      ? inFile
          .filter((f) => f.type.kind !== "string")
          .map((f) => {
            const raw = quoteIdentifier(f.name);
            return `(${raw} IS NULL OR (${csvValue(raw, f.type, options, "PERMISSIVE")}) IS NOT NULL)`;
          })
      : [];
  return `(SELECT ${values} FROM ${table}${bad.length === 0 ? "" : ` WHERE ${bad.join(" AND ")}`})`;
}

function csvValue(raw: string, type: DataType, options: Options, mode: string): string {
  const trim =
    options.ignoreLeadingWhiteSpace === "true" || options.ignoreTrailingWhiteSpace === "true" ? `trim(${raw})` : raw;
  switch (type.kind) {
    case "string":
      return trim;
    case "binary":
      return `encode(${trim})`;
    case "date":
    case "timestamp":
    case "timestamp_ntz":
      if (options[type.kind === "date" ? "dateFormat" : "timestampFormat"] !== undefined) {
        return patternedCast(raw, type, options, mode);
      }
      return plainCast(`trim(${raw})`, type, mode);
    case "byte":
    case "short":
    case "integer":
    case "long": {
      // DuckDB alone would round 1.5 and take 0x1F.
      const attempt = `CASE WHEN regexp_full_match(${raw}, '\\s*[+-]?[0-9]+\\s*') THEN TRY_CAST(${raw} AS ${sqlType(type)}) END`;
      return mode === "FAILFAST" ? failing(attempt, raw, type) : attempt;
    }
    default:
      return plainCast(`trim(${raw})`, type, mode);
  }
}

function plainCast(sql: string, type: DataType, mode: string): string {
  const attempt = `TRY_CAST(${sql} AS ${sqlType(type)})`;
  return mode === "FAILFAST" ? failing(attempt, sql, type) : attempt;
}

function failing(attempt: string, raw: string, type: DataType): string {
  return `coalesce(${attempt}, CASE WHEN ${raw} IS NOT NULL THEN error('[MALFORMED_RECORD_IN_PARSING] The value ' || ${raw} || ' is not of type ${type.kind}. Parse mode is FAILFAST; to read such records with null, set the option mode to PERMISSIVE.') END)`;
}

function patternedCast(raw: string, type: DataType, options: Options, mode: string): string {
  const pattern = type.kind === "date" ? options.dateFormat : options.timestampFormat;
  if (pattern === undefined) return plainCast(raw, type, mode);
  const { format } = toStrptime(pattern);
  const parsed = `try_strptime(${raw}, ${sqlString(format)})`;
  const attempt = `CAST(${parsed} AS ${sqlType(type)})`;
  return mode === "FAILFAST" ? failing(attempt, raw, type) : attempt;
}
