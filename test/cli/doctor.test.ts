import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { lockDirectory } from "../../src/dir-lock.ts";
import { startStack } from "../../src/stack.ts";
import { runCli } from "./cli-process.ts";

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-doctor-"));
});
afterAll(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));

const doctor = (args: string[], env: NodeJS.ProcessEnv = {}) => runCli(["doctor", ...args], { cwd: directory, env });

const byName = (stdout: string): Record<string, { state: string; found: string; fix?: string; required: boolean }> =>
  Object.fromEntries(JSON.parse(stdout).checks.map((c: { name: string }) => [c.name, c]));

test("a machine on which pipelines run", async () => {
  const { code, stdout, stderr } = await doctor(["--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(JSON.parse(stdout).ok).toBe(true);
  const checks = byName(stdout);
  expect(checks.Node).toMatchObject({ state: "ok", found: expect.stringContaining(process.versions.node) });
  expect(checks.DuckDB).toMatchObject({ state: "ok", found: expect.stringMatching(/^v\d/) });
  expect(checks.disk!.found).toMatch(/free, \d+ MB\/s, a safe write in [\d.]+ ms/);
  expect(checks.Kafka).toMatchObject({ state: "ok", found: "embedded (MILLRACE_KAFKA is not set)" });
});

test("servers that are there say their versions; those that are not make it fail, with what to do", async () => {
  const env: NodeJS.ProcessEnv = {};
  const stack = await startStack({
    directory: join(directory, "servers"),
    want: ["kafka", "postgres", "redis"],
    ports: { kafka: 0, postgres: 0, redis: 0 },
    env,
  });
  await stack.ready;
  const well = byName((await doctor(["--json"], env)).stdout);
  expect(well.Kafka).toMatchObject({ state: "ok", found: expect.stringMatching(/^1 broker, \d+ topics at 127/) });
  expect(well.PostgreSQL).toMatchObject({ state: "ok", found: expect.stringMatching(/^version \d+/) });
  expect(well.Redis).toMatchObject({ state: "ok", found: expect.stringMatching(/^version \d+/) });
  expect(well["port 9092"]).toBeUndefined();
  await stack.stop();

  const { code, stdout } = await doctor([], {
    MILLRACE_KAFKA: "127.0.0.1:1",
    MILLRACE_POSTGRES: "postgres://me:s3cret@127.0.0.1:2/x",
    MILLRACE_REDIS: "redis://127.0.0.1:3",
    MILLRACE_LAKE: "nosuch",
    SPARK_REMOTE: "sc://127.0.0.1:4",
  });
  expect(code).toBe(1);
  expect(stdout).toMatch(
    /^✗ Kafka +127\.0\.0\.1:1 \(MILLRACE_KAFKA\): .*\n +Start the broker, or `unset MILLRACE_KAFKA`/m,
  );
  expect(stdout).toMatch(/^✗ PostgreSQL +postgres:\/\/me:\*\*\*@/m);
  expect(stdout).toMatch(/^✗ Redis/m);
  expect(stdout).toMatch(/^✗ Spark +sc:\/\/127\.0\.0\.1:4/m);
  expect(stdout).toMatch(/^! lake +nosuch is not there yet\n +mkdir -p nosuch/m);
  expect(stdout).not.toContain("s3cret");
  expect(stdout).toMatch(/\n4 to repair, \d+ to know of\.\n$/);
}, 60_000);

test("a port that is taken: by whom, and how to go round it; it is no fault", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const { port } = holder.address() as { port: number };
  await writeFile(join(directory, "millrace.config.ts"), `export default { ports: { kafka: ${port} } };`);
  const { code, stdout } = await doctor(["--json"]);
  holder.close();
  await rm(join(directory, "millrace.config.ts"));
  expect(code).toBe(0);
  const check = byName(stdout)[`port ${port}`];
  expect(check).toMatchObject({
    state: "warning",
    required: false,
    fix: expect.stringContaining("millrace dev --kafka-port 0"),
  });
  if (process.platform === "linux") expect(check!.found).toContain(`(process ${process.pid})`);
});

test("a directory that another process has, and one that cannot be written", async () => {
  const lock = await lockDirectory(join(directory, "taken"));
  const taken = await doctor(["--json", "--dir", "taken"]);
  await lock.release();
  expect(taken.code).toBe(1);
  expect(byName(taken.stdout).directory).toMatchObject({ state: "failed", fix: `kill ${process.pid}` });
  await writeFile(join(directory, "file"), "");
  const wrong = await doctor(["--json", "--dir", "file/below"]);
  expect(wrong.code).toBe(1);
  expect(byName(wrong.stdout).disk).toMatchObject({
    state: "failed",
    found: expect.stringContaining("cannot be written"),
  });
});
