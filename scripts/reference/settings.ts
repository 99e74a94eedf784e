import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { typeOf } from "./api.ts";
import { cell, GENERATED, table } from "./markdown.ts";

interface Setting {
  readonly name: string;
  readonly default: string;
  readonly doc: string;
}

/** Settings of a session, by what reads them. A test checks that the sources read these and no others. */
const SETTINGS: Readonly<Record<string, readonly Setting[]>> = {
  "Both engines": [
    {
      name: "spark.app.name",
      default: "",
      doc: "The program's name, shown in the dashboard and in logs; `appName(...)` sets it.",
    },
    {
      name: "spark.sql.session.timeZone",
      default: "UTC",
      doc: "The time zone in which texts become times, and times dates.",
    },
    { name: "spark.sql.caseSensitive", default: "false", doc: "Whether `a` and `A` are two columns." },
    { name: "spark.sql.sources.default", default: "parquet", doc: "The format where none is given." },
    { name: "spark.sql.warehouse.dir", default: "spark-warehouse", doc: "Where tables of the catalog lie." },
    {
      name: "spark.sql.streaming.checkpointLocation",
      default: "",
      doc: "The folder below which a query keeps its checkpoint, under its `queryName`, when it has no option `checkpointLocation`. A query without a name gets a new folder at each start.",
    },
    {
      name: "spark.sql.streaming.multipleWatermarkPolicy",
      default: "min",
      doc: "With several sources: `min` follows the slowest, `max` the fastest.",
    },
    {
      name: "spark.sql.streaming.noDataMicroBatches.enabled",
      default: "true",
      doc: "Whether a batch without new rows runs to close what the watermark has passed.",
    },
    {
      name: "spark.sql.streaming.noDataProgressEventInterval",
      default: "10000",
      doc: "How often a query without new rows reports that it is idle, in milliseconds.",
    },
    {
      name: "spark.sql.streaming.numRecentProgressUpdates",
      default: "100",
      doc: "How many progress records `recentProgress` holds.",
    },
    {
      name: "spark.sql.streaming.minBatchesToRetain",
      default: "100",
      doc: "How many batches stay in the checkpoint; at least 2.",
    },
    {
      name: "spark.sql.streaming.pollingDelay",
      default: "10",
      doc: "How long a source that cannot wake the query is left alone, in milliseconds.",
    },
    {
      name: "spark.sql.streaming.unsupportedOperationCheck",
      default: "true",
      doc: "Whether a plan that a stream cannot do is refused when it starts.",
    },
    {
      name: "millrace.restart.enabled",
      default: "true",
      doc: "Whether a query that failed for a reason that may pass is started again.",
    },
    {
      name: "millrace.restart.initialDelayMs",
      default: "200",
      doc: "The first pause before that; it doubles with each try.",
    },
    { name: "millrace.restart.maxDelayMs", default: "30000", doc: "The longest pause." },
  ],
  "The embedded engine": [
    {
      name: "millrace.engine.memoryLimit",
      default: "a quarter of the machine, at least 512 MiB",
      doc: "What a query may hold in memory before it uses the disk, such as `2GiB`.",
    },
    { name: "millrace.engine.threads", default: "the number of cores", doc: "Threads that a query computes with." },
  ],
  "On Spark": [
    {
      name: "spark.sql.shuffle.partitions",
      default: "the server's, or twice the cluster's cores",
      doc: "Into how many parts the state of a query is cut, for the whole life of its checkpoint.",
    },
    {
      name: "spark.millrace.function.timeout",
      default: "10 minutes",
      doc: "How long a TypeScript function may give no answer.",
    },
    {
      name: "spark.millrace.node.path",
      default: "",
      doc: "Where Node is on the workers, when it is not on their `PATH`.",
    },
    {
      name: "spark.millrace.bridge.host",
      default: "the address by which this machine reaches the server",
      doc: "The name or address of this process that the workers are given.",
    },
    { name: "spark.millrace.bridge.port", default: "any free one", doc: "Its port." },
    {
      name: "spark.millrace.bridge.bind",
      default: "as `host`, or 0.0.0.0 when that is given",
      doc: "The address that listens.",
    },
    { name: "spark.millrace.bridge.dir", default: ".millrace/bridge", doc: "Where rows wait for their sinks." },
    {
      name: "spark.millrace.bridge.native",
      default: "none",
      doc: "Formats left to Spark's own sinks all the same, separated by commas.",
    },
  ],
};

/** Taken for programs written for Spark, and without effect. */
const WITHOUT_EFFECT = [
  "spark.master",
  "spark.sql.ansi.enabled",
  "spark.sql.extensions",
  "spark.sql.catalogImplementation",
  "spark.app.id",
];

