import type { StructType } from "../types/data-type.ts";
import type { Connector, OptionSpec, SourceRequest } from "./connector.ts";
import { listFiles } from "./file/list.ts";
import { type FileFormat, inferSchema, partitionFields, readFiles } from "./file/read.ts";
import { FileStreamSink, validateFileSink, writeFileBatch } from "./file/sink.ts";
import { FileStreamSource } from "./file/stream-source.ts";

const source = ["source"] as const;
const both = ["source", "sink"] as const;

const COMMON: readonly OptionSpec[] = [
  {
    name: "recursiveFileLookup",
    for: source,
    type: "boolean",
    default: "false",
    doc: "Reads all folders below and takes `a=1` folders for plain ones.",
  },
  { name: "pathGlobFilter", for: source, type: "string", doc: "Only files whose name matches this pattern." },
  { name: "maxFilesPerTrigger", for: source, type: "int", doc: "Streaming: at most this many new files in a batch." },
  {
    name: "maxBytesPerTrigger",
    for: source,
    type: "int",
    doc: "Streaming: at most this many bytes of new files in a batch.",
  },
  { name: "latestFirst", for: source, type: "boolean", default: "false", doc: "Streaming: newest files first." },
  {
    name: "fileNameOnly",
    for: source,
    type: "boolean",
    default: "false",
    doc: "Streaming: a file is known by its name, not its path.",
  },
  {
    name: "compression",
    for: ["sink"],
    type: "string",
    doc: "Parquet: snappy, zstd, gzip, lz4, brotli, none. Text: none, gzip, zstd.",
  },
];

const MODE: OptionSpec = {
  name: "mode",
  for: source,
  type: "string",
  values: ["PERMISSIVE", "DROPMALFORMED", "FAILFAST"],
  default: "PERMISSIVE",
  doc: "What becomes of a malformed record: null, left out, an error.",
};

const DATES: readonly OptionSpec[] = [
  { name: "dateFormat", for: both, type: "string", doc: "Pattern of dates, such as yyyy-MM-dd." },
  { name: "timestampFormat", for: both, type: "string", doc: "Pattern of timestamps, such as yyyy-MM-dd HH:mm:ss." },
];

const CORRUPT: OptionSpec = {
  name: "columnNameOfCorruptRecord",
  for: source,
  type: "string",
  default: "_corrupt_record",
  doc: "A string column of the schema with this name gets the text of a malformed record.",
};

function fileConnector(format: FileFormat, summary: string, options: readonly OptionSpec[]): Connector {
  const schemaOf = async (request: SourceRequest, streaming = false): Promise<StructType> => {
    const files = await listFiles(request.paths, request.options, streaming ? "empty" : "error");
    if (request.schema === undefined) return inferSchema(format, files, request.options);
    // Folders such as `day=1` add their columns to a schema that does not name them.
    const names = new Set(request.schema.fields.map((f) => f.name.toLowerCase()));
    const more = partitionFields(files).filter((f) => !names.has(f.name.toLowerCase()));
    return { kind: "struct", fields: [...request.schema.fields, ...more] };
  };
  return {
    name: format,
    summary,
    options: [...COMMON, ...options],
    source: {
      fixedSchema: false,
      schema: (request) => schemaOf(request),
      async openBatch(request) {
        const files = await listFiles(request.paths, request.options);
        const schema = request.schema ?? (await inferSchema(format, files, request.options));
        return readFiles(format, files, schema, request.options, request.columns);
      },
      async openStream(request) {
        return new FileStreamSource(format, await schemaOf(request, true), request);
      },
    },
    sink: {
      outputModes: ["append"],
      guarantee: () => "exactly-once",
      atomic: true,
      validate: (request) => validateFileSink(format, request),
      openStream: (request) => FileStreamSink.open(format, request),
      writeBatch: (request) => writeFileBatch(format, request),
    },
  };
}

/** Parquet files. https://spark.apache.org/docs/latest/sql-data-sources-parquet.html */
export const parquet: Connector = fileConnector("parquet", "Parquet files in a folder.", [
  {
    name: "mergeSchema",
    for: source,
    type: "boolean",
    default: "false",
    doc: "The schema is that of all files together.",
  },
]);

/** JSON lines. https://spark.apache.org/docs/latest/sql-data-sources-json.html */
export const json: Connector = fileConnector("json", "JSON files, one object per line.", [
  MODE,
  CORRUPT,
  ...DATES,
  {
    name: "multiLine",
    for: source,
    type: "boolean",
    default: "false",
    doc: "A file is one JSON value, an array or an object over several lines.",
  },
  {
    name: "primitivesAsString",
    for: source,
    type: "boolean",
    default: "false",
    doc: "Infers every value as a string.",
  },
]);

/** CSV files. https://spark.apache.org/docs/latest/sql-data-sources-csv.html */
export const csv: Connector = fileConnector("csv", "CSV files.", [
  MODE,
  ...DATES,
  { name: "header", for: both, type: "boolean", default: "false", doc: "The first line holds the names." },
  { name: "sep", for: both, type: "string", default: ",", doc: "Separator of values." },
  { name: "quote", for: both, type: "string", default: '"', doc: "Quotes values that hold separators." },
  {
    name: "escape",
    for: both,
    type: "string",
    doc: "Stands before a quote within a quoted value; default the quote itself.",
  },
  { name: "nullValue", for: both, type: "string", default: "", doc: "Text that stands for null." },
  { name: "comment", for: source, type: "string", doc: "Lines that begin with it are left out." },
  {
    name: "inferSchema",
    for: source,
    type: "boolean",
    default: "false",
    doc: "Reads all data once to find the types; else all columns are strings.",
  },
  { name: "multiLine", for: source, type: "boolean", default: "false", doc: "Values may hold line breaks." },
  { name: "ignoreLeadingWhiteSpace", for: source, type: "boolean", default: "false", doc: "Trims values." },
  { name: "ignoreTrailingWhiteSpace", for: source, type: "boolean", default: "false", doc: "Trims values." },
]);
