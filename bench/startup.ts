/** Process start -> first result of a small query, and its parts: the bare Node, and loading the package. */
import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { report } from "./measurement.ts";

const root = join(import.meta.dirname, "..");
const RUNS = 7;

const programs: Record<string, { code: string; goal?: string }> = {
  "bare Node": { code: "console.log(1)" },
  "import of the package": { code: `import { SparkSession } from "millrace"; console.log(typeof SparkSession);` },
  "first result of a small batch query": {
    goal: "< 1,500",
    code: `import { SparkSession, avg } from "millrace";
      const spark = SparkSession.builder().getOrCreate();
      const rows = [{ origin: "ATL", delay: 10 }, { origin: "LAX", delay: 5 }];
      console.log(await spark.createDataFrame(rows).groupBy("origin").agg(avg("delay")).collect());
      await spark.stop();`,
  },
  "first batch of a small stream": {
    goal: "< 1,500",
    code: `import { SparkSession, col } from "millrace";
      const spark = SparkSession.builder().getOrCreate();
      const query = await spark.readStream.format("rate-micro-batch").option("rowsPerBatch", "1000").load()
        .select((col("value").cast("long")).as("v")).writeStream
        .foreachBatch((rows, id) => { if (rows.length > 0) { console.log(id); process.exit(0); } }).start();
      await query.awaitTermination();`,
  },
};

for (const [what, { code, goal }] of Object.entries(programs)) {
  // Below the repository, so that the program finds the package by its own name.
  const file = join(root, ".millrace", `startup-${process.pid}.ts`);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, code);
  const times: number[] = [];
  try {
    for (let i = 0; i < RUNS; i++) times.push(await firstOutput(file));
  } finally {
    rmSync(file, { force: true });
  }
  times.sort((a, b) => a - b);
  const detail = { best: Math.round(times[0]!), worst: Math.round(times.at(-1)!) };
  report({
    benchmark: "startup",
    what,
    value: Math.round(times[RUNS >> 1]!),
    unit: "ms",
    ...(goal && { goal }),
    detail,
  });
}

/** Milliseconds from the start of the process to its first output. */
async function firstOutput(file: string): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [file], { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  let first: number | undefined;
  child.stdout.on("data", () => {
    first ??= performance.now() - startedAt;
  });
  const code = await new Promise<number | null>((resolve) => child.once("close", resolve));
  if (code !== 0 || first === undefined) throw new Error(`${file} ended with ${code}`);
  return first;
}
