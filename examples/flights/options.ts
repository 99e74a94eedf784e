import { parseArgs } from "node:util";
import { nearest } from "../../src/errors.ts";

export interface FlightsOptions {
  readonly once: boolean;
  readonly limit: number;
  /** Event time against real time; Infinity sends as fast as the log takes it. */
  readonly speed: number;
  readonly dir: string;
  readonly fresh: boolean;
  readonly json: boolean;
  readonly verify: boolean;
  /** With --once: the servers stay up after the summary. */
  readonly keep: boolean;
  /** Where dashboard and map listen; 0 takes any free port. Undefined: the usual one, and none at all with --once --json. */
  readonly dashboardPort: number | undefined;
  /** A collector of OpenTelemetry. */
  readonly otlp: string | undefined;
  readonly help: boolean;
}

/** The half year of flights in about ten minutes. */
const LIVE_SPEED = 26_000;

export const HELP = `Three million flights through Kafka into a lake, a database and a cache.

Usage: npm start -- [options]

  --once       send and process everything, print a summary, end
  --limit N    send only the first N flights (default: all 3,000,000)
  --speed X    event time against real time (default: ${LIVE_SPEED}, half a year in ten minutes; with --once: no limit)
  --dir D      where everything is kept (default: .millrace)
  --fresh      start over: remove what an earlier run left in the folder
  --verify     compare the results with an oracle computed from the Parquet file (with --once)
  --keep       keep the servers running after the summary, until Ctrl-C (with --once; on a terminal this is the default)
  --json       print the summary as one line of JSON
  --dashboard-port N
               where the dashboard and the map listen (default: 4040, the next free one when it is taken; 0: any;
               with --once --json: no dashboard unless this is given)
  --otlp URL   send traces and metrics to an OpenTelemetry collector (default: OTEL_EXPORTER_OTLP_ENDPOINT, if it is set)
  --help       show this text

Examples:
  npm start                                   live; Ctrl-C stops, the next start goes on where it stopped
  npm start -- --once                         to the end, then a summary and the addresses
  npm start -- --once --limit 100000 --json   a small run for scripts
`;

const KNOWN = {
  once: { type: "boolean" },
  limit: { type: "string" },
  speed: { type: "string" },
  dir: { type: "string" },
  fresh: { type: "boolean" },
  json: { type: "boolean" },
  keep: { type: "boolean" },
  verify: { type: "boolean" },
  "dashboard-port": { type: "string" },
  otlp: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

/** A mistake on the command line: its message is all that the user needs. */
export class UsageError extends Error {}

/** Reads the command line; throws UsageError for what it does not understand. */
export function parseOptions(args: readonly string[], total: number): FlightsOptions {
  const { values, tokens } = parseArgs({ args: [...args], options: KNOWN, strict: false, tokens: true });
  for (const token of tokens) {
    if (token.kind === "positional") throw new UsageError(`Unexpected argument '${token.value}'. See --help.`);
    if (token.kind !== "option") continue;
    const spec = Object.entries(KNOWN).find(([name]) => name === token.name)?.[1];
    if (spec === undefined) {
      const near = nearest(token.name, Object.keys(KNOWN));
      throw new UsageError(`Unknown option '${token.rawName}'.${near ? ` Did you mean '--${near}'?` : ""} See --help.`);
    }
    if (spec.type === "boolean" && token.value !== undefined)
      throw new UsageError(`Option '${token.rawName}' takes no value, got '${token.value}'.`);
    if (spec.type === "string" && (token.value === undefined || token.value.startsWith("--")))
      throw new UsageError(`Option '${token.rawName}' needs a value. See --help.`);
  }
  const once = values.once === true;
  for (const name of ["verify", "keep"] as const) {
    if (values[name] === true && !once) throw new UsageError(`Option '--${name}' needs '--once'.`);
  }
  const limit = number("limit", values.limit, total);
  if (!Number.isInteger(limit) || limit > total)
    throw new UsageError(`Option '--limit' takes a whole number up to ${total}, got '${values.limit}'.`);
  return {
    once,
    limit,
    speed: number("speed", values.speed, once ? Number.POSITIVE_INFINITY : LIVE_SPEED),
    dir: typeof values.dir === "string" ? values.dir : ".millrace",
    fresh: values.fresh === true,
    json: values.json === true,
    verify: values.verify === true,
    keep:
      once && !values.json && (values.keep === true || (process.stdin.isTTY === true && process.stdout.isTTY === true)),
    dashboardPort: port(values["dashboard-port"]),
    otlp: typeof values.otlp === "string" ? values.otlp : process.env.OTEL_EXPORTER_OTLP_ENDPOINT || undefined,
    help: values.help === true,
  };
}

function number(name: string, given: string | boolean | undefined, otherwise: number): number {
  if (given === undefined) return otherwise;
  const value = Number(given);
  if (given === "" || !(value > 0))
    throw new UsageError(`Option '--${name}' takes a number greater than 0, got '${given}'.`);
  return value;
}

function port(given: string | boolean | undefined): number | undefined {
  if (given === undefined) return undefined;
  const value = Number(given);
  if (given === "" || !Number.isInteger(value) || value < 0 || value > 65_535)
    throw new UsageError(`Option '--dashboard-port' takes a port from 0 to 65535, got '${given}'.`);
  return value;
}
