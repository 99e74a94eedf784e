import { relative } from "node:path";
import { MillraceError } from "../errors.ts";
import type { Exchange, Program, QueryChanges } from "../reload/program.ts";
import { clock, type LiveOutput } from "./live-output.ts";
import type { ProgramLoader } from "./modules/loader.ts";
import { onStderr, problemJson } from "./output.ts";

/** Loads the program, and again when its files change; one load at a time. */
export class Reloader {
  readonly #entry: URL;
  readonly #program: Program;
  readonly #loader: ProgramLoader;
  readonly #out: LiveOutput;
  #again: () => Promise<unknown> = () => Promise.resolve();
  #working: Promise<unknown> = Promise.resolve();
  #queued = false;

  constructor(parts: { entry: URL; program: Program; loader: ProgramLoader; out: LiveOutput }) {
    this.#entry = parts.entry;
    this.#program = parts.program;
    this.#loader = parts.loader;
    this.#out = parts.out;
  }

  /** The first load. Throws why it was refused. */
  async start(): Promise<void> {
    const loaded = this.#load();
    this.#working = loaded;
    const exchange = await loaded;
    if (exchange.kind === "refused" && !superseded(exchange)) throw exchange.error;
  }

  /** Loads what changed since, after the load that may be under way. `forced`: also when nothing changed. */
  reload(forced = false): Promise<unknown> {
    // One that waits for something that never comes must not hold up its own mending.
    if (this.#loader.changed().length > 0) this.#program.supersede();
    if (this.#queued && !forced) return this.#working;
    this.#queued = true;
    const next = this.#working.then(
      () => this.#reload(forced),
      () => this.#reload(forced),
    );
    this.#working = next;
    return next;
  }

  async #reload(forced: boolean): Promise<void> {
    this.#queued = false;
    await this.#loader.written();
    const files = this.#loader.changed().map((path) => relative(process.cwd(), path));
    if (files.length === 0 && !forced) return;
    const startedAt = performance.now();
    let exchange: Exchange;
    try {
      this.#loader.check();
      exchange = await this.#load();
    } catch (error) {
      exchange = { kind: "refused", error, running: this.#program.running };
    }
    this.#tell(files, exchange, Math.round(performance.now() - startedAt));
  }

  async #load(): Promise<Exchange> {
    const exchange = await this.#program.exchange(
      () => this.#loader.load(this.#entry),
      () => this.#again(),
    );
    if (exchange.kind === "loaded") this.#again = this.#loader.reload(this.#entry);
    return exchange;
  }

  #tell(files: readonly string[], exchange: Exchange, ms: number): void {
    const what = files.length === 0 ? "as asked" : files.join(", ");
    if (exchange.kind === "loaded") {
      this.#out.line(`${clock()} ${onStderr("green", "reload")} ${what} (${changesText(exchange.queries)}) ${ms} ms`);
      this.#out.event("reload", { files, ms, ...exchange.queries });
      return;
    }
    // Of what was given up for something newer, that will tell.
    if (superseded(exchange)) return;
    this.#out.line(`${clock()} ${onStderr("red", "reload refused")} ${what} ${ms} ms`);
    this.#out.problem(exchange.error);
    this.#out.line(
      onStderr(
        "dim",
        exchange.running ? "the version before it goes on running; waiting for a change" : "waiting for a change",
      ),
    );
    this.#out.event("reload.refused", { files, ms, running: exchange.running, error: problemJson(exchange.error) });
  }
}

function superseded({ error }: Extract<Exchange, { kind: "refused" }>): boolean {
  return error instanceof MillraceError && error.code === "STOPPED";
}

/** What a reload did, in a few words. */
export function changesText(queries: QueryChanges): string {
  const { same, changed, restarted, added, removed, anew } = queries;
  const parts: string[] = [];
  const count = (names: readonly string[], what: string): void => {
    if (names.length > 0) parts.push(`${names.length} ${names.length === 1 ? "query" : "queries"} ${what}`);
  };
  count(changed, "changed");
  count(restarted, "restarted");
  count(added, "new");
  count(removed, "gone");
  if (parts.length === 0) return same.length === 0 ? "no queries" : "no query changed";
  if (anew.length > 0) parts.push(`${anew.join(", ")} from the beginning`);
  else if (changed.length + restarted.length > 0) parts.push("state kept");
  return parts.join(", ");
}
