import type { BatchInput } from "../connectors/connector.ts";
import { connectorFor, resolveOptions } from "../connectors/index.ts";
import { type Connection, columnDefinitions, insertRows } from "../duckdb/duckdb.ts";
import { MillraceError } from "../errors.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { resolvedInputs, resolvedSubqueries } from "../plan/walk.ts";
import type { StructType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type CompileContext, columnName, compileRelation, requiredColumns } from "./compile.ts";
import { ingest, scanLeaf } from "./ingest.ts";
import { runMapRows } from "./map-rows.ts";
import { udfCompiler } from "./udf.ts";

type Node<K extends ResolvedRelation["kind"]> = Extract<ResolvedRelation, { kind: K }>;

/** More rows than this come in through a table instead of as text. */
const INLINE_ROWS = 64;

export interface ExecuteContext {
  readonly timestampMs: number;
  readonly timeZone: string;
  /** Nodes that the caller computes itself. */
  leaf?(node: ResolvedRelation): string | undefined;
  /** The columns wanted of scans, from `requiredColumns` of the whole plan; default: of this plan. */
  readonly columns?: ReadonlyMap<ResolvedRelation, readonly string[]>;
}

/** A plan that is ready to run as one statement. */
export interface Prepared {
  /** A SELECT with columns `c<id>`. */
  readonly sql: string;
  /** Drops the TEMP tables and lets the sources go. */
  cleanup(): Promise<void>;
}

/** A compile context whose TypeScript functions are registered with the connection's database. */
export function compileContext(connection: Connection, ctx: Omit<ExecuteContext, "columns">): CompileContext {
  return {
    timestampMs: ctx.timestampMs,
    timeZone: ctx.timeZone,
    udf: udfCompiler(connection),
    ...(ctx.leaf !== undefined && { leaf: (node: ResolvedRelation) => ctx.leaf!(node) }),
  };
}

let tables = 0;

/**
 * Makes all that SQL alone cannot compute: opens static sources, lays large local data down, and runs TypeScript functions over rows bottom
 * up, each into a TEMP table of the connection. What remains is one statement.
 */
export async function prepare(plan: ResolvedRelation, connection: Connection, ctx: ExecuteContext): Promise<Prepared> {
  const { leaves, cleanup } = await materialise([plan], connection, { columns: requiredColumns(plan), ...ctx });
  try {
    const leaf = (node: ResolvedRelation): string | undefined => ctx.leaf?.(node) ?? leaves.get(node);
    return { sql: compileRelation(plan, compileContext(connection, { ...ctx, leaf })), cleanup };
  } catch (error) {
    await cleanup();
    throw error;
  }
}

/** FROM items (columns `c<id>`) of nodes that are not SQL. */
export interface Materialised {
  readonly leaves: ReadonlyMap<ResolvedRelation, string>;
  cleanup(): Promise<void>;
}

/** The first half of `prepare`, for several plans at once. Nodes below a leaf of the caller, and those that `skip` names, are left alone. */
export async function materialise(
  plans: readonly ResolvedRelation[],
  connection: Connection,
  ctx: ExecuteContext & { readonly columns: ReadonlyMap<ResolvedRelation, readonly string[]> },
  skip: (node: ResolvedRelation) => boolean = () => false,
): Promise<Materialised> {
  const leaves = new Map<ResolvedRelation, string>();
  const made: string[] = [];
  const inputs: BatchInput[] = [];
  const leaf = (node: ResolvedRelation): string | undefined => ctx.leaf?.(node) ?? leaves.get(node);
  const context = compileContext(connection, { timestampMs: ctx.timestampMs, timeZone: ctx.timeZone, leaf });
  const table = (): string => {
    const name = `millrace_tmp_${++tables}`;
    made.push(name);
    return name;
  };

  const visit = async (node: ResolvedRelation): Promise<void> => {
    if (leaf(node) !== undefined) return;
    for (const input of resolvedInputs(node)) await visit(input);
    for (const plan of resolvedSubqueries(node)) await visit(plan);
    if (skip(node)) return;
    switch (node.kind) {
      case "scan": {
        const wanted = ctx.columns.get(node) ?? node.fields.map((f) => f.name);
        const input = await openStatic(node, wanted);
        inputs.push(input);
        // Counting rows would read a source of SQL once more, and nobody asks.
        const from = input.kind === "sql" ? input.from : (await ingest(connection, input, node, table())).from;
        leaves.set(node, scanLeaf(node, from, wanted));
        return;
      }
      case "local": {
        if (node.rows.length <= INLINE_ROWS || node.fields.length === 0) return;
        const name = table();
        const schema: StructType = {
          kind: "struct",
          fields: node.fields.map((f) => ({ name: columnName(f.id), type: f.type, nullable: f.nullable })),
        };
        await connection.exec(
          `CREATE OR REPLACE TEMP TABLE ${name}(${columnDefinitions(schema, (f) => sqlType(f.type))})`,
        );
        await insertRows(connection, { name, catalog: "temp", schema: "main" }, schema, node.rows);
        leaves.set(node, name);
        return;
      }
      case "map_rows": {
        const name = table();
        await runMapRows(connection, node, compileRelation(node.input, context), name);
        leaves.set(node, name);
        return;
      }
      case "transform_with_state":
        throw new MillraceError("UNSUPPORTED_OPERATION", "transformWithState runs in a streaming query only.", {
          hint: "Read the input with readStream and start the query with the trigger availableNow.",
        });
      default:
        return;
    }
  };

  const cleanup = async (): Promise<void> => {
    for (const input of inputs.splice(0)) await input.release?.();
    const names = made.splice(0);
    if (names.length > 0) {
      await connection.exec(names.map((name) => `DROP TABLE IF EXISTS temp.main.${name}`).join("; "));
    }
  };

  try {
    for (const plan of plans) await visit(plan);
    return { leaves, cleanup };
  } catch (error) {
    await cleanup();
    throw error;
  }
}

/** The paths of a reader: those given to `load`, else the option `path`. */
export function pathsOf(read: {
  readonly paths: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}): readonly string[] {
  if (read.paths.length > 0) return read.paths;
  const path = Object.entries(read.options).find(([name]) => name.toLowerCase() === "path")?.[1];
  return path === undefined ? [] : [path];
}

/** Opens a static source for reading. */
async function openStatic(scan: Node<"scan">, columns: readonly string[]): Promise<BatchInput> {
  const connector = connectorFor(scan.format);
  const open = connector.source?.openBatch;
  if (open === undefined) {
    throw new MillraceError("UNSUPPORTED_OPERATION", `Format \`${scan.format}\` cannot be read as a batch.`, {
      hint: connector.source?.openStream === undefined ? undefined : "Use readStream.",
    });
  }
  return open.call(connector.source, {
    options: resolveOptions(connector, scan.options, "source"),
    paths: pathsOf(scan),
    schema: scan.schema,
    columns,
  });
}
