import type { Field, NamedExpr, ResolvedRelation } from "../../plan/resolved.ts";

type WatermarkNode = Extract<ResolvedRelation, { kind: "watermark" }>;

/** An aggregate's input in which the event-time column of a watermark was carried up, so that the aggregation measures it in passing. */
export interface FusedWatermark {
  readonly watermark: WatermarkNode;
  /** The input with the `watermark` node taken out. */
  readonly input: ResolvedRelation;
  /** The event-time column in it. */
  readonly column: number;
}

/**
 * Looks for a `watermark` below an aggregate with nothing between them that drops, adds or reorders rows with an event time: projections
 * and tumbling windows over that very column. Otherwise the batch has to be laid down at the watermark to be measured there.
 * `nextId` gives fresh column ids.
 */
export function fuseWatermark(input: ResolvedRelation, nextId: () => number): FusedWatermark | undefined {
  switch (input.kind) {
    case "watermark":
      return { watermark: input, input: input.input, column: input.column };
    case "time_window": {
      const below = fuseWatermark(input.input, nextId);
      if (below === undefined || input.slideMicros !== input.durationMicros) return undefined;
      // rows without a time are dropped here, which changes no statistics if it is the same time
      if (input.time.kind !== "column" || input.time.id !== visibleId(below, input.input)) return undefined;
      return { ...below, input: { ...input, input: below.input, fields: withField(input.fields, below) } };
    }
    case "project": {
      const below = fuseWatermark(input.input, nextId);
      if (below === undefined) return undefined;
      const id = nextId();
      const source = below.input.fields.find((field) => field.id === below.column)!;
      const field: Field = { ...source, id, name: `millrace_event_time_${id}` };
      const carried: NamedExpr = {
        field,
        expr: { kind: "column", id: source.id, name: source.name, type: source.type, nullable: source.nullable },
      };
      const exprs = [...input.exprs, carried];
      return {
        watermark: below.watermark,
        input: { ...input, input: below.input, exprs, fields: [...input.fields, field] },
        column: id,
      };
    }
    default:
      return undefined;
  }
}

/** The id under which the plan itself knows the event-time column at this point, if it still does. */
function visibleId(below: FusedWatermark, input: ResolvedRelation): number | undefined {
  if (input.kind === "watermark") return input.column;
  if (input.kind === "time_window") return visibleId(below, input.input);
  if (input.kind !== "project") return undefined;
  const lower = visibleId(below, input.input);
  return input.exprs.find(({ expr }) => expr.kind === "column" && expr.id === lower)?.field.id;
}

function withField(fields: readonly Field[], { input, column }: FusedWatermark): readonly Field[] {
  if (fields.some((field) => field.id === column)) return fields;
  return [...fields, input.fields.find((field) => field.id === column)!];
}
