import { randomUUID } from "node:crypto";
import type { Backend, BatchTarget, Conf, ExplainMode, StreamingQueryHandle, StreamTarget } from "../backend.ts";
import { MillraceError } from "../errors.ts";
import type { Relation } from "../plan/relation.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";

/** A query that the program would have started. */
export type RecordedQuery =
  | { readonly kind: "stream"; readonly plan: Relation; readonly target: StreamTarget; readonly conf: Conf }
  | { readonly kind: "write"; readonly plan: Relation; readonly target: BatchTarget; readonly conf: Conf };

/**
 * An engine that runs nothing: it writes down what a program starts. Schemas and catalogs are those of the engine behind it, so that a
 * program that asks for them goes on as it would; one that asks for rows is stopped with UNSUPPORTED_OPERATION.
 */
export function recorder(behind: Backend, queries: RecordedQuery[]): Backend {
  return {
    name: behind.name,
    schema: (plan, conf): Promise<StructType> => behind.schema(plan, conf),
    explain: (plan, mode: ExplainMode, conf): Promise<string> => behind.explain(plan, mode, conf),
    catalog: behind.catalog,
    close: () => behind.close(),
    // biome-ignore lint/correctness/useYield: nothing is ever read
    async *run(): AsyncGenerator<readonly AnyRow[]> {
      throw new MillraceError("UNSUPPORTED_OPERATION", "The program asks for rows, and planning reads no data.", {
        hint: "What it starts before that is planned; to plan the rest, ask for rows elsewhere.",
      });
    },
    async write(plan: Relation, target: BatchTarget, conf: Conf): Promise<void> {
      queries.push({ kind: "write", plan, target, conf });
    },
    async stream(plan: Relation, target: StreamTarget, conf: Conf): Promise<StreamingQueryHandle> {
      queries.push({ kind: "stream", plan, target, conf });
      return ended(target.queryName);
    },
  };
}

/** A query that is over before it began, so that a program that waits for it goes on. */
function ended(name: string | null): StreamingQueryHandle {
  return {
    id: randomUUID(),
    runId: randomUUID(),
    name,
    isActive: false,
    status: { message: "Planned", isDataAvailable: false, isTriggerActive: false },
    lastProgress: null,
    recentProgress: [],
    exception: null,
    processAllAvailable: async () => {},
    awaitTermination: async () => true,
    stop: async () => {},
    explain: () => "",
  };
}
