import type { Connection } from "../duckdb/duckdb.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import type { RunnerParts } from "./batch-runner.ts";
import { compileContext, type Materialised, materialise } from "./execute.ts";
import { runMapRows } from "./map-rows.ts";
import type { StreamPlan } from "./stream-plan.ts";

/** What the streaming half takes from the batch half: compile settings, the static side of joins, TypeScript functions over rows. */
export function runnerParts(connection: Connection, plan: StreamPlan, timeZone: string): RunnerParts {
  const columns = new Map<ResolvedRelation, readonly string[]>(plan.staticScans.map((s) => [s.scan, s.columns]));
  const roots = [
    plan.root,
    ...plan.stages.map((stage) => (stage.kind === "operator" ? stage.operator.input : stage.input)),
  ];
  let before: Materialised | undefined;
  return {
    context: (timestampMs) => compileContext(connection, { timestampMs, timeZone }),
    async staticLeaves(on) {
      await before?.cleanup();
      before = await materialise(roots, on, { timestampMs: Date.now(), timeZone, columns }, (node) => node.streaming);
      return before.leaves;
    },
    async mapRows(on, node, sql, table) {
      await runMapRows(on, node, sql, table);
    },
  };
}
