import { createEmbeddedBackend } from "../engine/backend.ts";
import { MillraceError } from "../errors.ts";
import { replaceEngine } from "../session.ts";
import { planQuery } from "./plan-query.ts";
import { type Recording, recorder } from "./recorder.ts";
import type { EngineName, ProgramReport, QueryReport } from "./report.ts";

/**
 * Follows a program without running it: `load` runs the program's module, the queries that it starts are written down instead, and each
 * is looked at as the embedded engine and as Spark would look at it. Reads no data and asks no server.
 *
 * ```ts
 * const report = await planProgram(() => import("./pipeline.ts"));
 * for (const query of report.queries) console.log(query.name, query.engines.spark.refusals);
 * ```
 */
export async function planProgram(load: () => Promise<unknown>): Promise<ProgramReport> {
  const engine = createEmbeddedBackend({});
  const recorded: Recording = { queries: [], commands: [] };
  let target: EngineName = process.env.SPARK_REMOTE ? "spark" : "embedded";
  const release = replaceEngine(async (remote) => {
    target = remote === undefined ? "embedded" : "spark";
    return recorder(engine, recorded);
  });
  try {
    const stopped = await load().then(
      () => undefined,
      (error: unknown) => ({ reason: error instanceof Error ? error.message : String(error), error }),
    );
    // A program that fails for a reason of its own, not for ours, cannot be planned.
    if (stopped !== undefined && recorded.queries.length === 0) throw stopped.error;
    const queries: QueryReport[] = [];
    for (const [i, query] of recorded.queries.entries()) queries.push(await planQuery(query, engine, i));
    return { target, queries, commands: recorded.commands, ...(stopped && { stopped: { reason: stopped.reason } }) };
  } finally {
    release();
    await engine.close();
  }
}

/** Whether the engine that the program would run on would take every query. */
export function accepted(report: ProgramReport): boolean {
  return report.stopped === undefined && report.queries.every((q) => q.engines[report.target].refusals.length === 0);
}

/** What was not understood of a program that starts nothing. */
export function nothingPlanned(): MillraceError {
  return new MillraceError("INVALID_ARGUMENT", "The program starts no query.", {
    hint: "Start one with writeStream...start() or write...save() at the top level of the module.",
  });
}
