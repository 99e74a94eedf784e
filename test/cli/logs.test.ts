import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runCli } from "./cli-process.ts";

const library = new URL("../../src/index.ts", import.meta.url).href;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-log-lines-"));
  const start = `import { SparkSession } from ${JSON.stringify(library)};
    const spark = SparkSession.builder().getOrCreate();
    const rows = spark.readStream.format("rate").option("rowsPerSecond", 100).load();`;
  await writeFile(
    join(directory, "good.ts"),
    `${start}
    const query = await rows.writeStream.queryName("rated").trigger({ processingTime: "50 milliseconds" }).foreachBatch(async (_, id) => {
      if (id === 1) setImmediate(() => void query.stop());
    }).start();`,
  );
  await writeFile(
    join(directory, "bad.ts"),
    `${start}
    await rows.writeStream.queryName("rated").foreachBatch(() => { throw new TypeError("the user's own fault"); }).start();`,
  );
});
afterAll(() => rm(directory, { recursive: true, force: true }));

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runCli(args, { cwd: directory, env });
  const lines: any[] = stderr
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  return { code, out: stdout, lines };
}

test("--log-format json: stderr is one object a line, with query, batch and level", async () => {
  const { code, out, lines } = await run(["run", "good.ts", "--log-format", "json", "--log-level", "debug"]);
  expect([code, out]).toEqual([0, ""]);
  const events = lines.map((l) => l.event);
  expect(events).toEqual(expect.arrayContaining(["query.started", "query.progress", "query.terminated"]));
  const batch = lines.find((l) => l.event === "query.progress");
  expect(batch).toMatchObject({ level: "debug", query: "rated", batch: expect.any(Number), ms: expect.any(Number) });
});

test("a pipeline that fails ends with a line that has code and place, and the exit code", async () => {
  const { code, lines } = await run(["run", "bad.ts"], { MILLRACE_LOG_FORMAT: "json" });
  expect(code).toBe(1);
  const failed = lines.find((l) => l.event === "query.terminated");
  expect(failed).toMatchObject({ level: "error", query: "rated", code: "USER_FUNCTION_FAILED" });
  expect(failed.msg).toContain("the user's own fault");
  expect(lines.at(-1)).toMatchObject({ level: "error", event: "error" });
});

test("--otlp sends a span for each batch", async () => {
  const paths: string[] = [];
  let names: string[] = [];
  const collector = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => {
      text += chunk;
    });
    request.on("end", () => {
      paths.push(request.url!);
      if (request.url === "/v1/traces") {
        const { resourceSpans } = JSON.parse(text);
        names = [...names, ...resourceSpans[0].scopeSpans[0].spans.map((s: { name: string }) => s.name)];
      }
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
  const { port } = collector.address() as AddressInfo;
  const { code } = await run(["run", "good.ts", "--otlp", `http://127.0.0.1:${port}`, "--log-format", "json"]);
  await new Promise((resolve) => collector.close(resolve));
  expect(code).toBe(0);
  expect(paths).toEqual(expect.arrayContaining(["/v1/traces", "/v1/metrics"]));
  expect(names.filter((name) => name === "batch rated").length).toBeGreaterThanOrEqual(2);
});
