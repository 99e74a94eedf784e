import type { Backend, Conf, StreamingQueryHandle, StreamTarget } from "../backend.ts";
import { createEmbeddedBackend } from "../engine/backend.ts";
import { checkStream } from "../engine/check.ts";
import { MillraceError } from "../errors.ts";
import type { Relation } from "../plan/relation.ts";
import { SparkSession } from "../session.ts";
import { SharedEngine, StartedQuery } from "./started-query.ts";

/** A program that starts nothing for so long has started what it starts, even if its module never settles. */
const QUIET_MS = 120;

/**
 * One version of a program: what its sessions start goes through here. `at once`: queries start as the program says. `held`: they are
 * looked at and start when the version takes over from the one before it.
 */
export class Version {
  readonly number: number;
  readonly queries: StartedQuery[] = [];
  /** Aborted when the version has to give up what it opened. */
  readonly stopping = new AbortController();
  readonly #engines: SharedEngine[] = [];
  #holds: boolean;
  #retired = false;
  readonly #inFlight = new Set<Promise<void>>();
  #lastActivity = performance.now();
  readonly #waits = Promise.withResolvers<void>();

  constructor(number: number, holds: boolean) {
    this.number = number;
    this.#holds = holds;
  }

  /** Makes the engine of a session of this version. */
  async engine(remote: string | undefined): Promise<Backend> {
    let engine: SharedEngine;
    if (remote === undefined) {
      const embedded = createEmbeddedBackend({});
      engine = new SharedEngine(embedded, embedded);
    } else {
      const { createSparkBackend } = await import("../spark/backend.ts");
      const conf = SparkSession.getActiveSession()?.conf.values() ?? {};
      engine = new SharedEngine(await createSparkBackend({ url: remote, conf }));
    }
    this.#engines.push(engine);
    return this.#watched(engine);
  }

  /** Resolves when the program has started its queries and waits for them, or for something else. */
  async quiet(signal: AbortSignal): Promise<void> {
    const still = (): number =>
      this.#inFlight.size > 0 || this.queries.length === 0 ? 0 : performance.now() - this.#lastActivity;
    let timer: NodeJS.Timeout | undefined;
    const idle = new Promise<void>((resolve) => {
      timer = setInterval(() => {
        if (still() >= QUIET_MS) resolve();
      }, 10);
    });
    const aborted = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    await Promise.race([idle, aborted, this.#waits.promise]);
    clearInterval(timer);
  }

  /** From here on queries start as the program says. */
  takeOver(): void {
    this.#holds = false;
  }

  /** It cannot run: its queries end, those too that are just being started, and none begins any more. */
  async abandon(): Promise<void> {
    this.#retired = true;
    await Promise.all(this.#inFlight);
    await Promise.allSettled(this.queries.map((query) => query.stop()));
    await this.retire();
  }

  /** Another version runs now: the program of this one hears nothing more of its queries. */
  async retire(): Promise<void> {
    this.#retired = true;
    for (const query of this.queries) {
      query.proxy.retire();
      query.letGo();
    }
    await this.release();
  }

  /** Closes the engines on which nothing runs. */
  async release(): Promise<void> {
    await Promise.all(this.#engines.map((engine) => engine.release()));
  }

  async #start(engine: SharedEngine, plan: Relation, target: StreamTarget, conf: Conf): Promise<StreamingQueryHandle> {
    if (this.#retired) throw replaced();
    const query = new StartedQuery(
      engine,
      { plan, target, conf, position: this.queries.length, site: new Error("started here") },
      () => this.#waits.resolve(),
    );
    if (this.#holds) await check(engine, plan, target, conf);
    // The version may have taken over meanwhile.
    if (!this.#holds) await query.start();
    if (this.#retired) {
      await query.stop();
      throw replaced();
    }
    this.queries.push(query);
    return query.proxy;
  }

  /** The engine as the session sees it. */
  #watched(engine: SharedEngine): Backend {
    const { backend } = engine;
    const active = async <T>(work: () => Promise<T>): Promise<T> => {
      const working = work();
      const settled = working.then(
        () => {},
        () => {},
      );
      this.#inFlight.add(settled);
      try {
        return await working;
      } finally {
        this.#inFlight.delete(settled);
        this.#lastActivity = performance.now();
      }
    };
    return {
      name: backend.name,
      catalog: backend.catalog,
      schema: (plan, conf) => active(() => backend.schema(plan, conf)),
      run: (plan, conf) => backend.run(plan, conf),
      write: (plan, target, conf) => active(() => backend.write(plan, target, conf)),
      explain: (plan, mode, conf) => active(() => backend.explain(plan, mode, conf)),
      stream: (plan, target, conf) => active(() => this.#start(engine, plan, target, conf)),
      ...(backend.queries && { queries: (conf: Conf, id?: string) => backend.queries!(conf, id) }),
      close: () => engine.release(),
    };
  }
}

function replaced(): MillraceError {
  return new MillraceError("STOPPED", "This version of the program was replaced by a newer one.", {
    hint: "What it goes on doing by itself can be stopped with stopSignal().",
  });
}

/** Everything that can be refused before anything is opened. */
async function check(engine: SharedEngine, plan: Relation, target: StreamTarget, conf: Conf): Promise<void> {
  if (engine.embedded === undefined) {
    await engine.backend.schema(plan, conf);
    return;
  }
  const resolved = await engine.embedded.analyze(plan, conf);
  // Where a table of the catalog lies is found when the query starts.
  const sinks = target.sinks.filter((sink) => sink.table === undefined);
  const { refusals } = checkStream(resolved, { ...target, sinks }, conf);
  if (refusals.length > 0) throw refusals[0];
}
