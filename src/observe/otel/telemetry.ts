import { MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import { hidePasswords } from "../../types/secrets.ts";
import { METRICS, processMetrics } from "../metrics.ts";
import { QueryLog } from "../query-log.ts";
import { ATTRIBUTE } from "./attributes.ts";
import { BatchSpans } from "./batch-spans.ts";
import { registerInstruments } from "./instruments.ts";

export interface TelemetryOptions {
  /** Base address of the collector's OTLP over HTTP, such as `http://localhost:4318`; default `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly endpoint?: string | undefined;
  readonly version?: string;
  /** What queries did; default one of its own that begins now. */
  readonly log?: QueryLog | undefined;
  /** Where OpenTelemetry's settings are read; default `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Traces and metrics on their way to a collector. */
export interface Telemetry {
  readonly endpoint: string;
  /** Sends what is left and ends. Waits a few seconds for the collector at most. */
  close(): Promise<void>;
}

const PACKAGES = [
  "@opentelemetry/api",
  "@opentelemetry/resources",
  "@opentelemetry/sdk-trace-base",
  "@opentelemetry/sdk-metrics",
  "@opentelemetry/exporter-trace-otlp-http",
  "@opentelemetry/exporter-metrics-otlp-http",
];
/** How long the end waits for a collector that does not answer. */
const CLOSE_MS = 5_000;
/** As the specification has it. */
const METRICS_EVERY_MS = 60_000;

/**
 * Sends one span a batch, with its phases below it, and the table of metrics to an OpenTelemetry collector. Without an endpoint, or with
 * `OTEL_SDK_DISABLED=true`, undefined: then nothing is loaded and nothing costs anything. `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`,
 * `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_TRACES_SAMPLER`, `OTEL_TRACES_EXPORTER=none`, `OTEL_METRICS_EXPORTER=none` and `OTEL_METRIC_EXPORT_INTERVAL`
 * mean what they mean everywhere. Throws DEPENDENCY_MISSING when OpenTelemetry's packages are not installed, INVALID_ARGUMENT for an address that is none.
 *
 * ```ts
 * const telemetry = await startTelemetry({ endpoint: "http://localhost:4318" });
 * await telemetry?.close();
 * ```
 */
export async function startTelemetry(options: TelemetryOptions = {}): Promise<Telemetry | undefined> {
  const env = options.env ?? process.env;
  const endpoint = options.endpoint ?? env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!endpoint || env.OTEL_SDK_DISABLED?.toLowerCase() === "true") return undefined;
  const base = baseOf(endpoint);
  const { api, resources, trace, metrics, traceExporter, metricExporter } = await load();
  const log = options.log ?? new QueryLog();
  const version = options.version ?? "unknown";
  const detected = resources.detectResources({ detectors: [resources.envDetector] });
  const resource = resources
    .defaultResource()
    .merge(
      resources.resourceFromAttributes({
        [ATTRIBUTE.serviceName]: env.OTEL_SERVICE_NAME || "millrace",
        [ATTRIBUTE.serviceVersion]: version,
      }),
    )
    .merge(detected);
  const closing: (() => Promise<unknown>)[] = [];
  const off: (() => void)[] = [];
  if (env.OTEL_TRACES_EXPORTER !== "none") {
    const exporter = telling(new traceExporter.OTLPTraceExporter({ url: new URL("v1/traces", base).href }), endpoint);
    const provider = new trace.BasicTracerProvider({
      resource,
      spanProcessors: [new trace.BatchSpanProcessor(exporter)],
    });
    const spans = new BatchSpans(api, provider.getTracer("millrace", version));
    off.push(log.onBatch((query, progress, extra) => spans.ended(query, progress, extra)));
    off.push(log.onFailure((query, failure, batch) => spans.failed(query, failure, batch)));
    closing.push(() => provider.shutdown());
  }
  if (env.OTEL_METRICS_EXPORTER !== "none") {
    const exporter = telling(
      new metricExporter.OTLPMetricExporter({ url: new URL("v1/metrics", base).href }),
      endpoint,
    );
    const every = Number(env.OTEL_METRIC_EXPORT_INTERVAL) || METRICS_EVERY_MS;
    const reader = new metrics.PeriodicExportingMetricReader({
      exporter,
      exportIntervalMillis: every,
      exportTimeoutMillis: Math.min(every, 30_000),
    });
    const provider = new metrics.MeterProvider({ resource, readers: [reader] });
    const specs = [...METRICS, ...processMetrics(version)];
    const unregister = registerInstruments(provider.getMeter("millrace", version), specs, log);
    // the last look at the metrics is part of the end
    closing.push(() => provider.shutdown().finally(unregister));
  }
  return {
    endpoint,
    async close() {
      for (const f of off) f();
      await withinClose(Promise.allSettled(closing.map((close) => close())));
      if (options.log === undefined) log.close();
    },
  };
}

async function withinClose(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_MS);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}

