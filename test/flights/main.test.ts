import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { runFlights, startFlights } from "../crash/flights-process.ts";
import { need } from "../needs.ts";

const exec = promisify(execFile);
const folders: string[] = [];
const folder = (): string => {
  folders.push(mkdtempSync(join(tmpdir(), "millrace-flights-")));
  return folders.at(-1)!;
};
afterAll(() => {
  for (const name of folders) rmSync(name, { recursive: true, force: true, maxRetries: 3 });
});

describe("npm start", () => {
  test("--once agrees with the oracle; a second run finds nothing to do and the same results", async () => {
    const args = ["--dir", folder(), "--limit", "60000", "--verify"];
    const first = await runFlights(args);
    expect(first.differences).toEqual([]);
    expect(first).toMatchObject({ events: 60_000, lakeRows: 60_000, lateRows: 0 });
    expect(first.delaysRows).toBeGreaterThan(5_000);
    expect(first.alerts).toBe(0); // an airport needs a hundred closed hours before it can have an unusual one
    const second = await runFlights(args);
    const { events, lakeRows, delaysRows, airports, alerts } = first;
    expect(second).toMatchObject({
      events,
      lakeRows,
      delaysRows,
      airports,
      alerts,
      lateRows: 0,
      eventsPerSecond: null,
    });
    expect(second.differences).toEqual([]);
  }, 120_000);

  test("a longer run goes on from a shorter one, and --fresh starts over", async () => {
    const dir = folder();
    await runFlights(["--dir", dir, "--limit", "20000"]);
    const longer = await runFlights(["--dir", dir, "--limit", "50000", "--verify"]);
    expect(longer).toMatchObject({ events: 50_000, lateRows: 0, differences: [] });
    const fresh = await runFlights(["--dir", dir, "--limit", "10000", "--fresh", "--verify"]);
    expect(fresh).toMatchObject({ events: 10_000, lakeRows: 10_000, differences: [] });
  }, 120_000);

  test("traces and metrics go to the collector of OTEL_EXPORTER_OTLP_ENDPOINT or --otlp", async () => {
    const spans = new Set<string>();
    const metrics = new Set<string>();
    const collector = createServer(async (request, response) => {
      const body = JSON.parse(await text(request));
      for (const { scopeSpans } of body.resourceSpans ?? []) for (const s of scopeSpans[0].spans) spans.add(s.name);
      for (const { scopeMetrics } of body.resourceMetrics ?? []) {
        for (const m of scopeMetrics[0].metrics) metrics.add(m.name);
      }
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
    await new Promise<void>((resolve) => collector.listen(0, "127.0.0.1", resolve));
    const address = `http://127.0.0.1:${(collector.address() as AddressInfo).port}`;
    const args = ["--once", "--json", "--limit", "5000"];
    const byEnvironment = await startFlights([...args, "--dir", folder()], { OTEL_EXPORTER_OTLP_ENDPOINT: address })
      .ended;
    expect(byEnvironment.code, byEnvironment.stderr).toBe(0);
    expect([...spans]).toEqual(expect.arrayContaining(["batch lake", "batch delays"]));
    expect([...metrics]).toEqual(expect.arrayContaining(["millrace.input_rows", "millrace.batch_duration"]));
    spans.clear();
    const byOption = await startFlights([...args, "--dir", folder(), "--otlp", address]).ended;
    expect(byOption.code, byOption.stderr).toBe(0);
    expect([...spans]).toEqual(expect.arrayContaining(["batch lake", "batch delays"]));
    await new Promise((resolve) => collector.close(resolve));
    const wrong = await startFlights([...args, "--dir", folder(), "--otlp", "nonsense"]).ended;
    expect(wrong.code).toBe(1);
    expect(wrong.stderr).toContain("nonsense is not the address of an OTLP collector");
  }, 120_000);

  test.each(["SIGINT", "SIGTERM"] as const)(
    "live: %s stops cleanly in the middle, the next start goes on there",
    async (signal) => {
      const dir = folder();
      const live = startFlights(["--dir", dir, "--limit", "200000", "--speed", "200000"]);
      let asked = false;
      live.child.stderr!.on("data", (text: string) => {
        if (/lag/.test(text) && !asked) asked = live.child.kill(signal);
      });
      const { code, stdout, stderr } = await live.ended;
      expect(code, stderr).toBe(0);
      expect(stdout).toMatch(/flights in the topic/);
      const rest = await runFlights(["--dir", dir, "--limit", "200000", "--verify"]);
      expect(rest).toMatchObject({ events: 200_000, lakeRows: 200_000, lateRows: 0, differences: [] });
      expect(rest.eventsPerSecond).not.toBeNull();
    },
    120_000,
  );

  test("the commands that it prints work as printed", async () => {
    for (const program of ["kcat", "psql", "redis-cli"] as const) await need(program);
    const run = startFlights(["--once", "--keep", "--dir", folder(), "--limit", "200000"]);
    let stdout = "";
    await new Promise<void>((resolve) => {
      run.child.stdout!.on("data", (text: string) => {
        stdout += text;
        if (/^ls /m.test(stdout)) resolve();
      });
      void run.ended.then(() => resolve());
    });
    const commands = stdout.split("\n").filter((line) => /^(kcat|psql|redis-cli|ls) /.test(line));
    expect(commands.map((command) => command.split(" ")[0])).toEqual([
      "kcat",
      "kcat",
      "psql",
      "psql",
      "redis-cli",
      "ls",
    ]);
    const outputs = await Promise.all(commands.map((command) => exec("sh", ["-c", command])));
    const [flights, alerts, delays, unusual, airport, lake] = outputs.map((output) => output.stdout);
    expect(flights!.trim().split("\n")).toHaveLength(3);
    expect(JSON.parse(flights!.split("\n")[0]!)).toMatchObject({
      origin: expect.any(String),
      delay: expect.any(Number),
    });
    expect(JSON.parse(alerts!.split("\n")[0]!)).toMatchObject({ deviations: expect.any(Number) });
    expect(delays).toMatch(/hour.*origin.*flights.*delay.*worst.*late[\s\S]*\(5 rows\)/);
    expect(unusual).toMatch(/deviations[\s\S]*\(5 rows\)/);
    expect(airport).toMatch(/flights\n\d+/);
    expect(lake).toMatch(/_delta_log[\s\S]*day=2001-01-01/);
    run.child.kill("SIGTERM");
    expect((await run.ended).code).toBe(0);
  }, 120_000);

  test("a misspelt option is named with the nearest one", async () => {
    const { code, stderr } = await startFlights(["--onec"]).ended;
    expect(code).toBe(2);
    expect(stderr.trim()).toBe("Unknown option '--onec'. Did you mean '--once'? See --help.");
  });

  test("a second process on the same folder is refused", async () => {
    const dir = folder();
    const first = startFlights(["--dir", dir, "--limit", "1000"]);
    await new Promise<void>((resolve) => {
      first.child.stderr!.on("data", (text: string) => {
        if (/kcat/.test(text)) resolve();
      });
      void first.ended.then(() => resolve());
    });
    const { code, stderr } = await startFlights(["--once", "--dir", dir, "--limit", "1000"]).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/DIRECTORY_IN_USE/);
    first.child.kill("SIGTERM");
    expect((await first.ended).code).toBe(0);
  }, 60_000);
});
