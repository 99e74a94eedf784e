import { MillraceError } from "../../errors.ts";
import type { StatefulProcessorRef } from "../../plan/relation.ts";
import type { DataType, StructType } from "../../types/data-type.ts";
import { callProcessor } from "../../types/processor-error.ts";
import type { StateDeclaration, StateTimeMode } from "../../types/state-declaration.ts";
import type { StatefulProcessor } from "../../types/stateful.ts";
import { type SparkJson, toSparkJson } from "../../types/struct-json.ts";
import { encodeColumns } from "../arrow.ts";
import { SparkHandle } from "./worker/handle.ts";

/** A state variable as Python declares it. */
export interface DeclaredVariable {
  readonly kind: StateDeclaration["kind"];
  readonly name: string;
  readonly ttlMs: number | null;
  readonly value: DeclaredPart;
  readonly key: DeclaredPart | null;
}

export interface DeclaredPart {
  /** The row that Spark keeps: the type itself where it is a struct, else one column. */
  readonly schema: SparkJson;
  readonly isRow: boolean;
  /** An Arrow stream without rows whose column has the type. */
  readonly arrow: string;
}

export interface DeclaredState {
  readonly variables: readonly DeclaredVariable[];
  readonly deleted: readonly string[];
}

/**
 * The state variables of a processor, from running its `init` here: Spark wants to know them before it starts a batch.
 *
 * @throws what `init` throws, as USER_FUNCTION_FAILED
 */
export function declaredState(ref: StatefulProcessorRef, timeMode: StateTimeMode): DeclaredState {
  const handle = new SparkHandle(timeMode, nothingToRead, nothingToRead);
  callProcessor(ref.name, "init", () => {
    const processor = ref.create() as StatefulProcessor;
    processor.init(handle);
  });
  return {
    variables: handle.variables.map(({ declaration: d }) => ({
      kind: d.kind,
      name: d.name,
      ttlMs: d.ttlMs ?? null,
      value: partOf(d.type),
      key: d.keyType === undefined ? null : partOf(d.keyType),
    })),
    deleted: handle.deleted,
  };
}

/** In `init` no key is at hand: the variables refuse before they read. */
function nothingToRead(): never {
  throw new MillraceError("INTERNAL", "State was read while it was declared.");
}

function partOf(type: DataType): DeclaredPart {
  const isRow = type.kind === "struct";
  const row: StructType = isRow ? type : { kind: "struct", fields: [{ name: "value", type, nullable: true }] };
  return { schema: toSparkJson(row), isRow, arrow: arrowSchema([{ name: "value", type, nullable: true }]) };
}

/** An Arrow stream of these columns without rows, in base 64. */
export function arrowSchema(fields: StructType["fields"]): string {
  const bytes = encodeColumns(
    { kind: "struct", fields },
    fields.map(() => []),
  );
  return Buffer.from(bytes).toString("base64");
}
