import { kafka, lake, postgres, redis, spark } from "../checks/addresses.ts";
import type { Check, Finding } from "../checks/check.ts";
import { clock, directory, disk, duckdb, files, firstLine, memory, node } from "../checks/machine.ts";
import { portCheck } from "../checks/ports.ts";
import { type CommonOptions, EXIT, onStdout, print, report } from "../output.ts";
import { settle } from "../settings.ts";

export interface DoctorOptions extends CommonOptions {
  dir?: string;
}

type Result = Finding & { readonly name: string; readonly required: boolean };

/** `millrace doctor`: what a pipeline needs of the machine and its servers; 1 when something is missing without which nothing runs. */
export async function doctor(options: DoctorOptions): Promise<number> {
  try {
    const { dir, ports } = await settle(undefined, options);
    const usual = { kafka: 9092, postgres: 5432, redis: 6379, dashboard: 4040, ...ports };
    const checks: Check[] = [
      node,
      duckdb,
      memory,
      files,
      clock,
      disk,
      directory,
      portCheck("Kafka", usual.kafka, "--kafka-port"),
      portCheck("PostgreSQL", usual.postgres, "--postgres-port"),
      portCheck("Redis", usual.redis, "--redis-port"),
      portCheck("the dashboard", usual.dashboard, "--metrics-port"),
      kafka,
      postgres,
      redis,
      lake,
      spark,
    ].filter((check) => isWanted(check.name, process.env));
    const about = { directory: dir, ports: usual, env: process.env };
    const results: Result[] = [];
    const width = Math.max(...checks.map((check) => check.name.length));
    // All at once; shown in their order as soon as they are there.
    const running = checks.map((check) =>
      check.run(about).catch((error: unknown): Finding => ({ state: "failed", found: firstLine(error) })),
    );
    for (const [i, check] of checks.entries()) {
      const result: Result = { name: check.name, required: check.required, ...(await running[i]!) };
      results.push(result);
      if (!options.json) print(line(result, width));
    }
    const broken = results.filter((r) => r.state === "failed" && r.required);
    if (options.json) print(JSON.stringify({ ok: broken.length === 0, checks: results }));
    else print(`\n${summary(results)}`);
    return broken.length === 0 ? EXIT.ok : EXIT.failed;
  } catch (error) {
    return report(error, options);
  }
}

/** Ports of servers that are elsewhere are nobody's business. */
function isWanted(name: string, env: NodeJS.ProcessEnv): boolean {
  if (name === "port 9092") return !env.MILLRACE_KAFKA;
  if (name === "port 5432") return !env.MILLRACE_POSTGRES;
  return name !== "port 6379" || !env.MILLRACE_REDIS;
}

const MARKS = { ok: ["green", "✓"], warning: ["yellow", "!"], failed: ["red", "✗"], skipped: ["dim", "-"] } as const;

function line({ name, state, found, fix }: Result, width: number): string {
  const [colour, mark] = MARKS[state];
  const first = `${onStdout(colour, mark)} ${name.padEnd(width)}  ${found}`;
  return fix === undefined ? first : `${first}\n  ${" ".repeat(width)}  ${onStdout("cyan", fix)}`;
}

function summary(results: readonly Result[]): string {
  const failed = results.filter((r) => r.state === "failed").length;
  const warnings = results.filter((r) => r.state === "warning").length;
  if (failed === 0 && warnings === 0) return onStdout("green", "Everything is fine.");
  const parts = [failed > 0 ? `${failed} to repair` : "", warnings > 0 ? `${warnings} to know of` : ""].filter(Boolean);
  return `${onStdout(failed > 0 ? "red" : "yellow", parts.join(", "))}${failed === 0 ? "; pipelines run." : "."}`;
}
