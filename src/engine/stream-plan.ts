import type { OutputMode } from "../connectors/connector.ts";
import { MillraceError } from "../errors.ts";
import { columnOf } from "../plan/resolve-expr.ts";
import type { Field, ResolvedRelation } from "../plan/resolved.ts";
import { walkResolved } from "../plan/walk.ts";
import { requiredColumns } from "./compile.ts";
import { StreamingAggregate } from "./stateful/aggregate.ts";
import { StreamingDeduplicate } from "./stateful/deduplicate.ts";
import { fuseWatermark } from "./stateful/fuse-watermark.ts";
import { StreamingLimit } from "./stateful/limit.ts";
import { reading, type StatefulOperator } from "./stateful/operator.ts";
import { TransformWithState } from "./stateful/transform-with-state.ts";

export type ScanNode = Extract<ResolvedRelation, { kind: "scan" }>;
const STAGE = "millrace.stage";
type WatermarkNode = Extract<ResolvedRelation, { kind: "watermark" }>;
type MapRowsNode = Extract<ResolvedRelation, { kind: "map_rows" }>;

/**
 * A streaming plan cut where a batch has to stop: at stateful operators, at TypeScript functions over rows and at watermarks that have
 * to be measured. What lies between two cuts compiles to one SQL statement.
 */
export interface StreamPlan {
  /** The part above the last cuts; its rows are the output of a batch. */
  readonly root: ResolvedRelation;
  /** In the order in which they run. */
  readonly stages: readonly Stage[];
  readonly operators: readonly StatefulOperator[];
  /** Delays of the watermarks in milliseconds, by watermark index. */
  readonly delaysMs: readonly number[];
  /** The scans of each streaming source (a stream used twice has several) and the columns that the plan reads of it. */
  readonly sources: readonly PlannedSource[];
  /** Scans of static data, read again for each batch. */
  readonly staticScans: readonly { readonly scan: ScanNode; readonly columns: readonly string[] }[];
}

export interface PlannedSource {
  readonly scans: readonly ScanNode[];
  readonly columns: readonly string[];
}

export type Stage =
  /** Lays the rows of `input` down in `table` (only `columns`) and measures the event times. */
  | {
      readonly kind: "watermark";
      readonly leaf: ResolvedRelation;
      readonly input: ResolvedRelation;
      readonly table: string;
      readonly columns: readonly number[];
      readonly eventTime: Field;
      readonly watermark: number;
    }
  | {
      readonly kind: "operator";
      readonly leaf: ResolvedRelation;
      readonly operator: StatefulOperator;
      /** The watermark that the operator measures in passing. */
      readonly watermark: number | undefined;
    }
  | {
      readonly kind: "map_rows";
      readonly leaf: ResolvedRelation;
      readonly node: MapRowsNode;
      readonly input: ResolvedRelation;
      readonly table: string;
    };

