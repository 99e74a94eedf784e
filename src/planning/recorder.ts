import { randomUUID } from "node:crypto";
import type {
  Backend,
  BackendCatalog,
  BatchTarget,
  CatalogQuestion,
  Conf,
  ExplainMode,
  StreamingQueryHandle,
  StreamTarget,
} from "../backend.ts";
import { MillraceError } from "../errors.ts";
import type { Relation } from "../plan/relation.ts";
import { parseCommand } from "../plan/sql/command.ts";
import type { AnyRow, StructType } from "../types/data-type.ts";

/** A query that the program would have started. */
export type RecordedQuery =
  | { readonly kind: "stream"; readonly plan: Relation; readonly target: StreamTarget; readonly conf: Conf }
  | { readonly kind: "write"; readonly plan: Relation; readonly target: BatchTarget; readonly conf: Conf };

/** What a program did, written down instead of done. */
export interface Recording {
  readonly queries: RecordedQuery[];
  /** Commands in SQL and on the catalog that would have changed tables, as text. */
  readonly commands: string[];
}

/**
 * An engine that runs nothing: it writes down what a program starts. Schemas, views and what the catalog knows are those of the engine
 * behind it, so that a program that asks for them goes on as it would; one that asks for rows is stopped with UNSUPPORTED_OPERATION.
 */
export function recorder(behind: Backend, { queries, commands }: Recording): Backend {
  return {
    name: behind.name,
    schema: (plan, conf): Promise<StructType> => behind.schema(plan, conf),
    explain: (plan, mode: ExplainMode, conf): Promise<string> => behind.explain(plan, mode, conf),
    catalog: catalogRecorder(behind.catalog, { queries, commands }),
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

/** Views are named and questions answered; what changes a table is written down. */
function catalogRecorder(behind: BackendCatalog, { queries, commands }: Recording): BackendCatalog {
  return {
    async command(sql, conf) {
      if (isHarmless(sql.query)) return behind.command(sql, conf);
      commands.push(sql.query.trim());
      return { schema: { kind: "struct", fields: [] }, rows: [] };
    },
    createView: (plan, view, conf) => behind.createView(plan, view, conf),
    async writeTable(plan, { name, format, ...target }, conf) {
      queries.push({ kind: "write", plan, target: { ...target, format: format ?? "parquet", path: name }, conf });
    },
    async ask(question, conf) {
      if (!CHANGES.has(question.kind)) return behind.ask(question, conf);
      commands.push(`spark.catalog.${question.kind}`);
      return [];
    },
  };
}

/** Questions that are deeds on tables. */
const CHANGES: ReadonlySet<CatalogQuestion["kind"]> = new Set(["createTable", "recoverPartitions"]);

/** Whether a command touches no table: it looks, sets, or names a query for this session. */
function isHarmless(text: string): boolean {
  const command = parseCommand(text);
  switch (command.kind) {
    case "create_view":
      return command.scope !== "catalog";
    case "use":
    case "set":
    case "reset":
    case "show":
    case "describe":
    case "describe_query":
    case "explain":
    case "cache":
      return true;
    default:
      return false;
  }
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
