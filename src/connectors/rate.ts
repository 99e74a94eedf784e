import { MillraceError } from "../errors.ts";
import type { StructType } from "../types/data-type.ts";
import type { BatchInput, Connector, Offset, OffsetAdvance, Options, StreamSource } from "./connector.ts";
import { sleep } from "./sleep.ts";
import { StartTime } from "./start-time.ts";

const RATE_SCHEMA: StructType = {
  kind: "struct",
  fields: [
    { name: "timestamp", type: { kind: "timestamp" }, nullable: true },
    { name: "value", type: { kind: "long" }, nullable: true },
  ],
};

/**
 * Spark's `rate` source: numbers 0, 1, 2, ... with the time at which each was due, `rowsPerSecond` a second. For trying things out.
 * The offset is the number of seconds since the query first started, as in Spark.
 */
export const rate: Connector = {
  name: "rate",
  summary: "Counts up at a steady rate: timestamp, value.",
  options: [
    { name: "rowsPerSecond", for: ["source"], type: "int", default: "1", doc: "Rows made each second." },
    {
      name: "rampUpTime",
      for: ["source"],
      type: "duration",
      default: "0s",
      doc: "Time until the full rate is reached.",
    },
    {
      name: "numPartitions",
      for: ["source"],
      type: "int",
      default: "1",
      doc: "Accepted for Spark's sake; has no effect.",
    },
  ],
  source: {
    fixedSchema: true,
    schema: () => RATE_SCHEMA,
    openStream: ({ options, metadataPath }) => new RateSource(options, metadataPath),
  },
};

/** Rows due after `seconds`, with a linear ramp as Spark computes it. */
export function rowsAfter(seconds: number, rowsPerSecond: number, rampUpSeconds: number): number {
  if (rampUpSeconds <= 0) return seconds * rowsPerSecond;
  const growth = Math.max(1, Math.floor(rowsPerSecond / (rampUpSeconds + 1)));
  if (seconds <= rampUpSeconds) return (growth * seconds * (seconds + 1)) / 2;
  return rowsAfter(rampUpSeconds, rowsPerSecond, rampUpSeconds) + (seconds - rampUpSeconds) * rowsPerSecond;
}

class RateSource implements StreamSource {
  readonly description: string;
  readonly #rowsPerSecond: number;
  readonly #rampUpSeconds: number;
  readonly #startFile: StartTime;
  #frozen: number | undefined;

  constructor(options: Options, metadataPath: string) {
    this.#rowsPerSecond = positive("rowsPerSecond", options.rowsPerSecond ?? "1");
    this.#rampUpSeconds = Math.floor(durationSeconds(options.rampUpTime ?? "0s"));
    this.#startFile = new StartTime(metadataPath);
    this.description = `RateStreamV2[rowsPerSecond=${this.#rowsPerSecond}, rampUpTimeSeconds=${this.#rampUpSeconds}, numPartitions=${options.numPartitions ?? "1"}]`;
  }

  async initialOffset(): Promise<Offset> {
    this.#startFile.get();
    return 0;
  }

  async latestOffset(): Promise<OffsetAdvance> {
    const now = this.#frozen ?? this.#elapsed();
    return { end: now, latest: now };
  }

