import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ALERTS } from "../scripts/monitoring/alerts.ts";
import { PANELS } from "../scripts/monitoring/panels.ts";
import { monitoringFiles } from "../scripts/monitoring.ts";
import { debianProgram } from "../services/debian.ts";
import { publish } from "../src/events.ts";
import { col, from_json, SparkSession, window } from "../src/index.ts";
import { KafkaClient, KafkaProducer } from "../src/kafka/client/index.ts";
import type { TopicDetail } from "../src/observe/api-explore.ts";
import { type Observer, startObserver } from "../src/observe/server.ts";
import { type Stack, startStack } from "../src/stack.ts";
import { given } from "./needs.ts";

const alerts = fileURLToPath(new URL("../docs/monitoring/alerts.yml", import.meta.url));
const promtool = given(await debianProgram("promtool"));

test("docs/metrics.md, grafana.json and alerts.yml are as their tables say (node scripts/run.mjs scripts/monitoring.ts writes them)", () => {
  for (const [path, text] of Object.entries(monitoringFiles())) {
    expect([path, readFileSync(new URL(`../${path}`, import.meta.url), "utf8")]).toEqual([path, text]);
  }
  expect(PANELS).toHaveLength(12);
});

describe("a live /metrics", () => {
  let folder: string;
  let stack: Stack<"kafka">;
  let spark: SparkSession;
  let observer: Observer;
  let text: string;
  let topic: TopicDetail;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "millrace-monitoring-"));
    stack = await startStack({ directory: join(folder, "data"), env: {}, want: ["kafka"], ports: { kafka: 0 } });
    await stack.ready;
    observer = await startObserver({ port: 0, version: "1.2.3", addresses: () => ({ kafka: stack.addresses.kafka }) });
    spark = new SparkSession();
    const client = KafkaClient.connect({ "bootstrap.servers": stack.addresses.kafka });
    await client.createTopics([{ name: "clicks", partitions: 2 }]);
    const producer = new KafkaProducer(client);
    const send = (minutes: readonly number[]): Promise<void> =>
      producer.send(
        "clicks",
        minutes.map((m, i) => ({
          key: `${i}`,
          value: JSON.stringify({ at: new Date(Date.UTC(2024, 0, 1, 10, m)).toISOString(), who: `w${i % 3}` }),
        })),
      );
    await send([0, 1, 30]);
    const rows = spark.readStream
      .format("kafka")
      .option("kafka.bootstrap.servers", stack.addresses.kafka)
      .option("subscribe", "clicks")
      .option("startingOffsets", "earliest")
      .load()
      .select(from_json(col("value").cast("string"), "at TIMESTAMP, who STRING").as("c"))
      .select("c.*");
    let failures = 0;
    const query = await rows
      .withWatermark("at", "1 minute")
      .groupBy(window(col("at"), "5 minutes"), col("who"))
      .count()
      .writeStream.queryName('clicks "quoted"\\n')
      .outputMode("append")
      .trigger({ processingTime: "20 milliseconds" })
      .option("checkpointLocation", join(folder, "checkpoint"))
      .sink("kept", (to) => to.format("noop"))
      .sink("other", (to) => to.format("noop"))
      .start();
    await query.processAllAvailable();
    await send([31]);
    await query.processAllAvailable();
    await send([0, 1]);
    await query.processAllAvailable();
    const failing = await rows.writeStream
      .queryName("failing")
      .foreachBatch(() => {
        failures++;
        throw new Error("no");
      })
      .option("checkpointLocation", join(folder, "failing"))
      .start();
    await failing.awaitTermination().catch(() => undefined);
    expect(failures).toBeGreaterThan(0);
    publish("record.bad", { source: "clicks", partition: "0", offset: "1", reason: "not JSON" });
    text = await (await fetch(`${observer.url}metrics`)).text();
    topic = (await (await fetch(`${observer.url}api/topics/clicks`)).json()) as TopicDetail;
    await query.stop();
    await producer.close();
    client.close();
  });
  afterAll(async () => {
    await observer.close();
    await spark.stop();
    await stack.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("has every metric that a panel or an alert names, with the labels that it names", () => {
    const names = new Set([...text.matchAll(/^(\w+)\{?/gm)].map((m) => m[1]!));
    const exprs = [...PANELS.flatMap((p) => p.queries.map((q) => q.expr)), ...ALERTS.map((a) => a.expr)];
    for (const expr of exprs) {
      const used = [...expr.matchAll(/\b(?:millrace|process)_\w+/g)].map((m) => m[0]);
      expect(used.length).toBeGreaterThan(0);
      for (const name of used) expect([expr, names.has(name) ? name : `no ${name}`]).toEqual([expr, name]);
      for (const [, name, labels] of expr.matchAll(/\b((?:millrace|process)_\w+)\{([^}]*)\}/g)) {
        const line = text.split("\n").find((l) => l.startsWith(`${name}{`) || l.startsWith(`${name} `))!;
        for (const [, label] of labels!.matchAll(/(\w+)=~?/g)) {
          if (label !== "job") expect(line).toContain(`${label}="`);
        }
      }
    }
    const value = (start: string): number =>
      Number(
        text
          .split("\n")
          .find((l) => l.startsWith(start))
          ?.split(" ")
          .at(-1),
      );
    expect(value('millrace_trigger_interval_seconds{query="clicks')).toBe(0.02);
    expect(value('millrace_late_rows_total{query="clicks')).toBe(2);
    expect(value('millrace_source_lag_rows{query="clicks')).toBe(0);
    expect(value('millrace_source_lag_seconds{query="clicks')).toBe(0);
    expect(value('millrace_state_bytes{query="clicks')).toBeGreaterThan(1_000);
  });

  test("a topic names who reads it, and how far", () => {
    const name = 'clicks "quoted"\\n';
    expect(topic.readers).toEqual([{ query: name, lagRows: 0, lagSeconds: 0 }]);
    expect(topic.offsets.map((o) => o.read[name])).toEqual(topic.offsets.map((o) => o.end));
  });

  test.skipIf(promtool === undefined)("is what promtool accepts", () => {
    const { status, stdout, stderr } = spawnSync(promtool!, ["check", "metrics"], { input: text, encoding: "utf8" });
    expect([status, `${stdout}${stderr}`]).toEqual([0, ""]);
  });
});

