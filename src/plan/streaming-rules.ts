import { MillraceError } from "../errors.ts";
import type { FunctionCatalog, ResolvedExpr, ResolvedRelation } from "./resolved.ts";
import { resolvedExprs, resolvedInputs, walkExpr, walkResolved } from "./walk.ts";

type OutputMode = "append" | "update" | "complete";

/**
 * Refuses plans that cannot run as a stream in this output mode: Spark's UnsupportedOperationChecker, with its error classes, and
 * what this engine does not run yet (UNSUPPORTED_FEATURE). Never answers wrongly where it does not know how.
 * https://spark.apache.org/docs/latest/streaming/apis-on-dataframes-and-datasets.html#unsupported-operations
 */
export function checkStreaming(plan: ResolvedRelation, mode: OutputMode, catalog?: FunctionCatalog): void {
  if (!plan.streaming) {
    throw new MillraceError(
      "UNSUPPORTED_OPERATION",
      "'writeStream' can be called only on streaming Dataset/DataFrame.",
      {
        hint: "Start from spark.readStream, or use df.write.",
      },
    );
  }
  checkOutputMode(plan, mode);
  for (const node of walkResolved(plan)) {
    if (!node.streaming) continue;
    checkNode(node, mode);
    for (const root of resolvedExprs(node)) for (const e of walkExpr(root)) checkExpr(e, catalog);
  }
  checkChain(plan, mode);
}

/** Whether the operator keeps state between batches. */
export function isStateful(node: ResolvedRelation): boolean {
  if (!node.streaming) return false;
  if (node.kind === "aggregate" || node.kind === "deduplicate" || node.kind === "transform_with_state") return true;
  if (node.kind === "join") return node.left.streaming && node.right.streaming;
  return node.kind === "limit";
}

function unsupported(mode: OutputMode, operation: string, hint?: string): MillraceError {
  return new MillraceError(
    "STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION",
    `Invalid streaming output mode: ${mode}. This output mode is not supported for ${operation} on streaming DataFrames/DataSets.`,
    { hint, parameters: { outputMode: mode, operation } },
  );
}

function refused(what: string, hint?: string): MillraceError {
  return new MillraceError("UNSUPPORTED_OPERATION", what, { hint });
}

function checkOutputMode(plan: ResolvedRelation, mode: OutputMode): void {
  const aggregates = [...walkResolved(plan)].filter((n) => n.kind === "aggregate" && n.streaming);
  if (mode === "complete" && aggregates.length === 0) {
    throw unsupported(mode, "no streaming aggregations", "Use append or update.");
  }
}

/** Whether a grouping key carries a watermark: the column itself or a window over it. */
function hasWatermarkedKey(node: Extract<ResolvedRelation, { kind: "aggregate" }>): boolean {
  return node.keys.some((k) => k.field.watermark !== undefined);
}

function checkNode(node: ResolvedRelation, mode: OutputMode): void {
  switch (node.kind) {
    case "aggregate":
      if (node.sets) {
        throw refused(
          "Grouping sets, cube and rollup are not supported with streaming DataFrames/Datasets.",
          "Group by the finest keys and aggregate the result where it is read.",
        );
      }
      for (const { expr } of node.calls) {
        if (expr.kind === "call" && expr.distinct) {
          throw refused(
            "Distinct aggregations are not supported on streaming DataFrames/Datasets.",
            "Use approx_count_distinct() instead.",
          );
        }
      }
      if (mode === "append" && !hasWatermarkedKey(node)) {
        throw unsupported(
          mode,
          "streaming aggregations without watermark",
          "Call withWatermark on the event time and group by it or by window(...) over it, or use update or complete.",
        );
      }
      return;
    case "deduplicate":
      if (node.withinWatermark && !node.input.fields.some((f) => f.watermark)) {
        throw refused(
          "dropDuplicatesWithinWatermark is not supported on streaming DataFrames/DataSets without watermark.",
          "Call withWatermark before.",
        );
      }
      if (mode === "complete" && !aggregateBelow(node.input)) throw unsupported(mode, "no streaming aggregations");
      return;
    case "transform_with_state":
      if (mode !== node.outputMode) {
        throw unsupported(
          mode,
          `transformWithState in ${node.outputMode} output mode`,
          `Use outputMode("${node.outputMode}").`,
        );
      }
      if (node.timeMode === "event_time" && !node.input.fields.some((f) => f.watermark)) {
        throw refused(
          "Watermark must be specified in the query for the event time mode of transformWithState.",
          "Call withWatermark before groupByKey.",
        );
      }
      return;
    case "join":
      checkJoin(node, mode);
      return;
    case "union":
      if (node.inputs.some((i) => !i.streaming)) {
        throw refused("Union between streaming and batch DataFrames/Datasets is not supported.");
      }
      return;
    case "intersect":
      if (node.left.streaming && node.right.streaming) {
        throw refused("Intersect between two streaming DataFrames/Datasets is not supported.");
      }
      throw notYet("intersect with a stream", "Use a left semi join with the batch side.");
    case "except":
      if (node.right.streaming) {
        throw refused("Except on a streaming DataFrame/Dataset on the right is not supported.");
      }
      throw notYet("except with a stream", "Use a left anti join with the batch side.");
    case "sort":
      if (mode !== "complete" || !aggregateBelow(node.input)) {
        throw refused(
          "Sorting is not supported on streaming DataFrames/Datasets, unless it is on aggregated DataFrame/Dataset in Complete output mode.",
        );
      }
      return;
    case "limit":
      if (mode === "update")
        throw refused("Limits are not supported on streaming DataFrames/Datasets in Update output mode.");
      return;
    case "offset":
      throw refused("Offset is not supported on streaming DataFrames/Datasets.");
    case "sample":
      throw refused("Sampling is not supported on streaming DataFrames/Datasets.");
    case "filter":
    case "project":
    case "generate":
    case "time_window":
    case "watermark":
    case "map_rows":
    case "scan":
    case "local":
    case "range":
      break;
  }
}

