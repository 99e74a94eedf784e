import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const src = join(root, "src");

/**
 * Who may import whom in src/ (docs/architecture.md, "Allowed imports"). The longest matching path is the rule for a file; a file may
 * always import its own folder or, where that has sub-layers of its own below, what those allow. `EVERYONE` is open to all.
 */
const EVERYONE = ["events.ts", "errors.ts"];
const ALLOWED: Record<string, readonly string[]> = {
  "events.ts": [],
  "errors.ts": [],
  "process-id.ts": [],
  "dir-lock.ts": ["process-id.ts"],
  "durable.ts": [],
  "durable-files.ts": ["durable.ts"],
  "listen-error.ts": [],
  "start-near.ts": [],
  "backend.ts": ["types", "plan", "connectors/connector.ts"],
  types: [],
  plan: ["types"],
  functions: ["types", "plan", "formats"],
  dataframe: ["types", "plan", "backend.ts", "connectors/connector.ts"],
  formats: ["types"],
  "kafka/wire": ["kafka/wire"],
  "kafka/log": ["kafka/log", "kafka/wire", "durable.ts"],
  "kafka/group": ["kafka/group", "kafka/wire"],
  "kafka/client": ["kafka/client", "kafka/wire"],
  "kafka/handlers": ["kafka/handlers", "kafka/wire", "kafka/log", "kafka/group"],
  kafka: ["kafka", "dir-lock.ts", "listen-error.ts"],
  cache: ["dir-lock.ts", "durable.ts", "listen-error.ts"],
  database: ["dir-lock.ts", "listen-error.ts"],
  connectors: ["types", "formats", "kafka/client", "kafka/wire"],
  duckdb: ["types", "formats", "connectors/connector.ts", "durable-files.ts"],
  streaming: ["types", "connectors", "duckdb", "backend.ts", "dir-lock.ts"],
  engine: [
    "types",
    "plan",
    "functions",
    "connectors",
    "formats",
    "duckdb",
    "streaming",
    "backend.ts",
    "dir-lock.ts",
    "durable.ts",
    "durable-files.ts",
  ],
  spark: [
    "types",
    "plan",
    "functions",
    "connectors",
    "formats",
    "duckdb",
    "streaming",
    "backend.ts",
    "dir-lock.ts",
    "durable.ts",
    "durable-files.ts",
    "listen-error.ts",
  ],
  "session.ts": ["views", "types", "plan", "dataframe", "connectors", "engine", "spark", "backend.ts", "stack.ts"],
  "stack.ts": ["types", "kafka", "cache", "database", "dir-lock.ts", "start-near.ts"],
  client: ["observe/api-views.ts"],
  views: ["types", "connectors", "client", "observe/api-views.ts", "backend.ts"],
  observe: [
    "views",
    "types",
    "plan",
    "kafka/client",
    "kafka/wire",
    "connectors",
    "duckdb",
    "backend.ts",
    "listen-error.ts",
    "start-near.ts",
  ],
  "stop-signal.ts": [],
  "config.ts": [],
  reload: ["types", "plan", "backend.ts", "connectors", "engine", "spark", "session.ts", "stop-signal.ts"],
  planning: ["types", "plan", "backend.ts", "connectors", "engine", "spark", "session.ts"],
  query: ["types", "plan", "functions", "engine", "dataframe", "connectors", "kafka/client", "observe", "session.ts"],
  cli: [
    "stack.ts",
    "session.ts",
    "query",
    "dataframe",
    "duckdb",
    "dir-lock.ts",
    "streaming/checkpoint.ts",
    "engine/checkpoint.ts",
    "reload",
    "config.ts",
    "process-id.ts",
    "plan/site.ts",
    "planning",
    "connectors",
    "observe",
    "kafka/client",
    "kafka/wire",
    "types",
    "backend.ts",
  ],
  "index.ts": ["views", "types", "dataframe", "session.ts", "backend.ts", "stack.ts", "stop-signal.ts", "config.ts"],
  testing: [
    "types",
    "plan",
    "functions",
    "dataframe",
    "formats",
    "kafka",
    "cache",
    "database",
    "connectors",
    "duckdb",
    "streaming",
    "engine",
    "session.ts",
    "stack.ts",
    "observe",
    "backend.ts",
    "dir-lock.ts",
    "durable-files.ts",
  ],
};

/** Files of more than 500 lines, each with the reason why it is one concept all the same. */
const LONG_FILES: Record<string, string> = {};

const files = readdirSync(src, { recursive: true, encoding: "utf8" })
  .map((file) => file.replaceAll("\\", "/"))
  .filter((file) => file.endsWith(".ts"))
  .sort();

const within = (file: string, place: string): boolean => file === place || file.startsWith(`${place}/`);

function ruleOf(file: string): string | undefined {
  return Object.keys(ALLOWED)
    .filter((place) => within(file, place))
    .sort((a, b) => b.length - a.length)[0];
}

