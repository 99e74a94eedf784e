import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build } from "../scripts/build.ts";

const exec = promisify(execFile);

/** The package as a stranger gets it: built, packed, installed in an empty folder, run as plain JavaScript. */
describe("the built package", () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-package-"));
  const project = join(folder, "project");
  const installed = join(project, "node_modules/millrace");

  const npm = (args: string[], cwd: string) =>
    exec("npm", [...args, "--no-audit", "--no-fund", "--loglevel=error"], { cwd, maxBuffer: 1 << 26 });
  const run = async (name: string, code: string): Promise<string> => {
    const file = join(project, name);
    writeFileSync(file, code);
    return (await exec(process.execPath, [file], { cwd: project })).stdout.trim();
  };

  beforeAll(async () => {
    build(join(folder, "dist"));
    await npm(["pack", "./dist"], folder);
    const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz"))!;
    writeFileSync(join(folder, "package.json"), "{}");
    await exec("mkdir", ["-p", project]);
    writeFileSync(join(project, "package.json"), JSON.stringify({ name: "stranger", private: true, type: "module" }));
    await npm(["install", "--prefer-offline", join("..", tarball)], project);
  }, 300_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

  test("holds plain JavaScript and declarations, and no TypeScript sources or tests", () => {
    const files = readdirSync(installed, { recursive: true, encoding: "utf8" });
    const own = files.filter((file) => !file.startsWith("templates/"));
    expect(own.filter((file) => file.endsWith(".ts") && !file.endsWith(".d.ts"))).toEqual([]);
    expect(own.filter((file) => file.includes(".test."))).toEqual([]);
    for (const file of ["index.js", "index.d.ts", "LICENSE", "README.md"]) expect(files).toContain(file);
    const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8"));
    expect(Object.keys(manifest)).not.toContain("devDependencies");
    expect(Object.keys(manifest)).not.toContain("scripts");
  });

  test("runs a batch pipeline", async () => {
    const output = await run(
      "batch.js",
      `import { SparkSession, avg, col } from "millrace";
       const spark = SparkSession.builder().getOrCreate();
       const rows = [{ origin: "ATL", delay: 10 }, { origin: "ATL", delay: 20 }, { origin: "LAX", delay: 5 }];
       const result = spark.createDataFrame(rows).groupBy("origin").agg(avg("delay").as("delay")).orderBy(col("origin"));
       console.log(JSON.stringify(await result.collect()));
       await spark.stop();`,
    );
    expect(JSON.parse(output)).toEqual([
      { origin: "ATL", delay: 15 },
      { origin: "LAX", delay: 5 },
    ]);
  });

  test("runs a stream from its broker to its database, each in a thread of its own", async () => {
    const output = await run(
      "stream.js",
      `import { SparkSession, col } from "millrace";
       import pg from "pg";
       import { startStack } from "./node_modules/millrace/stack.js";
       import { KafkaClient, KafkaProducer } from "./node_modules/millrace/kafka/client/index.js";
       const stack = await startStack({ directory: "data", ports: { kafka: 0, postgres: 0, redis: 0 } });
       const client = KafkaClient.connect({ "bootstrap.servers": process.env.MILLRACE_KAFKA });
       const producer = new KafkaProducer(client);
       await client.createTopics([{ name: "in", partitions: 1 }]);
       await producer.send("in", [{ key: "a", value: "hello" }]);
       await producer.close();
       client.close();
       const spark = SparkSession.builder().getOrCreate();
       const query = await spark.readStream.format("kafka").option("subscribe", "in").option("startingOffsets", "earliest").load()
         .select(col("key").cast("string"), col("value").cast("string"))
         .writeStream.format("postgres").option("dbtable", "out").trigger({ availableNow: true })
         .option("checkpointLocation", "checkpoint").start();
       await query.awaitTermination();
       const database = new pg.Client(process.env.MILLRACE_POSTGRES);
       await database.connect();
       console.log(JSON.stringify((await database.query("SELECT key, value FROM out")).rows));
       await database.end();
       await spark.stop();
       await stack.stop();`,
    );
    expect(JSON.parse(output)).toEqual([{ key: "a", value: "hello" }]);
  }, 60_000);

  test("has declarations that a program compiles against", async () => {
    writeFileSync(
      join(project, "types.ts"),
      `import { SparkSession, upper } from "millrace";
       const spark = SparkSession.builder().getOrCreate();
       const names = await spark.range(3).select("id").collect();
       export const first: bigint = names[0]!.id;
       // @ts-expect-error a column that does not exist
       spark.range(3).select(upper("nothing"));
      `,
    );
    const tsc = join(import.meta.dirname, "../node_modules/typescript/bin/tsc");
    const types = join(import.meta.dirname, "../node_modules/@types");
    const options = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--skipLibCheck"];
    const libraries = [
      "--lib",
      "es2024,esnext.disposable,esnext.collection,esnext.iterator",
      "--typeRoots",
      types,
      "--types",
      "node",
    ];
    await expect(
      exec(process.execPath, [tsc, ...options, ...libraries, "types.ts"], { cwd: project }),
    ).resolves.toBeDefined();
  });

  test("has the command line tool", async () => {
    const { stdout } = await exec(process.execPath, [join(project, "node_modules/millrace/cli/main.js"), "--version"]);
    expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  });
});
