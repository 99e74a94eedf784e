import type { StructType } from "../../src/types/data-type.ts";

/** An event of the tests' streams, null where `N` says so. */
export interface Event<N = never> {
  ts: Date;
  key: string | N;
  value: number | N;
}

export const EVENT: StructType = {
  kind: "struct",
  fields: [
    { name: "ts", type: { kind: "timestamp" }, nullable: true },
    { name: "key", type: { kind: "string" }, nullable: true },
    { name: "value", type: { kind: "integer" }, nullable: true },
  ],
};
