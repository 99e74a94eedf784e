import type { Backend, Conf, StreamingQueryHandle, StreamTarget } from "../../src/backend.ts";
import { connectorFor, resolveOptions } from "../../src/connectors/index.ts";
import type { SessionContext } from "../../src/dataframe/context.ts";
import { type StreamDeps, startStreamingQuery } from "../../src/engine/stream.ts";
import { runnerParts } from "../../src/engine/stream-parts.ts";
import { catalog } from "../../src/functions/index.ts";
import { analyze } from "../../src/plan/analyze.ts";
import type { Relation } from "../../src/plan/relation.ts";
import type { ResolvedRelation } from "../../src/plan/resolved.ts";
import type { Clock } from "../../src/streaming/clock.ts";
import { atomicLedger, ledger } from "../../src/testing/ledger.ts";
import type { StructType } from "../../src/types/data-type.ts";

/** A session whose backend has nothing but streaming queries, for tests of the streaming engine by itself. */
export class TestSession implements SessionContext {
  readonly queries: StreamingQueryHandle[] = [];
  readonly #conf: Conf;
  readonly #deps: Partial<StreamDeps>;

  constructor(conf: Conf = {}, deps: Partial<StreamDeps> & { clock?: Clock } = {}) {
    this.#conf = { "millrace.engine.threads": "1", "millrace.engine.memoryLimit": "512MiB", ...conf };
    this.#deps = deps;
  }

  readonly views = new Map<string, Relation>();
  readonly owner = this;

  async command<T>(run: (engine: Backend) => Promise<T>): Promise<T> {
    return run(await this.backend());
  }

  async backend(): Promise<Backend> {
    return {
      stream: (plan: Relation, target: StreamTarget, conf: Conf) => {
        const deps = { ...defaultDeps, ...this.#deps };
        return startStreamingQuery(analysed(plan, conf, deps.connectorFor), target, conf, deps);
      },
    } as unknown as Backend;
  }

  confValues(): Conf {
    return this.#conf;
  }

  register(query: StreamingQueryHandle): void {
    this.queries.push(query);
  }

  /** Stops what still runs. */
  async close(): Promise<void> {
    for (const query of this.queries.splice(0)) await query.stop();
  }
}

const defaultDeps: StreamDeps = {
  connectorFor: (format) => [ledger, atomicLedger].find(({ name }) => name === format) ?? connectorFor(format),
  parts: (connection, plan, conf) => runnerParts(connection, plan, conf["spark.sql.session.timeZone"] ?? "UTC"),
};

function analysed(plan: Relation, conf: Conf, connectorOf: StreamDeps["connectorFor"]): ResolvedRelation {
  return analyze(plan, {
    catalog,
    conf,
    scanSchema(read) {
      const connector = connectorOf(read.format);
      const options = resolveOptions(connector, read.options, "source");
      return connector.source!.schema({ options, paths: read.paths, schema: read.schema }) as StructType;
    },
  });
}
