import { execFile, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadFlights } from "../examples/flights/dataset.ts";
import { createTopics, replay } from "../examples/flights/replay.ts";
import { type Stack, startStack } from "../src/stack.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const exec = promisify(execFile);

interface Fence {
  readonly language: string;
  readonly text: string;
  readonly line: number;
}

function fences(file: string): Fence[] {
  const lines = readFileSync(join(root, file), "utf8").split("\n");
  const found: Fence[] = [];
  let open: { language: string; line: number } | undefined;
  lines.forEach((line, i) => {
    const fence = /^```(\w*)/.exec(line);
    if (fence === null) return;
    if (open === undefined) open = { language: fence[1]!, line: i + 1 };
    else {
      found.push({ ...open, text: lines.slice(open.line, i).join("\n") });
      open = undefined;
    }
  });
  return found;
}

const pages = ["README.md", "CHANGELOG.md", ...readdirSync(join(root, "docs")).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith(".md"),
);

describe("every page", () => {
  test.each(pages)("%s: its links lead to files that exist", (page) => {
    const text = readFileSync(join(root, page), "utf8");
    const targets = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g)].map((match) => match[1]!);
    expect(targets.filter((target) => !existsSync(join(root, dirname(page), target)))).toEqual([]);
  });

  test.each(pages)("%s: its npm scripts exist", (page) => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    const text = readFileSync(join(root, page), "utf8");
    const named = [...text.matchAll(/npm run ([\w:]+)/g), ...text.matchAll(/npm (start|test)\b/g)].map(
      (match) => match[1]!,
    );
    expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  });
});

describe("README.md", () => {
  const blocks = fences("README.md");
  const folder = mkdtempSync(join(tmpdir(), "millrace-docs-"));
  // A program finds the package `millrace` by its own name only below this folder.
  const programs = join(root, ".millrace", `docs-${process.pid}`);
  /** The stack's addresses, for the program alone. */
  const env: NodeJS.ProcessEnv = {};
  let stack: Stack;

  beforeAll(async () => {
    mkdirSync(programs, { recursive: true });
    stack = await startStack({ directory: join(folder, "stack"), env, ports: { kafka: 0, postgres: 0, redis: 0 } });
    const kafka = env.MILLRACE_KAFKA!;
    await createTopics(kafka);
    await replay(await loadFlights(5000), { kafka, speed: Number.POSITIVE_INFINITY });
  });

  afterAll(async () => {
    await stack?.stop();
    rmSync(programs, { recursive: true, force: true });
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  });

  test("its commands work", async () => {
    const lines = blocks.filter((block) => block.language === "sh").flatMap((block) => block.text.split("\n"));
    expect(lines).toEqual(["npm start -- --once", "npm test"]);
    // `npm test` is what runs this. The other one in a folder of its own, and with fewer flights.
    const { stdout } = await exec(
      "npm",
      ["start", "--silent", "--", "--once", "--limit", "5000", "--dir", join(folder, "once")],
      {
        cwd: root,
      },
    );
    expect(stdout).toMatch(/5,000 flights/);
    expect(stdout).toMatch(/kcat -b .* -t flights -C -c 3/);
  });

  test("its program compiles", async () => {
    const config = join(programs, "tsconfig.json");
    const files = blocks
      .filter((block) => block.language === "ts")
      .map((block) => {
        writeFileSync(join(programs, `line-${block.line}.ts`), block.text);
        return `line-${block.line}.ts`;
      });
    expect(files.length).toBeGreaterThan(0);
    writeFileSync(config, JSON.stringify({ extends: "../../tsconfig.json", include: files }));
    await exec(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", config]);
  });

  test("its program writes every hour to PostgreSQL", async () => {
    const block = blocks.find((b) => b.language === "ts")!;
    const file = join(programs, "program.ts");
    writeFileSync(file, block.text.replaceAll(".millrace/", `${folder}/`));
    expect(readFileSync(join(root, "README.md"), "utf8")).toContain("npm run millrace -- dev pipeline.ts");
    const child = spawn("npm", ["run", "--silent", "millrace", "--", "dev", file, "--dir", join(folder, "dev")], {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, ...env },
    });
    const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    const client = new pg.Client({ connectionString: env.MILLRACE_POSTGRES! });
    try {
      await client.connect();
      await expect
        .poll(
          async () => {
            expect(child.exitCode).toBeNull();
            const exists = await client.query("SELECT to_regclass('delays') IS NOT NULL AS yes");
            if (!exists.rows[0].yes) return 0;
            return (await client.query("SELECT coalesce(sum(flights), 0)::int AS flights FROM delays")).rows[0].flights;
          },
          { timeout: 30_000, interval: 200 },
        )
        .toBe(5000);
    } finally {
      await client.end();
      child.kill();
      await ended;
    }
    expect(child.exitCode).toBe(0);
  });

  test("its command looks into the topic", async () => {
    expect(readFileSync(join(root, "README.md"), "utf8")).toContain("npm run millrace -- peek flights");
    const { stdout } = await exec("npm", ["run", "--silent", "millrace", "--", "peek", "flights"], {
      cwd: root,
      env: { ...process.env, ...env },
    });
    expect(stdout.match(/"origin"/g)).toHaveLength(10);
  });
});
