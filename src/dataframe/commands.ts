import type { Backend, CommandResult } from "../backend.ts";
import type { Relation } from "../plan/relation.ts";
import { relationInputs, relationSubqueries } from "../plan/walk.ts";

/**
 * The commands of a session, one after the other. A command in SQL starts when `spark.sql` is called, as in Spark; whatever is asked of
 * the session afterwards waits for it. Its failure is told by the DataFrame that `spark.sql` gave.
 */
export class CommandQueue {
  #last: Promise<unknown> = Promise.resolve();
  readonly #results = new WeakMap<Relation, { readonly rows: Promise<Relation>; asked: boolean }>();

  /** Runs after all commands that were given before. */
  run<T>(command: () => Promise<T>): Promise<T> {
    const result = this.#last.then(command);
    this.#last = result.catch(() => {});
    return result;
  }

  /** Starts the command of a `sql` node; the node means its rows. */
  start(node: Relation, command: () => Promise<CommandResult>): void {
    const rows = this.run(command).then((result): Relation => ({ kind: "local", ...result }));
    const entry = { rows, asked: false };
    this.#results.set(node, entry);
    rows.catch((error: unknown) => {
      // Nobody may ever ask for the rows of a command; who asks does so by now, or has forgotten it.
      setImmediate(() => {
        if (entry.asked) return;
        process.emitWarning(`A command failed: ${error instanceof Error ? error.message : String(error)}`);
      });
    });
  }

  #asked(plan: Relation): Map<Relation, Promise<Relation>> {
    const found = new Map<Relation, Promise<Relation>>();
    const pending = [plan];
    while (pending.length > 0) {
      const node = pending.pop()!;
      const entry = this.#results.get(node);
      if (entry) {
        entry.asked = true;
        found.set(node, entry.rows);
      } else pending.push(...relationInputs(node), ...relationSubqueries(node));
    }
    return found;
  }

  /** When the commands given so far have ended: the plan with their rows in it. Throws the failure of one that stands in it. */
  async resolved(plan: Relation): Promise<Relation> {
    const asked = this.#asked(plan);
    await this.#last;
    const found = new Map<object, Relation>();
    for (const [node, rows] of asked) {
      const { planId } = node;
      found.set(node, planId === undefined ? await rows : { ...(await rows), planId });
    }
    return found.size === 0 ? plan : (replaced(plan, found) as Relation);
  }
}

function replaced(value: unknown, by: ReadonlyMap<object, Relation>): unknown {
  if (typeof value !== "object" || value === null || value instanceof Date || ArrayBuffer.isView(value)) return value;
  const other = by.get(value);
  if (other !== undefined) return other;
  const { kind } = value as { kind?: unknown };
  if (kind === "read" || kind === "local" || kind === "udf" || value instanceof Map) return value;
  if (Array.isArray(value)) {
    const items = value.map((v) => replaced(v, by));
    return items.every((x, i) => x === value[i]) ? value : items;
  }
  const entries = Object.entries(value).map(([k, v]) => [k, replaced(v, by)] as const);
  return entries.every(([k, v]) => v === (value as Record<string, unknown>)[k]) ? value : Object.fromEntries(entries);
}

/** The engine behind the session's commands: each action waits for those given before it. */
export function afterCommands(backend: Backend, commands: CommandQueue): Backend {
  const ready = (plan: Relation): Promise<Relation> => commands.resolved(plan);
  return {
    name: backend.name,
    catalog: {
      command: (sql, conf) => backend.catalog.command(sql, conf),
      createView: async (plan, view, conf) => backend.catalog.createView(await ready(plan), view, conf),
      writeTable: async (plan, target, conf) => backend.catalog.writeTable(await ready(plan), target, conf),
      ask: (question, conf) => commands.run(() => backend.catalog.ask(question, conf)),
    },
    schema: async (plan, conf) => backend.schema(await ready(plan), conf),
    async *run(plan, conf) {
      yield* backend.run(await ready(plan), conf);
    },
    write: async (plan, target, conf) => backend.write(await ready(plan), target, conf),
    stream: async (plan, target, conf) => backend.stream(await ready(plan), target, conf),
    explain: async (plan, mode, conf) => backend.explain(await ready(plan), mode, conf),
    close: () => backend.close(),
  };
}
