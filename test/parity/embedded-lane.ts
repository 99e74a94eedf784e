import type { Conf } from "../../src/backend.ts";
import { createEmbeddedBackend, type EmbeddedEngine } from "../../src/engine/backend.ts";
import type { Relation } from "../../src/plan/relation.ts";
import { fromDuckDB } from "./canonical.ts";
import { failure, type Outcome, rowsOutcome } from "./outcome.ts";

/** The embedded engine, read without loss: DuckDB's own values, where `collect` would cut microseconds off. */
export class EmbeddedLane {
  readonly engine: EmbeddedEngine = createEmbeddedBackend();

  /** Rows of a plan; what fails while the plan is made is a failure too. */
  async run(plan: () => Relation, conf: Conf = {}): Promise<Outcome> {
    try {
      const open = await this.engine.open(plan(), conf);
      try {
        const result = await open.connection.native.run(open.sql).catch(async (error: unknown) => {
          // As a user sees it.
          await open.connection.query(open.sql);
          throw error;
        });
        const { fields } = open.schema;
        const columns: unknown[][] = fields.map(() => []);
        let count = 0;
        for (const chunk of await result.fetchAllChunks()) {
          count += chunk.rowCount;
          for (const [k, f] of fields.entries()) {
            const vector = chunk.getColumnVector(k);
            for (let i = 0; i < chunk.rowCount; i++) columns[k]!.push(fromDuckDB(vector.getItem(i), f.type));
          }
        }
        return rowsOutcome(open.schema, columns, count);
      } finally {
        await open.close();
      }
    } catch (error) {
      return failure(error);
    }
  }

  async close(): Promise<void> {
    await this.engine.close();
  }
}
