import type { Backend, StreamingQueryHandle, StreamingQueryProgress } from "./backend.ts";
import { Catalog } from "./dataframe/catalog.ts";
import { afterCommands, CommandQueue } from "./dataframe/commands.ts";
import type { SessionContext } from "./dataframe/context.ts";
import { DataFrame } from "./dataframe/dataframe.ts";
import { inferSchema } from "./dataframe/infer-schema.ts";
import { DataFrameReader, DataStreamReader } from "./dataframe/reader.ts";
import { RuntimeConfig } from "./dataframe/runtime-config.ts";
import { settingOf, sqlArguments, TEMP_VIEW } from "./dataframe/sql-arguments.ts";
import { fromScript } from "./dataframe/value-modes.ts";
import { MillraceError } from "./errors.ts";
import { subscribe } from "./events.ts";
import { parseSchemaOrDdl } from "./plan/parse.ts";
import type { Relation } from "./plan/relation.ts";
import { isCommand, parseCommand } from "./plan/sql/command.ts";
import { parseQuery } from "./plan/sql/parse-query.ts";
import type { StructType, Value } from "./types/data-type.ts";
import { type Infer, type SchemaLike, structOf } from "./types/schema.ts";
import { hidePasswords } from "./types/secrets.ts";
import type { HasRows, View, ViewOptions, ViewRow } from "./views/definition.ts";
import { declareView, forgetViews } from "./views/registry.ts";

/** What `SparkSession.builder()` gives. */
export class SparkSessionBuilder {
  readonly #conf: Record<string, string> = {};
  #remote: string | undefined;

  /** A name that is shown in progress events and the dashboard. */
  appName(name: string): this {
    return this.config("spark.app.name", name);
  }
  /** Here for programs written for Spark: without `.remote(...)` everything runs in this process. */
  master(url: string): this {
    return this.config("spark.master", url);
  }
  /** A setting by Spark's name, such as `spark.sql.session.timeZone`. */
  config(name: string, value: string | number | boolean): this {
    this.#conf[name] = String(value);
    return this;
  }
  /** The address of a Spark Connect server, `sc://host:15002`. */
  remote(url: string): this {
    this.#remote = url;
    return this;
  }

