import { createHash } from "node:crypto";
import { MillraceError } from "../errors.ts";
import type { UserFunction } from "./expr.ts";
import type { Relation, StatefulProcessorRef } from "./relation.ts";

/** TypeScript functions of a plan by name and source hash, to put them back. */
export type PlanFunctions = ReadonlyMap<string, UserFunction["call"] | StatefulProcessorRef["create"]>;

/**
 * A plan as JSON text. Values that JSON has not are tagged `{"$": kind, "v": ...}`; a TypeScript function is its name and the
 * SHA-256 of its source. A sub-plan used twice is written once, so that it is one source again when read.
 */
export function planToJson(plan: Relation): string {
  const seen = new Map<object, number>();
  const counts = new Map<object, number>();
  const count = (node: unknown): void => {
    if (typeof node !== "object" || node === null || node instanceof Date || node instanceof Uint8Array) return;
    if (isRelation(node)) {
      counts.set(node, (counts.get(node) ?? 0) + 1);
      if (counts.get(node)! > 1) return;
    }
    for (const child of node instanceof Map ? node.values() : Object.values(node)) count(child);
  };
  count(plan);
  const encode = (value: unknown): unknown => {
    if (typeof value === "bigint") return { $: "bigint", v: String(value) };
    if (typeof value === "number" && !Number.isFinite(value)) return { $: "number", v: String(value) };
    if (Object.is(value, -0)) return { $: "number", v: "-0" };
    if (value === undefined) return undefined;
    if (typeof value === "function") return { $: "function", v: functionKey(value) };
    if (typeof value !== "object" || value === null) return value;
    if (value instanceof Date) return { $: "date", v: value.getTime() };
    if (value instanceof Uint8Array) return { $: "bytes", v: Buffer.from(value).toString("base64") };
    if (value instanceof Map) return { $: "map", v: [...value].map(([k, v]) => [encode(k), encode(v)]) };
    if (Array.isArray(value)) return value.map(encode);
    if (isRelation(value) && counts.get(value)! > 1) {
      const known = seen.get(value);
      if (known !== undefined) return { $: "ref", v: known };
      const id = seen.size;
      seen.set(value, id);
      return { $: "shared", id, v: encodeObject(value) };
    }
    return encodeObject(value);
  };
  const encodeObject = (value: object): unknown => {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined);
    const plain = Object.fromEntries(entries.map(([k, v]) => [k, encode(v)]));
    return Object.hasOwn(value, "$") ? { $: "object", v: plain } : plain;
  };
  return JSON.stringify(encode(plan));
}

/** Reads a plan back. Throws INVALID_ARGUMENT where a function is needed that is not given. */
export function planFromJson(json: string, functions: PlanFunctions = new Map()): Relation {
  const shared = new Map<number, unknown>();
  const decode = (value: any): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return Object.freeze(value.map(decode));
    switch (value.$) {
      case "bigint":
        return BigInt(value.v);
      case "number":
        return Number(value.v);
      case "date":
        return new Date(value.v);
      case "bytes":
        return new Uint8Array(Buffer.from(value.v, "base64"));
      case "map":
        return new Map(value.v.map(([k, v]: [unknown, unknown]) => [decode(k), decode(v)]));
      case "function": {
        const f = functions.get(value.v);
        if (f) return f;
        throw new MillraceError("INVALID_ARGUMENT", `The plan needs the function ${value.v}, which was not given.`);
      }
      case "ref":
        return shared.get(value.v);
      case "shared": {
        const node = decodeObject(value.v);
        shared.set(value.id, node);
        return node;
      }
      case "object":
        return decodeObject(value.v);
      default:
        return decodeObject(value);
    }
  };
  const decodeObject = (value: object): object =>
    Object.freeze(Object.fromEntries(Object.entries(value).map(([k, v]) => [k, decode(v)])));
  return decode(JSON.parse(json)) as Relation;
}

/** How a function is named in a plan's JSON: its name and the hash of its source. */
function functionKey(f: Function): string {
  return `${f.name || "lambda"}@${createHash("sha256").update(Function.prototype.toString.call(f)).digest("hex").slice(0, 16)}`;
}

function isRelation(value: object): boolean {
  const kind = (value as { kind?: unknown }).kind;
  return (
    typeof kind === "string" &&
    RELATION_KINDS.has(kind as Relation["kind"]) &&
    ("planId" in value || "input" in value || "left" in value || kind === "read")
  );
}

const KINDS: Record<Relation["kind"], true> = {
  read: true,
  named_table: true,
  sql: true,
  local: true,
  range: true,
  project: true,
  filter: true,
  with_columns: true,
  with_columns_renamed: true,
  drop: true,
  to_df: true,
  na_drop: true,
  na_fill: true,
  na_replace: true,
  aggregate: true,
  join: true,
  set_op: true,
  sort: true,
  limit: true,
  offset: true,
  deduplicate: true,
  with_watermark: true,
  subquery_alias: true,
  sample: true,
  repartition: true,
  map_rows: true,
  transform_with_state: true,
  select: true,
  generate: true,
  inline_table: true,
  sql_pivot: true,
  unpivot: true,
};
const RELATION_KINDS = new Set(Object.keys(KINDS) as Relation["kind"][]);
