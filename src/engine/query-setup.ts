import type { Conf, StreamTarget } from "../backend.ts";
import type { Connector } from "../connectors/connector.ts";
import type { Connection } from "../duckdb/duckdb.ts";
import type { Clock } from "../streaming/clock.ts";
import type { StreamConf } from "../streaming/conf.ts";
import type { ProgressLog } from "../streaming/progress.ts";
import type { ResolvedSink } from "../streaming/sinks.ts";
import type { StructType } from "../types/data-type.ts";
import type { RunnerParts } from "./batch-runner.ts";
import type { Checkpoint } from "./checkpoint.ts";
import type { StreamPlan } from "./stream-plan.ts";

/** What stays the same while a query is restarted. */
export interface QuerySetup {
  readonly queryId: string;
  readonly runId: string;
  readonly name: string | null;
  readonly target: StreamTarget;
  readonly schema: StructType;
  readonly conf: Conf;
  readonly settings: StreamConf;
  readonly checkpoint: Checkpoint;
  readonly clock: Clock;
  readonly log: ProgressLog;
  readonly sinks: readonly ResolvedSink[];
  readonly sourceConnectors: readonly {
    readonly connector: Connector;
    readonly options: Readonly<Record<string, string>>;
  }[];
  /** The stateful operators in words: a query with others may not go on with the state. */
  readonly shape: readonly string[];
  /** A fresh plan: operators hold what one run knows. */
  plan(): StreamPlan;
  parts(connection: Connection, plan: StreamPlan): Promise<RunnerParts> | RunnerParts;
  readonly memoryLimit: string;
  readonly threads: number;
  readonly timeZone: string;
  readonly engineVersion: string;
}
