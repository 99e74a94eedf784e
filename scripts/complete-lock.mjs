// Adds to package-lock.json the entries of platform packages that `npm install` left out because this machine's registry does
// not carry them: without them `npm ci` refuses the lock file, here and on every other platform.
// Run after changing dependencies: node scripts/complete-lock.mjs

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
const text = readFileSync(path, "utf8");
const lock = JSON.parse(text);
const packages = lock.packages;

const OS = Object.fromEntries(
  "darwin linux win32 android freebsd netbsd openbsd openharmony sunos aix".split(" ").map((os) => [os, os]),
);
const CPU = Object.fromEntries(
  "x64 arm64 ia32 arm ppc64 s390x loong64 mips64el riscv64".split(" ").map((cpu) => [cpu, cpu]),
);

/** What a platform package says in its own manifest, read from its name: `cli-linux-x64-musl` is linux, x64, musl. */
function platform(name) {
  const parts = name.split("/").at(-1).split("-");
  const os = parts.find((p) => p in OS);
  const cpu = parts.find((p) => p in CPU);
  if (os === undefined || cpu === undefined)
    throw new Error(`cannot tell the platform of ${name}; add its entry by hand`);
  const libc = os !== "linux" ? undefined : parts.includes("musl") ? "musl" : "glibc";
  return { cpu: [cpu], ...(libc && { libc: [libc] }), os: [os] };
}

let added = 0;
for (const [where, entry] of Object.entries(packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (where === "" || packages[key] !== undefined || packages[`${where}/${key}`] !== undefined) continue;
    const { cpu, libc, os } = platform(name);
    packages[key] = {
      version,
      cpu,
      ...(entry.dev && { dev: true }),
      ...(libc && { libc }),
      license: entry.license,
      optional: true,
      os,
      ...(entry.engines && { engines: entry.engines }),
    };
    added++;
  }
}

const root = packages[""];
lock.packages = { "": root };
for (const key of Object.keys(packages)
  .filter((k) => k !== "")
  .sort())
  lock.packages[key] = packages[key];
const result = `${JSON.stringify(lock, null, 2)}\n`;
if (result !== text) writeFileSync(path, result);
console.log(`package-lock.json: ${added} platform packages added`);
