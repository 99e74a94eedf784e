import { getEventListeners } from "node:events";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { replaceEngine, setSessionsAside } from "../session.ts";
import { setStopSignal } from "../stop-signal.ts";
import { pairs, type StartedQuery } from "./started-query.ts";
import { misfits } from "./state-fit.ts";
import { Version } from "./version.ts";

/** What became of an attempt to load a program, or a new version of it. Names are those of its queries. */
export type Exchange =
  | { readonly kind: "loaded"; readonly queries: QueryChanges }
  /** `running`: the version before it goes on. */
  | { readonly kind: "refused"; readonly error: unknown; readonly running: boolean };

export interface QueryChanges {
  /** Go on as they are. */
  readonly same: readonly string[];
  readonly changed: readonly string[];
  /** Not changed themselves, but the TypeScript functions that they call may be. */
  readonly restarted: readonly string[];
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** Of those changed or restarted, the ones that begin anew, as they have no checkpoint or another one. */
  readonly anew: readonly string[];
}

export interface ProgramOptions {
  /** A query of the running version failed, or its module did, after it was loaded. */
  readonly onFailure?: (error: unknown) => void;
  /** The module of the running version has settled and all its queries have ended. */
  readonly onEnd?: () => void;
}

/**
 * A program that is exchanged while it runs. A new version is evaluated while the old one goes on; its queries are looked at, and only
 * when all of them can run do they take the place of the old ones: each that changed after its batch, from its checkpoint. Whatever goes
 * wrong, the old version runs on.
 *
 * ```ts
 * const program = new Program();
 * await program.exchange(() => import("./pipeline.ts"));
 * await program.exchange(() => import("./pipeline.ts?v=2"));
 * await program.stop();
 * ```
 */
export class Program {
  readonly #options: ProgramOptions;
  #live: Version | undefined;
  #loading: { version: Version; fail: (error: unknown) => void } | undefined;
  #number = 0;
  #exchanging: Promise<unknown> = Promise.resolve();
  #releaseEngine = (): void => {};
  readonly #told = new WeakSet<object>();
  /** Loads the running version once more, for when its own resources were given up in vain. */
  #again: (() => Promise<unknown>) | undefined;

  constructor(options: ProgramOptions = {}) {
    this.#options = options;
  }

