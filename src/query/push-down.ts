import { DataFrame } from "../dataframe/dataframe.ts";
import { createEmbeddedBackend } from "../engine/backend.ts";
import { expandPlan } from "../engine/expand.ts";
import type { Relation } from "../plan/relation.ts";
import { constantTimes } from "./constant-times.ts";
import { databaseQuery } from "./database-query.ts";
import { scanNeeds } from "./scan-needs.ts";
import { topicRanges } from "./topic-ranges.ts";

type Read = Extract<Relation, { kind: "read" }>;

/** A query that reads what it needs. */
export interface PushedDown {
  readonly df: DataFrame;
  /** What is read in place of all, for people; undefined where that is everything, or more than one table. */
  readonly told: string | undefined;
}

/**
 * The same rows with less to read, where a query is over one table of the database or one topic: filters and LIMIT go to who has the
 * rows. The query keeps them itself as well. Throws what the database and Kafka say.
 */
export async function pushDown(df: DataFrame): Promise<PushedDown> {
  const asItIs = { df, told: undefined };
  const { session, plan } = df;
  const { reads } = await expandPlan(plan, async () => undefined);
  const [read, ...others] = reads;
  if (read === undefined || others.length > 0 || (read.format !== "kafka" && read.format !== "postgres")) return asItIs;
  const needs = scanNeeds(await createEmbeddedBackend().analyze(plan, session.confValues()));
  if (needs === undefined || (needs.conditions.length === 0 && needs.limit === undefined)) return asItIs;
  const times = await constantTimes(session, needs.conditions);
  const withOptions = (
    changed: Readonly<Record<string, string>>,
    without: readonly string[],
    told: string,
  ): PushedDown => {
    const kept = Object.entries(read.options).filter(([name]) => !without.includes(name));
    const pushed = { ...read, options: { ...Object.fromEntries(kept), ...changed } };
    return { df: new DataFrame(session, replaced(plan, read, pushed)), told };
  };
  const { dbtable, subscribe: topic, startingTimestamp: since } = read.options;
  if (read.format === "postgres") {
    const query = dbtable === undefined ? undefined : databaseQuery(dbtable, needs, times);
    return query === undefined ? asItIs : withOptions({ query }, ["dbtable"], `the database is asked: ${query}`);
  }
  const servers = read.options["kafka.bootstrap.servers"];
  if (topic === undefined || servers === undefined) return asItIs;
  const found = await topicRanges(servers, topic, since === undefined ? undefined : Number(since), needs, times);
  if (found === undefined) return asItIs;
  const { ranges, offsets, of } = found;
  const offsetsOf = (end: "start" | "end"): string =>
    JSON.stringify({ [topic]: Object.fromEntries(ranges.map((r) => [r.partition, r[end]])) });
  const changed = {
    assign: JSON.stringify({ [topic]: ranges.map((r) => r.partition) }),
    startingOffsets: offsetsOf("start"),
    endingOffsets: offsetsOf("end"),
  };
  const count = (n: number): string => n.toLocaleString("en-US");
  return withOptions(
    changed,
    ["subscribe", "startingTimestamp"],
    `reads ${count(offsets)} of ${count(of)} records of ${topic}`,
  );
}

/** A plan with another reader in the place of one. */
function replaced<T>(value: T, read: Read, by: Read): T {
  if ((value as unknown) === read) return by as T;
  if (typeof value !== "object" || value === null || value instanceof Date || ArrayBuffer.isView(value)) return value;
  if (value instanceof Map) return value;
  if (Array.isArray(value)) return value.map((v) => replaced(v, read, by)) as T;
  return Object.fromEntries(Object.entries(value).map(([key, v]) => [key, replaced(v, read, by)])) as T;
}
