import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Stack, startStack } from "../../src/stack.ts";
import { type Fence, fencesOf, masked, outputMatches, pages, root } from "./pages.ts";
import type { BlockResult } from "./run-page.ts";
import { fillTables, fillTopics } from "./sample.ts";

const exec = promisify(execFile);

/** Blocks of TypeScript that are compiled and not run, and other code that nothing looks at. Neither may grow. */
const MOST = { compiledOnly: 2, unchecked: 8 };

const all = pages.flatMap(fencesOf);
const isCode = (f: Fence) => !f.marks.has("file") && !["", "text", "json", "mermaid"].includes(f.language);
const ts = all.filter((f) => f.language === "ts" || f.language === "tsx");
const runnable = ts.filter((f) => !f.marks.has("no-run") && !f.marks.has("file") && !f.marks.has("part"));
const place = (f: Fence) => `${f.page}:${f.line}`;
const slug = (page: string) => page.replace(/\W+/g, "-");

// A program finds the package `millrace` by its own name only below this folder.
const programs = join(root, ".millrace", `docs-${process.pid}`);
const folder = mkdtempSync(join(tmpdir(), "millrace-docs-"));
const fileOf = (f: Fence) => join(programs, slug(f.page), f.marks.get("file") ?? `line-${f.line}.ts`);

/** The block as it is compiled and run: behind what its page takes for granted. */
function source(f: Fence): string {
  const before = f.marks.get("with")?.split(",") ?? [];
  const given = before.map((name) => readFileSync(join(root, "test/docs/with", `${name}.ts`), "utf8"));
  return `${given.join("\n")}${f.text}\nexport {};\n`;
}

let stack: Stack;
const env: NodeJS.ProcessEnv = {};
const outputs = new Map<string, BlockResult>();

beforeAll(async () => {
  for (const page of pages) mkdirSync(join(programs, slug(page)), { recursive: true });
  for (const f of ts.filter(({ marks }) => marks.has("part"))) {
    const path = f.marks.get("part")!;
    copyFileSync(join(root, path), join(programs, slug(f.page), basename(path)));
  }
  for (const f of all.filter(({ marks }) => marks.has("file"))) {
    mkdirSync(dirname(fileOf(f)), { recursive: true });
    writeFileSync(fileOf(f), f.text);
  }
  for (const f of ts) if (!f.marks.has("part") && !f.marks.has("file")) writeFileSync(fileOf(f), source(f));
  stack = await startStack({
    directory: join(folder, "stack"),
    env,
    ports: { kafka: 0, postgres: 0, redis: 0 },
  });
  env.MILLRACE_LAKE = join(folder, "lake");
  await fillTopics(env.MILLRACE_KAFKA!);
}, 60_000);

