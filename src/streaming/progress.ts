import type {
  SinkProgress,
  SourceProgress,
  StateOperatorProgress,
  StreamingQueryProgress,
  StreamingQueryStatus,
} from "../backend.ts";

/** What one trigger did, as measured. */
export interface TriggerReport {
  readonly id: string;
  readonly runId: string;
  readonly name: string | null;
  readonly startMs: number;
  /** Start of the trigger before this one; undefined for the first of a run. */
  readonly previousStartMs: number | undefined;
  readonly endMs: number;
  readonly batchId: number;
  readonly durationMs: Readonly<Record<string, number>>;
  readonly eventTime: EventTimeReport | undefined;
  readonly stateOperators: readonly StateOperatorProgress[];
  readonly sources: readonly Omit<SourceProgress, "inputRowsPerSecond" | "processedRowsPerSecond">[];
  readonly sinks: readonly SinkProgress[];
}

/** Present when the plan has a watermark; `stats` when rows with an event time arrived. */
export interface EventTimeReport {
  readonly watermarkMs: number;
  readonly stats: { readonly minMs: number; readonly maxMs: number; readonly avgMs: number } | undefined;
}

/**
 * Spark's StreamingQueryProgress: its keys in its order, rates to one decimal, maps sorted by key, no empty maps and no rate that is
 * not a number.
 */
export function toProgress(report: TriggerReport): StreamingQueryProgress {
  const elapsed = report.endMs - report.startMs;
  const numInputRows = report.sources.reduce((sum, source) => sum + source.numInputRows, 0);
  const rates = (rows: number): { inputRowsPerSecond?: number; processedRowsPerSecond?: number } => {
    const sincePrevious = report.previousStartMs === undefined ? 0 : report.startMs - report.previousStartMs;
    return {
      ...(sincePrevious > 0 && { inputRowsPerSecond: oneDecimal((rows / sincePrevious) * 1000) }),
      processedRowsPerSecond: oneDecimal((rows / Math.max(1, elapsed)) * 1000),
    };
  };
  const eventTime = eventTimeOf(report.eventTime);
  const [first] = report.sinks;
  return {
    id: report.id,
    runId: report.runId,
    name: report.name,
    timestamp: iso(report.startMs),
    batchId: report.batchId,
    batchDuration: Math.round(elapsed),
    numInputRows,
    ...rates(numInputRows),
    durationMs: sorted(
      Object.fromEntries(Object.entries(report.durationMs).map(([key, value]) => [key, Math.round(value)])),
    ),
    ...(eventTime && { eventTime }),
    stateOperators: report.stateOperators,
    sources: report.sources.map(({ metrics, ...source }) => ({
      ...source,
      ...rates(source.numInputRows),
      ...withMetrics(metrics),
    })),
    sink: sinkOf(first!, report.sinks.length > 1),
    ...(report.sinks.length > 1 && { sinks: report.sinks.map((sink) => sinkOf(sink, true)) }),
  };
}

function sinkOf({ name, guarantee, description, numOutputRows, metrics }: SinkProgress, named: boolean): SinkProgress {
  return {
    ...(named && name !== undefined && { name }),
    ...(guarantee !== undefined && { guarantee }),
    description,
    numOutputRows,
    ...withMetrics(metrics),
  };
}

function withMetrics(metrics: Readonly<Record<string, string>> | undefined): { metrics?: Record<string, string> } {
  return metrics === undefined || Object.keys(metrics).length === 0 ? {} : { metrics: sorted(metrics) };
}

function eventTimeOf(report: EventTimeReport | undefined): Record<string, string> | undefined {
  if (report === undefined) return undefined;
  const { stats, watermarkMs } = report;
  return {
    ...(stats && { avg: iso(Math.trunc(stats.avgMs)), max: iso(stats.maxMs), min: iso(stats.minMs) }),
    watermark: iso(watermarkMs),
  };
}

/** The furthest moments that a Date can hold; event times may lie beyond. */
const LAST_DATE_MS = 8.64e15;

/** `yyyy-MM-dd'T'HH:mm:ss.SSS'Z'` in UTC. */
export function iso(ms: number): string {
  return new Date(Math.max(-LAST_DATE_MS, Math.min(LAST_DATE_MS, ms))).toISOString();
}

function oneDecimal(value: number): number {
  return Math.round(value * 10) / 10;
}

function sorted<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}

/** The last progresses of a query and the times of the running trigger. */
export class ProgressLog {
  readonly #limit: number;
  #recent: StreamingQueryProgress[] = [];
  status: StreamingQueryStatus = {
    message: "Initializing StreamExecution",
    isDataAvailable: false,
    isTriggerActive: false,
  };

  constructor(limit: number) {
    this.#limit = limit;
  }

  get recent(): readonly StreamingQueryProgress[] {
    return [...this.#recent];
  }

  get last(): StreamingQueryProgress | null {
    return this.#recent.at(-1) ?? null;
  }

  /** Keeps a progress, and gives it back. */
  add(progress: StreamingQueryProgress): StreamingQueryProgress {
    this.#recent.push(progress);
    if (this.#recent.length > this.#limit) this.#recent = this.#recent.slice(-this.#limit);
    return progress;
  }
}

/** Adds up how long the steps of a trigger took, under Spark's names. */
export class Stopwatch {
  readonly #durations: Record<string, number> = {};

  get durations(): Readonly<Record<string, number>> {
    return this.#durations;
  }

  add(name: string, ms: number): void {
    this.#durations[name] = (this.#durations[name] ?? 0) + ms;
  }

  async time<T>(name: string, action: () => Promise<T> | T): Promise<T> {
    const start = performance.now();
    try {
      return await action();
    } finally {
      this.add(name, performance.now() - start);
    }
  }
}
