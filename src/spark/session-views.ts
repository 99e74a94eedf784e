import type { CatalogQuestion, Conf, ViewTarget } from "../backend.ts";
import { publish } from "../events.ts";
import type { Relation } from "../plan/relation.ts";
import { parseCommand } from "../plan/sql/command.ts";

type Sql = Extract<Relation, { kind: "sql" }>;

/** How a temporary view came about. */
export type ViewMaking =
  | { readonly kind: "plan"; readonly plan: Relation; readonly view: ViewTarget; readonly conf: Conf }
  | { readonly kind: "command"; readonly sql: Sql; readonly conf: Conf };

/**
 * The temporary views and the current database of a session, remembered here: they end with the session on the server, and a
 * streaming query that starts again in another one reads them by name.
 */
export class SessionViews {
  readonly #views = new Map<string, ViewMaking>();
  #use: { readonly sql: Sql; readonly conf: Conf } | undefined;

  /** After a view was made from a plan. */
  made(plan: Relation, view: ViewTarget, conf: Conf): void {
    this.#remember(keyOf(view.name, view.global), { kind: "plan", plan, view: { ...view, replace: true }, conf });
  }

  /** After a command succeeded. */
  ran(sql: Sql, conf: Conf): void {
    const command = commandOf(sql.query);
    if (command?.kind === "create_view" && command.scope !== "catalog") {
      this.#remember(keyOf(command.name, command.scope === "global"), { kind: "command", sql, conf });
    } else if (command?.kind === "drop" && command.object === "view") {
      this.#views.delete(keyOf(command.name, false));
    } else if (command?.kind === "use") {
      this.#use = { sql, conf };
    }
  }

  /** After a question was answered. */
  asked(question: CatalogQuestion, conf: Conf): void {
    if (question.kind === "dropTempView") this.#views.delete(keyOf(question.viewName, false));
    else if (question.kind === "dropGlobalTempView") this.#views.delete(keyOf(question.viewName, true));
    else if (question.kind === "setCurrentDatabase") {
      const query = `USE \`${question.dbName.replaceAll("`", "``")}\``;
      this.#use = { sql: { kind: "sql", query }, conf };
    }
  }

  /**
   * Makes everything again in another session by `make`. A view may read another that comes later: what fails is tried again as long as
   * any succeeds. What cannot be made is a warning; whoever reads it hears TABLE_OR_VIEW_NOT_FOUND.
   */
  async restore(make: (making: ViewMaking) => Promise<void>): Promise<void> {
    let left: [string, ViewMaking][] = [...this.#views];
    if (this.#use !== undefined) left.unshift(["the current database", { kind: "command", ...this.#use }]);
    for (;;) {
      const failed: [string, ViewMaking, unknown][] = [];
      for (const [name, making] of left) {
        try {
          await make(making);
        } catch (error) {
          failed.push([name, making, error]);
        }
      }
      if (failed.length === 0) return;
      if (failed.length === left.length) {
        for (const [name, , error] of failed) {
          const reason = error instanceof Error ? error.message : String(error);
          publish("warning", {
            code: "SPARK_SESSION_LOST",
            message: `In the new session on the Spark server ${name} could not be made again: ${reason}`,
            detail: { name },
          });
        }
        return;
      }
      left = failed.map(([name, making]) => [name, making]);
    }
  }

  #remember(key: string, making: ViewMaking): void {
    // The newest last: it may read the others.
    this.#views.delete(key);
    this.#views.set(key, making);
  }
}

/** Names of views are the same in any case; a global one has its database in front. */
function keyOf(name: string, global: boolean): string {
  const plain = name.replaceAll("`", "").toLowerCase();
  return global && !plain.startsWith("global_temp.") ? `global_temp.${plain}` : plain;
}

/** The command, or undefined for one that only Spark understands. */
function commandOf(text: string): ReturnType<typeof parseCommand> | undefined {
  try {
    return parseCommand(text);
  } catch {
    return undefined;
  }
}
