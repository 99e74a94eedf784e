import type { Connector } from "./connector.ts";

/** Spark's `noop` sink: computes every batch and drops the rows. For measuring. */
export const noop: Connector = {
  name: "noop",
  summary: "Computes every row and drops it, for measuring.",
  options: [],
  sink: {
    outputModes: ["append", "update", "complete"],
    guarantee: () => "exactly-once",
    durability: "temporary",
    openStream: () => ({
      description: "NoopSink",
      lastBatch: async () => undefined,
      async addBatch(batch) {
        // an unstaged plan is computed only when somebody reads it
        if (batch.rowCount === undefined) for await (const _ of batch.query("SELECT count(*) FROM batch"));
        return {};
      },
      close: async () => {},
    }),
    async writeBatch({ batch }) {
      for await (const _ of batch.query("SELECT count(*) FROM batch"));
    },
  },
};
