import { join, resolve } from "node:path";
import type { Backend, Conf, StreamingQueryHandle, StreamTarget } from "../backend.ts";
import type { EmbeddedEngine } from "../engine/backend.ts";
import type { Relation } from "../plan/relation.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { type Fingerprint, fingerprint } from "./fingerprint.ts";
import { QueryProxy } from "./query-proxy.ts";
import { type CheckpointShape, checkpointShape } from "./state-fit.ts";

type Analyze = (plan: Relation, conf: Conf) => Promise<ResolvedRelation | undefined>;

/** The engine of one session, which lives until its session has ended and nothing runs on it any more. */
export class SharedEngine {
  readonly backend: Backend;
  /** Set where it is the embedded one. */
  readonly embedded: EmbeddedEngine | undefined;
  /** What a plan means; undefined where only the engine itself knows. */
  readonly analyze: Analyze;
  readonly #users = new Set<object>();
  #released = false;
  #closed: Promise<void> | undefined;

  constructor(backend: Backend & { readonly analyze: Analyze }, embedded?: EmbeddedEngine) {
    this.backend = backend;
    this.embedded = embedded;
    this.analyze = (plan, conf) => backend.analyze(plan, conf);
  }

  use(by: object): void {
    this.#users.add(by);
  }

  async drop(by: object): Promise<void> {
    this.#users.delete(by);
    await this.#closeUnused();
  }

  /** The session has ended. */
  async release(): Promise<void> {
    this.#released = true;
    await this.#closeUnused();
  }

  #closeUnused(): Promise<void> {
    if (!this.#released || this.#users.size > 0) return Promise.resolve();
    this.#closed ??= this.backend.close();
    return this.#closed;
  }
}

/** A query that a version of the program has started, or will have when the version takes over. */
export class StartedQuery {
  readonly plan: Relation;
  readonly target: StreamTarget;
  readonly conf: Conf;
  /** What people call it. */
  readonly label: string;
  readonly proxy: QueryProxy;
  /** Where the program started it. */
  readonly site: Error;
  handle: StreamingQueryHandle | undefined;
  readonly #engine: SharedEngine;
  /** Who runs `handle`: the engine of an older session, when the query was not changed. */
  #holder: SharedEngine | undefined;
  #print: Fingerprint | undefined;

  constructor(
    engine: SharedEngine,
    given: { plan: Relation; target: StreamTarget; conf: Conf; position: number; site: Error },
    wanted: () => void,
  ) {
    this.#engine = engine;
    this.plan = given.plan;
    this.target = given.target;
    this.conf = given.conf;
    this.site = given.site;
    this.label = given.target.queryName ?? `${given.target.sinks[0]?.name ?? "query"} ${given.position + 1}`;
    this.proxy = new QueryProxy(given.target.queryName, wanted);
  }

  get print(): Fingerprint {
    this.#print ??= fingerprint(this.plan, this.target, this.conf);
    return this.#print;
  }

  /** Its checkpoint as an absolute path; undefined where it has none that outlives it. */
  get checkpoint(): string | undefined {
    const { checkpointLocation, queryName } = this.target;
    const root = this.conf["spark.sql.streaming.checkpointLocation"];
    const location = checkpointLocation ?? (root && queryName ? join(root, queryName) : undefined);
    return location === undefined ? undefined : resolve(location.replace(/^file:(\/\/)?/i, ""));
  }

  /** What its checkpoint depends on; undefined where only the engine knows. */
  async shape(): Promise<CheckpointShape | undefined> {
    const resolved = await this.#engine.analyze(this.plan, this.conf);
    return resolved && checkpointShape(resolved, this.target.outputMode);
  }

  get onSpark(): boolean {
    return this.#engine.embedded === undefined;
  }

  get isActive(): boolean {
    return this.handle?.isActive === true;
  }

  async start(): Promise<void> {
    const handle = await this.#engine.backend.stream(this.plan, this.target, this.conf);
    this.#hold(handle, this.#engine);
    this.proxy.bind(handle);
  }

  /** Takes over what runs for the query of an older version. */
  adopt(other: StartedQuery): void {
    this.#hold(other.handle!, other.#holder!);
    other.letGo();
    this.proxy.bind(this.handle!);
  }

  /** Ends it after its batch, unseen by the program. */
  async stop(): Promise<void> {
    const { handle } = this;
    this.proxy.detach();
    await handle?.stop();
    this.letGo();
  }

  /** Nothing runs for it any more, or another looks after what does. */
  letGo(): void {
    this.handle = undefined;
    const holder = this.#holder;
    this.#holder = undefined;
    void holder?.drop(this);
  }

  #hold(handle: StreamingQueryHandle, engine: SharedEngine): void {
    this.handle = handle;
    this.#holder = engine;
    engine.use(this);
  }
}

/** Which query of the old version each of the new one follows: that of the same checkpoint, else that of the same name. */
export function pairs(
  before: readonly StartedQuery[],
  now: readonly StartedQuery[],
): ReadonlyMap<StartedQuery, StartedQuery> {
  const left = new Set(before);
  const found = new Map<StartedQuery, StartedQuery>();
  const match = (same: (a: StartedQuery, b: StartedQuery) => boolean): void => {
    for (const query of now) {
      if (found.has(query)) continue;
      const other = [...left].find((o) => same(o, query));
      if (other === undefined) continue;
      left.delete(other);
      found.set(query, other);
    }
  };
  match((a, b) => a.checkpoint !== undefined && a.checkpoint === b.checkpoint);
  match((a, b) => a.label === b.label);
  return found;
}
