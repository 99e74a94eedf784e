import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
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

describe("a command line that cannot be understood", () => {
  test.each([
    [["run", "good.ts", "--log-format", "json", "--otpl", "x"], {}, "unknown option '--otpl'.", "Did you mean --otlp?"],
    [
      ["dev", "--log-format=json", "--kafka-port", "abc"],
      {},
      "argument 'abc' is invalid",
      "See `millrace dev --help`.",
    ],
    [
      ["run", "nosuch.ts", "--log-format", "json"],
      {},
      "There is no file nosuch.ts.",
      "Give the path of the pipeline's module.",
    ],
    [["run", "nosuch.ts"], { MILLRACE_LOG_FORMAT: "json" }, "There is no file nosuch.ts.", "Give the path of"],
    [["rnu", "good.ts", "--log-format", "json"], {}, "unknown command 'rnu'.", "Did you mean run?"],
  ])("%j %j: one line in the form of later errors", async (args, env, message, hint) => {
    const { code, out, lines } = await run(args, env);
    expect([code, out]).toEqual([2, ""]);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      level: "error",
      event: "error",
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      code: "USAGE",
      msg: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
      err: { message: expect.stringContaining(message) },
    });
  });

  test("a mistake in millrace.config.ts has its place", async () => {
    const folder = join(directory, "configured");
    await mkdir(folder);
    await writeFile(join(folder, "millrace.config.ts"), 'export default {\n  pipelin: "good.ts",\n};\n');
    const { code, stderr } = await runCli(["run", "--log-format", "json"], { cwd: folder });
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({ level: "error", code: "USAGE", line: 2 });
  });

  test("with --json it is an event on stdout too, as later errors are", async () => {
    const { code, out, lines } = await run(["run", "nosuch.ts", "--json", "--log-format", "json"]);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toMatchObject({
      event: "error",
      error: { code: "USAGE", message: "There is no file nosuch.ts." },
    });
    expect(lines).toHaveLength(1);
  });

  test("it stays text for people, also when the last word is text", async () => {
    for (const args of [[], ["--log-format", "text"], ["--log-format", "json", "--log-format", "text"]]) {
      const { code, stderr } = await runCli(["run", "nosuch.ts", ...args], { cwd: directory });
      expect([code, stderr]).toEqual([
        2,
        "error There is no file nosuch.ts.\n      Give the path of the pipeline's module.\n",
      ]);
    }
  });
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
