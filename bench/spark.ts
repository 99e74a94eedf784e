/**
 * The same programs (bench/spark-job.ts) embedded and on real Spark, against the same topic of the same real Kafka, in one run. Both get
 * this machine; each engine's first query is its cold one: of a new process here, of a new server there (its start is not counted).
 * By itself it takes names of jobs (`node bench/spark.ts window latency`), default all.
 */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import pg from "pg";
import { loadFlights } from "../examples/flights/dataset.ts";
import { createTopics, replay } from "../examples/flights/replay.ts";
import { startRealKafka } from "../services/kafka.ts";
import { startPostgres } from "../services/postgres.ts";
import { startSpark } from "../services/spark.ts";
import { KafkaClient } from "../src/kafka/client/index.ts";
import type { Latency } from "./latency-run.ts";
import { report, withFolder } from "./measurement.ts";

interface Run {
  readonly seconds: number;
  readonly rows: number;
}

const RUNS = 3;

/** The service, or the end of the benchmark with the reason why it cannot be had. */
async function have<T extends object>(service: Promise<T | { unavailable: string }>): Promise<T> {
  const got = await service;
  if ("unavailable" in got) throw new Error(got.unavailable);
  return got;
}

await withFolder(async (folder) => {
  const kafka = await have(startRealKafka());
  const postgres = await have(startPostgres());
  try {
    const admin = new pg.Client({ connectionString: postgres.url });
    await admin.connect();
    for (const engine of ["embedded", "spark"]) await admin.query(`CREATE DATABASE ${engine}`);
    await admin.end();
    await createTopics(kafka.bootstrap);
    await replay(await loadFlights(), { kafka: kafka.bootstrap, speed: Number.POSITIVE_INFINITY });
    const run = async <T>(engine: "embedded" | "spark", remote: string | undefined, job: string): Promise<T[]> => {
      const child = spawn(
        process.execPath,
        [`${import.meta.dirname}/spark-job.ts`, job, `${folder}/${engine}-${job}`, String(RUNS)],
        {
          stdio: ["ignore", "pipe", "inherit"],
          env: {
            ...process.env,
            MILLRACE_KAFKA: kafka.bootstrap,
            MILLRACE_POSTGRES: postgres.url.replace(/\/[^/]*$/, `/${engine}`),
            SPARK_REMOTE: remote ?? "",
          },
        },
      );
      const lines: T[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        if (line.startsWith("{")) lines.push(JSON.parse(line) as T);
      }
      const code = await new Promise((resolve) => {
        if (child.exitCode !== null || child.signalCode !== null) resolve(child.exitCode ?? child.signalCode);
        else child.once("exit", (exit, signal) => resolve(exit ?? signal));
      });
      if (code !== 0) throw new Error(`${job} on ${engine} ended with ${code}`);
      return lines;
    };
    /** A new server for each job, so that its first query is cold. */
    const onSpark = async <T>(job: string): Promise<T[]> => {
      const spark = await have(startSpark({ memory: "4g" }));
      try {
        return await run<T>("spark", spark.url, job);
      } finally {
        await spark.stop();
      }
    };

    const asked = process.argv.slice(2);
    const wanted = (job: string): boolean => asked.length === 0 || asked.includes(job);
    for (const [job, what, goals] of [
      ["window", "Kafka JSON -> hourly window", ["10x", "5x"]],
      ["lake", "Kafka JSON -> Delta", ["10x", "5x"]],
      ["map", "Kafka JSON -> TypeScript map", undefined],
      ["sinks", "Kafka JSON -> two sinks, Delta one of them", undefined],
    ] as const) {
      if (!wanted(job)) continue;
      const here = await run<Run>("embedded", undefined, job);
      const there = await onSpark<Run>(job);
      for (const [i, warmth] of ["cold", "warm"].entries()) {
        // Of the warm runs the best of each.
        const rate = (runs: readonly Run[]): number =>
          Math.max(...(i === 0 ? runs.slice(0, 1) : runs.slice(1)).map((r) => r.rows / r.seconds));
        const [embedded, spark] = [rate(here), rate(there)];
        report({ benchmark: "spark", what: `${what}, ${warmth}, embedded`, value: embedded, unit: "rows/s" });
        report({
          benchmark: "spark",
          what: `${what}, ${warmth}, Spark`,
          value: spark,
          unit: "rows/s",
          ...(goals === undefined && { goal: ">= 100,000" }),
          detail: { runs: there },
        });
        report({
          benchmark: "spark",
          what: `${what}, ${warmth}, ratio`,
          value: embedded / spark,
          unit: "times",
          ...(goals && { goal: `>= ${goals[i]}` }),
        });
      }
    }

    if (!wanted("latency")) return;
    const here = await run<Latency>("embedded", undefined, "latency");
    // The query makes its topic, as new for the second engine as for the first.
    const kafkaAdmin = KafkaClient.connect({ "bootstrap.servers": kafka.bootstrap });
    await kafkaAdmin.deleteTopics(["events"]);
    kafkaAdmin.close();
    const there = await onSpark<Latency>("latency");
    for (const [i, { rate, p50, p99 }] of here.entries()) {
      const what = `produce -> visible in PostgreSQL, ${rate.toLocaleString("en-US")} events/s`;
      const other = there[i]!;
      for (const [name, a, b] of [
        ["p50", p50, other.p50],
        ["p99", p99, other.p99],
      ] as const) {
        report({ benchmark: "spark", what: `${what}, ${name}, embedded`, value: a, unit: "ms" });
        report({ benchmark: "spark", what: `${what}, ${name}, Spark`, value: b, unit: "ms" });
        report({ benchmark: "spark", what: `${what}, ${name}, ratio`, value: b / a, unit: "times", goal: ">= 10x" });
      }
    }
  } finally {
    await postgres.stop();
    await kafka.stop();
  }
});
