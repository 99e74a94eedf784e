import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ScratchFolder } from "./scratch-folder.ts";

let disk: string;
beforeEach(() => {
  disk = mkdtempSync(join(tmpdir(), "millrace-scratch-"));
});
afterEach(() => {
  rmSync(disk, { recursive: true, force: true });
});

test("paths are new each time, and gone when it is closed", () => {
  const folder = new ScratchFolder(disk);
  const paths = [folder.next(), folder.next()];
  expect(new Set(paths).size).toBe(2);
  for (const path of paths) writeFileSync(path, "x");
  folder.leaveMemory();
  const later = folder.next();
  writeFileSync(later, "x");
  expect(dirname(later).startsWith(disk)).toBe(true);
  expect(folder.leaveMemory()).toBe(false);
  folder.close();
  for (const path of [...paths, later]) expect(existsSync(dirname(path))).toBe(false);
});

test("what a killed process left is removed, what a living one has is kept", () => {
  const dead = spawnSync(process.execPath, ["-e", ""]).pid;
  const [left, alive, foreign] = [`millrace-ingest-${dead}-abc`, `millrace-ingest-${process.ppid}-abc`, "other"];
  for (const name of [left, alive, foreign]) {
    mkdirSync(join(disk, name));
    writeFileSync(join(disk, name, "0.parquet"), "x");
  }
  const folder = new ScratchFolder(disk);
  folder.next();
  folder.leaveMemory();
  folder.next();
  expect(readdirSync(disk)).toEqual(expect.arrayContaining([alive, foreign]));
  expect(existsSync(join(disk, left))).toBe(false);
  folder.close();
  expect(readdirSync(disk).sort()).toEqual([alive, foreign].sort());
});

test.skipIf(process.getuid?.() === 0)("a folder that cannot be written is named", () => {
  chmodSync(disk, 0o500);
  const folder = new ScratchFolder(join(disk, "sub"));
  expect(() => {
    folder.next();
    folder.leaveMemory();
    folder.next();
  }).toThrow(expect.objectContaining({ code: "DIRECTORY_NOT_WRITABLE" }));
  folder.close();
});