/** Names that stand in the sources for another reason: Spark Connect's messages, the metadata of Spark's checkpoints, what a server says of itself. */
const NO_SETTINGS =
  /^spark\.(connect|x|streams|example|dynamicAllocation|executor)|^spark\.sql\.(optimizer|streaming\.(aggregation|flatMapGroupsWithState|join|stateStore|statefulOperator))\.|^spark\.sql\.(unionOutputPartitioning)?$/;

const VARIABLES: readonly (readonly [name: string, doc: string])[] = [
  ["MILLRACE_KAFKA", "Address of Kafka, `host:port`, several with commas."],
  ["MILLRACE_POSTGRES", "Address of PostgreSQL, `postgres://user:password@host:5432/database`."],
  ["MILLRACE_REDIS", "Address of the cache, `redis://user:password@host:6379/0`."],
  ["MILLRACE_LAKE", "Folder, or on Spark a URL, below which relative paths of `delta` lie."],
  ["MILLRACE_PLANNING", "Set by `millrace plan` while it looks at a program, which then does nothing."],
  ["MILLRACE_LOG_FORMAT", "`json`: one JSON object a line on standard error; as `--log-format`."],
  ["MILLRACE_LOG_LEVEL", "From which level on; as `--log-level`."],
  [
    "MILLRACE_TOKEN",
    "The token that the dashboard asks for when it listens for others (`--dashboard-host`); without it one is made and printed.",
  ],
  [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "Where traces and metrics go, `http://collector:4318`; the other `OTEL_...` variables are told under [Metrics](metrics.md#opentelemetry).",
  ],
  ["SPARK_REMOTE", "Address of a Spark Connect server, `sc://host:15002`; the program then runs there."],
  ["NO_COLOR, FORCE_COLOR", "No colours, or colours also where the output is no terminal."],
];

/** The settings that the sources name: all of Spark's, and what is looked up in a session's settings. */
export function namesInSources(): string[] {
  const src = fileURLToPath(new URL("../../src", import.meta.url));
  const names = new Set<string>();
  for (const file of readdirSync(src, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
    const text = readFileSync(join(src, file), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
    for (const [, name] of text.matchAll(/["'`](spark\.[A-Za-z0-9.]+)["'`]/g))
      if (!NO_SETTINGS.test(name!)) names.add(name!);
    for (const [, name] of text.matchAll(/\bconf\w*(?:\[|\(conf,\s*)"((?:spark|millrace)\.[\w.]+)"/g)) names.add(name!);
  }
  return [...names].sort();
}

/** The variables of the environment with our name that the sources read. */
export function variablesInSources(): string[] {
  const src = fileURLToPath(new URL("../../src", import.meta.url));
  const names = new Set<string>();
  for (const file of readdirSync(src, { recursive: true, encoding: "utf8" })) {
    if (!file.endsWith(".ts") || file.endsWith(".test.ts")) continue;
    for (const [name] of readFileSync(join(src, file), "utf8").matchAll(/\bMILLRACE_[A-Z_]*[A-Z]\b/g)) names.add(name);
  }
  return [...names].sort();
}

export function variablesInTable(): string[] {
  return VARIABLES.map(([name]) => name)
    .filter((name) => name.startsWith("MILLRACE_"))
    .sort();
}

export function namesInTable(): string[] {
  return [...Object.values(SETTINGS).flatMap((list) => list.map((s) => s.name)), ...WITHOUT_EFFECT].sort();
}

/** docs/settings.md. */
export function settingsPage(): string {
  const sections = Object.entries(SETTINGS).map(
    ([title, list]) =>
      `## ${title}\n\n${table(
        ["setting", "default", ""],
        list.map((s) => [`\`${s.name}\``, s.default === "" ? "" : cell(s.default), cell(s.doc)]),
      )}`,
  );
  return `# Settings

${GENERATED}

Set them with \`SparkSession.builder().config(name, value)\`, \`spark.conf.set(name, value)\` or \`SET name = value\` in SQL. A query keeps those with which it started. On a Spark server every other setting of Spark's
works too; embedded, a name that is not here is kept and has no effect.

${sections.join("\n\n")}

Taken and without effect: ${WITHOUT_EFFECT.map((name) => `\`${name}\``).join(", ")}.

## millrace.config.ts

\`millrace dev\` and the other commands take these from the nearest \`millrace.config.ts\`, an \`export default defineConfig({ ... })\`. Options of the command line go before it.

${table(
  ["", ""],
  typeOf("config.ts MillraceConfig").members.map((m) => [`\`${m.name}\``, cell(m.doc)]),
)}

## Environment

${table(
  ["variable", ""],
  VARIABLES.map(([name, doc]) => [
    name.includes(",")
      ? name
          .split(", ")
          .map((n) => `\`${n}\``)
          .join(", ")
      : `\`${name}\``,
    cell(doc),
  ]),
)}
`;
}
