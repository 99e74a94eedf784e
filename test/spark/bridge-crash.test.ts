import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";
import { startSpark } from "../../services/spark.ts";
import { type BatchStep, subscribe } from "../../src/events.ts";
import { readLedger } from "../../src/testing/ledger.ts";
import { type KillAt, runPipeline } from "../crash/killed-process.ts";
import { given } from "../needs.ts";
import { full, sharedSpark } from "../shared-spark.ts";
import { addFile, QuerySession } from "./query-session.ts";

const child = fileURLToPath(new URL("./bridge-child.ts", import.meta.url));
const root = mkdtempSync(join(tmpdir(), "millrace-bridge-crash-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const FILES = 5;
const ROWS = 20;

function makeInput(place: string): void {
  for (let file = 0; file < FILES; file++) {
    addFile(
      join(place, "input"),
      file,
      Array.from({ length: ROWS }, (_, i) => ({ id: file * ROWS + i })),
    );
  }
}

/** Every row once, in both sinks, and the same in both: what was stored was delivered, not what was computed again. */
function expectWhole(place: string): void {
  const [a, b] = ["a", "b"].map((sink) => readLedger(join(place, sink)));
  expect(a!.flatMap(({ rows }) => rows.map(({ id }) => Number(id)))).toEqual(
    Array.from({ length: FILES * ROWS }, (_, i) => i),
  );
  expect(a!.map(({ batchId }) => batchId)).toEqual(Array.from({ length: FILES }, (_, i) => i));
  expect(b).toEqual(a);
}

const spark = given(await sharedSpark());

describe.skipIf(spark === undefined)("a client that is killed", () => {
  test("goes on in the next process as if nothing had been", { timeout: 240_000 }, async () => {
    const place = join(root, "client");
    makeInput(place);
    const kills: KillAt[] = [
      ["state-committed", 0, undefined],
      ["sink-before", 1, "a"],
      ["sink-after", 2, "a"],
      ["sink-after", 3, "b"],
    ];
    for (const kill of kills)
      expect([kill, await runPipeline(child, spark!.url, place, kill)]).toEqual([kill, "SIGKILL"]);
    expect(await runPipeline(child, spark!.url, place)).toBeNull();
    expectWhole(place);
  });
});

describe.skipIf(spark === undefined)("a server that is killed", () => {
  const steps: readonly BatchStep[] = full ? ["state-committed", "sink-before", "sink-after"] : ["sink-before"];

  test(`in the middle of a batch, at ${steps.join(", ")}`, { timeout: 400_000 }, async () => {
    const own = given(await startSpark({ memory: "1g" }));
    if (own === undefined) return;
    const place = join(root, "server");
    makeInput(place);
    const session = new QuerySession(own.url, {
      "spark.millrace.bridge.dir": join(place, "bridge"),
      "millrace.restart.initialDelayMs": "100",
    });
    const restarted: Promise<void>[] = [];
    const pending = [...steps];
    const off = subscribe("batch.step", ({ step, batchId }) => {
      if (step !== pending[0] || batchId !== 1 + restarted.length) return;
      pending.shift();
      process.kill(own.pid, "SIGKILL");
      restarted.push(own.restart());
    });
    try {
      const query = await session
        .files(join(place, "input"), "id BIGINT")
        .selectExpr("id", "rand() AS chance")
        .writeStream.sink("a", (sink) => sink.format("ledger").option("path", join(place, "a")))
        .sink("b", (sink) => sink.format("ledger").option("path", join(place, "b")))
        .option("checkpointLocation", join(place, "checkpoint"))
        .start();
      await query.processAllAvailable();
      expect(pending).toEqual([]);
      expectWhole(place);
      expect(query.isActive).toBe(true);
      await query.stop();
    } finally {
      off();
      await Promise.allSettled(restarted);
      await session.close();
      await own.stop();
    }
  });
});
