import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { SparkSession } from "../../src/index.ts";
import type { BatchDetail, QueryDetail } from "../../src/observe/api.ts";
import { startObserver } from "../../src/observe/server.ts";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";
import { addFile } from "./query-session.ts";

const server = given(await sharedSpark());

describe.skipIf(server === undefined)("a query on Spark is seen as one embedded", { timeout: 120_000 }, () => {
  test("its graph by our own analysis, with what Spark counts", async () => {
    const folder = mkdtempSync(join(tmpdir(), "millrace-observe-spark-"));
    const observer = await startObserver({ port: 0 });
    const spark = new SparkSession({ remote: server!.url });
    const get = async <T>(path: string): Promise<T> =>
      (await (await fetch(`${observer.url}api/queries/${path}`)).json()) as T;
    try {
      addFile(join(folder, "input"), 0, [{ id: 0 }, { id: 1 }, { id: 1 }]);
      const query = await spark.readStream
        .format("json")
        .schema("id BIGINT")
        .load(join(folder, "input"))
        .filter("id > 0")
        .groupBy("id")
        .count()
        .writeStream.queryName("seen")
        .outputMode("complete")
        .format("memory")
        .start();
      await query.processAllAvailable();
      const detail = await get<QueryDetail>(query.id);
      const nodes = detail.graph!.nodes;
      expect(nodes.map((n) => [n.kind, n.title])).toEqual([
        ["source", "json"],
        ["sql", "Filter"],
        ["state", "Aggregate"],
        ["sink", "memory"],
      ]);
      expect(nodes[2]!.operator).toBe(`0 ${query.lastProgress!.stateOperators[0]!.operatorName}`);
      // the source counts; what goes into the state nobody does
      expect(detail.graph!.edges.map((e) => detail.flows[e.id] !== null).slice(0, 2)).toEqual([true, false]);
      expect(detail.plan).toContain("Aggregate");
      expect(detail.stateBytes).toBeGreaterThan(0);
      const batch = await get<BatchDetail>(`${query.id}/batches/${query.lastProgress!.batchId}`);
      expect([batch.spans, batch.phases.addBatch]).toEqual([[], expect.any(Number)]);
      await query.stop();
      // the plan is known once it was asked for, also when the session is gone
      await spark.stop();
      expect((await get<QueryDetail>(query.id)).graph).toEqual(detail.graph);
    } finally {
      await spark.stop();
      await observer.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
