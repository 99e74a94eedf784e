import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const entry = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
let directory: string;

/** A program that Node alone would not load: each file needs something else. */
const FILES: Readonly<Record<string, string>> = {
  "package.json": `{ "name": "stranger", "type": "module" }`,
  "tsconfig.json": `{
  // comments, and a comma at the end
  "extends": "./tsconfig.base.json",
  "compilerOptions": { "experimentalDecorators": true, "jsx": "react", "jsxFactory": "h" },
}`,
  "tsconfig.base.json": `{ "compilerOptions": { "paths": { "@lib/*": ["./src/lib/*"], "settings": ["./src/settings.ts"] } } }`,
  "src/settings.ts": `export const setting = "alias of one file";`,
  "src/lib/enum.ts": `export enum Level { Low = 1, High }\nnamespace Inner { export const x = 5 }\nexport const five = Inner.x;`,
  "src/lib/point.ts": `export class Point { constructor(readonly x: number, private y = 2) {} sum() { return this.x + this.y } }`,
  "src/lib/decorated.ts": `
function loud(_: unknown, key: string, d: PropertyDescriptor) {
  const was = d.value;
  d.value = function (...args: unknown[]) { return was.apply(this, args) + "!"; };
  return d;
}
export class Greeter {
  @loud
  greet(name: string): string { return "hello " + name; }
}`,
  "src/lib/view.tsx": `const h = (tag: string, props: object | null, ...children: string[]) => \`<\${tag}>\${children.join("")}</\${tag}>\`;
export const view = <b>text</b>;`,
  "src/lib/old.cts": `import path = require("node:path");\nexport = { base: path.basename("/a/b.txt") };`,
  "src/lib/plain.js": `export const plain = import.meta.url.startsWith("file:");`,
  "src/lib/index.ts": `export const folder = "index of a folder";`,
  "src/lib/data.json": `{ "rows": 3 }`,
  "src/pipeline.ts": `
import { SparkSession, col } from "millrace";
import { memoryTable } from "millrace/testing";
import manifest from "millrace/package.json" with { type: "json" };
import data from "./lib/data.json" with { type: "json" };
import { Level, five } from "./lib/enum";
import { Point } from "./lib/point.js";
import { Greeter } from "@lib/decorated";
import { view } from "./lib/view";
import old from "./lib/old.cjs";
import { plain } from "@lib/plain";
import { folder } from "./lib";
import { setting } from "settings";

const spark: SparkSession = SparkSession.builder().getOrCreate();
const rows = await spark.range(data.rows).select(col("id").multiply(Level.High).as("twice")).collect();
console.log(JSON.stringify({
  rows: rows.map((row) => Number(row.twice)), five, sum: new Point(1).sum(), greeting: new Greeter().greet("you"),
  view, old: old.base, plain, folder, setting, testing: typeof memoryTable, name: manifest.name,
}));
`,
};

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-modules-"));
  for (const [name, text] of Object.entries(FILES)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
});
afterAll(() => rm(directory, { recursive: true, force: true, maxRetries: 3 }));

const run = (args: string[]) => promisify(execFile)(process.execPath, [entry, ...args], { cwd: directory });

test("any TypeScript: enums, namespaces, parameter properties, decorators, JSX, aliases, names without extension", async () => {
  const { stdout, stderr } = await run(["run", "src/pipeline.ts"]);
  expect(stderr).toBe("");
  expect(JSON.parse(stdout)).toEqual({
    rows: [0, 2, 4],
    five: 5,
    sum: 3,
    greeting: "hello you!",
    view: "<b>text</b>",
    old: "b.txt",
    plain: true,
    folder: "index of a folder",
    setting: "alias of one file",
    testing: "function",
    name: "millrace",
  });
});

test("plan loads it too", async () => {
  await writeFile(
    join(directory, "src/planned.ts"),
    `import { Level } from "@lib/enum";
     import { SparkSession, col } from "millrace";
     const spark = SparkSession.builder().getOrCreate();
     await spark.readStream.format("rate").load().filter(col("value").gt(Level.High)).writeStream.queryName("planned").format("noop").start();`,
  );
  const { stdout } = await run(["plan", "src/planned.ts"]);
  expect(stdout).toContain("planned  stream, append");
});
