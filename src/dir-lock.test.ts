import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockDirectory } from "./dir-lock.ts";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-lock-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

test("a second holder is refused until the first releases", async () => {
  const lock = await lockDirectory(directory);
  await expect(lockDirectory(directory)).rejects.toMatchObject({ code: "DIRECTORY_IN_USE" });
  await lock.release();
  await (await lockDirectory(directory)).release();
  expect(await readdir(directory)).toEqual([]);
});

test("of many that come at once at most one gets it, and it can be had afterwards", async () => {
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => lockDirectory(directory)));
  const held = results.filter((r) => r.status === "fulfilled");
  expect(held.length).toBeLessThanOrEqual(1);
  for (const r of held) await r.value.release();
  await (await lockDirectory(directory)).release();
});

test("the lock of a killed process is taken over, that of a living one is not", async () => {
  const script = `import { lockDirectory } from ${JSON.stringify(new URL("./dir-lock.ts", import.meta.url).href)};
    await lockDirectory(${JSON.stringify(directory)}); console.log("held"); setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  await expect(lockDirectory(directory)).rejects.toMatchObject({
    code: "DIRECTORY_IN_USE",
    parameters: { pid: String(child.pid) },
  });
  child.kill("SIGKILL");
  await once(child, "exit");
  await (await lockDirectory(directory)).release();
});

test("a path that is no directory is not writable", async () => {
  const file = join(directory, "file");
  await writeFile(file, "");
  await expect(lockDirectory(join(file, "sub"))).rejects.toMatchObject({ code: "DIRECTORY_NOT_WRITABLE" });
});
