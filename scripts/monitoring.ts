import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { METRICS, type MetricSpec, processMetrics } from "../src/observe/metrics.ts";
import { ALERTS, alertsYaml } from "./monitoring/alerts.ts";
import { grafana, PANELS } from "./monitoring/panels.ts";

/**
 * Writes docs/metrics.md, docs/monitoring/grafana.json and docs/monitoring/alerts.yml from the table of metrics and those of panels and
 * alerts. A test checks that they are up to date.
 */
export function monitoringFiles(): Readonly<Record<string, string>> {
  return {
    "docs/metrics.md": page(),
    "docs/monitoring/grafana.json": `${JSON.stringify(grafana(), null, 2)}\n`,
    "docs/monitoring/alerts.yml": alertsYaml(),
  };
}

function page(): string {
  return `# Metrics

\`/metrics\` of a process that runs queries (\`millrace dev\`, \`millrace run --metrics-port 4040\`, \`npm start\`) has these, in Prometheus' text format. They are on
without any setting. Units are seconds, bytes and rows; counters begin with the process. Of a query that has ended there is what it counted, but no lag and no delay.

## Queries

${table(METRICS)}
\`query\` is the query's name, or its id when it has none. \`operator\` is the position in \`stateOperators\` of progress and Spark's name of the operator.

## The process

${table(processMetrics(""))}
## Scraping

\`\`\`yaml
scrape_configs:
  - job_name: millrace
    static_configs:
      - targets: ["localhost:4040"]
\`\`\`

Give a server that listens for others (a token is needed then) its token: \`authorization: { credentials: "..." }\`, and its name by \`allowedHosts\`.

## Grafana

[monitoring/grafana.json](monitoring/grafana.json) is a dashboard to import: ${PANELS.length} panels, in the order of the questions.

| panel | how to read it |
|---|---|
${PANELS.map((p) => `| ${p.title} | ${p.about} |`).join("\n")}

## Alerts

[monitoring/alerts.yml](monitoring/alerts.yml) holds rules for Prometheus (\`rule_files\`).

| alert | after | what to do |
|---|---|---|
${ALERTS.map((a) => `| \`${a.name}\` (${a.severity}) | ${a.for} | ${a.action} |`).join("\n")}

## OpenTelemetry

With \`OTEL_EXPORTER_OTLP_ENDPOINT\` set, or with \`--otlp http://host:4318\` (\`npm start -- --otlp ...\`), \`millrace dev\`, \`millrace run\` and \`npm start\` send traces and metrics to a collector by OTLP over HTTP. The packages are installed beside Millrace:

\`\`\`sh no-run: the packages of other projects are not installed by a test
$ npm install @opentelemetry/api @opentelemetry/resources @opentelemetry/sdk-trace-base @opentelemetry/sdk-metrics @opentelemetry/exporter-trace-otlp-http @opentelemetry/exporter-metrics-otlp-http
\`\`\`

- A batch is one span, \`batch NAME\`, with its number, rows, lateness and state; its phases are below it: \`latestOffset\`, \`walCommit\`, \`poll TOPIC\`, \`compute\`, one \`write SINK\` for
  each sink, \`commitOffsets\`. A batch that fails is a span too, with the error's code. There is never a span for a record.
- Metrics have the names above with a dot after the first word and the unit beside the name (\`millrace.source_lag\` in \`s\`); a collector that writes them for Prometheus gives them the
  names above, so panels and alerts hold on both ways.
- \`OTEL_SERVICE_NAME\`, \`OTEL_RESOURCE_ATTRIBUTES\`, \`OTEL_EXPORTER_OTLP_HEADERS\`, \`OTEL_TRACES_SAMPLER\`, \`OTEL_TRACES_EXPORTER=none\`, \`OTEL_METRICS_EXPORTER=none\`,
  \`OTEL_METRIC_EXPORT_INTERVAL\` and \`OTEL_SDK_DISABLED\` mean what they mean everywhere.

## Logs

\`--log-format json\` on \`dev\` and \`run\` (or \`MILLRACE_LOG_FORMAT=json\`) writes one JSON object a line to standard error in place of the status line: \`time\`, \`level\`, \`msg\`, \`event\`, and by
event \`query\`, \`queryId\`, \`runId\`, \`batch\`, \`code\`, \`hint\`, \`err\`. \`--log-level\` (\`MILLRACE_LOG_LEVEL\`) is \`info\`; \`debug\` has a line for each batch, \`trace\` one for each step of it.
What keeps a program from starting, such as an unknown option or a missing file, is such a line too: \`event\` is \`error\`, with \`code\` and \`hint\`, and \`file\`, \`line\` and \`column\` where they are known.
`;
}

function table(specs: readonly MetricSpec[]): string {
  const rows = specs.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help.replaceAll("|", "\\|")} |\n`,
  );
  return `| name | type | labels | |\n|---|---|---|---|\n${rows.join("")}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [path, text] of Object.entries(monitoringFiles())) {
    writeFileSync(new URL(`../${path}`, import.meta.url), text);
  }
}
