import type { Relation } from "../plan/relation.ts";
import type { FunctionShipper } from "./functions/shipper.ts";

/** Rows that were encoded, and if they are many sent to the server, before the plan that reads them. */
export type CachedRows =
  /** They travel within the plan. */
  | { readonly kind: "inline"; readonly data: Uint8Array; readonly schema: string }
  /** The artifact `cache/<hash>` holds a serialized LocalRelation. */
  | { readonly kind: "whole"; readonly hash: string }
  /** 4.1+: Arrow streams and the schema, each an artifact of its own. */
  | { readonly kind: "chunked"; readonly dataHashes: readonly string[]; readonly schemaHash: string };

/** What encoding a plan needs besides the plan. */
export interface EncodeContext {
  /** How TypeScript functions travel; without it a plan that has one is refused. */
  readonly functions?: FunctionShipper;
  /** Local data by its node; what is not in there is encoded anew. */
  readonly cached?: { get(local: Relation): CachedRows | undefined };
  /** Where default addresses such as MILLRACE_KAFKA are looked up. Default: the process's environment. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}
