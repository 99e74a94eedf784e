import type { Attributes, Span, SpanKind, SpanStatusCode, Tracer } from "@opentelemetry/api";
import type { StreamingQueryProgress } from "../../backend.ts";
import type { BatchExtra, QueryFailure, QueryRecord } from "../query-log.ts";
import type { BatchSpan, FailedBatch } from "../timeline.ts";
import { ATTRIBUTE } from "./attributes.ts";

type Api = typeof import("@opentelemetry/api");

/** The order in which a batch goes through its phases, for engines that tell durations only. */
const ORDER = [
  "latestOffset",
  "getOffset",
  "walCommit",
  "getBatch",
  "queryPlanning",
  "addBatch",
  "commitBatch",
  "commitOffsets",
];

/** One span a batch, its phases below it. Never one for a record. */
export class BatchSpans {
  readonly #api: Api;
  readonly #tracer: Tracer;

  constructor(api: Api, tracer: Tracer) {
    this.#api = api;
    this.#tracer = tracer;
  }

  ended(query: QueryRecord, p: StreamingQueryProgress, extra: BatchExtra): void {
    const startMs = Date.parse(p.timestamp);
    const endMs = startMs + p.batchDuration;
    const spans = extra.spans.length > 0 ? extra.spans : inOrder(p, startMs);
    const watermarkMs = p.eventTime?.watermark === undefined ? 0 : Date.parse(p.eventTime.watermark);
    const root = this.#root(query, p.batchId, Math.min(startMs, ...spans.map((s) => s.startMs)), {
      [ATTRIBUTE.inputRows]: p.numInputRows,
      ...outputOf(p),
      ...(p.stateOperators.length > 0 && {
        [ATTRIBUTE.lateRows]: p.stateOperators.reduce((n, op) => n + op.numRowsDroppedByWatermark, 0),
        [ATTRIBUTE.stateRows]: p.stateOperators.reduce((n, op) => n + op.numRowsTotal, 0),
      }),
      ...(watermarkMs > 0 && { [ATTRIBUTE.watermarkDelay]: (endMs - watermarkMs) / 1_000 }),
    });
    for (const span of spans) this.#child(root, span, p).end(span.endMs);
    root.end(Math.max(endMs, ...spans.map((s) => s.endMs)));
  }

  failed(query: QueryRecord, failure: QueryFailure, batch: FailedBatch | undefined): void {
    const parts = [...(batch?.spans ?? []), ...(batch?.waiting ?? [])];
    const root = this.#root(query, batch?.batchId, Math.min(failure.at, ...parts.map((s) => s.startMs)), {});
    for (const span of batch?.spans ?? []) this.#child(root, span, undefined).end(span.endMs);
    for (const span of batch?.waiting ?? []) this.#fail(this.#child(root, span, undefined), failure).end(span.endMs);
    this.#fail(root, failure).end(Math.max(failure.at, ...parts.map((s) => s.endMs)));
  }

  #root(query: QueryRecord, batchId: number | undefined, startTime: number, attributes: Attributes): Span {
    return this.#tracer.startSpan(
      `batch ${query.name ?? query.id}`,
      {
        startTime,
        root: true,
        attributes: {
          [ATTRIBUTE.queryName]: query.name ?? query.id,
          [ATTRIBUTE.queryId]: query.id,
          [ATTRIBUTE.runId]: query.runId,
          ...(batchId !== undefined && { [ATTRIBUTE.batchId]: batchId }),
          ...attributes,
        },
      },
      this.#api.ROOT_CONTEXT,
    );
  }

  #child(root: Span, span: BatchSpan, progress: StreamingQueryProgress | undefined): Span {
    const { name, kind, attributes } = this.#describe(span, progress);
    return this.#tracer.startSpan(
      name,
      { startTime: span.startMs, kind, attributes: { [ATTRIBUTE.phase]: span.phase, ...attributes } },
      this.#api.trace.setSpan(this.#api.ROOT_CONTEXT, root),
    );
  }

  #describe(
    { phase, sink }: BatchSpan,
    progress: StreamingQueryProgress | undefined,
  ): { name: string; kind: SpanKind; attributes: Attributes } {
    const { SpanKind } = this.#api;
    if (sink !== null) {
      const guarantee = (progress?.sinks ?? [progress?.sink]).find((s) => (s?.name ?? sink) === sink)?.guarantee;
      return {
        name: `write ${sink}`,
        kind: SpanKind.CLIENT,
        attributes: {
          [ATTRIBUTE.sinkName]: sink,
          ...(guarantee !== undefined && { [ATTRIBUTE.sinkGuarantee]: guarantee }),
        },
      };
    }
    if (phase !== "getBatch") return { name: phase, kind: SpanKind.INTERNAL, attributes: {} };
    const topics = [...new Set((progress?.sources ?? []).flatMap(topicsOf))];
    if (topics.length === 0) return { name: "read", kind: SpanKind.CLIENT, attributes: {} };
    return {
      name: `poll ${topics.join(",")}`,
      kind: SpanKind.CLIENT,
      attributes: {
        [ATTRIBUTE.messagingSystem]: "kafka",
        [ATTRIBUTE.messagingOperationName]: "poll",
        [ATTRIBUTE.messagingOperationType]: "receive",
        ...(topics.length === 1 && { [ATTRIBUTE.messagingDestination]: topics[0]! }),
        [ATTRIBUTE.messagingBatchCount]: progress?.numInputRows ?? 0,
      },
    };
  }

  #fail(span: Span, failure: QueryFailure): Span {
    const code: SpanStatusCode = this.#api.SpanStatusCode.ERROR;
    span.setStatus({ code, message: failure.message });
    span.setAttributes({
      [ATTRIBUTE.errorType]: failure.code,
      ...(failure.hint !== null && { [ATTRIBUTE.hint]: failure.hint }),
    });
    span.recordException({ name: failure.code, message: failure.message }, failure.at);
    return span;
  }
}

/** Phases one after the other; only their durations are known. */
function inOrder(p: StreamingQueryProgress, startMs: number): BatchSpan[] {
  let at = startMs;
  const rank = (phase: string): number => (ORDER.includes(phase) ? ORDER.indexOf(phase) : ORDER.length);
  return Object.entries(p.durationMs)
    .filter(([phase]) => phase !== "triggerExecution")
    .sort(([a], [b]) => rank(a) - rank(b))
    .map(([phase, ms]) => {
      const span = { phase, sink: null, startMs: at, endMs: at + ms };
      at += ms;
      return span;
    });
}

function outputOf(p: StreamingQueryProgress): Attributes {
  const rows = (p.sinks ?? [p.sink]).map((s) => s.numOutputRows).filter((n) => n >= 0);
  return rows.length === 0 ? {} : { [ATTRIBUTE.outputRows]: Math.max(...rows) };
}

/** The topics of a Kafka source, from its offsets. */
function topicsOf(source: StreamingQueryProgress["sources"][number]): string[] {
  if (!source.description.startsWith("Kafka")) return [];
  const { endOffset } = source;
  const offsets = typeof endOffset === "string" ? JSON.parse(endOffset) : endOffset;
  return typeof offsets === "object" && offsets !== null ? Object.keys(offsets) : [];
}
