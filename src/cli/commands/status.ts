import { relative, resolve } from "node:path";
import type { QuerySummary } from "../../observe/api.ts";
import { findConfig } from "../config.ts";
import { type CommonOptions, EXIT, note, onStderr, onStdout, print, table } from "../output.ts";
import { type RunFile, readRunFiles } from "../run-file.ts";

export interface StatusOptions extends CommonOptions {
  dir?: string;
}

/** A `dev` or `run` with what its queries do; `queries` is null where it does not tell. */
export interface RunStatus extends Omit<RunFile, "started" | "boot"> {
  readonly queries: readonly QuerySummary[] | null;
}

/** How long a process may take to tell of its queries. */
const ANSWER_MS = 3_000;

/** `millrace status`: 0 when something runs and none of its queries has failed, else 1. */
export async function status(options: StatusOptions): Promise<number> {
  const dir = await runDirectory(options.dir);
  const runs = await Promise.all((await readRunFiles(dir)).map(look));
  if (options.json) print(JSON.stringify({ directory: dir, running: runs }));
  else if (runs.length === 0) note(onStderr("dim", `Nothing runs in ${dir}.`));
  else print(runs.map(text).join("\n\n"));
  const failed = runs.some((run) => run.queries?.some((query) => query.state === "failed") ?? false);
  return runs.length > 0 && !failed ? EXIT.ok : EXIT.failed;
}

/** The folder that a command looks into: of its option, of the config file, else the usual one. */
export async function runDirectory(given: string | undefined): Promise<string> {
  return resolve(given ?? (await findConfig())?.config.dir ?? ".millrace");
}

async function look({ started, boot, ...run }: RunFile): Promise<RunStatus> {
  if (run.dashboard === null) return { ...run, queries: null };
  const address = new URL(run.dashboard);
  const token = address.searchParams.get("token");
  address.search = "";
  const shown = { ...run, dashboard: address.href };
  // Every address of this machine is asked by the name that is always allowed.
  if (address.hostname === "0.0.0.0" || address.hostname === "[::]") address.hostname = "localhost";
  try {
    const answer = await fetch(new URL("/api/queries", address), {
      signal: AbortSignal.timeout(ANSWER_MS),
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
    });
    return { ...shown, queries: answer.ok ? ((await answer.json()) as QuerySummary[]) : null };
  } catch {
    // It is busy with ending, or hangs: what its file says is known all the same.
    return { ...shown, queries: null };
  }
}

function text(run: RunStatus): string {
  const pipeline = run.pipeline === null ? "only servers" : short(run.pipeline);
  const lines = [
    `${onStdout("bold", `millrace ${run.command}`)} ${pipeline}, process ${run.pid}, since ${age(Date.now() - run.startedAt)}`,
  ];
  for (const layer of run.layers) {
    const whose = layer.owner === "yours" ? onStdout("yellow", "  yours") : "";
    lines.push(`  ${layer.name.padEnd(10)}${onStdout("cyan", layer.address)}${whose}`);
  }
  if (run.dashboard !== null) lines.push(`  ${"dashboard".padEnd(10)}${onStdout("cyan", run.dashboard)}`);
  if (run.queries === null) {
    const why = run.dashboard === null ? "it was started without --metrics-port" : "it does not answer";
    lines.push("", onStdout("dim", `What its queries do is not known: ${why}.`));
  } else if (run.queries.length > 0) {
    lines.push("", table(["query", "state", "events/s", "batch", "ms", "lag", "watermark"], run.queries.map(row)));
    for (const query of run.queries) {
      const { lastError } = query;
      if (lastError === null) continue;
      const when = new Date(lastError.at).toISOString().slice(11, 19);
      lines.push(`${onStdout("red", query.name ?? query.id)} ${when} ${lastError.code} ${lastError.message}`);
      if (lastError.hint !== null) lines.push(`  ${lastError.hint}`);
    }
  }
  return lines.join("\n");
}

function row(query: QuerySummary): (string | number)[] {
  const number = (n: number | null): string => (n === null ? "-" : Math.round(n).toLocaleString("en-US"));
  return [
    query.name ?? query.id,
    query.state,
    number(query.inputRowsPerSecond),
    number(query.batchId),
    number(query.batchMs),
    number(query.lagRows),
    query.watermark?.replace(/\.\d+Z$/, "Z") ?? "-",
  ];
}

function short(path: string): string {
  const from = relative(process.cwd(), path);
  return from.startsWith("..") ? path : from;
}

/** `3 min`, as people say it. */
function age(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