export function planStream(plan: ResolvedRelation, outputMode: OutputMode): StreamPlan {
  let nextId = 1 + highestId(plan);
  const fresh = (): number => nextId++;
  const stages: Stage[] = [];
  const operators: StatefulOperator[] = [];
  const delaysMs: number[] = [];
  const watermarks = new Map<WatermarkNode, number>();
  const done = new Map<ResolvedRelation, ResolvedRelation>();

  const watermarkIndex = (node: WatermarkNode): number => {
    let index = watermarks.get(node);
    if (index === undefined) {
      index = delaysMs.push(Number(node.delayMicros / 1000n)) - 1;
      watermarks.set(node, index);
    }
    return index;
  };

  const cut = (node: ResolvedRelation): ResolvedRelation => {
    if (!node.streaming) return node;
    const before = done.get(node);
    if (before !== undefined) return before;
    const result = cutNew(node);
    done.set(node, result);
    return result;
  };

  const operator = (
    node: ResolvedRelation,
    make: (options: { index: number; outputMode: OutputMode }) => StatefulOperator,
    watermark?: number,
  ): ResolvedRelation => {
    const leaf = stageLeaf(node);
    const made = make({ index: operators.length, outputMode });
    operators.push(made);
    stages.push({ kind: "operator", leaf, operator: made, watermark });
    return leaf;
  };

  const cutNew = (node: ResolvedRelation): ResolvedRelation => {
    switch (node.kind) {
      case "watermark": {
        const input = cut(node.input);
        const leaf = stageLeaf(node);
        const eventTime = node.fields.find((field) => field.id === node.column)!;
        const watermark = watermarkIndex(node);
        stages.push({
          kind: "watermark",
          leaf,
          input,
          table: `wm${watermark}`,
          columns: node.fields.map((field) => field.id),
          eventTime,
          watermark,
        });
        return leaf;
      }
      case "aggregate": {
        if (node.sets !== undefined) {
          throw new MillraceError(
            "UNSUPPORTED_OPERATION",
            "Rollup, cube and grouping sets are not supported on streaming data.",
          );
        }
        const fused = fuseWatermark(node.input, fresh);
        if (fused !== undefined) {
          const input = cut(fused.input);
          return operator(
            node,
            (options) => new StreamingAggregate(node, input, fused.column, options),
            watermarkIndex(fused.watermark),
          );
        }
        const input = cut(node.input);
        return operator(node, (options) => new StreamingAggregate(node, input, undefined, options));
      }
      case "deduplicate": {
        const input = cut(node.input);
        return operator(node, (options) => new StreamingDeduplicate(node, input, options));
      }
      case "transform_with_state": {
        const input = cut(node.input);
        return operator(node, (options) => new TransformWithState(node, input, options));
      }
      case "limit": {
        const input = cut(node.input);
        // In complete mode every batch gives the whole result, of which the limit takes the first rows.
        if (outputMode !== "append") return { ...node, input };
        return operator(node, (options) => new StreamingLimit(node, input, options));
      }
      case "map_rows": {
        const input = cut(node.input);
        const leaf = stageLeaf(node);
        stages.push({ kind: "map_rows", leaf, node, input, table: `map${stages.length}` });
        return leaf;
      }
      case "project":
      case "filter":
      case "time_window":
      case "generate":
      case "sort":
      case "offset":
      case "sample":
        return { ...node, input: cut(node.input) };
      case "join":
      case "intersect":
      case "except":
        return { ...node, left: cut(node.left), right: cut(node.right) };
      case "union":
        return { ...node, inputs: node.inputs.map(cut) };
      case "scan":
      case "local":
      case "range":
        return node;
    }
  };

  const root = cut(plan);
  const { stages: kept, needed } = prune(root, stages);
  return { root, stages: kept, operators, delaysMs, ...scansOf(needed) };
}

/** Stands in a plan for the rows of a stage. */
function stageLeaf(node: ResolvedRelation): ResolvedRelation {
  return {
    kind: "scan",
    format: STAGE,
    schema: { kind: "struct", fields: node.fields.map(({ name, type, nullable }) => ({ name, type, nullable })) },
    options: {},
    paths: [],
    fields: node.fields,
    streaming: true,
  };
}

/** The stages with watermark stages laying down no more than is read of them, and the columns that all of it reads of each scan. */
function prune(root: ResolvedRelation, stages: readonly Stage[]): { stages: Stage[]; needed: Needed } {
  const needed: Needed = new Map();
  const add = (relation: ResolvedRelation): void => {
    for (const [node, names] of requiredColumns(relation)) {
      const all = needed.get(node) ?? new Set();
      for (const name of names) all.add(name);
      needed.set(node, all);
    }
  };
  add(root);
  // whoever reads a stage comes after it
  const kept = stages.toReversed().map((stage) => {
    if (stage.kind !== "watermark") {
      add(stage.kind === "operator" ? stage.operator.reads : stage.input);
      return stage;
    }
    const names = needed.get(stage.leaf);
    const fields = stage.leaf.fields.filter((field) => names?.has(field.name) || field.id === stage.eventTime.id);
    add(reading(stage.input, fields.map(columnOf)));
    return { ...stage, columns: fields.map((field) => field.id) };
  });
  return { stages: kept.reverse(), needed };
}

type Needed = Map<ResolvedRelation, Set<string>>;

function scansOf(needed: Needed): Pick<StreamPlan, "sources" | "staticScans"> {
  const sources: { scans: ScanNode[]; columns: Set<string> }[] = [];
  const staticScans: { scan: ScanNode; columns: string[] }[] = [];
  for (const [node, names] of needed) {
    if (node.kind !== "scan" || node.format === STAGE) continue;
    if (node.sourceIndex === undefined) {
      staticScans.push({ scan: node, columns: [...names] });
      continue;
    }
    sources[node.sourceIndex] ??= { scans: [], columns: new Set() };
    const source = sources[node.sourceIndex]!;
    source.scans.push(node);
    for (const name of names) source.columns.add(name);
  }
  return {
    // the order of the schema, whatever the plan asks first
    sources: sources.map(({ scans, columns }) => ({
      scans,
      columns: scans[0]!.schema.fields.map((field) => field.name).filter((name) => columns.has(name)),
    })),
    staticScans,
  };
}

function highestId(plan: ResolvedRelation): number {
  let highest = 0;
  for (const node of walkResolved(plan)) for (const field of node.fields) highest = Math.max(highest, field.id);
  return highest;
}