  /** The queries that run, by the names of `Exchange`. */
  get queries(): readonly string[] {
    return (this.#live?.queries ?? []).filter((q) => q.isActive).map((q) => q.label);
  }

  /** A version runs. */
  get running(): boolean {
    return this.#live !== undefined;
  }

  /**
   * Runs `load`, which evaluates the program, and lets the new version take over. `again` evaluates the same version once more. One
   * exchange at a time.
   */
  async exchange(load: () => Promise<unknown>, again: () => Promise<unknown> = load): Promise<Exchange> {
    const exchange = this.#exchange(load, again);
    this.#exchanging = exchange;
    return exchange;
  }

  async #exchange(load: () => Promise<unknown>, again: () => Promise<unknown>): Promise<Exchange> {
    const old = this.#live;
    // What the old version has opened beside its queries would be in the way of the new one.
    const gaveUp = old !== undefined && getEventListeners(old.stopping.signal, "abort").length > 0;
    if (gaveUp) await giveUp(old);
    const aside = setSessionsAside();
    const version = new Version(++this.#number, old !== undefined);
    const evaluated = await this.#evaluate(version, load);
    try {
      if (evaluated.error !== undefined) throw evaluated.error.reason;
      const queries = old === undefined ? added(version) : await takeOver(old, version);
      this.#live = version;
      this.#again = again;
      version.takeOver();
      await old?.retire();
      for (const session of aside.sessions) await session.stop();
      this.#watch(version, evaluated.settled);
      return { kind: "loaded", queries };
    } catch (error) {
      evaluated.settled.catch(() => {});
      await giveUp(version);
      await version.abandon();
      for (const session of setSessionsAside().sessions) await session.stop();
      aside.restore();
      if (old !== undefined) this.#direct(old);
      if (gaveUp && this.#again !== undefined) await this.#restore(old);
      return { kind: "refused", error, running: this.#live !== undefined };
    }
  }

  /** An error that nobody caught: the fault of the version that is loading, or of the one that runs. */
  fail(error: unknown): void {
    if (this.#loading !== undefined) this.#loading.fail(error);
    else this.#tell(error);
  }

  /** Gives up the version that is being evaluated, if there is one: something newer is there. Its exchange is refused with STOPPED. */
  supersede(): void {
    this.#loading?.fail(new MillraceError("STOPPED", "A newer version of the program is there."));
  }

  /** Ends the queries after their batches. */
  async stop(): Promise<void> {
    this.supersede();
    await this.#exchanging;
    const version = this.#live;
    this.#live = undefined;
    if (version === undefined) return;
    version.stopping.abort();
    await Promise.all(version.queries.map((query) => query.handle?.stop()));
    for (const query of version.queries) query.letGo();
    for (const session of setSessionsAside().sessions) await session.stop();
    await version.release();
    this.#releaseEngine();
  }

  /** Sessions that the program makes from here on are this version's. */
  #direct(version: Version): void {
    this.#releaseEngine();
    this.#releaseEngine = replaceEngine((remote) => version.engine(remote));
    setStopSignal(version.stopping.signal);
  }

  async #evaluate(
    version: Version,
    load: () => Promise<unknown>,
  ): Promise<{ settled: Promise<unknown>; error?: { reason: unknown } }> {
    this.#direct(version);
    const failed = Promise.withResolvers<never>();
    this.#loading = { version, fail: failed.reject };
    const over = new AbortController();
    const settled = load();
    try {
      await Promise.race([settled, failed.promise, version.quiet(over.signal)]);
      return { settled };
    } catch (reason) {
      return { settled, error: { reason } };
    } finally {
      over.abort();
      this.#loading = undefined;
    }
  }

  /** The old version was told to give up what it opened, and nothing takes its place: its module is evaluated again, its queries go on. */
  async #restore(old: Version | undefined): Promise<void> {
    if (old === undefined || this.#again === undefined) return;
    const aside = setSessionsAside();
    const version = new Version(++this.#number, true);
    const { settled, error } = await this.#evaluate(version, this.#again);
    if (error === undefined) {
      const followed = pairs(old.queries, version.queries);
      for (const [query, before] of followed) if (before.isActive) query.adopt(before);
      this.#live = version;
      version.takeOver();
      await old.retire();
      for (const session of aside.sessions) await session.stop();
      this.#watch(version, settled);
      return;
    }
    await version.abandon();
    for (const session of setSessionsAside().sessions) await session.stop();
    aside.restore();
    this.#direct(old);
    this.#tell(error.reason);
  }

  #watch(version: Version, settled: Promise<unknown>): void {
    const check = async (): Promise<void> => {
      await settled;
      for (let n = -1; n !== version.queries.length; ) {
        n = version.queries.length;
        await Promise.all(version.queries.map((query) => query.proxy.awaitTermination()));
      }
      if (this.#live === version) this.#options.onEnd?.();
    };
    // A program that waits for its queries fails with them; one that does not is told of each.
    for (const query of version.queries) {
      query.proxy.awaitTermination().catch((error: unknown) => this.#live === version && this.#tell(error));
    }
    check().catch((error: unknown) => this.#live === version && this.#tell(error));
  }

  #tell(error: unknown): void {
    if (typeof error === "object" && error !== null) {
      if (this.#told.has(error)) return;
      this.#told.add(error);
    }
    this.#options.onFailure?.(error);
  }
}

/** Fires the version's stop signal, and lets what listens to it begin to close. */
async function giveUp(version: Version): Promise<void> {
  version.stopping.abort();
  await new Promise((resolve) => setTimeout(resolve, 20));
}

function added(version: Version): QueryChanges {
  const names = version.queries.map((query) => query.label);
  return { same: [], changed: [], restarted: [], added: names, removed: [], anew: [] };
}

/** The queries of `now` take the place of those of `old`. When one of them cannot, the old ones run on, and that is thrown. */
async function takeOver(old: Version, now: Version): Promise<QueryChanges> {
  const follows = pairs(old.queries, now.queries);
  const isSame = (query: StartedQuery): boolean => {
    const before = follows.get(query);
    return before?.isActive === true && before.print.digest === query.print.digest;
  };
  const same = now.queries.filter((query) => isSame(query) && !query.print.hasFunctions);
  const restarted = now.queries.filter((query) => isSame(query) && query.print.hasFunctions);
  const changed = now.queries.filter((query) => follows.has(query) && !isSame(query));
  const fresh = now.queries.filter((query) => !follows.has(query));
  const kept = new Set(follows.values());
  const removed = old.queries.filter((query) => !kept.has(query));
  const goOn = (query: StartedQuery): boolean =>
    query.checkpoint !== undefined && query.checkpoint === follows.get(query)?.checkpoint;
  for (const query of changed) if (goOn(query)) await refuseMisfit(query, follows.get(query)!);

  const gone = [...removed, ...[...restarted, ...changed].map((query) => follows.get(query)!)];
  const wereActive = gone.filter((query) => query.isActive);
  const starting = now.queries.filter((query) => !same.includes(query));
  try {
    rejected(await Promise.allSettled(wereActive.map((query) => query.stop())));
    rejected(
      await Promise.allSettled(starting.map((query) => query.start().catch((e) => Promise.reject(atSite(e, query))))),
    );
  } catch (error) {
    await Promise.allSettled(starting.map((query) => query.stop()));
    await Promise.all(wereActive.map((query) => (query.isActive ? undefined : goOnAgain(query))));
    throw error;
  }
  for (const query of same) query.adopt(follows.get(query)!);
  const names = (queries: readonly StartedQuery[]): string[] => queries.map((query) => query.label);
  return {
    same: names(same),
    changed: names(changed),
    restarted: names(restarted),
    added: names(fresh),
    removed: names(removed),
    anew: names([...changed, ...restarted].filter((query) => !goOn(query))),
  };
}

/** Starts a query of the old version again; what it cannot do is told beside the error that brought it here. */
async function goOnAgain(query: StartedQuery): Promise<void> {
  try {
    await query.start();
  } catch (error) {
    const { code, message } = error as MillraceError;
    publish("warning", { code, message: `The query ${query.label} could not go on: ${message}` });
  }
}

/** Throws the first failure, when all have come to an end. */
function rejected(results: readonly PromiseSettledResult<unknown>[]): void {
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function refuseMisfit(query: StartedQuery, before: StartedQuery): Promise<void> {
  const [was, is] = [await before.shape().catch(() => undefined), await query.shape()];
  if (was === undefined || is === undefined) return;
  const reasons = misfits(was, is);
  if (reasons.length === 0) return;
  throw atSite(
    new MillraceError(
      "STREAMING_STATEFUL_OPERATOR_NOT_MATCH_IN_STATE_METADATA",
      `The query ${query.label} cannot go on from its checkpoint with this change: ${reasons.join("; ")}.`,
      {
        hint: query.onSpark
          ? "Undo the change, or give the query another checkpointLocation."
          : `Undo the change, give the query another checkpointLocation, or end dev and forget its state with \`millrace state reset ${query.label}\`.`,
        parameters: { query: query.label },
      },
    ),
    query,
  );
}

/** An error that came later than the call that it belongs to says where that was. */
function atSite(error: unknown, query: StartedQuery): unknown {
  if (error instanceof Error && error.stack !== undefined) {
    const frames = query.site.stack?.split("\n").slice(1).join("\n");
    error.stack = `${error.stack}\n${frames ?? ""}`;
  }
  return error;
}
