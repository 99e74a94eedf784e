/** An alert of Prometheus. https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/ */
export interface Alert {
  readonly name: string;
  readonly expr: string;
  readonly for: string;
  readonly severity: "critical" | "warning";
  /** One line; labels as `{{ $labels.query }}`. */
  readonly summary: string;
  /** What it means and what to do. */
  readonly action: string;
}

const BY = "job, instance, query";

export const ALERTS: readonly Alert[] = [
  {
    name: "MillraceQueryNotRunning",
    expr: 'millrace_query_state{state=~"failed|restarting"} == 1',
    for: "1m",
    severity: "critical",
    summary: "The query {{ $labels.query }} is {{ $labels.state }}.",
    action: "See the last error and its remedy on the dashboard's page of the query, or in the log.",
  },
  {
    name: "MillraceQueryStalled",
    expr: `(time() - millrace_last_batch_timestamp_seconds) > clamp_min(10 * millrace_trigger_interval_seconds, 60)
and on (${BY}) sum by (${BY}) (millrace_source_lag_rows) > 0`,
    for: "1m",
    severity: "critical",
    summary: "No batch of {{ $labels.query }} has ended for {{ $value | humanizeDuration }} though rows wait.",
    action:
      "A sink or source may hang: the batch's page shows the phase; `millrace status` shows what the query waits for.",
  },
  {
    name: "MillraceQueryFallingBehind",
    expr: "millrace_source_lag_seconds > 60 and deriv(millrace_source_lag_seconds[10m]) > 0",
    for: "10m",
    severity: "warning",
    summary: "{{ $labels.query }} is {{ $value | humanizeDuration }} behind {{ $labels.source }}, and the lag grows.",
    action: "The dashboard names the bottleneck. More rows a batch, more partitions, or a faster sink.",
  },
  {
    name: "MillraceBatchSlowerThanTrigger",
    expr: `histogram_quantile(0.95, sum by (${BY}, le) (rate(millrace_batch_duration_seconds_bucket[5m])))
> on (${BY}) (millrace_trigger_interval_seconds > 0)`,
    for: "10m",
    severity: "warning",
    summary: "One in twenty batches of {{ $labels.query }} takes longer than its trigger's interval.",
    action: "Give the trigger more time, or see the panel of the phases for what takes it.",
  },
  {
    name: "MillraceWatermarkStuck",
    expr: `deriv(millrace_watermark_delay_seconds[10m]) > 0.9
and on (${BY}) sum by (${BY}) (rate(millrace_input_rows_total[10m])) > 0`,
    for: "10m",
    severity: "warning",
    summary: "The watermark of {{ $labels.query }} stands still though rows come in.",
    action:
      "Event times do not advance: one of several inputs may be idle, or the rows carry old times. Windows stay open and state grows.",
  },
  {
    name: "MillraceLateRows",
    expr: `sum by (${BY}) (rate(millrace_late_rows_total[15m])) / sum by (${BY}) (rate(millrace_input_rows_total[15m])) > 0.01`,
    for: "15m",
    severity: "warning",
    summary: "{{ $value | humanizePercentage }} of the rows of {{ $labels.query }} come too late and are dropped.",
    action: "Give the watermark a longer delay. The dashboard shows some of the rows.",
  },
  {
    name: "MillraceStateGrowing",
    expr: `millrace_state_rows > 100000
and deriv(millrace_state_rows[6h]) > 0 and deriv(millrace_state_rows[6h] offset 6h) > 0
and deriv(millrace_state_rows[6h] offset 12h) > 0 and deriv(millrace_state_rows[6h] offset 18h) > 0`,
    for: "30m",
    severity: "warning",
    summary: "The state of {{ $labels.query }} ({{ $labels.operator }}) has grown for a day without a pause.",
    action: "`millrace plan` says whether an operator's state is bounded, and by what.",
  },
  {
    name: "MillraceSinkFailing",
    expr: `sum by (${BY}, sink) (increase(millrace_sink_retries_total[10m])) > 3`,
    for: "1m",
    severity: "critical",
    summary: "The sink {{ $labels.sink }} of {{ $labels.query }} keeps failing to take batches.",
    action:
      "Nothing is lost: batches wait and are delivered again. Check the sink's server; the error is on the query's page.",
  },
];

/** The rules as Prometheus loads them. */
export function alertsYaml(): string {
  const block = (text: string, indent: string): string =>
    text.includes("\n") ? `|-\n${text.replace(/^/gm, `${indent}  `)}` : quoted(text);
  const rules = ALERTS.map(
    (alert) => `      - alert: ${alert.name}
        expr: ${block(alert.expr, "        ")}
        for: ${alert.for}
        labels:
          severity: ${alert.severity}
        annotations:
          summary: ${quoted(alert.summary)}
          description: ${quoted(alert.action)}
`,
  );
  return `# Written by scripts/monitoring.ts from the table of alerts; changes belong there.
groups:
  - name: millrace
    rules:
${rules.join("")}`;
}

/** As YAML's text in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