function aggregateBelow(node: ResolvedRelation): boolean {
  return [...walkResolved(node)].some((n) => n.kind === "aggregate" && n.streaming);
}

function notYet(what: string, hint: string): MillraceError {
  return new MillraceError("UNSUPPORTED_FEATURE", `The embedded engine does not run ${what}.`, { hint });
}

function checkJoin(node: Extract<ResolvedRelation, { kind: "join" }>, mode: OutputMode): void {
  const { left, right, type } = node;
  if (left.streaming && right.streaming) {
    if (type === "left_anti")
      throw refused("Left anti joins with a streaming DataFrame/Dataset on the right are not supported.");
    if (mode !== "append") throw unsupported(mode, "join between two streaming DataFrames/Datasets", "Use append.");
    throw notYet(
      "a join of two streams",
      "Join with a table, or union both streams and keep what waits in transformWithState.",
    );
  }
  const side = left.streaming ? "right" : "left";
  const refuse = (name: string, streaming: string): never => {
    throw refused(
      `${name} with a streaming DataFrame/Dataset on the ${streaming} and a static DataFrame/Dataset on the ${streaming === "left" ? "right" : "left"} is not supported.`,
    );
  };
  if (side === "right") {
    if (type === "right_outer") refuse("Right outer join", "left");
    if (type === "full_outer") refuse("Full outer join", "left");
  } else {
    if (type === "left_outer") refuse("Left outer join", "right");
    if (type === "full_outer") refuse("Full outer join", "right");
    if (type === "left_semi") refuse("Left semi join", "right");
    if (type === "left_anti") refuse("Left anti join", "right");
  }
}

/** State of an aggregate that cannot be merged batch by batch, window functions over rows, stateful expressions. */
function checkExpr(e: ResolvedExpr, catalog: FunctionCatalog | undefined): void {
  if (e.kind === "over") {
    throw new MillraceError(
      "NON_TIME_WINDOW_NOT_SUPPORTED_IN_STREAMING",
      "Window function is not supported on streaming DataFrames/Datasets.",
      {
        hint: "Structured Streaming only supports time windows, window(...) in groupBy. Rows of a key can be ordered in transformWithState.",
      },
    );
  }
  if (e.kind === "call" && e.name === "monotonically_increasing_id") {
    throw refused("Expression(s): monotonically_increasing_id() is not supported with streaming DataFrames/Datasets.");
  }
  if (e.kind === "call") {
    const def = catalog?.lookup(e.name) as { aggregate?: { streaming: boolean }; kind: string } | undefined;
    if (def?.kind === "aggregate" && def.aggregate?.streaming !== true) {
      throw notYet(
        `the aggregate ${e.name} over a stream`,
        "Its state would grow without bound or depend on the order of rows. Use another aggregate, or transformWithState.",
      );
    }
  }
}

/**
 * Chains of stateful operators: an operator that may take back what it has said (an aggregate in update or complete) must not feed
 * another; and a processor without an event-time column loses the watermark for an append aggregation above it.
 */
function checkChain(plan: ResolvedRelation, mode: OutputMode): void {
  const walk = (node: ResolvedRelation, above: ResolvedRelation | undefined): void => {
    let next = above;
    if (isStateful(node) && node.kind !== "limit") {
      if (above !== undefined && node.kind === "aggregate" && mode !== "append") {
        throw refused(
          `Detected pattern of possible 'correctness' issue due to global watermark: the aggregation below another stateful operator runs in ${mode} output mode.`,
          "Use append, or one query for each stateful step.",
        );
      }
      if (
        above !== undefined &&
        node.kind === "transform_with_state" &&
        node.timeMode === "event_time" &&
        node.eventTimeColumn === undefined
      ) {
        throw refused(
          "A stateful operator after transformWithState in event time mode needs an event-time column.",
          "Give eventTimeColumn to transformWithState.",
        );
      }
      next = node;
    }
    for (const input of resolvedInputs(node)) walk(input, next);
  };
  walk(plan, undefined);
}

/** Refuses a batch action on a plan with a streaming source, saying `message`, and operators that only streams have. */
export function checkBatch(
  plan: ResolvedRelation,
  message = "Queries with streaming sources must be executed with writeStream.start().",
): void {
  for (const node of walkResolved(plan)) {
    if (node.kind === "scan" && node.streaming) throw refused(message, `The streaming source is ${node.format}.`);
    if (node.kind === "deduplicate" && node.withinWatermark && !node.streaming) {
      throw refused(
        "dropDuplicatesWithinWatermark is not supported with batch DataFrames/DataSets.",
        "Use dropDuplicates.",
      );
    }
  }
}