/** The relative imports of a file, as paths below src/; `import type`, re-exports, dynamic imports and worker files count too. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const found = [
    ...text.matchAll(/^\s*(?:import|export)\b[^;"'`]*?\bfrom\s*"(\.[^"]+)"/gm),
    ...text.matchAll(/^\s*import\s*"(\.[^"]+)"/gm),
    ...text.matchAll(/\bimport\(\s*"(\.[^"]+)"\s*\)/g),
    ...text.matchAll(/new URL\(\s*"(\.[^"]+\.ts)"\s*,\s*import\.meta\.url/g),
  ];
  return found.map((match) => relative(src, join(src, dirname(file), match[1]!)).replaceAll("\\", "/"));
}

const isTest = (file: string): boolean => file.endsWith(".test.ts");

describe("src/", () => {
  test("every file has a rule in the table of allowed imports", () => {
    expect(files.filter((file) => ruleOf(file) === undefined && !isTest(file))).toEqual([]);
  });

  test("docs/architecture.md shows the same table", () => {
    const page = readFileSync(join(root, "docs/architecture.md"), "utf8");
    const section = page.slice(page.indexOf("## Allowed imports"));
    const table = [...section.matchAll(/^\| `([^`]+)` \| (.*) \|$/gm)]
      .filter(([, place]) => place! in ALLOWED)
      .map(([, place, list]) => [place, [...list!.matchAll(/`([^`]+)`/g)].map((match) => match[1])]);
    expect(Object.fromEntries(table)).toEqual(
      Object.fromEntries(Object.entries(ALLOWED).map(([place, list]) => [place, list.filter((to) => to !== place)])),
    );
  });

  test("files import only what the table allows", () => {
    const broken = files
      .filter((file) => !isTest(file))
      .flatMap((file) => {
        const rule = ruleOf(file)!;
        const allowed = [...EVERYONE, rule, ...(ALLOWED[rule] ?? [])];
        return importsOf(file)
          .filter((target) => !allowed.some((place) => within(target, place)))
          .map((target) => `${file} imports ${target}`);
      });
    expect(broken).toEqual([]);
  });

  test("imports name files that exist", () => {
    const missing = files.flatMap((file) =>
      importsOf(file)
        .filter((target) => !existsSync(join(src, target)))
        .map((target) => `${file} imports ${target}`),
    );
    expect(missing).toEqual([]);
  });

  test("nothing but tests imports cli, index.ts or testing", () => {
    const broken = files
      .filter((file) => !isTest(file))
      .flatMap((file) =>
        importsOf(file)
          .filter((target) => ["cli", "index.ts", "testing"].some((p) => within(target, p) && !within(file, p)))
          .map((target) => `${file} imports ${target}`),
      );
    expect(broken).toEqual([]);
  });

  test("no file is longer than 500 lines without a reason", () => {
    const long = files
      .filter((file) => !isTest(file) && !file.endsWith("_pb.ts")) // generated
      .filter((file) => readFileSync(join(src, file), "utf8").split("\n").length > 501);
    expect(long.filter((file) => LONG_FILES[file] === undefined)).toEqual([]);
    expect(
      Object.keys(LONG_FILES).filter((file) => !long.includes(file)),
      "no longer long",
    ).toEqual([]);
  });
});

describe("the repository", () => {
  const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: root, encoding: "utf8" })
    .split("\0")
    .filter((file) => file !== "" && existsSync(join(root, file)));

  test("tracked files name no absolute path of a machine and no registry host", () => {
    // Written in pieces, so that this file does not find itself.
    const patterns = [
      new RegExp(["/ro" + "ot/", "/wo" + "rk/", "/ho" + "me/[a-z]", "/Us" + "ers/[a-zA-Z]"].join("|")),
      new RegExp(["registry\\.np" + "mjs", "np" + "mmirror", "pypi\\.or" + "g", "files\\.python" + "hosted"].join("|")),
    ];
    const found = tracked
      .filter((file) => file !== "LICENSE" && !/\.(png|ico|woff2|parquet|bin|gz|zst)$/.test(file))
      .flatMap((file) =>
        readFileSync(join(root, file), "utf8")
          .split("\n")
          .flatMap((line, i) =>
            patterns.some((p) => p.test(line)) ? [`${file}:${i + 1}: ${line.trim().slice(0, 100)}`] : [],
          ),
      );
    expect(found).toEqual([]);
  });

  test("package-lock.json has every platform's packages, or `npm ci` would refuse it", () => {
    const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8"));
    const missing = Object.entries<{ optionalDependencies?: Record<string, string> }>(packages).flatMap(
      ([key, entry]) =>
        Object.keys(entry.optionalDependencies ?? {}).filter(
          (name) =>
            packages[`node_modules/${name}`] === undefined && packages[`${key}/node_modules/${name}`] === undefined,
        ),
    );
    expect(missing, "run: node scripts/complete-lock.mjs").toEqual([]);
  });

  test("the licence is Apache-2.0 in LICENSE and in package.json", () => {
    const licence = readFileSync(join(root, "LICENSE"), "utf8");
    expect(licence).toContain("Apache License");
    expect(licence).toContain("Version 2.0, January 2004");
    expect(JSON.parse(readFileSync(join(root, "package.json"), "utf8")).license).toBe("Apache-2.0");
  });
});
