/**
 * npm run bench [-- NAME...]: each benchmark is a process of its own (`bench/<name>.ts`) that prints lines of JSON; this prints a
 * table and adds the lines to bench/results.jsonl, with the machine.
 */
import { spawn } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Measurement } from "./measurement.ts";

/** In this order; the first fills the topic that the others of its kind read. */
const BENCHMARKS: Record<string, string> = {
  window: "Kafka JSON -> hourly window by origin, durable state, broker in the same process",
  lake: "Kafka JSON -> Delta",
  latency: "produce -> visible in PostgreSQL",
  live: "10,000 events/s with and without 200 open pages",
  observe: "what it costs to be watched",
  startup: "process start -> first result of a small query",
  ingest: "Kafka record batches -> DuckDB columns",
};

/** Only when asked for: they fetch Chromium, or Apache Kafka, Spark and PostgreSQL, and the last takes ten minutes. */
const ON_REQUEST: Record<string, string> = {
  map: "the flights' map in Chromium at 10,000 events/s: frames and cost, alone and with 200 other readers",
  spark: "the same programs embedded and on Apache Spark, reading the same topic of a real Kafka",
};

const asked = process.argv.slice(2);
const names = asked.length > 0 ? asked : Object.keys(BENCHMARKS);
const unknown = names.filter((name) => !existsSync(join(import.meta.dirname, `${name}.ts`)));
if (unknown.length > 0) {
  console.error(
    `There is no benchmark '${unknown[0]}'. There are: ${Object.keys({ ...BENCHMARKS, ...ON_REQUEST }).join(", ")}.`,
  );
  process.exit(2);
}

const machine = {
  cores: availableParallelism(),
  cpu: cpus()[0]?.model ?? "unknown",
  memoryGb: Math.round(totalmem() / 2 ** 30),
};
const all: Measurement[] = [];
let failed = false;
for (const name of names) {
  console.error(`${name}: ${BENCHMARKS[name] ?? ON_REQUEST[name] ?? ""}`);
  const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.ts`)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    let measurement: Measurement;
    try {
      measurement = JSON.parse(line);
    } catch {
      console.error(line); // a remark for the reader
      continue;
    }
    all.push(measurement);
    appendFileSync(
      join(import.meta.dirname, "results.jsonl"),
      `${JSON.stringify({ at: new Date().toISOString(), ...machine, node: process.version, ...measurement })}\n`,
    );
  }
  const code = await new Promise<number | null>((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode);
    else child.once("exit", resolve);
  });
  if (code !== 0) {
    failed = true;
    console.error(`${name} failed (${code})`);
  }
}

const rows = all.map((m) => [
  m.benchmark,
  m.what,
  `${m.value.toLocaleString("en-US", { maximumFractionDigits: m.value < 100 ? 1 : 0 })} ${m.unit}`,
  m.goal ?? "",
  m.peakMemoryMb === undefined ? "" : `${Math.round(m.peakMemoryMb)} MB`,
]);
const head = ["benchmark", "measured", "value", "goal", "peak memory"];
const widths = head.map((text, i) => Math.max(text.length, ...rows.map((row) => row[i]!.length)));
const line = (cells: string[]): string =>
  cells
    .map((cell, i) => cell.padEnd(widths[i]!))
    .join("  ")
    .trimEnd();
console.log(`\n${machine.cores} cores, ${machine.cpu}, ${machine.memoryGb} GB, Node ${process.version}\n`);
console.log(line(head));
console.log(line(widths.map((width) => "-".repeat(width))));
for (const row of rows) console.log(line(row));
process.exitCode = failed ? 1 : 0;
