import { once } from "node:events";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { runCli } from "./cli-process.ts";
import { DevProcess } from "./dev-process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let directory: string;
const running: Dev[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-dev-"));
});
afterEach(async () => {
  for (const dev of running.splice(0)) await dev.end();
});
afterAll(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));

const CONFIG = `import { defineConfig } from "millrace";
export default defineConfig({ pipeline: "pipeline.ts", ports: { kafka: 0, postgres: 0, redis: 0, dashboard: 0 } });
`;

/** A project in a folder of its own, with `millrace dev --json` running in it. */
class Dev extends DevProcess {
  readonly folder: string;

  private constructor(folder: string) {
    super([], { cwd: folder });
    this.folder = folder;
    running.push(this);
  }

  static async in(name: string, files: Readonly<Record<string, string>>): Promise<Dev> {
    const folder = join(directory, name);
    for (const [file, text] of Object.entries({ "millrace.config.ts": CONFIG, ...files })) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), text);
    }
    return new Dev(folder);
  }

  /** The first event of that name from number `from` on. */
  event(name: string, from = 0): Promise<any> {
    return this.eventThat(from, (e) => e.event === name || e.event.startsWith(`${name}.`));
  }

  print(line: string): Promise<string> {
    return this.until(() => this.printed.find((text) => text === line));
  }

  /** Writes a file and waits for what became of it. */
  async edit(file: string, change: (text: string) => string): Promise<any> {
    const from = this.events.length;
    const path = join(this.folder, file);
    const before = existsSync(path) ? await readFile(path, "utf8") : "";
    await writeFile(path, change(before));
    return this.event("reload", from);
  }
}

const query = (name: string, rest = ""): string => `
const ${name} = await spark.readStream.format("rate").option("rowsPerSecond", 50).load()${rest}
  .writeStream.queryName("${name}").format("noop").option("checkpointLocation", "checkpoints/${name}").start();
`;
const SESSION = `import { SparkSession, col, stopSignal } from "millrace";
const spark = SparkSession.builder().getOrCreate();
`;

