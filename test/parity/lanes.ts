import type { Expr } from "../../src/plan/expr.ts";
import { parseExpression } from "../../src/plan/parse.ts";
import type { Relation } from "../../src/plan/relation.ts";
import type { StructType, Value } from "../../src/types/data-type.ts";
import { EmbeddedLane } from "./embedded-lane.ts";
import { Fixtures } from "./fixtures.ts";
import type { Outcome } from "./outcome.ts";
import { type RelationInit, SparkLane } from "./spark-lane.ts";
import { expressionText, localRelation, namedTable } from "./spark-messages.ts";
import { TABLES, type TableName } from "./tables.ts";

/** Rows given with a case, as a function's example has them. */
export interface InlineTable {
  readonly schema: StructType;
  readonly rows: readonly (readonly Value[])[];
}

/** Expressions to be evaluated side by side over the rows of a table. */
export interface Ask {
  readonly exprs: readonly string[];
  readonly on: TableName | InlineTable | undefined;
  /** Adds the column `id` in front, by which rows are matched. */
  readonly key: boolean;
  /** Only the row of this id. */
  readonly row?: number;
}

/**
 * The ways a case is run. `text`: Spark's own parser and engine, the judge. `encoded`: our parser, our encoder, Spark's engine.
 * `embedded`: our parser, our engine.
 */
export type LaneName = "text" | "encoded" | "embedded";
export const JUDGED: readonly LaneName[] = ["encoded", "embedded"];

export interface LanesOptions {
  readonly url: string;
  /** Sessions of Spark used at the same time. */
  readonly jobs: number;
}

/** Settings of every session; cases may set others. */
export const BASE_CONF: Readonly<Record<string, string>> = { "spark.sql.session.timeZone": "UTC" };

export class Lanes {
  readonly fixtures: Fixtures;
  readonly embedded: EmbeddedLane;
  /** Sessions of Spark that work at the same time. */
  readonly jobs: number;
  readonly #sessions: SparkLane[];
  readonly #free: SparkLane[];
  readonly #waiting: ((s: SparkLane) => void)[] = [];
  #conf: Readonly<Record<string, string>> = BASE_CONF;

  private constructor(fixtures: Fixtures, sessions: SparkLane[]) {
    this.fixtures = fixtures;
    this.embedded = new EmbeddedLane();
    this.jobs = sessions.length;
    this.#sessions = sessions;
    this.#free = [...sessions];
  }

  static async open(options: LanesOptions): Promise<Lanes> {
    const sessions = await Promise.all(Array.from({ length: options.jobs }, () => SparkLane.connect(options.url)));
    await Promise.all(sessions.map((s) => s.conf(BASE_CONF)));
    const fixtures = await Fixtures.write(sessions[0]!);
    await Promise.all(sessions.map((s) => fixtures.views(s)));
    const lanes = new Lanes(fixtures, sessions);
    for (const name of Object.keys(TABLES) as TableName[]) {
      const view = { name, global: false, replace: true };
      await lanes.embedded.engine.catalog.createView(fixtures.relation(name), view, BASE_CONF);
    }
    return lanes;
  }

  /** Runs with other settings on all sessions; nothing else may run meanwhile. */
  async withConf<T>(conf: Readonly<Record<string, string>> | undefined, fn: () => Promise<T>): Promise<T> {
    if (conf === undefined || Object.keys(conf).length === 0) return fn();
    const before = Object.fromEntries(Object.keys(conf).map((name) => [name, BASE_CONF[name]]));
    await Promise.all(this.#sessions.map((s) => s.conf(conf)));
    this.#conf = { ...BASE_CONF, ...conf };
    try {
      return await fn();
    } finally {
      this.#conf = BASE_CONF;
      await Promise.all(this.#sessions.map((s) => s.conf(before)));
    }
  }

  /** Runs with the tables of Spark in memory. */
  async inMemory<T>(fn: () => Promise<T>): Promise<T> {
    const rows = await this.fixtures.rows(this.#sessions[0]!);
    await Promise.all(this.#sessions.map((s) => this.fixtures.views(s, rows)));
    try {
      return await fn();
    } finally {
      await Promise.all(this.#sessions.map((s) => this.fixtures.views(s)));
    }
  }

  async expressions(lane: LaneName, ask: Ask): Promise<Outcome> {
    if (lane === "embedded") return this.embedded.run(() => this.#plan(ask), this.#conf);
    if (lane === "encoded") return this.encoded(() => this.#plan(ask));
    return this.spark(this.#text(ask));
  }

  /** Each expression as our encoder sends it, then each as Spark reads its text, in one query of Spark. */
  async together(ask: Ask): Promise<Outcome> {
    return this.#session((s) => s.together(() => this.#plan(ask), ask.exprs.map(expressionText)));
  }

  async query(lane: LaneName, sql: string): Promise<Outcome> {
    if (lane === "text") return this.spark({ relType: { case: "sql", value: { query: sql } } });
    return this.plan(lane, () => ({ kind: "sql", query: sql }));
  }

  async plan(lane: LaneName, plan: () => Relation): Promise<Outcome> {
    return lane === "embedded" ? this.embedded.run(plan, this.#conf) : this.encoded(plan);
  }

  /** A plan of ours as our encoder sends it. */
  async encoded(plan: () => Relation): Promise<Outcome> {
    return this.#session((s) => s.encoded(plan));
  }

  async spark(relation: RelationInit): Promise<Outcome> {
    return this.#session((s) => s.run(relation));
  }

  async #session<T>(use: (s: SparkLane) => Promise<T>): Promise<T> {
    const session = this.#free.pop() ?? (await new Promise<SparkLane>((resolve) => this.#waiting.push(resolve)));
    try {
      return await use(session);
    } finally {
      const next = this.#waiting.shift();
      if (next) next(session);
      else this.#free.push(session);
    }
  }

  #plan(ask: Ask): Relation {
    let input: Relation = { kind: "range", start: 0n, end: 1n, step: 1n };
    if (typeof ask.on === "string") input = this.fixtures.named(ask.on);
    else if (ask.on) input = { kind: "local", schema: ask.on.schema, rows: ask.on.rows };
    if (ask.row !== undefined) input = { kind: "filter", input, condition: parseExpression(`id = ${ask.row}`) };
    const key: Expr[] = ask.key ? [{ kind: "attribute", name: "id" }] : [];
    return { kind: "project", input, exprs: [...key, ...ask.exprs.map(parseExpression)] };
  }

  #text(ask: Ask): RelationInit {
    let input: RelationInit | undefined;
    if (typeof ask.on === "string") input = namedTable(ask.on);
    else if (ask.on) input = localRelation(ask.on);
    else input = { relType: { case: "range", value: { start: 0n, end: 1n, step: 1n } } };
    if (ask.row !== undefined) {
      input = { relType: { case: "filter", value: { input, condition: expressionText(`id = ${ask.row}`) } } };
    }
    const expressions = [...(ask.key ? ["id"] : []), ...ask.exprs].map(expressionText);
    return { relType: { case: "project", value: { input, expressions } } };
  }

  async close(): Promise<void> {
    await this.embedded.close();
    await Promise.all(this.#sessions.map((s) => s.close()));
    this.fixtures.remove();
  }
}
