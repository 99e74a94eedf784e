import { MillraceError } from "../errors.ts";
import { type Events, subscribe } from "../events.ts";
import { hidePasswords } from "../types/secrets.ts";
import { followBadRecords } from "./bad-record-feed.ts";
import { jsonValue } from "./to-json.ts";

/** From much to little; `silent` writes nothing. */
export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  /** Default `info`; `debug` has a line for each batch, `trace` one for each of its steps. */
  readonly level?: LogLevel;
  readonly version?: string;
  /** Where lines go; default stderr. */
  readonly write?: (line: string) => void;
}

/** Structured logs, as they are written. */
export interface Logs {
  readonly level: LogLevel;
  /** A line of one's own. */
  log(level: Exclude<LogLevel, "silent">, message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** An error with its code, hint and stack. */
  failed(message: string, error: unknown, fields?: Readonly<Record<string, unknown>>): void;
  close(): void;
}

/**
 * Writes what the process does as JSON, one object a line: `time` (ISO), `level`, `msg`, `event`, and by event `query`, `queryId`, `runId`,
 * `batch`, `code`, `hint`, `err`. No password of an address is written, and no value of a row but those that an error names.
 *
 * ```ts
 * const logs = await startLogs({ level: "debug" });
 * logs.log("info", "ready", { ms: 12 });
 * logs.close();
 * ```
 */
export async function startLogs(options: LogOptions = {}): Promise<Logs> {
  // Loaded on first use: nobody else pays for it.
  const { pino, stdTimeFunctions } = await import("pino");
  const level = options.level ?? "info";
  const write = options.write ?? ((line: string) => void process.stderr.write(line));
  const logger = pino(
    {
      level,
      base: { pid: process.pid, ...(options.version !== undefined && { version: options.version }) },
      timestamp: stdTimeFunctions.isoTime,
      // errors come as plain objects already
      serializers: { err: (e: unknown) => e },
      formatters: { level: (label) => ({ level: label }) },
    },
    { write },
  );
  const say: Logs["log"] = (at, message, fields = {}) => logger[at](clean(fields), hidePasswords(message));
  const off: (() => void)[] = [];
  const on = <K extends keyof Events>(name: K, at: Exclude<LogLevel, "silent">, write_: (event: Events[K]) => void) => {
    // nothing is listened to that would not be written
    if (logger.isLevelEnabled(at)) off.push(subscribe(name, write_));
  };
  const about = (e: { id: string; runId: string; name?: string | null }): Record<string, unknown> => ({
    query: e.name ?? e.id,
    queryId: e.id,
    runId: e.runId,
  });
  const event = <K extends keyof Events>(name: K, fields: Readonly<Record<string, unknown>>) => ({
    event: name,
    ...fields,
  });

  on("query.started", "info", (e) =>
    say("info", `query ${e.name ?? e.id} started`, event("query.started", { ...about(e), triggerMs: e.triggerMs })),
  );
  on("query.progress", "debug", (e) => {
    const p = e.progress as BatchFacts;
    say("debug", `batch ${p.batchId} of ${e.name ?? e.id} took ${p.batchDuration} ms`, {
      ...event("query.progress", about(e)),
      batch: p.batchId,
      ms: p.batchDuration,
      inputRows: p.numInputRows,
      phases: p.durationMs,
      ...(p.eventTime?.watermark !== undefined && { watermark: p.eventTime.watermark }),
    });
  });
  on("batch.step", "trace", (e) =>
    say("trace", e.step, event("batch.step", { queryId: e.queryId, batch: e.batchId, step: e.step, sink: e.sink })),
  );
  on("query.restarting", "warn", (e) =>
    say("warn", `query ${e.name ?? e.id} starts again in ${e.delayMs} ms: ${reasonOf(e.error)}`, {
      ...event("query.restarting", about(e)),
      attempt: e.attempt,
      delayMs: e.delayMs,
      ...errorFields(e.error),
    }),
  );
  on("query.terminated", "error", (e) => {
    if (e.error === null) return say("info", `query ${e.name ?? e.id} ended`, event("query.terminated", about(e)));
    say("error", `query ${e.name ?? e.id} failed: ${reasonOf(e.error)}`, {
      ...event("query.terminated", about(e)),
      ...errorFields(e.error),
    });
  });
  if (logger.isLevelEnabled("warn")) {
    // Samples are left out: logs travel further than the screen.
    off.push(
      followBadRecords(({ source, partition, offset, reason, count }) => {
        const fields = event("record.bad", { source, partition, offset, reason, count });
        say("warn", `${count === 1 ? "bad record" : `${count} bad records`} of ${source}: ${reason}`, fields);
      }),
    );
  }
  on("warning", "warn", (e) => say("warn", e.message, event("warning", { code: e.code, detail: e.detail })));
  on("server.listening", "info", ({ server, host, port }) =>
    say("info", `${server} listens on ${host}:${port}`, event("server.listening", { server, host, port })),
  );
  on("server.error", "error", (e) =>
    say("error", `${e.server}: ${reasonOf(e.error)}`, {
      ...event("server.error", { server: e.server }),
      ...errorFields(e.error),
    }),
  );
  on("client.error", "warn", (e) =>
    say("warn", `${e.client}: ${reasonOf(e.error)}`, {
      ...event("client.error", { client: e.client }),
      ...errorFields(e.error),
    }),
  );
  return {
    level,
    log: say,
    failed: (message, error, fields = {}) =>
      say("error", `${message}: ${reasonOf(error)}`, { ...fields, ...errorFields(error) }),
    close() {
      for (const f of off) f();
    },
  };
}

interface BatchFacts {
  readonly batchId: number;
  readonly batchDuration: number;
  readonly numInputRows: number;
  readonly durationMs: Readonly<Record<string, number>>;
  readonly eventTime?: { readonly watermark?: string };
}

/** What failed, said by the innermost error that knows: a query's failure only says that it failed. */
function causeOf(error: unknown): unknown {
  return error instanceof MillraceError && error.code === "STREAM_FAILED" && error.cause !== undefined
    ? error.cause
    : error;
}

function reasonOf(error: unknown): string {
  const cause = causeOf(error);
  if (cause instanceof MillraceError) return cause.reason;
  return cause instanceof Error ? cause.message : String(cause);
}

function errorFields(error: unknown): Record<string, unknown> {
  const cause = causeOf(error);
  if (!(cause instanceof Error)) return { err: { message: String(cause) } };
  const isOurs = cause instanceof MillraceError;
  return {
    code: isOurs ? cause.code : ((cause as NodeJS.ErrnoException).code ?? cause.name),
    ...(isOurs && cause.hint !== undefined && { hint: cause.hint }),
    ...(isOurs && { retryable: cause.retryable }),
    err: { type: cause.name, message: isOurs ? cause.reason : cause.message, stack: cause.stack },
  };
}

/** Without passwords, and of a size that a line can have. */
function clean(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const inner = (v: unknown): unknown => {
    if (typeof v === "string") return hidePasswords(v);
    if (Array.isArray(v)) return v.map(inner);
    if (typeof v === "object" && v !== null) {
      return Object.fromEntries(Object.entries(v).map(([key, each]) => [key, inner(each)]));
    }
    return v;
  };
  const kept = Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined));
  return inner(jsonValue(kept)) as Record<string, unknown>;
}
