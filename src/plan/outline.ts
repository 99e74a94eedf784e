import { hidePasswords } from "../types/secrets.ts";
import { durationText } from "../types/time-units.ts";
import type { Field, ResolvedExpr, ResolvedRelation } from "./resolved.ts";
import { isStateful } from "./streaming-rules.ts";
import { resolvedExprs, resolvedInputs, walkExpr } from "./walk.ts";

/** One step of a query in words, for people who want to know what will happen. */
export interface OutlineStep {
  /** `sql`: whatever an engine computes by itself; neighbours are one step. */
  readonly kind: "source" | "sql" | "watermark" | "state" | "typescript";
  /** Spark's name of the operator, or of all operators of a `sql` step. */
  readonly operator: string;
  readonly detail: string;
  /** Names of the TypeScript functions that the step calls. */
  readonly functions: readonly string[];
  /** Only for `state`: whether what is kept stays bounded, and by what. */
  readonly state?: { readonly bounded: boolean; readonly reason: string };
}

/** A query step by step, sources first; inputs of a join or union one after the other. Pure. */
export function outline(plan: ResolvedRelation, outputMode: "append" | "update" | "complete"): readonly OutlineStep[] {
  const steps: OutlineStep[] = [];
  const seen = new Set<ResolvedRelation>();
  const visit = (node: ResolvedRelation): void => {
    if (seen.has(node)) return;
    seen.add(node);
    for (const input of resolvedInputs(node)) visit(input);
    const step = stepOf(node, outputMode);
    const last = steps.at(-1);
    if (step.kind === "sql" && last?.kind === "sql") {
      const repeated = last.operator.split(", ").includes(step.operator);
      steps[steps.length - 1] = {
        ...last,
        operator: repeated ? last.operator : `${last.operator}, ${step.operator}`,
        functions: [...new Set([...last.functions, ...step.functions])],
      };
    } else steps.push(step);
  };
  visit(plan);
  return steps;
}

/** One node as a step. Pure. */
export function stepOf(node: ResolvedRelation, outputMode: "append" | "update" | "complete"): OutlineStep {
  const functions = [...new Set(resolvedExprs(node).flatMap(udfs))];
  const operator = NAMES[node.kind];
  switch (node.kind) {
    case "scan": {
      const what = [node.format, ...node.paths.map(hidePasswords), node.options.subscribe ?? ""]
        .filter(Boolean)
        .join(" ");
      return { kind: "source", operator: node.streaming ? "StreamingRelation" : operator, detail: what, functions };
    }
    case "local":
      return { kind: "source", operator, detail: `${node.rows.length} rows given in the program`, functions };
    case "range":
      return { kind: "source", operator, detail: `${node.start} to ${node.end}`, functions };
    case "watermark":
      return {
        kind: "watermark",
        operator,
        detail: `${nameOf(node.fields, node.column)}, delay ${durationText(node.delayMicros)}`,
        functions,
      };
    case "map_rows":
      return { kind: "typescript", operator, detail: node.op, functions: [node.fn.name] };
    case "transform_with_state":
      return {
        kind: node.streaming ? "state" : "typescript",
        operator,
        detail: `by ${node.keys.map((id) => nameOf(node.input.fields, id)).join(", ")}`,
        functions: [node.processor.name],
        ...(node.streaming && { state: { bounded: false, reason: "what the processor keeps until it clears it" } }),
      };
    default:
      if (!isStateful(node)) return { kind: "sql", operator, detail: "", functions };
      return { kind: "state", operator, ...stateOf(node, outputMode), functions };
  }
}

/** What a stateful operator of an engine's own keeps. */
function stateOf(
  node: ResolvedRelation,
  outputMode: "append" | "update" | "complete",
): Pick<OutlineStep, "detail"> & { state: NonNullable<OutlineStep["state"]> } {
  if (node.kind === "aggregate") {
    const keys = node.keys.map((k) => k.field);
    const detail = keys.length === 0 ? "one global group" : `by ${keys.map((f) => f.name).join(", ")}`;
    const timed = keys.find((f) => f.watermark !== undefined);
    if (keys.length === 0) return { detail, state: { bounded: true, reason: "one group" } };
    if (outputMode === "complete") {
      return { detail, state: { bounded: false, reason: "complete mode keeps every group for ever" } };
    }
    return timed === undefined
      ? { detail, state: { bounded: false, reason: "no key carries a watermark, so no group is ever dropped" } }
      : { detail, state: { bounded: true, reason: `a group goes when the watermark passes its ${timed.name}` } };
  }
  if (node.kind === "deduplicate") {
    const keys = node.keys.map((id) => node.input.fields.find((f) => f.id === id)).filter((f) => f !== undefined);
    const detail = `by ${keys.map((f) => f.name).join(", ")}`;
    if (node.withinWatermark)
      return { detail, state: { bounded: true, reason: "a key goes after the watermark's delay" } };
    const timed = keys.find((f) => f.watermark !== undefined);
    return timed === undefined
      ? { detail, state: { bounded: false, reason: "no key carries a watermark, so every key is kept for ever" } }
      : { detail, state: { bounded: true, reason: `a key goes when the watermark passes its ${timed.name}` } };
  }
  return { detail: "", state: { bounded: true, reason: "a number" } };
}

const NAMES: Readonly<Record<ResolvedRelation["kind"], string>> = {
  scan: "Relation",
  local: "LocalRelation",
  range: "Range",
  project: "Project",
  filter: "Filter",
  aggregate: "Aggregate",
  time_window: "TimeWindow",
  generate: "Generate",
  join: "Join",
  union: "Union",
  intersect: "Intersect",
  except: "Except",
  sort: "Sort",
  limit: "Limit",
  offset: "Offset",
  deduplicate: "Deduplicate",
  watermark: "EventTimeWatermark",
  sample: "Sample",
  map_rows: "MapRows",
  transform_with_state: "TransformWithState",
};

function udfs(e: ResolvedExpr): string[] {
  return [...walkExpr(e)].flatMap((x) => (x.kind === "udf" ? [x.fn.name] : []));
}

function nameOf(fields: readonly Field[], id: number): string {
  return fields.find((f) => f.id === id)?.name ?? "?";
}
