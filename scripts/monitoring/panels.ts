/** A chart of the Grafana dashboard: what it asks Prometheus, and how it is shown. */
export interface Panel {
  readonly title: string;
  /** One sentence: how to read it. */
  readonly about: string;
  readonly kind: "timeseries" | "stat" | "state-timeline";
  readonly unit: string;
  readonly stacked?: boolean;
  readonly queries: readonly { readonly expr: string; readonly legend: string }[];
}

/** Everything of the chosen processes and queries. */
const ALL = '{job=~"$job", query=~"$query"}';
const JOB = '{job=~"$job"}';
const P = (quantile: number): string =>
  `histogram_quantile(${quantile}, sum by (query, le) (rate(millrace_batch_duration_seconds_bucket${ALL}[$__rate_interval])))`;

/** Twelve, in the order of the questions: does it run, does it keep up, is it fresh, is it correct, does it grow. */
export const PANELS: readonly Panel[] = [
  {
    title: "State of the queries",
    about: "Green while a query runs or waits for data; red when it failed or starts again.",
    kind: "state-timeline",
    unit: "short",
    queries: [
      {
        expr: `sum by (query) (millrace_query_state{job=~"$job", query=~"$query", state=~"running|idle"})`,
        legend: "{{query}}",
      },
    ],
  },
  {
    title: "Rows per second",
    about: "What comes in and what goes out. In above out is normal where rows are filtered or aggregated.",
    kind: "timeseries",
    unit: "rowsps",
    queries: [
      { expr: `sum by (query) (rate(millrace_input_rows_total${ALL}[$__rate_interval]))`, legend: "{{query}} in" },
      {
        expr: `sum by (query, sink) (rate(millrace_output_rows_total${ALL}[$__rate_interval]))`,
        legend: "{{query}} to {{sink}}",
      },
    ],
  },
  {
    title: "Lag in rows",
    about: "Rows that wait in the sources. A line that goes up and never down is a query that is too slow.",
    kind: "timeseries",
    unit: "short",
    queries: [{ expr: `sum by (query, source) (millrace_source_lag_rows${ALL})`, legend: "{{query}} {{source}}" }],
  },
  {
    title: "Lag in seconds",
    about: "How long the partition that is furthest behind needs to catch up at the present rate.",
    kind: "timeseries",
    unit: "s",
    queries: [{ expr: `max by (query, source) (millrace_source_lag_seconds${ALL})`, legend: "{{query}} {{source}}" }],
  },
  {
    title: "Batch duration against the trigger",
    about: "When the 95th percentile is above the interval, batches start late.",
    kind: "timeseries",
    unit: "s",
    queries: [
      { expr: P(0.5), legend: "{{query}} p50" },
      { expr: P(0.95), legend: "{{query}} p95" },
      { expr: `max by (query) (millrace_trigger_interval_seconds${ALL} > 0)`, legend: "{{query}} interval" },
    ],
  },
  {
    title: "Where the time goes",
    about: "Seconds of each second that are spent in each phase. addBatch is computing and writing to the sinks.",
    kind: "timeseries",
    unit: "s",
    stacked: true,
    queries: [
      {
        expr: `sum by (query, phase) (rate(millrace_batch_phase_seconds_total${ALL}[$__rate_interval]))`,
        legend: "{{query}} {{phase}}",
      },
    ],
  },
  {
    title: "Watermark behind the clock",
    about: "How old the newest final results are. A line as steep as the clock is a watermark that stands still.",
    kind: "timeseries",
    unit: "s",
    queries: [{ expr: `max by (query) (millrace_watermark_delay_seconds${ALL})`, legend: "{{query}}" }],
  },
  {
    title: "State",
    about: "Rows that the operators keep (left) and bytes (right). Without a bound this grows until the disk is full.",
    kind: "timeseries",
    unit: "short",
    queries: [
      { expr: `sum by (query, operator) (millrace_state_rows${ALL})`, legend: "{{query}} {{operator}} rows" },
      { expr: `max by (query) (millrace_state_bytes${ALL})`, legend: "{{query}} bytes" },
    ],
  },
  {
    title: "Late and bad rows",
    about: "Rows dropped because they came behind the watermark, and records that could not be used.",
    kind: "timeseries",
    unit: "rowsps",
    queries: [
      {
        expr: `sum by (query, operator) (rate(millrace_late_rows_total${ALL}[$__rate_interval]))`,
        legend: "{{query}} late",
      },
      { expr: `sum by (source) (rate(millrace_bad_records_total${JOB}[$__rate_interval]))`, legend: "{{source}} bad" },
    ],
  },
  {
    title: "Sink retries",
    about: "Batches that a sink did not take at once. They are delivered again; nothing is lost or doubled.",
    kind: "timeseries",
    unit: "short",
    queries: [
      {
        expr: `sum by (query, sink) (increase(millrace_sink_retries_total${ALL}[$__rate_interval]))`,
        legend: "{{query}} {{sink}}",
      },
    ],
  },
  {
    title: "Restarts and failures",
    about: "A query that failed and started again, and failures by code.",
    kind: "timeseries",
    unit: "short",
    queries: [
      {
        expr: `sum by (query) (increase(millrace_query_restarts_total${ALL}[$__rate_interval]))`,
        legend: "{{query}} restarts",
      },
      {
        expr: `sum by (query, code) (increase(millrace_batch_failures_total${ALL}[$__rate_interval]))`,
        legend: "{{query}} {{code}}",
      },
    ],
  },
  {
    title: "Memory and processor",
    about: "Memory of the process (left), with everything embedded in it; processors in use (right).",
    kind: "timeseries",
    unit: "bytes",
    queries: [
      { expr: `process_resident_memory_bytes${JOB}`, legend: "{{instance}} memory" },
      { expr: `rate(process_cpu_seconds_total${JOB}[$__rate_interval])`, legend: "{{instance}} processors" },
    ],
  },
];

