import { createHash } from "node:crypto";
import type { Conf, StreamTarget } from "../backend.ts";
import { planToJson } from "../plan/json.ts";
import type { Relation } from "../plan/relation.ts";

/** What a query is made of, to tell whether a new version of a program has changed it. */
export interface Fingerprint {
  /** The same for two queries exactly when they are the same, but for what their TypeScript functions do beyond their text. */
  readonly digest: string;
  /** It calls TypeScript functions: what they use of their files may have changed where their text has not. */
  readonly hasFunctions: boolean;
}

export function fingerprint(plan: Relation, target: StreamTarget, conf: Conf): Fingerprint {
  const ids = new Map<string, number>();
  // Every load counts its DataFrames on, so only the order of the ids says something.
  const text = planToJson(plan).replace(/"planId":(\d+)/g, (_, id: string) => {
    if (!ids.has(id)) ids.set(id, ids.size);
    return `"planId":${ids.get(id)}`;
  });
  const sinks = target.sinks.map(({ foreachBatch, ...sink }) => ({
    ...sink,
    options: Object.entries(sink.options).sort(([a], [b]) => (a < b ? -1 : 1)),
    ...(foreachBatch && { foreachBatch: String(foreachBatch) }),
  }));
  const rest = JSON.stringify([{ ...target, sinks }, Object.entries(conf).sort(([a], [b]) => (a < b ? -1 : 1))]);
  return {
    digest: createHash("sha256").update(text).update(rest).digest("hex"),
    hasFunctions: text.includes('"$":"function"') || target.sinks.some((s) => s.foreachBatch !== undefined),
  };
}