  async read(start: Offset, end: Offset): Promise<BatchInput> {
    const [from, to] = [Number(start), Number(end)];
    const begin = rowsAfter(from, this.#rowsPerSecond, this.#rampUpSeconds);
    const stop = rowsAfter(to, this.#rowsPerSecond, this.#rampUpSeconds);
    const startMs = this.#startFile.get() + from * 1000;
    const count = stop - begin;
    const micros = count === 0 ? 0 : ((to - from) * 1_000_000) / count;
    return {
      kind: "sql",
      rowCount: count,
      from: `(SELECT make_timestamp(${BigInt(startMs) * 1000n} + CAST(round((i - ${begin}) * ${micros}) AS BIGINT)) AT TIME ZONE 'UTC' AS "timestamp", i AS "value" FROM range(${begin}, ${stop}) AS r(i))`,
    };
  }

  async waitForData(start: Offset, timeoutMs: number, signal: AbortSignal): Promise<void> {
    if (this.#frozen !== undefined) return sleep(timeoutMs, signal);
    const due = this.#startFile.get() + (Number(start) + 1) * 1000 - Date.now();
    await sleep(Math.max(0, Math.min(timeoutMs, due)), signal);
  }

  async prepareForAvailableNow(): Promise<void> {
    this.#frozen = this.#elapsed();
  }

  async close(): Promise<void> {}

  #elapsed(): number {
    return Math.max(0, Math.floor((Date.now() - this.#startFile.get()) / 1000));
  }
}

const MICRO_BATCH_OPTIONS = ["rowsPerBatch", "startTimestamp", "advanceMillisPerBatch"] as const;

/** Spark's `rate-micro-batch`: the same number of rows in every batch, with times that depend on the row alone. */
export const rateMicroBatch: Connector = {
  name: "rate-micro-batch",
  summary: "A fixed number of rows in every batch: timestamp, value.",
  options: [
    { name: "rowsPerBatch", for: ["source"], type: "int", required: true, doc: "Rows in each batch." },
    {
      name: "numPartitions",
      for: ["source"],
      type: "int",
      default: "1",
      doc: "Accepted for Spark's sake; has no effect.",
    },
    {
      name: "startTimestamp",
      for: ["source"],
      type: "int",
      default: "0",
      doc: "Time of the first batch's rows, ms since 1970.",
    },
    {
      name: "advanceMillisPerBatch",
      for: ["source"],
      type: "int",
      default: "1000",
      doc: "How far time moves on with each batch, ms.",
    },
  ],
  source: {
    fixedSchema: true,
    schema: () => RATE_SCHEMA,
    openStream: ({ options }) => new RateMicroBatchSource(options),
  },
};

class RateMicroBatchSource implements StreamSource {
  readonly description: string;
  readonly #rows: number;
  readonly #startMs: number;
  readonly #advanceMs: number;
  #frozen: Offset | undefined;
  #last: Offset | undefined;

  constructor(options: Options) {
    this.#rows = positive("rowsPerBatch", options.rowsPerBatch ?? "");
    this.#startMs = Number(options.startTimestamp ?? "0");
    this.#advanceMs = Number(options.advanceMillisPerBatch ?? "1000");
    this.description = `RateMicroBatchStream[${MICRO_BATCH_OPTIONS.map((name) => `${name}=${options[name] ?? ""}`).join(", ")}]`;
  }

  async initialOffset(): Promise<Offset> {
    return { offset: 0, timestamp: this.#startMs };
  }

  async latestOffset(start: Offset): Promise<OffsetAdvance> {
    const { offset, timestamp } = start as { offset: number; timestamp: number };
    const end = { offset: offset + this.#rows, timestamp: timestamp + this.#advanceMs };
    if (this.#frozen !== undefined) {
      // for AvailableNow one more batch was there
      this.#last ??= end;
      const done = offset >= (this.#last as { offset: number }).offset;
      return done ? { end: start, latest: start } : { end, latest: end };
    }
    return { end, latest: end };
  }

  async read(start: Offset, end: Offset): Promise<BatchInput> {
    const from = start as { offset: number; timestamp: number };
    const to = end as { offset: number };
    return {
      kind: "sql",
      rowCount: to.offset - from.offset,
      // every batch has one time: the one at which it began
      from: `(SELECT make_timestamp((${this.#startMs} + ((i // ${this.#rows}) * ${this.#advanceMs})) * 1000) AT TIME ZONE 'UTC' AS "timestamp", i AS "value" FROM range(${from.offset}, ${to.offset}) AS r(i))`,
    };
  }

  async prepareForAvailableNow(): Promise<void> {
    this.#frozen = true;
  }

  async close(): Promise<void> {}
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new MillraceError(
    "INVALID_OPTION",
    `The option ${name} is ${JSON.stringify(text)}; it must be a whole number above 0.`,
  );
}

function durationSeconds(text: string): number {
  const match = /^\s*(\d+)\s*(ms|s|sec|second|seconds|m|min|minute|minutes|h|hour|hours)?\s*$/.exec(text);
  if (match === null) {
    throw new MillraceError(
      "INVALID_OPTION",
      `The option rampUpTime is ${JSON.stringify(text)}; it must be a time such as 5s.`,
    );
  }
  const unit = match[2] ?? "s";
  const factor = unit === "ms" ? 0.001 : unit.startsWith("m") ? 60 : unit.startsWith("h") ? 3600 : 1;
  return Number(match[1]) * factor;
}
