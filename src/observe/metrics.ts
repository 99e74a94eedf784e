import type { StreamingQueryProgress } from "../backend.ts";
import { resetTotals, viewInfos } from "../views/index.ts";
import { explain } from "./explain.ts";
import { lagByPartition } from "./lag.ts";
import { BATCH_SECONDS, type QueryLog, type QueryRecord, type QueryState } from "./query-log.ts";
import { partitions, stateBytes } from "./summary.ts";

/** One row of the table of metrics: what Prometheus is told, and what docs/metrics.md says. */
export interface MetricSpec {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence. */
  readonly help: string;
  readonly labels: readonly string[];
  samples(log: QueryLog, now: number): Iterable<Sample>;
}

/** `suffix` and `le` only for histograms. */
export interface Sample {
  readonly suffix?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const STATES: readonly QueryState[] = ["running", "idle", "restarting", "ended", "failed"];

const nameOf = (q: QueryRecord): string => q.name ?? q.id;
const last = (q: QueryRecord): StreamingQueryProgress | undefined => q.batches.at(-1);

/**
 * The queries by name: of several with one name the one that runs, else the last. Prometheus refuses a page on which the same labels come
 * twice.
 */
function named(log: QueryLog): Iterable<readonly [name: string, query: QueryRecord]> {
  const found = new Map<string, QueryRecord>();
  for (const q of log.queries()) {
    const before = found.get(nameOf(q));
    if (before === undefined || !isActive(before)) found.set(nameOf(q), q);
  }
  return found;
}

/** What a query that is over says of the present would only mislead. */
function isActive(q: QueryRecord): boolean {
  return q.state !== "ended" && q.state !== "failed";
}

/** A metric with one or more samples for each query; `f` gives the labels beside `query`, and the value. */
function ofQueries(
  name: string,
  type: MetricSpec["type"],
  help: string,
  labels: readonly string[],
  f: (q: QueryRecord, now: number) => Iterable<readonly [labels: readonly string[], value: number]>,
): MetricSpec {
  return {
    name,
    type,
    help,
    labels: ["query", ...labels],
    *samples(log, now) {
      for (const [query, q] of named(log)) {
        for (const [values, value] of f(q, now)) {
          const all: Record<string, string> = { query };
          labels.forEach((label, i) => {
            all[label] = values[i] ?? "";
          });
          yield { labels: all, value };
        }
      }
    },
  };
}

function* totals(map: ReadonlyMap<string, number>): Generator<readonly [readonly string[], number]> {
  for (const [key, value] of map) yield [[key], value];
}

function watermarkMs(q: QueryRecord): number | undefined {
  const text = last(q)?.eventTime?.watermark;
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  return ms > 0 ? ms : undefined;
}

/** Every metric of `/metrics`, in the order in which they are written. Units are seconds, rows, bytes. https://prometheus.io/docs/practices/naming/ */
export const METRICS: readonly MetricSpec[] = [
  ofQueries(
    "millrace_query_state",
    "gauge",
    "1 for the state that the query is in, 0 for the others.",
    ["state"],
    (q) => STATES.map((state) => [[state], q.state === state ? 1 : 0] as const),
  ),
  ofQueries("millrace_batches_total", "counter", "Micro-batches that ended.", [], (q) => [[[], q.totals.batches]]),
  {
    name: "millrace_batch_duration_seconds",
    type: "histogram",
    help: "How long micro-batches took, from planning to commit.",
    labels: ["query"],
    *samples(log) {
      for (const [query, q] of named(log)) {
        const labels = { query };
        let sum = 0;
        for (const [i, n] of q.totals.durations.counts.entries()) {
          sum += n;
          yield { suffix: "_bucket", labels: { ...labels, le: `${BATCH_SECONDS[i] ?? "+Inf"}` }, value: sum };
        }
        yield { suffix: "_sum", labels, value: q.totals.durations.sum };
        yield { suffix: "_count", labels, value: sum };
      }
    },
  },
  ofQueries("millrace_batch_phase_seconds_total", "counter", explain("batch.phases"), ["phase"], (q) =>
    totals(q.totals.phaseSeconds),
  ),
  ofQueries("millrace_trigger_interval_seconds", "gauge", explain("query.triggerMs"), [], (q) =>
    q.triggerMs === null || !isActive(q) ? [] : [[[], q.triggerMs / 1000]],
  ),
  ofQueries("millrace_input_rows_total", "counter", explain("source.inputRows"), ["source"], (q) =>
    totals(q.totals.inputRows),
  ),
  ofQueries("millrace_output_rows_total", "counter", explain("sink.outputRows"), ["sink"], (q) =>
    totals(q.totals.outputRows),
  ),
  ofQueries("millrace_late_rows_total", "counter", explain("late.rows"), ["operator"], (q) =>
    totals(q.totals.lateRows),
  ),
  ofQueries("millrace_batch_failures_total", "counter", explain("query.failures"), ["code"], (q) =>
    totals(q.totals.failures),
  ),
  ofQueries("millrace_sink_retries_total", "counter", explain("sink.retries"), ["sink"], (q) =>
    totals(q.totals.sinkRetries),
  ),
  ofQueries("millrace_query_restarts_total", "counter", explain("query.restarts"), [], (q) => [
    [[], q.totals.restarts],
  ]),
  ofQueries("millrace_source_lag_rows", "gauge", explain("partition.lagRows"), ["source", "partition"], function* (q) {
    for (const source of (isActive(q) && last(q)?.sources) || []) {
      for (const [partition, lag] of lagByPartition(source) ?? []) yield [[source.description, partition], lag];
    }
  }),
  ofQueries("millrace_source_lag_seconds", "gauge", explain("source.lagSeconds"), ["source"], function* (q, now) {
    if (!isActive(q)) return;
    for (const [source, of] of Map.groupBy(partitions(q, now), (p) => p.source)) {
      // a partition that is not read at all would take for ever
      if (of.some((p) => p.lagSeconds === null)) continue;
      yield [[source], Math.max(...of.map((p) => p.lagSeconds ?? 0))];
    }
  }),
  ofQueries(
    "millrace_watermark_timestamp_seconds",
    "gauge",
    "Event-time watermark in seconds since 1970; absent before the first event and without a watermark.",
    [],
    (q) => {
      const ms = watermarkMs(q);
      return ms === undefined ? [] : [[[], ms / 1000]];
    },
  ),
  ofQueries("millrace_watermark_delay_seconds", "gauge", explain("query.watermarkDelaySeconds"), [], (q, now) => {
    const ms = isActive(q) ? watermarkMs(q) : undefined;
    return ms === undefined ? [] : [[[], (now - ms) / 1000]];
  }),
  ofQueries("millrace_state_rows", "gauge", explain("state.rows"), ["operator"], (q) =>
    (last(q)?.stateOperators ?? []).map((op, i) => [[`${i} ${op.operatorName}`], op.numRowsTotal] as const),
  ),
  ofQueries("millrace_state_bytes", "gauge", explain("query.stateBytes"), [], (q) => {
    const bytes = stateBytes(q);
    return bytes === null ? [] : [[[], bytes]];
  }),
  ofQueries(
    "millrace_last_batch_timestamp_seconds",
    "gauge",
    "When the last batch ended, in seconds since 1970.",
    [],
    (q) => (q.lastBatchAt === null ? [] : [[[], q.lastBatchAt / 1000]]),
  ),
  {
    name: "millrace_bad_records_total",
    type: "counter",
    help: explain("bad.records"),
    labels: ["source"],
    *samples(log) {
      for (const [source, value] of log.badRecordTotals()) yield { labels: { source }, value };
    },
  },
  {
    name: "millrace_live_clients",
    type: "gauge",
    help: explain("view.clients"),
    labels: ["view"],
    *samples() {
      for (const { name, clients } of viewInfos()) yield { labels: { view: name }, value: clients };
    },
  },
  {
    name: "millrace_live_resets_total",
    type: "counter",
    help: explain("view.resets"),
    labels: ["reason"],
    *samples() {
      for (const [reason, value] of resetTotals()) yield { labels: { reason }, value };
    },
  },
];

/** Metrics of the process itself, by the names that Prometheus' own clients use. */
export function processMetrics(version: string): readonly MetricSpec[] {
  const one = (name: string, type: "counter" | "gauge", help: string, value: () => number): MetricSpec => ({
    name,
    type,
    help,
    labels: [],
    samples: () => [{ labels: {}, value: value() }],
  });
  return [
    {
      name: "millrace_build_info",
      type: "gauge",
      help: "1; the labels say what runs.",
      labels: ["version", "node"],
      samples: () => [{ labels: { version, node: process.versions.node }, value: 1 }],
    },
    one("process_cpu_seconds_total", "counter", "Processor time of the process.", () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1e6;
    }),
    one("process_resident_memory_bytes", "gauge", explain("process.memoryBytes"), () => process.memoryUsage.rss()),
    one("process_start_time_seconds", "gauge", "When the process started, in seconds since 1970.", () =>
      Math.round(Date.now() / 1000 - process.uptime()),
    ),
  ];
}

/**
 * The text that Prometheus reads. https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * ```ts
 * const text = metricsText(METRICS, log);
 * ```
 */
export function metricsText(specs: readonly MetricSpec[], log: QueryLog, now: number = Date.now()): string {
  let text = "";
  for (const spec of specs) {
    const lines: string[] = [];
    for (const { suffix = "", labels, value } of spec.samples(log, now)) {
      const pairs = Object.entries(labels).map(([name, label]) => `${name}="${escapeLabel(label)}"`);
      lines.push(`${spec.name}${suffix}${pairs.length > 0 ? `{${pairs.join(",")}}` : ""} ${number(value)}\n`);
    }
    if (lines.length === 0) continue;
    text += `# HELP ${spec.name} ${spec.help.replaceAll("\\", "\\\\").replaceAll("\n", "\\n")}\n`;
    text += `# TYPE ${spec.name} ${spec.type}\n${lines.join("")}`;
  }
  return text;
}

function escapeLabel(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function number(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  return Number.isFinite(value) ? String(value) : value > 0 ? "+Inf" : "-Inf";
}
