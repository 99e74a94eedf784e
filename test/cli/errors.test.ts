import { once } from "node:events";
import { mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended, startCli } from "./cli-process.ts";

let directory: string;

beforeAll(async () => {
  directory = await realpath(await mkdtemp(join(tmpdir(), "millrace-errors-")));
});
afterAll(async () => {
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

const start = (args: string[], env: Record<string, string> = {}, cwd = directory) => startCli(args, { cwd, env });

async function run(args: string[], env: Record<string, string> = {}, cwd = directory) {
  const { code, stdout, stderr } = await ended(start(args, env, cwd));
  return { code, out: stdout, err: masked(stderr) };
}

/** What differs from one run to the next taken out. */
function masked(text: string): string {
  return text
    .replaceAll(directory, "/project")
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "<time>")
    .trimEnd();
}

async function write(name: string, text: string): Promise<void> {
  await mkdir(dirname(join(directory, name)), { recursive: true });
  await writeFile(join(directory, name), text);
}

/** What the user sees of a pipeline that cannot run, and what a script gets. */
async function seen(text: string, env: Record<string, string> = {}, name = "pipeline.ts"): Promise<string> {
  await write(name, text);
  const { code, out, err } = await run(["run", name], env);
  expect(out).toBe("");
  const json = await run(["run", name, "--json"], env);
  const { error } = JSON.parse(json.err.split("\n").at(-1)!);
  expect(json.code).toBe(code);
  const place = error.file === undefined ? "nowhere" : `${error.file}:${error.line}:${error.column}`;
  return `${err}\nexit code ${code}, as JSON ${error.code} at ${place}\n`;
}

/** What is shown of each lies in messages/NAME.txt. */
const MISTAKES: Readonly<Record<string, { text: string; env?: Record<string, string> }>> = {
  "wrong-column": {
    text: `import { col, SparkSession, window } from "millrace";

const spark = SparkSession.builder().getOrCreate();
const hours = spark.readStream
  .format("rate")
  .load()
  .withWatermark("timestamp", "1 minute")
  .groupBy(window("timestamp", "1 hour"))
  .count()
  .filter(col("coutn").gt(1))
  .select(col("window.start").as("hour"));

await hours.writeStream.format("noop").start();
`,
  },
  "misspelt-option": {
    text: `import { SparkSession } from "millrace";

const spark = SparkSession.builder().getOrCreate();
const rows = spark.readStream
  .format("rate")
  .option("rowsPerSecnd", 10)
  .load();
await rows.writeStream.format("noop").start();
`,
  },
  "unreachable-broker": {
    text: `import { SparkSession } from "millrace";

const spark = SparkSession.builder().config("millrace.restart.enabled", false).getOrCreate();
const rows = spark.readStream.format("kafka").option("subscribe", "flights").load();
await rows.writeStream.format("noop").start();
`,
    env: { MILLRACE_KAFKA: "127.0.0.1:1" },
  },
  "syntax-error": {
    text: `import { SparkSession } from "millrace";

const spark = SparkSession.builder(.getOrCreate();
`,
  },
  "user-function": {
    text: `import { SparkSession } from "millrace";

interface Row {
  value: bigint;
}
function small(row: Row): boolean {
  if (row.value > 3n) throw new RangeError(\`\${row.value} is too much\`);
  return true;
}
const spark = SparkSession.builder().getOrCreate();
const rows = spark.readStream.format("rate").option("rowsPerSecond", 100).load();
await rows.filter(small).writeStream.queryName("small").format("noop").start();
`,
  },
  "wrong-export": {
    text: `import { SparkSesion } from "millrace";
SparkSesion.builder();
`,
  },
  "missing-file": {
    text: `import { SparkSession } from "millrace";
import { Flight } from "./fligth.ts";
console.log(SparkSession, Flight);
`,
  },
  "missing-package": {
    text: `import pad from "left-pad-that-nobody-has";
console.log(pad);
`,
  },
  "wrong-sql": {
    text: `import { SparkSession } from "millrace";
const spark = SparkSession.builder().getOrCreate();
await spark.sql("SELECT origin FORM flights").show();
`,
  },
  "wrong-table": {
    text: `import { SparkSession } from "millrace";
const spark = SparkSession.builder().getOrCreate();
const flights = spark.table("flights");
await flights.groupBy("origin").count().show();
`,
  },
  // esbuild compiles it: the enum is more than a type, and the lines shift.
  "own-error": {
    text: `enum Level {
  Low,
  High,
}

function check(level: Level): void {
  const limits: Record<string, { readonly from: number; readonly to: number }> = {};
  if (level === Level.High) throw new Error(\`\${Level[level]} is not allowed\`);
  console.error(limits);
}

check(Level.High);
`,
  },
};

describe("each mistake is told in a sentence, with its place and what to do", () => {
  test.each(Object.keys(MISTAKES))("%s", async (name) => {
    const { text, env } = MISTAKES[name]!;
    await expect(await seen(text, env)).toMatchFileSnapshot(`messages/${name}.txt`);
  });

  test("a setting that does not exist", async () => {
    await write(
      "configured/millrace.config.ts",
      `import { defineConfig } from "millrace";

export default defineConfig({
  pipeline: "pipeline.ts",
  prots: { kafka: 0 },
});
`,
    );
    const { code, err } = await run(["dev"], {}, join(directory, "configured"));
    await expect(`${err}\nexit code ${code}\n`).toMatchFileSnapshot("messages/unknown-setting.txt");
  });
});

test("a port that is taken: by whom, and which one was taken instead", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as { port: number };
  const child = start([
    "dev",
    "--redis-port",
    String(port),
    "--kafka-port",
    "0",
    "--postgres-port",
    "0",
    "--metrics-port",
    "0",
  ]);
  let err = "";
  await new Promise<void>((resolve) => {
    child.stderr.on("data", (data) => {
      err += data;
      if (/^ {2}dashboard/m.test(err)) resolve();
    });
  });
  child.kill("SIGTERM");
  await once(child, "close");
  holder.close();
  const line = err.split("\n").find((text) => text.includes("redis"))!;
  expect(line).toContain(`${port} is taken`);
  // The system tells who it is: this very process.
  if (process.platform === "linux") expect(line).toContain(`by process ${process.pid}`);
});
