import { isAbsolute, resolve } from "node:path";
import type { Connector, OptionSpec } from "../connectors/connector.ts";
import { lookupConnector } from "../connectors/index.ts";
import { MillraceError } from "../errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;
type Side = "source" | "sink";

/** A format with its options as Spark takes them. */
export interface SparkFormat {
  readonly format: string;
  readonly options: Record<string, string>;
  readonly paths: readonly string[];
}

/** Formats of ours that Spark has too, under the same name and with the same options but for those of OWN_OPTIONS. */
const ON_SPARK: Readonly<Record<string, readonly Side[]>> = {
  console: ["sink"],
  csv: ["source", "sink"],
  delta: ["source", "sink"],
  json: ["source", "sink"],
  kafka: ["source", "sink"],
  memory: ["sink"],
  noop: ["sink"],
  parquet: ["source", "sink"],
  rate: ["source"],
  "rate-micro-batch": ["source"],
};

/** Options that only the embedded engine has, with what to do on Spark. */
const OWN_OPTIONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  delta: {
    autoCompact: "Set the table's property delta.autoOptimize.autoCompact instead.",
    autoCompactMinFiles: "Set spark.databricks.delta.autoCompact.minNumFiles on the session instead.",
    targetFileSize: "Set the table's property delta.targetFileSize instead.",
  },
  kafka: {
    lagReportingGroup: "Read the lag from the query's progress: sources[].metrics has maxOffsetsBehindLatest.",
  },
};

/** Options of Kafka's sink that write whole rows; with them the rows come through our sink. */
const KAFKA_ROWS = ["valueFormat", "keyColumn"];

/**
 * A source as Spark's. Addresses that are not given come from the environment, as embedded; formats that Millrace does not know are
 * left to Spark.
 *
 * @throws MillraceError UNSUPPORTED_FEATURE for a format that lives in this process, UNSUPPORTED_OPERATION, UNKNOWN_OPTION
 */
export function sparkSource(
  format: string,
  options: Readonly<Record<string, string>>,
  paths: readonly string[],
  environment: Environment = process.env,
): SparkFormat {
  const connector = lookupConnector(format);
  if (connector === undefined) return { format, options: { ...options }, paths };
  if (connector.source === undefined) {
    throw new MillraceError("UNSUPPORTED_OPERATION", `Format \`${connector.name}\` cannot be read, only written.`);
  }
  if (connector.name === "postgres") return jdbc(options, environment);
  if (!ON_SPARK[connector.name]?.includes("source")) {
    throw new MillraceError(
      "UNSUPPORTED_FEATURE",
      `Format \`${connector.name}\` lives in this process, where a Spark server cannot read it.`,
      { hint: HINTS[connector.name] ?? "Run this pipeline embedded, without SPARK_REMOTE.", parameters: { format } },
    );
  }
  return translated(connector, options, paths, "source", environment);
}

const HINTS: Readonly<Record<string, string>> = {
  "memory-stream": "Run it embedded, or feed the query from a Kafka topic.",
};

/**
 * A sink as Spark's, or undefined where Spark has none of that name: rows then come here and go through our own.
 *
 * @throws MillraceError UNKNOWN_OPTION for an option that only the embedded engine has
 */
export function sparkSink(
  format: string,
  options: Readonly<Record<string, string>>,
  path: string | undefined,
  environment: Environment = process.env,
): SparkFormat | undefined {
  const connector = lookupConnector(format);
  const paths = path === undefined ? [] : [path];
  if (connector === undefined) return { format, options: { ...options }, paths };
  if (!ON_SPARK[connector.name]?.includes("sink")) return undefined;
  const given = new Set(Object.keys(options).map((n) => n.toLowerCase()));
  if (connector.name === "kafka" && KAFKA_ROWS.some((n) => given.has(n.toLowerCase()))) return undefined;
  return translated(connector, options, paths, "sink", environment);
}

function translated(
  connector: Connector,
  given: Readonly<Record<string, string>>,
  paths: readonly string[],
  side: Side,
  environment: Environment,
): SparkFormat {
  const own = OWN_OPTIONS[connector.name] ?? {};
  const options: Record<string, string> = {};
  let root: string | undefined;
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase();
    const refused = Object.entries(own).find(([n]) => n.toLowerCase() === lower);
    if (refused !== undefined) {
      throw new MillraceError(
        "UNKNOWN_OPTION",
        `The option \`${refused[0]}\` of format \`${connector.name}\` is one of the embedded engine; Spark does not know it.`,
        { hint: refused[1], parameters: { option: refused[0], format: connector.name } },
      );
    }
    if (connector.name === "delta" && lower === "root") root = value;
    else options[name] = value;
  }
  for (const spec of connector.options) {
    const value = defaultOf(spec, side, environment);
    if (value === undefined || Object.keys(given).some((n) => n.toLowerCase() === spec.name.toLowerCase())) continue;
    if (connector.name === "delta" && spec.name === "root") root ??= value;
    else options[spec.name] = value;
  }
  return {
    format: connector.name,
    options,
    paths: root === undefined ? paths : paths.map((path) => below(root, path)),
  };
}

/** A table of PostgreSQL by Spark's own `jdbc`, which needs PostgreSQL's driver on the server. */
function jdbc(given: Readonly<Record<string, string>>, environment: Environment): SparkFormat {
  const options: Record<string, string> = { driver: "org.postgresql.Driver" };
  for (const [name, value] of Object.entries(given)) options[name] = value;
  const urlName = Object.keys(options).find((n) => n.toLowerCase() === "url") ?? "url";
  const address = options[urlName] ?? environment.MILLRACE_POSTGRES;
  if (address === undefined || address === "") {
    throw new MillraceError("MISSING_OPTION", "Format `postgres` needs the option `url`.", {
      hint: 'Set it with .option("url", ...) or the environment variable MILLRACE_POSTGRES.',
      parameters: { option: "url", format: "postgres" },
    });
  }
  if (address.startsWith("jdbc:")) return { format: "jdbc", options: { ...options, [urlName]: address }, paths: [] };
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    throw new MillraceError("INVALID_OPTION", "The option `url` of format `postgres` is no address.", {
      hint: "Write postgres://user:password@host:5432/database.",
      parameters: { option: "url", format: "postgres" },
    });
  }
  delete options[urlName];
  const known = new Set(Object.keys(options).map((n) => n.toLowerCase()));
  if (url.username !== "" && !known.has("user")) options.user = decodeURIComponent(url.username);
  if (url.password !== "" && !known.has("password")) options.password = decodeURIComponent(url.password);
  for (const [name, value] of url.searchParams) if (!known.has(name.toLowerCase())) options[name] = value;
  options.url = `jdbc:postgresql://${url.host}${url.pathname}`;
  return { format: "jdbc", options, paths: [] };
}

function defaultOf(spec: OptionSpec, side: Side, environment: Environment): string | undefined {
  if (!spec.for.includes(side) || spec.env === undefined) return undefined;
  return environment[spec.env] || undefined;
}

/** A path below the folder or URL that holds the tables. */
function below(root: string, path: string): string {
  if (isAbsolute(path) || /^[a-z][a-z0-9+.-]*:/i.test(path)) return path;
  if (/^[a-z][a-z0-9+.-]*:/i.test(root)) return `${root.replace(/\/+$/, "")}/${path}`;
  return resolve(root, path);
}