  /**
   * The process's session: the one there is for the same engine, with these settings added, or a new one. With `.remote(...)` or
   * SPARK_REMOTE it runs on the Spark Connect server there, one session for each address; nothing is asked of the server before the first
   * action. Throws INVALID_OPTION for an address that is none.
   */
  getOrCreate(): SparkSession {
    const remote = (this.#remote ?? process.env.SPARK_REMOTE) || undefined;
    if (remote !== undefined) checkRemote(remote, this.#remote === undefined ? "SPARK_REMOTE" : ".remote(...)");
    const key = remote ?? "";
    active = sessions.get(key) ?? new SparkSession(remote === undefined ? {} : { remote });
    sessions.set(key, active);
    for (const [name, value] of Object.entries(this.#conf)) active.conf.set(name, value);
    return active;
  }
}

/** The address is read in full when it is used; what is plainly none is said at once. */
function checkRemote(remote: string, where: string): void {
  if (/^sc:\/\/[^/]/i.test(remote)) return;
  const local = /^local(\[.*\])?$/i.test(remote);
  throw new MillraceError(
    "INVALID_OPTION",
    `The address in ${where} is ${JSON.stringify(hidePasswords(remote))}, not sc://host.`,
    {
      hint: local
        ? `Leave ${where} out: without it, pipelines run in this process.`
        : "Give the address of a Spark Connect server, such as sc://localhost:15002.",
      parameters: { option: "remote" },
    },
  );
}

/** Makes the engine of a session; `remote` is its address, undefined where it would run in this process. */
export type EngineFactory = (remote: string | undefined) => Promise<Backend>;
let replacement: EngineFactory | undefined;

/** Sessions that start their engine from here on take this one, until the returned function is called: for who looks at a program instead of running it. */
export function replaceEngine(factory: EngineFactory): () => void {
  replacement = factory;
  return () => {
    if (replacement === factory) replacement = undefined;
  };
}

/** The process's sessions by their address; the embedded one has none. */
const sessions = new Map<string, SparkSession>();
let active: SparkSession | undefined;

/**
 * Puts the process's sessions aside, so that a program that is loaded next makes sessions of its own; they go on running. `restore` makes
 * them the process's again, instead of those made since.
 */
export function setSessionsAside(): { readonly sessions: readonly SparkSession[]; restore(): void } {
  const [before, activeBefore] = [[...sessions], active];
  sessions.clear();
  active = undefined;
  return {
    sessions: before.map(([, session]) => session),
    restore() {
      sessions.clear();
      for (const [key, session] of before) sessions.set(key, session);
      active = activeBefore;
    },
  };
}

/**
 * The entry point: reads, streams and settings. `SparkSession.builder().appName("flights").getOrCreate()`.
 * Building plans needs no engine: it is loaded by the first action. https://spark.apache.org/docs/latest/api/python/reference/pyspark.sql/spark_session.html
 */
export class SparkSession {
  readonly conf = new RuntimeConfig();
  readonly streams: StreamingQueryManager;
  /** The address of the Spark that it runs on, without passwords; undefined where it runs in this process. */
  readonly remote: string | undefined;
  readonly #remote: string | undefined;
  #version = "4.2.0";
  #backend: Promise<Backend> | undefined;
  #stopped = false;
  readonly #context: SessionContext;
  readonly #commands: CommandQueue;
  /** Databases, tables, views and functions. */
  readonly catalog: Catalog;

  static builder(): SparkSessionBuilder {
    return new SparkSessionBuilder();
  }
  /** The session of the process, or null. */
  static getActiveSession(): SparkSession | null {
    return active ?? null;
  }

  /** As `getOrCreate` makes it: embedded, or on the Spark at `remote`. */
  constructor(options: { readonly remote?: string } = {}) {
    this.#remote = options.remote;
    this.remote = options.remote === undefined ? undefined : hidePasswords(options.remote);
    this.streams = new StreamingQueryManager(async (id) => {
      const engine = await this.#engine();
      return (await engine.queries?.(this.conf.values(), id)) ?? [];
    });
    const commands = new CommandQueue();
    this.#commands = commands;
    this.#context = {
      backend: async () => afterCommands(await this.#engine(), commands),
      command: (run) => commands.run(async () => run(await this.#engine())),
      confValues: () => this.conf.values(),
      register: (query) => this.streams["~register"](query),
      views: new Map(),
      owner: this,
    };
    this.catalog = new Catalog(this.#context);
  }

  #engine(): Promise<Backend> {
    if (this.#stopped) {
      return Promise.reject(
        new MillraceError("STOPPED", "The session was stopped.", {
          hint: "Make another with SparkSession.builder().getOrCreate().",
        }),
      );
    }
    // A failed start is not kept: the next action tries again.
    this.#backend ??= this.#start().catch((error: unknown) => {
      this.#backend = undefined;
      throw error;
    });
    return this.#backend;
  }

  async #start(): Promise<Backend> {
    if (replacement !== undefined) return replacement(this.#remote);
    if (this.#remote === undefined) return (await import("./engine/backend.ts")).createEmbeddedBackend({});
    const { createSparkBackend } = await import("./spark/backend.ts");
    const backend = await createSparkBackend({ url: this.#remote, conf: this.conf.values() });
    this.#version = backend.version;
    return backend;
  }

  /**
   * The version of Spark whose meaning the session has. On a server it is the server's from the first action on; before that nothing has
   * been asked, and it is the version that Millrace follows.
   */
  get version(): string {
    return this.#version;
  }

  /** Reads tables as they stand: `spark.read.format("delta").load(path)`. */
  get read(): DataFrameReader {
    return new DataFrameReader(this.#context);
  }
  /** Reads what grows: `spark.readStream.format("kafka").option("subscribe", "flights").load()`. */
  get readStream(): DataStreamReader {
    return new DataStreamReader(this.#context);
  }

  /**
   * A query, or a command, in Spark's SQL (docs/sql.md). A query is a DataFrame like any other: nothing runs before an action. A command
   * such as CREATE TABLE starts at once; what is asked of the session afterwards waits for it, and the DataFrame has its rows or throws
   * its failure. `args` fill `:name` or, as a list, `?`: values, or columns such as `array(lit(1))`.
   *
   * Throws PARSE_SYNTAX_ERROR with the position, UNSUPPORTED_FEATURE with the clause, UNBOUND_SQL_PARAMETER (on a server, by the first action).
   *
   * @example
   * const busy = spark.sql("SELECT origin, count(*) AS n FROM flights WHERE delay > :d GROUP BY origin", { d: 15 });
   */
  sql<R = any>(query: string, args?: Readonly<Record<string, unknown>> | readonly unknown[]): DataFrame<R> {
    const parameters = args && sqlArguments(args);
    const df = new DataFrame<R>(this.#context, { kind: "sql", query, ...(parameters && { args: parameters }) });
    if (!isCommand(query)) {
      if (this.#remote === undefined) parseQuery(query, parameters);
      return df;
    }
    if (this.#remote === undefined) parseCommand(query);
    const command = settingOf(query);
    if (command?.value !== undefined) this.conf.set(command.key, command.value);
    if (command?.reset) this.conf.unset(command.key);
    this.#rememberView(query, parameters);
    const conf = this.conf.values();
    const plan = df.plan as Extract<Relation, { kind: "sql" }>;
    this.#commands.start(plan, async () => (await this.#engine()).catalog.command(plan, conf));
    return df;
  }

  /** A view made by a command, for `isStreaming`. */
  #rememberView(query: string, args: Extract<Relation, { kind: "sql" }>["args"]): void {
    const [, global, name, text] = TEMP_VIEW.exec(query) ?? [];
    if (name === undefined || text === undefined) return;
    const key = `${global ? "global_temp." : ""}${name.replaceAll("`", "").toLowerCase()}`;
    this.#context.views.set(key, { kind: "sql", query: text, ...(args && { args }) });
  }

  /** A table or view: `spark.table("flights")`, `spark.table("db.flights")`, or the table of a query with the memory sink by its name. */
  table<R = any>(name: string): DataFrame<R> {
    return this.read.table(name) as DataFrame<R>;
  }

  /**
   * Declares a live view of a table of PostgreSQL or of keys of the cache: its process serves the rows, and every batch that changes them, to
   * browsers and programs (docs/live-views.md). Nothing is read before somebody looks at it. A second view of the same name takes the place
   * of the first; `stop` takes the session's views back.
   *
   * Throws INVALID_ARGUMENT, UNKNOWN_OPTION, INVALID_SCHEMA. What only the store knows, such as a column that is not there, the view's
   * readers are told.
   *
   * @example
   * export const views = {
   *   delays: spark.view("delays", { table: "delays", key: "hour,origin", orderBy: "hour desc" }),
   *   airports: spark.view("airports", { cache: "airport:*", key: "airport:{origin}", schema: Airport }),
   * };
   */
  view<
    const N extends string,
    S extends SchemaLike | HasRows | undefined = undefined,
    const C extends string = string,
    const K extends string = string,
  >(name: N, options: ViewOptions<S, C, K>): View<N, ViewRow<S, C, K>> {
    return declareView(name, options, this) as View<N, ViewRow<S, C, K>>;
  }

  /** A DataFrame without columns and rows. */
  get emptyDataFrame(): DataFrame<any> {
    return this.createDataFrame([], { kind: "struct", fields: [] });
  }

  /** Another session on the same engine: settings, temporary views and the current database of its own. */
  newSession(): SparkSession {
    const session = new SparkSession(this.#remote === undefined ? {} : { remote: this.#remote });
    for (const [name, value] of Object.entries(this.conf.values())) session.conf.set(name, value);
    return session;
  }

  /** Numbers from `start` up to `end`, without it, as column `id`. `range(5)` is 0 to 4. */
  range(end: number | bigint): DataFrame<{ id: bigint }>;
  range(start: number | bigint, end: number | bigint, step?: number | bigint): DataFrame<{ id: bigint }>;
  range(a: number | bigint, b?: number | bigint, step: number | bigint = 1): DataFrame<{ id: bigint }> {
    if (BigInt(step) === 0n) throw new MillraceError("INVALID_ARGUMENT", "The step of range must not be 0.");
    const [start, end] = b === undefined ? [0, a] : [a, b];
    return new DataFrame(this.#context, { kind: "range", start: BigInt(start), end: BigInt(end), step: BigInt(step) });
  }

  /** A DataFrame of rows given here. Without a schema, columns and types are taken from the rows. Throws INVALID_SCHEMA, INVALID_VALUE. */
  createDataFrame<const S extends SchemaLike>(rows: readonly Partial<Infer<S>>[], schema: S): DataFrame<Infer<S>>;
  createDataFrame(rows: readonly (object | readonly unknown[])[], schema: string | StructType): DataFrame<any>;
  createDataFrame<R extends object>(rows: readonly R[]): DataFrame<{ [K in keyof R]: R[K] }>;
  createDataFrame(rows: readonly any[], schema?: SchemaLike | string | StructType): DataFrame<any> {
    const struct =
      schema === undefined
        ? inferSchema(rows)
        : typeof schema === "string"
          ? parseSchemaOrDdl(schema)
          : structOf(schema);
    const values = rows.map((row, i): Value[] =>
      struct.fields.map((f, k) => {
        const value = (Array.isArray(row) ? row[k] : row[f.name]) ?? null;
        if (value === null && !f.nullable) {
          throw new MillraceError(
            "INVALID_VALUE",
            `Row ${i + 1} has no value for the column "${f.name}", which is not nullable.`,
          );
        }
        return value;
      }),
    );
    return new DataFrame(
      this.#context,
      fromScript(struct, (schema) => ({ kind: "local", schema, rows: values })),
    );
  }

  /** Stops all queries and the engine. */
  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#stopped = true;
    forgetViews(this);
    if (active === this) active = undefined;
    for (const [key, session] of sessions) if (session === this) sessions.delete(key);
    await Promise.all(this.streams.active.map((q) => q.stop()));
    const backend = this.#backend;
    this.#backend = undefined;
    if (backend) await (await backend).close();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

export { RuntimeConfig } from "./dataframe/runtime-config.ts";

/** Called as queries start, go on and end. An error thrown by a listener does not stop the query. */
export interface StreamingQueryListener {
  onQueryStarted?(event: {
    readonly id: string;
    readonly runId: string;
    readonly name: string | null;
    readonly timestamp: string;
  }): void;
  onQueryProgress?(event: { readonly progress: StreamingQueryProgress }): void;
  onQueryIdle?(event: { readonly id: string; readonly runId: string; readonly timestamp: string }): void;
  onQueryTerminated?(event: { readonly id: string; readonly runId: string; readonly exception: string | null }): void;
}

/** Asks the engine for queries that others have started; `id`: for that one. */
type QueriesOfOthers = (id?: string) => Promise<readonly StreamingQueryHandle[]>;

/** The session's queries: `spark.streams`. https://spark.apache.org/docs/latest/api/python/reference/pyspark.ss/query_management.html */
export class StreamingQueryManager {
  readonly #others: QueriesOfOthers;
  readonly #queries = new Map<string, StreamingQueryHandle>();
  readonly #listeners = new Map<StreamingQueryListener, () => void>();
  #ended: StreamingQueryHandle[] = [];
  #waiters: (() => void)[] = [];

  constructor(others: QueriesOfOthers = async () => []) {
    this.#others = others;
  }

  "~register"(query: StreamingQueryHandle): void {
    this.#queries.set(query.runId, query);
    const end = (): void => {
      this.#queries.delete(query.runId);
      this.#ended.push(query);
      for (const wake of this.#waiters.splice(0)) wake();
    };
    query.awaitTermination().then(end, end);
  }

  /** The queries that run. */
  get active(): StreamingQueryHandle[] {
    return [...this.#queries.values()].filter((q) => q.isActive);
  }
  /** The running query of that id, of those that this session has started, or null. */
  get(id: string): StreamingQueryHandle | null {
    return this.active.find((q) => q.id === id) ?? null;
  }
  /**
   * The running query of that id, whoever started it, or null. On a Spark server a query whose sink is Spark's own goes on without the
   * program that started it; another program finds it here, and its handle shows progress and can stop it.
   */
  async find(id: string): Promise<StreamingQueryHandle | null> {
    return this.get(id) ?? (await this.#others(id))[0] ?? null;
  }
  /** All running queries: those of this session and, on a Spark server, those that other programs left there. */
  async findAll(): Promise<StreamingQueryHandle[]> {
    return [...this.active, ...(await this.#others())];
  }

  /**
   * Waits until any query has ended since the session began or since `resetTerminated`; throws its failure. True when one ended, false after the timeout.
   */
  async awaitAnyTermination(timeoutMs?: number): Promise<boolean> {
    if (this.#ended.length === 0) {
      let timer: NodeJS.Timeout | undefined;
      const ended = await new Promise<boolean>((resolve) => {
        this.#waiters.push(() => resolve(true));
        if (timeoutMs !== undefined) timer = setTimeout(() => resolve(false), timeoutMs);
      });
      clearTimeout(timer);
      if (!ended) return false;
    }
    const failed = this.#ended.find((q) => q.exception !== null);
    if (failed?.exception) throw failed.exception;
    return true;
  }
  /** Forgets ended queries, so that `awaitAnyTermination` waits again. */
  resetTerminated(): void {
    this.#ended = [];
  }

  /** Calls a listener on what happens to every query from here on; what it throws becomes a warning of the process. */
  addListener(listener: StreamingQueryListener): void {
    if (this.#listeners.has(listener)) return;
    const guarded =
      <E>(f: ((event: E) => void) | undefined) =>
      (event: E): void => {
        try {
          f?.(event);
        } catch (error) {
          process.emitWarning(
            `A streaming query listener failed: ${error instanceof Error ? error.message : String(error)}`,
          );
        }
      };
    const started = guarded(listener.onQueryStarted?.bind(listener));
    const progressed = guarded(listener.onQueryProgress?.bind(listener));
    const idle = guarded(listener.onQueryIdle?.bind(listener));
    const terminated = guarded(listener.onQueryTerminated?.bind(listener));
    const off = [
      subscribe("query.started", started),
      subscribe("query.progress", (e) => progressed({ progress: e.progress as StreamingQueryProgress })),
      subscribe("query.idle", idle),
      subscribe("query.terminated", (e) =>
        terminated({ id: e.id, runId: e.runId, exception: e.error?.message ?? null }),
      ),
    ];
    this.#listeners.set(listener, () => {
      for (const f of off) f();
    });
  }
  /** Stops calling it. */
  removeListener(listener: StreamingQueryListener): void {
    this.#listeners.get(listener)?.();
    this.#listeners.delete(listener);
  }
}

type Delta = typeof import("./connectors/delta.ts");
// Loaded when called: importing the library loads no DuckDB.

/** Merges the small files of a Delta table. `await optimize("lake/flights", { targetFileSize: "64mb" })`. Throws PATH_NOT_FOUND, DELTA_UNSUPPORTED. */
export const optimize: Delta["optimize"] = async (...args) => (await import("./connectors/delta.ts")).optimize(...args);

/** Deletes files that no version of a Delta table within the retention needs. `await vacuum("lake/flights", { retention: "7 days" })`. */
export const vacuum: Delta["vacuum"] = async (...args) => (await import("./connectors/delta.ts")).vacuum(...args);

type StartStack = typeof import("./stack.ts").startStack;

/** See `startStack` in stack.ts: the servers of a pipeline, embedded where no address is set. `const stack = await startStack({ directory: ".millrace" });` */
export const startStack: StartStack = async (options) => (await import("./stack.ts")).startStack(options);
