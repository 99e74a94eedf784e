import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { subscribe } from "../../events.ts";
import { SparkSession, schema, t } from "../../index.ts";
import { MemoryStream } from "../../testing/index.ts";
import { startTelemetry } from "./telemetry.ts";

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  kind: number;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code?: number; message?: string };
  attributes: { key: string; value: Record<string, unknown> }[];
  events: { name: string }[];
}

/** A collector that keeps what it is sent, in OTLP's JSON. */
let collector: Server;
let endpoint: string;
let answer = 200;
let spans: OtlpSpan[];
let metrics: { name: string; unit: string; [kind: string]: unknown }[];
let resource: Record<string, unknown>;
let folder: string;
let spark: SparkSession;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "millrace-otel-"));
  spark = new SparkSession();
  collector = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      response.writeHead(answer, { "content-type": "application/json" }).end("{}");
      if (answer !== 200) return;
      const body = JSON.parse(text);
      const of = request.url === "/otlp/v1/traces" ? body.resourceSpans : body.resourceMetrics;
      for (const { resource: r, scopeSpans, scopeMetrics } of of) {
        resource = values(r.attributes);
        for (const scope of scopeSpans ?? []) spans.push(...scope.spans);
        for (const scope of scopeMetrics ?? []) metrics.push(...scope.metrics);
      }
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/otlp`;
});
beforeEach(() => {
  spans = [];
  metrics = [];
  answer = 200;
});
let off = (): void => {};
afterEach(() => off());
afterAll(async () => {
  await spark.stop();
  await new Promise((resolve) => collector.close(resolve));
  rmSync(folder, { recursive: true, force: true });
});

function values(attributes: OtlpSpan["attributes"]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}

async function run(name: string, fail = false): Promise<void> {
  const stream = new MemoryStream(schema({ n: t.int }));
  let writer = stream.toDF(spark).groupBy("n").count().writeStream.queryName(name).outputMode("update");
  writer = fail
    ? writer.foreachBatch(() => {
        throw new TypeError("the user's own fault");
      })
    : writer.sink("kept", (to) => to.format("noop")).sink("other", (to) => to.format("noop"));
  const query = await writer.option("checkpointLocation", join(folder, name)).start();
  for (let i = 0; i < 3; i++) {
    stream.addData({ n: i }, { n: i });
    await query.processAllAvailable().catch(() => undefined);
  }
  await query.stop();
}

test("a batch is a span, its phases are below it with their own times", async () => {
  const telemetry = await startTelemetry({ endpoint, version: "1.2.3", env: { OTEL_SERVICE_NAME: "flights" } });
  await run("spans");
  await telemetry!.close();
  expect(resource).toMatchObject({ "service.name": "flights", "service.version": "1.2.3" });
  const roots = spans.filter((s) => s.name === "batch spans");
  expect(roots.map((s) => Number(values(s.attributes)["millrace.batch.id"]))).toEqual([0, 1, 2]);
  for (const root of roots) {
    const children = spans.filter((s) => s.parentSpanId === root.spanId);
    const names = children.map((s) => s.name);
    expect(names).toEqual(
      expect.arrayContaining(["walCommit", "read", "compute", "write kept", "write other", "commitOffsets"]),
    );
    expect(values(root.attributes)).toMatchObject({
      "millrace.query.name": "spans",
      "millrace.batch.input_rows": 2,
      "millrace.batch.output_rows": 1,
    });
    const at = (name: string): [bigint, bigint] => {
      const span = children.find((s) => s.name === name)!;
      return [BigInt(span.startTimeUnixNano), BigInt(span.endTimeUnixNano)];
    };
    // one after the other; the sinks at the same time
    expect(at("walCommit")[1]).toBeLessThanOrEqual(at("read")[0]);
    expect(at("read")[1]).toBeLessThanOrEqual(at("compute")[0]);
    expect(at("compute")[1]).toBeLessThanOrEqual(at("write kept")[0]);
    expect(at("write kept")[1]).toBeLessThanOrEqual(at("commitOffsets")[1]);
    for (const child of children) {
      expect(child.traceId).toBe(root.traceId);
      expect(BigInt(child.startTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(root.startTimeUnixNano));
      expect(BigInt(child.endTimeUnixNano)).toBeLessThanOrEqual(BigInt(root.endTimeUnixNano));
    }
  }
});

test("metrics have the names of /metrics, with units beside them", async () => {
  const telemetry = await startTelemetry({ endpoint });
  await run("metered");
  await telemetry!.close();
  const found = new Map(metrics.map((m) => [m.name, m]));
  expect([...found.keys()]).toEqual(
    expect.arrayContaining([
      "millrace.batches",
      "millrace.batch_duration",
      "millrace.input_rows",
      "millrace.state_rows",
      "millrace.state",
      "millrace.query_state",
      "process.resident_memory",
    ]),
  );
  expect(found.get("millrace.batch_duration")).toMatchObject({ unit: "s", histogram: {} });
  expect(found.get("millrace.input_rows")).toMatchObject({ unit: "{row}", sum: { isMonotonic: true } });
  expect(found.get("process.resident_memory")).toMatchObject({ unit: "By" });
});

test("a failed batch is a span with its error, at the sink that did not take it", async () => {
  const telemetry = await startTelemetry({ endpoint, env: { OTEL_METRICS_EXPORTER: "none" } });
  await run("failing", true);
  await telemetry!.close();
  const root = spans.find((s) => s.name === "batch failing")!;
  expect(root.status).toMatchObject({ code: 2 });
  expect(values(root.attributes)["error.type"]).toBe("USER_FUNCTION_FAILED");
  const sink = spans.find((s) => s.parentSpanId === root.spanId && s.name.startsWith("write"))!;
  expect([sink.status.code, sink.events[0]!.name]).toEqual([2, "exception"]);
  expect(metrics).toEqual([]);
});

test("a collector that is away is said once, and stops nothing", async () => {
  const warnings: string[] = [];
  off = subscribe("warning", (e) => void warnings.push(`${e.code} ${e.message}`));
  answer = 400;
  const telemetry = await startTelemetry({ endpoint: endpoint.replace("http://", "http://me:geheim@") });
  await run("away");
  await telemetry!.close();
  expect(warnings.filter((w) => w.startsWith("OTLP_FAILED")).length).toBeGreaterThan(0);
  expect(warnings.filter((w) => w.startsWith("OTLP_FAILED")).length).toBeLessThanOrEqual(2);
  expect(warnings.join()).not.toContain("geheim");
});

test("without an endpoint, or disabled, nothing is started; a wrong address is said", async () => {
  expect(await startTelemetry({ env: {} })).toBeUndefined();
  expect(await startTelemetry({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: "" } })).toBeUndefined();
  expect(
    await startTelemetry({ env: { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SDK_DISABLED: "true" } }),
  ).toBeUndefined();
  for (const wrong of ["localhost:4318", "ftp://x", "nonsense"]) {
    await expect(startTelemetry({ endpoint: wrong })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  }
});
