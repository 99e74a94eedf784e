import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KafkaClient } from "../../src/kafka/client/index.ts";
import { type KafkaServer, startKafkaServer } from "../../src/kafka/server.ts";

const exec = promisify(execFile);
const entry = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
let directory: string;
let kafka: KafkaServer;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-completion-"));
  kafka = await startKafkaServer({ directory: join(directory, "kafka"), port: 0 });
  const client = KafkaClient.connect({ "bootstrap.servers": `127.0.0.1:${kafka.port}` });
  await client.createTopics([{ name: "flights" }, { name: "flight-alerts" }, { name: "other" }]);
  client.close();
  for (const folder of ["offsets", "commits"]) {
    mkdirSync(join(directory, ".millrace/checkpoints/delays", folder), { recursive: true });
  }
  writeFileSync(join(directory, "pipeline.ts"), "");
});
afterAll(async () => {
  await kafka?.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 3 });
});

const environment = (): NodeJS.ProcessEnv => ({ ...process.env, MILLRACE_KAFKA: `127.0.0.1:${kafka.port}` });

/** What stands at the last word, in a real bash whose `millrace` is this one. */
async function inBash(...words: string[]): Promise<string[]> {
  const script = `
    millrace() { "$NODE" "$ENTRY" "$@"; }
    source <(millrace completion bash)
    complete -p millrace >&2
    COMP_WORDS=(millrace "$@"); COMP_CWORD=$#
    __millrace
    [ \${#COMPREPLY[@]} -eq 0 ] || printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = await exec("bash", ["--norc", "-c", script, "bash", ...words], {
    cwd: directory,
    env: { ...environment(), NODE: process.execPath, ENTRY: entry },
  });
  expect(stderr).toContain("complete -F __millrace millrace");
  return stdout.split("\n").filter((line) => line !== "");
}

describe("completion in bash", () => {
  test.each([
    [["pe"], ["peek"]],
    [
      ["state", ""],
      ["list", "show", "reset"],
    ],
    [
      ["peek", "fli"],
      ["flight-alerts", "flights"],
    ],
    [
      ["peek", "--count", "3", "flights", "--f"],
      ["--format", "--follow"],
    ],
    [
      ["topics", "delete", "other", "fl"],
      ["flight-alerts", "flights"],
    ],
    [["state", "show", ""], ["delays"]],
    [
      ["state", "reset", "delays", "--to", ""],
      ["earliest", "latest", "batch"],
    ],
    [["state", "reset", "delays", "--to", "=", "la"], ["latest"]],
    [
      ["state", "reset", "delays", "--to", "="],
      ["earliest", "latest", "batch"],
    ],
    [["produce", "x", "--compression", "z"], ["zstd"]],
    [
      ["init", "demo", "--template", ""],
      ["flights", "clickstream", "tutorial"],
    ],
    [
      ["completion", ""],
      ["bash", "zsh", "fish", "powershell"],
    ],
    [["dev", "pi"], []],
    [["nosuch", ""], []],
  ])("%j", async (words, expected) => {
    expect(await inBash(...words)).toEqual(expected);
  });

  test("every command is there, and options only once", async () => {
    const { stdout } = await exec(process.execPath, [entry, "--help"]);
    const section = stdout.slice(stdout.indexOf("Commands:"), stdout.indexOf("Examples:"));
    const commands = [...section.matchAll(/^ {2}([a-z]+)/gm)].map((m) => m[1]);
    expect((await inBash("")).sort()).toEqual(commands.sort());
    expect(commands.length).toBeGreaterThan(10);
    const left = await inBash("query", "--csv", "--limit", "5", "--");
    expect(left).toContain("--watch");
    expect(left).not.toContain("--csv");
    expect(left).not.toContain("--limit");
    expect(await inBash("produce", "t", "-H", "a=b", "--h")).toEqual(["--header", "--help"]);
  });

  test("what stands on the line is never run", async () => {
    expect(await inBash("peek", "$(touch run-by-completion)", "`touch run-too`", "")).toEqual([]);
    const { stdout } = await exec("ls", [directory]);
    expect(stdout).not.toContain("run-");
  });
});

test("a broker that is not there makes nobody wait", async () => {
  const startedAt = performance.now();
  const { stdout } = await exec(process.execPath, [entry, "complete", "--", "peek", ""], {
    cwd: directory,
    env: { ...process.env, MILLRACE_KAFKA: "192.0.2.1:9092" },
  });
  expect(stdout).toBe("");
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});

test.each(["bash", "zsh", "fish", "powershell"])(
  "the script of %s asks the program with the words of the line",
  async (shell) => {
    const { stdout } = await exec(process.execPath, [entry, "completion", shell]);
    expect(stdout).toMatch(/complete (--empty )?-- /);
    expect(stdout).not.toContain("eval");
    expect(JSON.parse((await exec(process.execPath, [entry, "completion", shell, "--json"])).stdout).script).toBe(
      stdout.replace(/\n$/, ""),
    );
  },
);