describe.skipIf(promtool === undefined)("alerts.yml", () => {
  test("is what promtool accepts", () => {
    const { status, stdout, stderr } = spawnSync(promtool!, ["check", "rules", alerts], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`${ALERTS.length} rules found`);
  });

  test("each alert fires when it should, and none on a query that is well", () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-rules-"));
    const series = (query: string, all: Readonly<Record<string, string>>): string =>
      Object.entries(all)
        .map(([name, values]) => {
          const [metric, labels = ""] = name.split("{");
          return `      - series: '${metric}{job="j",instance="i",query="${query}"${labels && `,${labels.slice(0, -1)}`}}'\n        values: '${values}'\n`;
        })
        .join("");
    const buckets = (fast: string, all: string): Record<string, string> => ({
      'millrace_batch_duration_seconds_bucket{le="1"}': fast,
      'millrace_batch_duration_seconds_bucket{le="10"}': all,
      'millrace_batch_duration_seconds_bucket{le="+Inf"}': all,
    });
    const well = {
      'millrace_query_state{state="running"}': "1x200",
      'millrace_query_state{state="failed"}': "0x200",
      // a batch ended half a minute ago, whenever one looks
      millrace_last_batch_timestamp_seconds: "-30+60x200",
      millrace_trigger_interval_seconds: "2x200",
      'millrace_source_lag_rows{source="s",partition="0"}': "5x200",
      'millrace_source_lag_seconds{source="s"}': "1x200",
      millrace_watermark_delay_seconds: "60x200",
      'millrace_input_rows_total{source="s"}': "0+6000x200",
      'millrace_late_rows_total{operator="0 o"}': "0+1x200",
      'millrace_state_rows{operator="0 o"}': "500x200",
      'millrace_sink_retries_total{sink="k"}': "0x200",
      ...buckets("0+30x200", "0+30x200"),
    };
    const ill: Record<string, Readonly<Record<string, string>>> = {
      MillraceQueryNotRunning: { 'millrace_query_state{state="failed"}': "1x200" },
      MillraceQueryStalled: { ...well, millrace_last_batch_timestamp_seconds: "0x200" },
      MillraceQueryFallingBehind: { ...well, 'millrace_source_lag_seconds{source="s"}': "100+10x200" },
      MillraceBatchSlowerThanTrigger: { ...well, ...buckets("0x200", "0+6x200") },
      MillraceWatermarkStuck: { ...well, millrace_watermark_delay_seconds: "60+60x200" },
      MillraceLateRows: { ...well, 'millrace_late_rows_total{operator="0 o"}': "0+600x200" },
      MillraceSinkFailing: { ...well, 'millrace_sink_retries_total{sink="k"}': "0+1x200" },
    };
    const day = { 'millrace_state_rows{operator="0 o"}': "200000+100x2000" };
    const all = ALERTS.map((a) => a.name);
    const block = (input: string, at: string, expected: (name: string) => string): string =>
      `  - interval: 1m\n    input_series:\n${input}    alert_rule_test:\n${all
        .map(
          (name) => `      - eval_time: ${at}\n        alertname: ${name}\n        exp_alerts: [${expected(name)}]\n`,
        )
        .join("")}`;
    // annotations and further labels are not compared here: a rule that fires at all is found by promtool's own expression test
    const fires = (query: string, input: string, name: string, at: string): string =>
      `  - interval: 1m\n    input_series:\n${input}    promql_expr_test:\n      - expr: 'count(ALERTS{alertname="${name}", alertstate="firing", query="${query}"})'\n        eval_time: ${at}\n        exp_samples:\n          - labels: '{}'\n            value: 1\n`;
    const tests = [
      block(series("well", well), "150m", () => ""),
      ...Object.entries(ill).map(([name, input]) => fires("ill", series("ill", input), name, "150m")),
      fires("grows", series("grows", day), "MillraceStateGrowing", "25h"),
    ];
    const file = join(folder, "test.yml");
    writeFileSync(file, `rule_files: ['${alerts}']\nevaluation_interval: 1m\ntests:\n${tests.join("")}`);
    const { status, stdout, stderr } = spawnSync(promtool!, ["test", "rules", file], { encoding: "utf8" });
    rmSync(folder, { recursive: true });
    expect([status, `${stdout}${stderr}`]).toEqual([0, expect.stringContaining("SUCCESS")]);
    expect([...Object.keys(ill), "MillraceStateGrowing"].sort()).toEqual([...all].sort());
  });
});