/** With a slash at its end, so that paths go below it. */
function baseOf(endpoint: string): URL {
  try {
    const url = new URL(endpoint.endsWith("/") ? endpoint : `${endpoint}/`);
    if (url.protocol === "http:" || url.protocol === "https:") return url;
  } catch {
    // said below
  }
  throw new MillraceError("INVALID_ARGUMENT", `${hidePasswords(endpoint)} is not the address of an OTLP collector.`, {
    hint: "Give it as http://host:4318.",
  });
}

interface Modules {
  readonly api: typeof import("@opentelemetry/api");
  readonly resources: typeof import("@opentelemetry/resources");
  readonly trace: typeof import("@opentelemetry/sdk-trace-base");
  readonly metrics: typeof import("@opentelemetry/sdk-metrics");
  readonly traceExporter: typeof import("@opentelemetry/exporter-trace-otlp-http");
  readonly metricExporter: typeof import("@opentelemetry/exporter-metrics-otlp-http");
}

async function load(): Promise<Modules> {
  try {
    const [api, resources, trace, metrics, traceExporter, metricExporter] = await Promise.all([
      import("@opentelemetry/api"),
      import("@opentelemetry/resources"),
      import("@opentelemetry/sdk-trace-base"),
      import("@opentelemetry/sdk-metrics"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/exporter-metrics-otlp-http"),
    ]);
    return { api, resources, trace, metrics, traceExporter, metricExporter };
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") throw cause;
    const missing = /'(@opentelemetry\/[\w-]+)/.exec((cause as Error).message)?.[1] ?? "@opentelemetry/api";
    throw new MillraceError("DEPENDENCY_MISSING", `Sending telemetry needs the package ${missing}.`, {
      hint: `npm install ${PACKAGES.join(" ")}`,
      parameters: { dependency: missing },
      cause,
    });
  }
}

interface ExportResult {
  readonly code: number;
  readonly error?: Error;
}

/** An exporter that says once when the collector does not take what it is sent, and once when it does again. */
function telling<T extends { export(items: never, done: (result: ExportResult) => void): void }>(
  exporter: T,
  endpoint: string,
): T {
  let failing = false;
  const send = exporter.export.bind(exporter);
  exporter.export = (items, done) =>
    send(items, (result) => {
      const failed = result.code !== 0;
      if (failed !== failing) {
        failing = failed;
        const shown = hidePasswords(endpoint);
        const why = result.error === undefined ? "" : `: ${hidePasswords(result.error.message)}`;
        publish("warning", {
          code: failed ? "OTLP_FAILED" : "OTLP_RECOVERED",
          message: failed
            ? `The collector at ${shown} does not take the telemetry${why}. The pipeline goes on.`
            : `The collector at ${shown} takes the telemetry again.`,
        });
      }
      done(result);
    });
  return exporter;
}
