import type { Conf } from "../backend.ts";
import type { Relation } from "../plan/relation.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import type { StructType } from "../types/data-type.ts";
import type { SparkConnectClient } from "./client/client.ts";
import type { FunctionShipper } from "./functions/shipper.ts";
import type * as pb from "./proto/spark-connect_pb.ts";

/** What the parts of the Spark backend share: one session on one server. */
export interface SparkSessionParts {
  readonly client: SparkConnectClient;
  readonly functions: FunctionShipper | undefined;
  /**
   * A plan as the server takes it. Before that come the session's settings, large local data and TypeScript functions.
   * Calls follow each other: settings of one plan are never those of another.
   */
  encode(plan: Relation, conf: Conf): Promise<pb.Relation>;
  /** The same, and no other plan's settings come before `use` is done: what is started in it keeps those of its plan. */
  encoded<T>(plan: Relation, conf: Conf, use: (root: pb.Relation) => Promise<T>): Promise<T>;
  /** The plan's schema as the server sees it. */
  schema(plan: Relation, conf: Conf): Promise<StructType>;
  /** Our own analysis of a plan; undefined where only Spark knows what it means. */
  analyze(plan: Relation, conf: Conf): Promise<ResolvedRelation | undefined>;
  /** The client; another one, with another session, when the last one's session was lost. All who ask at the same time share it. */
  connected(): Promise<SparkConnectClient>;
  /** Says that the session of this client is gone, or its server. */
  lost(client: SparkConnectClient): void;
  /** Another connection, to that session on the same server. */
  join(sessionId: string): Promise<SparkConnectClient>;
}
