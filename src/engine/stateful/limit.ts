import type { Connection } from "../../duckdb/duckdb.ts";
import type { ResolvedRelation } from "../../plan/resolved.ts";
import { columnName } from "../compile.ts";
import type { OperatorBatch, OperatorOptions, OperatorResult, StatefulOperator } from "./operator.ts";

type LimitNode = Extract<ResolvedRelation, { kind: "limit" }>;

/** `limit` on a stream in append mode: so many rows in all, over every batch; the state is how many have gone on. */
export class StreamingLimit implements StatefulOperator {
  readonly operatorName = "globalLimit";
  readonly node: LimitNode;
  readonly input: ResolvedRelation;
  readonly reads: ResolvedRelation;
  readonly shape = { operator: "globalLimit" };
  readonly #state: string;
  readonly #rowsTable: string;
  #passed = 0;
  #passedBefore = 0;

  constructor(node: LimitNode, input: ResolvedRelation, options: OperatorOptions) {
    this.node = node;
    this.input = input;
    this.reads = input;
    this.#state = `op${options.index}_state`;
    this.#rowsTable = `op${options.index}_rows`;
  }

  async open(connection: Connection): Promise<void> {
    await connection.exec(`CREATE TABLE IF NOT EXISTS ${this.#state}(passed BIGINT)`);
    const rows = (await connection.query(`SELECT coalesce(max(passed), 0) AS passed FROM ${this.#state}`)).rows;
    this.#passed = Number(rows[0]!.passed);
    this.#passedBefore = this.#passed;
  }

  hasWork(): boolean {
    return false;
  }

  async run(batch: OperatorBatch): Promise<OperatorResult> {
    const { connection, input } = batch;
    this.#passedBefore = this.#passed;
    const started = performance.now();
    const rest = Math.max(0, this.node.limit - this.#passed);
    const columns = this.node.fields.map((field) => columnName(field.id)).join(", ") || "1 AS none";
    await connection.exec(
      `CREATE OR REPLACE TEMP TABLE ${this.#rowsTable} AS SELECT ${columns} FROM ${input} LIMIT ${rest}`,
    );
    const rows = (await connection.query(`SELECT count(*) AS n FROM ${this.#rowsTable}`)).rows;
    const passed = Number(rows[0]!.n);
    this.#passed += passed;
    if (passed > 0) {
      await connection.exec(`DELETE FROM ${this.#state}; INSERT INTO ${this.#state} VALUES (${this.#passed})`);
    }
    return {
      output: this.#rowsTable,
      metrics: {
        rowsTotal: 1,
        rowsUpdated: passed > 0 ? 1 : 0,
        rowsRemoved: 0,
        rowsDroppedByWatermark: 0,
        updatesMs: performance.now() - started,
        removalsMs: 0,
        rowsOut: passed,
      },
    };
  }

  rolledBack(): void {
    this.#passed = this.#passedBefore;
  }
}
