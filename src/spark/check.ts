import { create } from "@bufbuild/protobuf";
import type { Conf, StreamTarget } from "../backend.ts";
import type { Relation } from "../plan/relation.ts";
import { encodeRelation } from "./encode.ts";
import { captureFunctions } from "./functions/capture.ts";
import { type FunctionShipper, functionsOf } from "./functions/shipper.ts";
import * as pb from "./proto/spark-connect_pb.ts";
import { chooseSinks } from "./streaming/sink-choice.ts";

/** What would be sent to a Spark server, and what cannot be. */
export interface SparkCheck {
  readonly refusals: readonly unknown[];
  /** Who runs which part, in words. */
  readonly notes: readonly string[];
  /** By the sink's name. */
  readonly guarantees: Readonly<Record<string, string>>;
}

/**
 * Everything that can be known of a plan on Spark without a server: whether its functions can travel, whether each node has a message,
 * who writes each sink. `target` is undefined for a batch write. What the server alone knows, such as its tables, is not asked.
 */
export async function checkOnSpark(plan: Relation, target: StreamTarget | undefined, conf: Conf): Promise<SparkCheck> {
  const refusals: unknown[] = [];
  const notes: string[] = [];
  const guarantees: Record<string, string> = {};
  const functions = functionsOf(plan);
  for (const [fn, name] of functions) {
    try {
      await captureFunctions([{ name, fn }]);
      notes.push(`${name} runs in Node.js beside Spark's workers, with copies of the variables that it uses`);
    } catch (error) {
      refusals.push(error);
    }
  }
  try {
    encodeRelation(plan, { functions: PLACEHOLDERS });
  } catch (error) {
    refusals.push(error);
  }
  if (target === undefined) return { refusals, notes, guarantees };
  try {
    const { by, sinks } = chooseSinks(target, conf);
    for (const sink of sinks) {
      if (sink.guarantee !== undefined) guarantees[sink.name] = sink.guarantee;
      const who =
        sink.by === "spark" ? `${sink.name} is written by Spark` : `rows for ${sink.name} come to this process`;
      notes.push(`${who}: ${sink.reason}`);
    }
    notes.push(
      by === "spark"
        ? "the query goes on without this process and is found again by its id"
        : "the query ends with this process and goes on from its checkpoint",
    );
  } catch (error) {
    refusals.push(error);
  }
  return { refusals, notes, guarantees };
}

const literal = (): pb.Expression =>
  create(pb.ExpressionSchema, {
    exprType: { case: "literal", value: { literalType: { case: "boolean", value: true } } },
  });

/** In the place of functions that were looked at one by one above. */
const PLACEHOLDERS: FunctionShipper = {
  prepare: async () => {},
  udf: literal,
  mapRows: (_node, input) => input,
  transformWithState: (_node, input) => input,
  conf: () => ({}),
};