afterAll(async () => {
  await stack?.stop();
  rmSync(programs, { recursive: true, force: true, maxRetries: 3 });
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

test("every block says how it is checked", () => {
  const compiledOnly = ts.filter((f) => f.marks.has("no-run"));
  const unchecked = all.filter((f) => isCode(f) && !ts.includes(f) && (f.language !== "sh" || f.marks.has("no-run")));
  for (const f of all) {
    if (f.marks.has("no-run")) expect(f.marks.get("no-run"), `${place(f)} needs a reason`).toMatch(/\w+ \w+/);
    if (f.language === "sh" && !f.marks.has("no-run")) expect(f.text, place(f)).toMatch(/^\$ /);
  }
  console.info(
    `blocks: ${runnable.length} run, ${compiledOnly.length} only compiled, ${unchecked.length} of other languages not run`,
  );
  expect(compiledOnly.length, compiledOnly.map(place).join(" ")).toBeLessThanOrEqual(MOST.compiledOnly);
  expect(unchecked.length, unchecked.map(place).join(" ")).toBeLessThanOrEqual(MOST.unchecked);
});

test("every block of TypeScript compiles", { timeout: 120_000 }, async () => {
  const config = join(programs, "tsconfig.json");
  const options = { noUnusedLocals: false, noUnusedParameters: false };
  // Parts of a file of the repository are compiled there.
  const files = ts.filter((f) => !f.marks.has("part")).map(fileOf);
  writeFileSync(
    config,
    JSON.stringify({ extends: join(root, "tsconfig.json"), compilerOptions: options, include: [], files }),
  );
  const failed = await exec(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", config], {
    cwd: programs,
  }).catch((error: { stdout: string }) => error);
  expect(failed.stdout).toBe("");
});

test("the parts of a page are the file that they build", () => {
  const parts = Map.groupBy(
    ts.filter((f) => f.marks.has("part")),
    (f) => `${f.page} ${f.marks.get("part")}`,
  );
  for (const [key, blocks] of parts) {
    const path = blocks[0]!.marks.get("part")!;
    const file = readFileSync(join(root, path), "utf8").replaceAll("__NAME__", "demo");
    expect(`${blocks.map((f) => f.text).join("\n\n")}\n`, key).toBe(file);
  }
});

test.each([
  ["examples/tutorial.ts", "templates/tutorial/src/pipeline.ts"],
  ["examples/tutorial-orders.ts", "templates/tutorial/src/tutorial-orders.ts"],
])("%s is what `millrace init --template tutorial` writes", (example, template) => {
  expect(readFileSync(join(root, template), "utf8")).toBe(readFileSync(join(root, example), "utf8"));
});

describe.each(pages.filter((page) => runnable.some((f) => f.page === page)))("%s", (page) => {
  const blocks = runnable.filter((f) => f.page === page);

  beforeAll(async () => {
    rmSync(join(folder, "lake"), { recursive: true, force: true });
    await fillTables(env.MILLRACE_POSTGRES!, env.MILLRACE_REDIS!);
    const result = join(folder, `${slug(page)}.json`);
    const args = [result, join(folder, slug(page)), ...blocks.map(fileOf)];
    const failed = await exec(process.execPath, [join(root, "test/docs/run-page.ts"), ...args], {
      env: { ...process.env, ...env },
      timeout: 100_000,
    }).catch((error: Error) => error);
    let results: BlockResult[] = [];
    try {
      results = JSON.parse(readFileSync(result, "utf8"));
    } catch {
      throw failed;
    }
    for (const block of results) outputs.set(block.file, block);
  }, 110_000);

  test.each(blocks.map((f) => [f.line, f] as const))("the block of line %i runs", (_line, f) => {
    const got = outputs.get(fileOf(f));
    if (process.env.MILLRACE_DOCS_VERBOSE) console.info(`${place(f)} ${Math.round(got?.ms ?? 0)} ms\n${got?.output}`);
    expect(got?.error?.replaceAll(fileOf(f), place(f))).toBeUndefined();
    const shown = outputBehind(f);
    if (shown !== undefined) expectOutput(shown, got!.output);
  });
});

describe("commands", () => {
  const bin = join(folder, "bin");
  beforeAll(() => {
    mkdirSync(bin, { recursive: true });
    const main = join(root, "src/cli/main.ts");
    for (const [name, skip] of [
      ["npx", "shift; "],
      ["millrace", ""],
    ] as const) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${skip}exec "${process.execPath}" "${main}" "$@"\n`);
      chmodSync(join(bin, name), 0o755);
    }
  });

  const blocks = all.filter((f) => f.language === "sh" && !f.marks.has("no-run"));
  test.each(blocks.map((f) => [place(f), f] as const))("%s", { timeout: 60_000 }, async (_place, f) => {
    const cwd = join(programs, slug(f.page));
    // The commands of a page find the tables as its first one left them, and nothing of other pages.
    if (blocks.find((b) => b.page === f.page) === f) await fillTables(env.MILLRACE_POSTGRES!, env.MILLRACE_REDIS!);
    for (const { command, shown } of commandsOf(f)) {
      const { output, code } = await ran(command, shown, cwd, bin);
      if (shown !== "") expectOutput({ ...f, text: shown }, output);
      if (code !== "stopped") expect(code, `${command}\n${output}`).toBe(Number(f.marks.get("exit") ?? 0));
    }
  });

  /** Runs a command until it ends, or, when it goes on for ever, until it has printed what the page shows. */
  async function ran(command: string, shown: string, cwd: string, path: string) {
    const child = spawn("sh", ["-c", `exec ${command}`], {
      cwd,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...env, NO_COLOR: "1", PATH: `${path}:${process.env.PATH}` },
    });
    let output = "";
    let stopped = false;
    const stop = (): void => {
      stopped = true;
      child.kill("SIGINT");
    };
    const take = (text: string): void => {
      if (stopped) return;
      output += text;
      if (shown.includes("\n") && outputMatches(shown, output)) stop();
    };
    child.stdout.setEncoding("utf8").on("data", take);
    child.stderr.setEncoding("utf8").on("data", take);
    const timer = setTimeout(stop, 45_000);
    const [code] = (await once(child, "close")) as [number | null];
    clearTimeout(timer);
    return { output, code: stopped ? "stopped" : code };
  }
});

function commandsOf(f: Fence): { command: string; shown: string }[] {
  const found: { command: string; lines: string[] }[] = [];
  for (const line of f.text.split("\n")) {
    if (line.startsWith("$ ")) found.push({ command: line.slice(2), lines: [] });
    else found.at(-1)?.lines.push(line);
  }
  return found.map(({ command, lines }) => ({ command, shown: lines.join("\n").trim() }));
}

/** The block with the mark `output` that follows on the same page. */
function outputBehind(f: Fence): Fence | undefined {
  const next = all[all.indexOf(f) + 1];
  return next?.page === f.page && next.marks.has("output") ? next : undefined;
}

function expectOutput(shown: Fence, actual: string): void {
  if (outputMatches(shown.text, actual)) return;
  expect(masked(actual), `${place(shown)} in ${basename(shown.page)}`).toBe(masked(shown.text));
}