/** The dashboard as Grafana imports it. https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/ */
export function grafana(): object {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of Grafana's
  const datasource = { type: "prometheus", uid: "${datasource}" };
  const variable = (name: string, query: string): object => ({
    name,
    label: name === "job" ? "Job" : "Query",
    type: "query",
    datasource,
    query: { query, refId: name },
    definition: query,
    includeAll: true,
    multi: true,
    allValue: ".*",
    current: { text: "All", value: "$__all" },
    refresh: 2,
    sort: 1,
  });
  return {
    title: "Millrace",
    uid: "millrace",
    description: "Streaming queries: do they run, keep up, stay fresh and correct, and what grows.",
    tags: ["millrace", "streaming"],
    schemaVersion: 39,
    version: 1,
    editable: true,
    graphTooltip: 1,
    refresh: "10s",
    time: { from: "now-1h", to: "now" },
    timezone: "browser",
    templating: {
      list: [
        { name: "datasource", label: "Data source", type: "datasource", query: "prometheus", current: {} },
        variable("job", "label_values(millrace_build_info, job)"),
        variable("query", 'label_values(millrace_query_state{job=~"$job"}, query)'),
      ],
    },
    panels: PANELS.map((panel, i) => ({
      id: i + 1,
      title: panel.title,
      description: panel.about,
      type: panel.kind,
      datasource,
      gridPos: { h: 8, w: 12, x: (i % 2) * 12, y: Math.floor(i / 2) * 8 },
      fieldConfig: { defaults: { unit: panel.unit, ...look(panel) }, overrides: overridesOf(panel) },
      options:
        panel.kind === "timeseries"
          ? { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi", sort: "desc" } }
          : { showValue: "never", legend: { displayMode: "list", placement: "bottom" } },
      targets: panel.queries.map(({ expr, legend }, k) => ({
        refId: String.fromCharCode(65 + k),
        datasource,
        expr,
        legendFormat: legend,
      })),
    })),
  };
}

function look(panel: Panel): object {
  if (panel.kind === "state-timeline") {
    return {
      mappings: [
        {
          type: "value",
          options: { 0: { text: "down", color: "red", index: 0 }, 1: { text: "up", color: "green", index: 1 } },
        },
      ],
    };
  }
  const stacking = { mode: panel.stacked ? "normal" : "none", group: "A" };
  return { min: 0, custom: { lineWidth: 1, fillOpacity: panel.stacked ? 40 : 8, showPoints: "never", stacking } };
}

/** A second unit in a panel has an axis of its own. */
function overridesOf(panel: Panel): object[] {
  const second =
    panel.title === "State"
      ? { regexp: "/ bytes$/", unit: "bytes" }
      : panel.unit === "bytes"
        ? { regexp: "/ processors$/", unit: "short" }
        : undefined;
  if (second === undefined) return [];
  return [
    {
      matcher: { id: "byRegexp", options: second.regexp },
      properties: [
        { id: "unit", value: second.unit },
        { id: "custom.axisPlacement", value: "right" },
      ],
    },
  ];
}
