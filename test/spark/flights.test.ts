import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { type RealKafka, startRealKafka } from "../../services/kafka.ts";
import { type RunningSpark, startSpark } from "../../services/spark.ts";
import { type FlightsSummary, startFlights } from "../crash/flights-process.ts";
import { given } from "../needs.ts";
import { full } from "../shared-spark.ts";

/** The example as it is, on servers of others: real Kafka and real Spark, functions and all sinks included. */
describe.skipIf(!full)("the flights example on Spark", () => {
  const root = mkdtempSync(join(tmpdir(), "millrace-flights-spark-"));
  let kafka: RealKafka | undefined;
  let spark: RunningSpark | undefined;

  beforeEach(async () => {
    kafka = given(await startRealKafka());
    spark = given(await startSpark({ memory: "2g" }));
  });
  afterEach(async () => {
    await spark?.stop();
    await kafka?.stop();
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const LIMIT = 100_000;
  const start = (dir: string) =>
    startFlights(["--once", "--json", "--verify", "--limit", String(LIMIT), "--dir", join(root, dir)], {
      MILLRACE_KAFKA: kafka!.bootstrap,
      SPARK_REMOTE: spark!.url,
    });
  const expectOracle = ({ code, stdout, stderr }: Awaited<ReturnType<typeof startFlights>["ended"]>): void => {
    expect(code, stderr).toBe(0);
    const summary = JSON.parse(stdout.trim()) as FlightsSummary;
    expect(summary).toMatchObject({ events: LIMIT, lakeRows: LIMIT, lateRows: 0, differences: [] });
  };

  test("agrees with the oracle", { timeout: 600_000 }, async () => {
    if (kafka === undefined || spark === undefined) return;
    expectOracle(await start("whole").ended);
  });

  test("agrees with it also when the server is killed three times", { timeout: 900_000 }, async () => {
    if (kafka === undefined || spark === undefined) return;
    const run = start("killed");
    let over = false;
    void run.ended.then(() => {
      over = true;
    });
    await new Promise<void>((resolve) => {
      run.child.stderr!.on("data", (text: string) => text.includes("Replaying") && resolve());
      void run.ended.then(() => resolve());
    });
    for (let kill = 0; kill < 3 && !over; kill++) {
      // somewhere in a batch; what matters is that it is another place each time
      await new Promise((resolve) => setTimeout(resolve, 4_000 + Math.random() * 4_000));
      process.kill(spark.pid, "SIGKILL");
      await spark.restart();
    }
    expectOracle(await run.ended);
  });
});
