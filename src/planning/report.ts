import type { OutlineStep } from "../plan/outline.ts";
import type { StructType } from "../types/data-type.ts";

/** What `millrace plan` finds out of a program: its queries, and what each engine would make of them. JSON as it is. */
export interface ProgramReport {
  /** The engine that the program would run on, by its address. */
  readonly target: EngineName;
  readonly queries: readonly QueryReport[];
  /** Commands that would have changed tables, in order; they were not run, so tables that they make are not known. */
  readonly commands: readonly string[];
  /** Set where the program could not be followed to its end. */
  readonly stopped?: { readonly reason: string; readonly place?: string };
}

export type EngineName = "embedded" | "spark";

/** One query: a stream or a batch write, in the order in which the program starts them. */
export interface QueryReport {
  readonly name: string;
  readonly kind: "stream" | "write";
  readonly outputMode: "append" | "update" | "complete";
  /** Such as `every 2 seconds`; empty for a write. */
  readonly trigger: string;
  readonly checkpointLocation: string | null;
  readonly schema: StructType | null;
  readonly steps: readonly OutlineStep[];
  readonly sinks: readonly SinkReport[];
  readonly engines: Readonly<Record<EngineName, EngineReport>>;
}

export interface SinkReport {
  readonly name: string;
  readonly format: string;
  /** Where to, without secrets: the table, topic or path. */
  readonly destination: string;
}

/** What one engine would do. */
export interface EngineReport {
  /** Why it would refuse the query, each with what to do; empty when it would start. */
  readonly refusals: readonly Refusal[];
  /** Who runs which part, in words. */
  readonly notes: readonly string[];
  /** What each sink promises there, by the sink's name. */
  readonly guarantees: Readonly<Record<string, string>>;
}

export interface Refusal {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}
