import { create } from "@bufbuild/protobuf";
import type { Conf } from "../../backend.ts";
import { MillraceError } from "../../errors.ts";
import { decodeArrow } from "../arrow.ts";
import type { SparkConnectClient } from "../client/client.ts";
import * as pb from "../proto/spark-connect_pb.ts";
import type { SparkSessionParts } from "../session-parts.ts";

const SETTING = "spark.sql.shuffle.partitions";
/** Spark's own default; more would only cost. */
const MOST = 200;
/** With one, Spark 4.2 may count the halves of a union apart. */
const LEAST = 2;

const known = new WeakMap<SparkConnectClient, Promise<number | undefined>>();

/**
 * The settings to start a query with: `spark.sql.shuffle.partitions` is twice the cluster's cores where neither the program nor the server
 * says it. Spark's default of 200 makes every batch of a stateful query start 200 tasks for each step. A query with a checkpoint keeps the
 * number it began with, whatever is set later.
 *
 * https://spark.apache.org/docs/latest/streaming/apis-on-dataframes-and-datasets.html (a checkpoint pins it)
 */
export async function withStatePartitions(session: SparkSessionParts, conf: Conf): Promise<Conf> {
  if (conf[SETTING] !== undefined) return conf;
  const { client } = session;
  let partitions = known.get(client);
  if (partitions === undefined) {
    // With this query's settings: one of an earlier query is not the server's.
    partitions = session.encoded({ kind: "sql", query: CORES }, conf, (root) => choose(client, root));
    known.set(client, partitions);
    partitions.catch(() => known.delete(client));
  }
  const chosen = await partitions;
  return chosen === undefined ? conf : { ...conf, [SETTING]: String(chosen) };
}

async function choose(client: SparkConnectClient, cores: pb.Relation): Promise<number | undefined> {
  const settings = await client.conf.getAll();
  if (settings[SETTING] !== undefined) return undefined;
  return partitionsFor(coresToCome(settings) ?? (await coresNow(client, cores)));
}

/** Twice the cores, within bounds. */
export function partitionsFor(cores: number): number {
  return Math.min(MOST, Math.max(LEAST, 2 * cores));
}

/** Where executors come and go, the cores of all that may come, at most MOST / 2; undefined where their number is fixed. */
export function coresToCome(settings: Readonly<Record<string, string>>): number | undefined {
  if (settings["spark.dynamicAllocation.enabled"] !== "true") return undefined;
  // without a bound it is "infinity", no number
  const executors = Number(settings["spark.dynamicAllocation.maxExecutors"] ?? MOST) || MOST;
  return Math.min(MOST / 2, executors * Number(settings["spark.executor.cores"] ?? 1));
}

/** Spark cuts a range into as many parts as it has cores. */
const CORES = "SELECT count(DISTINCT part) AS cores FROM (SELECT spark_partition_id() AS part FROM range(100000))";

async function coresNow(client: SparkConnectClient, root: pb.Relation): Promise<number> {
  const plan = create(pb.PlanSchema, { opType: { case: "root", value: root } });
  for await (const { responseType } of client.execute(plan)) {
    if (responseType.case !== "arrowBatch" || responseType.value.rowCount === 0n) continue;
    return Number(decodeArrow(responseType.value.data).rows[0]!.cores);
  }
  throw new MillraceError("INTERNAL", "The Spark server did not say how many cores it has.");
}
