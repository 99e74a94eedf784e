import type { Meter, Observable, ObservableResult } from "@opentelemetry/api";
import type { MetricSpec } from "../metrics.ts";
import { BATCH_SECONDS, type QueryLog } from "../query-log.ts";

/** Units at the end of Prometheus' names, which OpenTelemetry keeps beside the name. */
const UNITS: readonly (readonly [suffix: string, unit: string])[] = [
  ["_seconds", "s"],
  ["_bytes", "By"],
];

/**
 * The table of metrics as instruments. A collector that writes them for Prometheus puts unit and `_total` back, so that panels and alerts hold on
 * both ways. Returns what takes them away.
 */
export function registerInstruments(meter: Meter, specs: readonly MetricSpec[], log: QueryLog): () => void {
  const observed: [Observable, (result: ObservableResult) => void][] = [];
  for (const spec of specs) {
    if (spec.type === "histogram") continue;
    const { name, unit } = nameOf(spec);
    const options = { description: spec.help, unit };
    const instrument =
      spec.type === "counter"
        ? meter.createObservableCounter(name, options)
        : meter.createObservableGauge(name, options);
    observed.push([
      instrument,
      (result) => {
        for (const { labels, value } of spec.samples(log, Date.now())) result.observe(value, labels);
      },
    ]);
  }
  for (const [instrument, callback] of observed) instrument.addCallback(callback);
  const spec = specs.find((s) => s.name === "millrace_batch_duration_seconds")!;
  const { name, unit } = nameOf(spec);
  const durations = meter.createHistogram(name, {
    description: spec.help,
    unit,
    advice: { explicitBucketBoundaries: [...BATCH_SECONDS] },
  });
  const off = log.onBatch((query, p) => durations.record(p.batchDuration / 1_000, { query: query.name ?? query.id }));
  return () => {
    off();
    for (const [instrument, callback] of observed) instrument.removeCallback(callback);
  };
}

/** `millrace_source_lag_seconds` is `millrace.source_lag` in `s`. */
function nameOf(spec: MetricSpec): { readonly name: string; readonly unit: string } {
  let name = spec.type === "counter" ? spec.name.replace(/_total$/, "") : spec.name;
  let unit = "1";
  for (const [suffix, of] of UNITS) {
    if (!name.endsWith(suffix)) continue;
    name = name.slice(0, -suffix.length);
    unit = of;
  }
  if (/_(rows|batches|records|clients)$/.test(name)) unit = `{${/_(\w+?)s?$/.exec(name)![1]!.split("_").at(-1)}}`;
  return { name: name.replace(/^(millrace|process)_/, "$1."), unit };
}