describe("dev", () => {
  test("a pipeline that does not load at first runs when it is mended", async () => {
    const dev = await Dev.in("mended", { "pipeline.ts": `${SESSION}${query("first", '.select("no")')}` });
    const { error } = await dev.event("error");
    expect(error).toMatchObject({ code: "UNRESOLVED_COLUMN.WITH_SUGGESTION", line: 4, column: 96 });
    const told = await dev.edit("pipeline.ts", () => `${SESSION}${query("first")}`);
    expect(told).toMatchObject({ event: "reload", added: ["first"] });
    await dev.event("query.progress");
  }, 60_000);

  test("a query that fails while it runs leaves dev up, and goes on from its checkpoint when it is mended", async () => {
    const failing = (limit: string) =>
      `${SESSION}${query("small", `.filter((row: any) => { if (row.value > ${limit}) throw new RangeError("too much"); return true; })`)}`;
    const dev = await Dev.in("failing", { "pipeline.ts": failing("20n") });
    const { error } = await dev.event("error");
    expect(error).toMatchObject({ code: "USER_FUNCTION_FAILED", file: join(dev.folder, "pipeline.ts"), line: 4 });
    const told = await dev.edit("pipeline.ts", () => failing("1_000_000n"));
    expect(told).toMatchObject({ event: "reload", changed: ["small"], anew: [] });
    const { progress } = await dev.event("query.progress", dev.events.indexOf(told));
    expect(progress.batchId).toBeGreaterThanOrEqual(0);
  }, 60_000);

  test("what a version opened is given up when the next one comes; files that have no part in a change keep theirs", async () => {
    const dev = await Dev.in("resources", {
      "server.ts": `import { createServer } from "node:http";
console.log("server opened");
export const server = createServer().listen(0, "127.0.0.1");
`,
      "pipeline.ts": `${SESSION}import { server } from "./server.ts";
const version = 1;
const timer = setInterval(() => console.log("tick of " + version), 20);
stopSignal().addEventListener("abort", () => { clearInterval(timer); console.log("gave up " + version); });
if (version > 1) console.log("server listens: " + server.listening);
${query("rates")}
await spark.streams.awaitAnyTermination();
console.log("this is never reached by a version that was replaced");
`,
    });
    await dev.print("tick of 1");
    const told = await dev.edit("pipeline.ts", (text) => text.replace("version = 1", "version = 2"));
    expect(told).toMatchObject({ event: "reload", same: ["rates"], changed: [] });
    await dev.print("tick of 2");
    const after = dev.printed.length;
    await dev.until(() => (dev.printed.length > after + 5 ? true : undefined));
    expect(dev.printed.slice(after)).not.toContain("tick of 1");
    expect(dev.printed.filter((line) => line === "server opened")).toHaveLength(1);
    expect(dev.printed.filter((line) => line === "server listens: true")).toHaveLength(1);
    // A version that fails gives up what it opened, and the one before it is there again, timers and all.
    const refused = await dev.edit("pipeline.ts", (text) =>
      text.replace("version = 2", "version = 3").replace('format("rate")', 'format("rat")'),
    );
    expect(refused).toMatchObject({ event: "reload.refused", running: true, error: { code: "DATA_SOURCE_NOT_FOUND" } });
    const from = dev.printed.length;
    await dev.until(() =>
      dev.printed.slice(from).filter((line) => line === "tick of 2").length > 3 ? true : undefined,
    );
    expect(dev.printed.slice(from)).not.toContain("tick of 3");
    expect(dev.printed.join()).not.toContain("never reached");
  }, 60_000);

  test("a query without a checkpoint begins anew and says so; one that is gone ends; a new one begins", async () => {
    const plain = (name: string, filter: string) =>
      query(name, filter).replace(/\.option\("checkpointLocation.*?\)/, "");
    const dev = await Dev.in("kinds", {
      "pipeline.ts": `${SESSION}${plain("one", "")}${query("two")}`,
    });
    await dev.event("query.progress");
    const told = await dev.edit(
      "pipeline.ts",
      () => `${SESSION}${plain("one", '.filter(col("value").gt(1))')}${query("three")}`,
    );
    expect(told).toMatchObject({ changed: ["one"], anew: ["one"], added: ["three"], removed: ["two"], same: [] });
    expect(await dev.event("query.terminated")).toMatchObject({ error: null });
  }, 60_000);

  test("a module that waits for ever can be mended, and ended", async () => {
    const stuck = (n: number) =>
      `${SESSION}console.log("stuck ${n}");\nawait new Promise((resolve) => setTimeout(resolve, 1e8));\n`;
    const dev = await Dev.in("stuck", { "pipeline.ts": stuck(1) });
    await dev.print("stuck 1");
    const told = await dev.edit("pipeline.ts", () => `${SESSION}${query("rates")}`);
    expect(told).toMatchObject({ event: "reload", added: ["rates"] });
    await writeFile(join(dev.folder, "pipeline.ts"), stuck(2));
    await dev.print("stuck 2");
    const mended = await dev.edit("pipeline.ts", () => `${SESSION}${query("rates", '.filter(col("value").gt(2))')}`);
    expect(mended).toMatchObject({ event: "reload", changed: ["rates"], anew: [] });
    dev.child.kill("SIGTERM");
    expect((await once(dev.child, "close"))[0]).toBe(0);
  }, 60_000);

  test("an editor that puts a new file in the place of the old one, and a file that is gone for a while", async () => {
    const dev = await Dev.in("replaced", { "pipeline.ts": `${SESSION}${query("rates")}` });
    await dev.event("query.progress");
    const path = join(dev.folder, "pipeline.ts");
    for (const limit of [1, 2]) {
      const from = dev.events.length;
      await writeFile(`${path}~`, `${SESSION}${query("rates", `.filter(col("value").gt(${limit}))`)}`);
      await rename(`${path}~`, path);
      expect(await dev.event("reload", from)).toMatchObject({ event: "reload", changed: ["rates"] });
    }
    const from = dev.events.length;
    await rename(path, `${path}~`);
    expect(await dev.event("reload", from)).toMatchObject({ event: "reload.refused", running: true });
    const again = dev.events.length;
    await rename(`${path}~`, path);
    expect(await dev.event("reload", again)).toMatchObject({ event: "reload", same: ["rates"] });
  }, 60_000);

  test("status and stop, from another terminal", async () => {
    const dev = await Dev.in("looked-at", { "pipeline.ts": `${SESSION}${query("rates")}` });
    await dev.event("query.progress");
    const { code, stdout: out } = await runCli(["status", "--json"], { cwd: dev.folder });
    expect(code).toBe(0);
    const { running } = JSON.parse(out);
    expect(running).toMatchObject([
      {
        command: "dev",
        pid: dev.child.pid,
        pipeline: join(dev.folder, "pipeline.ts"),
        queries: [{ name: "rates", state: expect.stringMatching(/running|idle/) }],
      },
    ]);
    const people = await runCli(["status"], { cwd: dev.folder });
    expect(people.stdout).toMatch(/^millrace dev pipeline\.ts, process \d+, since \d+ s\n {2}kafka/);
    expect(people.stdout).toMatch(/\nquery +state +events\/s +batch/);
    const stopped = await runCli(["stop", "--json"], { cwd: dev.folder });
    expect(JSON.parse(stopped.stdout).stopped).toMatchObject([{ pid: dev.child.pid }]);
    expect(stopped.code).toBe(0);
    await dev.until(() => (dev.child.exitCode === null ? undefined : true)).catch(() => {});
    expect(dev.child.exitCode).toBe(0);
    expect(readdirSync(join(dev.folder, ".millrace/run"))).toEqual([]);
    expect((await runCli(["status"], { cwd: dev.folder })).code).toBe(1);
    expect((await runCli(["stop"], { cwd: dev.folder })).code).toBe(0);
  }, 60_000);

  test("a dashboard for others asks for a token, which status knows and does not show", async () => {
    const dev = await Dev.in("opened", {
      "millrace.config.ts": CONFIG.replace(
        "pipeline:",
        'dashboardHost: "0.0.0.0", allowedHosts: ["pipeline.test"], pipeline:',
      ),
      "pipeline.ts": `${SESSION}${query("rates")}`,
    });
    const { dashboard } = await dev.event("ready");
    const token = new URL(dashboard).searchParams.get("token")!;
    expect(token.length).toBeGreaterThan(20);
    const ask = (headers: Record<string, string>) =>
      fetch(`http://127.0.0.1:${new URL(dashboard).port}/api/queries`, { headers }).then((answer) => answer.status);
    expect(await ask({})).toBe(401);
    expect(await ask({ authorization: `Bearer ${token}` })).toBe(200);
    await dev.event("query.progress");
    const { stdout: out, stderr: err } = await runCli(["status", "--json"], { cwd: dev.folder });
    expect(JSON.parse(out).running[0].queries).toMatchObject([{ name: "rates" }]);
    expect(out + err).not.toContain(token);
  }, 60_000);

  test("TypeScript's own errors are warnings, in the background", async () => {
    const folder = join(directory, "typed");
    await mkdir(join(folder, "node_modules"), { recursive: true });
    await symlink(join(root, "node_modules/typescript"), join(folder, "node_modules/typescript"));
    const dev = await Dev.in("typed", {
      "package.json": `{ "type": "module" }`,
      "tsconfig.json": `{ "compilerOptions": { "strict": true, "noEmit": true, "module": "nodenext", "target": "es2024", "types": [] }, "include": ["pipeline.ts"] }`,
      "node_modules/millrace/package.json": `{ "name": "millrace", "type": "module", "exports": { ".": { "types": "./index.d.ts" } } }`,
      "node_modules/millrace/index.d.ts": `export declare const SparkSession: any, col: any, stopSignal: any;`,
      "pipeline.ts": `${SESSION}${query("typed")}\nconst n: number = "text";\n`,
    });
    const { errors } = await dev.event("types");
    expect(errors).toEqual([
      {
        code: "TS2322",
        message: "Type 'string' is not assignable to type 'number'.",
        file: join(dev.folder, "pipeline.ts"),
        line: 7,
        column: 7,
      },
    ]);
    await dev.event("query.progress");
    const from = dev.events.length;
    await dev.edit("pipeline.ts", (text) => text.replace('"text"', "1"));
    expect((await dev.event("types", from)).errors).toEqual([]);
  }, 60_000);

  test("without watching, a failure ends it", async () => {
    const folder = join(directory, "unwatched");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "pipeline.ts"), `throw new Error("no use");`);
    await writeFile(join(folder, "millrace.config.ts"), CONFIG);
    const { code, stderr: err } = await runCli(["dev", "--no-watch"], { cwd: folder });
    expect(code).toBe(1);
    expect(err).toContain("error no use");
  }, 60_000);
});
