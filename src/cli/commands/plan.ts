import { accepted, nothingPlanned, planProgram } from "../../planning/plan-program.ts";
import type { EngineName, ProgramReport, QueryReport } from "../../planning/report.ts";
import { toDdl } from "../../types/ddl.ts";
import { applyEnv, findConfig } from "../config.ts";
import { type CommonOptions, EXIT, note, onStderr, onStdout, print, report, UsageError } from "../output.ts";
import { findPipeline, loadPipeline } from "../pipeline.ts";

/** `millrace plan [FILE]`: 0 when the engine that the program would run on takes every query, else 1. */
export async function plan(given: string | undefined, options: CommonOptions): Promise<number> {
  try {
    const config = (await findConfig())?.config;
    applyEnv(config);
    const file = given ?? config?.pipeline;
    if (file === undefined) {
      throw new UsageError("Which pipeline?", "Name its file, or set `pipeline` in millrace.config.ts.");
    }
    const module = findPipeline(file);
    // Producers of the program send nothing.
    process.env.MILLRACE_PLANNING = "1";
    const assumed = assumeAddresses(process.env);
    const found = await planProgram(() => loadPipeline(module));
    if (found.queries.length === 0) throw nothingPlanned();
    print(options.json ? JSON.stringify(found) : text(found));
    if (assumed.length > 0 && !options.json) {
      note(onStderr("dim", `${assumed.join(", ")} not set: \`millrace dev\` starts embedded servers for them.`));
    }
    return accepted(found) ? EXIT.ok : EXIT.failed;
  } catch (error) {
    return report(error, options);
  }
}

/** Sets the addresses that are not set to where `dev` would start a server; gives the names of those. */
function assumeAddresses(env: NodeJS.ProcessEnv): string[] {
  const usual = {
    MILLRACE_KAFKA: "127.0.0.1:9092",
    MILLRACE_POSTGRES: "postgres://postgres@127.0.0.1:5432/postgres",
    MILLRACE_REDIS: "redis://127.0.0.1:6379",
    MILLRACE_LAKE: ".millrace/lake",
  };
  return Object.entries(usual).flatMap(([name, address]) => {
    if (env[name]) return [];
    env[name] = address;
    return [name];
  });
}

const ENGINES: readonly EngineName[] = ["embedded", "spark"];

function text(found: ProgramReport): string {
  const parts = found.queries.map((query) => queryText(query, found.target));
  if (found.commands.length > 0) {
    parts.push([onStdout("bold", "commands, not run"), ...found.commands.map((text) => `  ${text}`)].join("\n"));
  }
  if (found.stopped !== undefined) {
    parts.push(`${onStdout("yellow", "stopped")} ${found.stopped.reason}`);
  }
  return parts.join("\n\n");
}

function queryText(query: QueryReport, target: EngineName): string {
  const how = query.kind === "stream" ? `stream, ${query.outputMode}, ${query.trigger}` : "write";
  const lines = [`${onStdout("bold", query.name)}  ${how}`];
  const add = (name: string, what: string): void => {
    lines.push(`  ${onStdout("dim", name.padEnd(10))} ${what}`);
  };
  if (query.kind === "stream") add("checkpoint", query.checkpointLocation ?? "none");
  if (query.schema !== null) add("columns", toDdl(query.schema));
  query.steps.forEach((step, i) => {
    const functions = step.functions.length > 0 ? `, TypeScript ${step.functions.join(", ")}` : "";
    const state =
      step.state === undefined
        ? ""
        : ` (state ${step.state.bounded ? "" : onStdout("yellow", "without bound: ")}${step.state.reason})`;
    add(i === 0 ? "steps" : "", `${step.operator}${step.detail === "" ? "" : ` ${step.detail}`}${functions}${state}`);
  });
  query.sinks.forEach((sink, i) => {
    const [embedded, spark] = ENGINES.map((engine) => query.engines[engine].guarantees[sink.name]);
    const promise = embedded === spark ? embedded : `${embedded ?? "?"} embedded, ${spark ?? "?"} on Spark`;
    const to = [sink.name === sink.format ? "" : sink.name, sink.format, sink.destination].filter(Boolean).join(" ");
    add(i === 0 ? "sinks" : "", promise === undefined ? to : `${to}: ${promise}`);
  });
  for (const engine of ENGINES) {
    const { refusals, notes } = query.engines[engine];
    const name = `${engine}${engine === target ? " *" : ""}`;
    add(name, refusals.length === 0 ? onStdout("green", "runs") : onStdout("red", "refused"));
    for (const r of refusals) add("", `${onStdout("red", r.code)} ${r.message}${r.hint === null ? "" : ` ${r.hint}`}`);
    for (const remark of notes) add("", remark);
  }
  return lines.join("\n");
}
