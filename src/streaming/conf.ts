import { availableParallelism, totalmem } from "node:os";
import type { Conf } from "../backend.ts";
import { MillraceError } from "../errors.ts";

/** The settings of `spark.conf` that a streaming query reads, with Spark's names and defaults. */
export interface StreamConf {
  readonly noDataMicroBatches: boolean;
  readonly noDataProgressIntervalMs: number;
  readonly recentProgressUpdates: number;
  readonly minBatchesToRetain: number;
  readonly pollingDelayMs: number;
  readonly watermarkPolicy: "min" | "max";
  readonly checkpointRoot: string | undefined;
}

export function streamConf(conf: Conf): StreamConf {
  const policy = (conf["spark.sql.streaming.multipleWatermarkPolicy"] ?? "min").toLowerCase();
  if (policy !== "min" && policy !== "max") {
    throw new MillraceError(
      "INVALID_OPTION",
      `spark.sql.streaming.multipleWatermarkPolicy is ${JSON.stringify(policy)}; it must be min or max.`,
    );
  }
  return {
    noDataMicroBatches: confBoolean(conf, "spark.sql.streaming.noDataMicroBatches.enabled", true),
    noDataProgressIntervalMs: confNumber(conf, "spark.sql.streaming.noDataProgressEventInterval", 10_000),
    recentProgressUpdates: confNumber(conf, "spark.sql.streaming.numRecentProgressUpdates", 100),
    minBatchesToRetain: Math.max(2, confNumber(conf, "spark.sql.streaming.minBatchesToRetain", 100)),
    pollingDelayMs: confNumber(conf, "spark.sql.streaming.pollingDelay", 10),
    watermarkPolicy: policy,
    checkpointRoot: conf["spark.sql.streaming.checkpointLocation"],
  };
}

export function confBoolean(conf: Conf, name: string, fallback: boolean): boolean {
  const value = conf[name]?.trim().toLowerCase();
  if (value === undefined) return fallback;
  if (value === "true" || value === "false") return value === "true";
  throw new MillraceError("INVALID_OPTION", `${name} is ${JSON.stringify(conf[name])}; it must be true or false.`);
}

/** A whole number that is not negative; times are in milliseconds. */
export function confNumber(conf: Conf, name: string, fallback: number): number {
  const value = conf[name]?.trim();
  if (value === undefined) return fallback;
  if (/^\d+$/.test(value)) return Number(value);
  const time = /^(\d+)\s*(ms|s|min|m|h)$/.exec(value);
  if (time) return Number(time[1]) * { ms: 1, s: 1000, min: 60_000, m: 60_000, h: 3_600_000 }[time[2] as "ms"];
  throw new MillraceError("INVALID_OPTION", `${name} is ${JSON.stringify(conf[name])}; it must be a whole number.`);
}

/** What DuckDB may use in a query: `millrace.engine.memoryLimit`, `millrace.engine.threads`, and the session's time zone. */
export function duckdbLimits(conf: Conf): { memoryLimit: string; threads: number; timeZone: string } {
  return {
    memoryLimit: conf["millrace.engine.memoryLimit"] ?? defaultMemory(),
    threads: confNumber(conf, "millrace.engine.threads", availableParallelism()),
    timeZone: conf["spark.sql.session.timeZone"] ?? "UTC",
  };
}

/** A quarter of the machine, at least half a gigabyte: several queries share it. */
function defaultMemory(): string {
  return `${Math.max(512, Math.floor(totalmem() / 4 / 1024 / 1024))}MiB`;
}
