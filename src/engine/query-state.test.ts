import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { QueryState } from "./query-state.ts";

test("small batches over small state run on one thread, the first large one on all again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-state-"));
  const state = await QueryState.open(join(folder, "state.duckdb"), {
    queryId: "q",
    shape: "[]",
    engineVersion: "1",
    threads: 2,
    memoryLimit: "500MB",
    temporaryPath: folder,
    timeZone: "UTC",
  });
  const threads = async (batchRows: number, stateRows: number): Promise<number> => {
    await state.fit(batchRows, stateRows);
    return Number((await state.connection.query("SELECT current_setting('threads') AS n")).rows[0]!.n);
  };
  try {
    expect(await threads(10, 10)).toBe(2);
    await threads(10, 10);
    expect(await threads(10, 10)).toBe(1);
    expect(await threads(1_000_000, 10)).toBe(2);
    for (let i = 0; i < 5; i++) expect(await threads(10, 10_000_000)).toBe(2);
  } finally {
    state.close();
    rmSync(folder, { recursive: true });
  }
});
