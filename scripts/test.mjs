// npm test [-- --quick | --crash | --real | FILE...]
//   (nothing)  type check, lint and every test; the crash test and the tests on real servers in their short form
//   --quick    type check, lint and the unit tests: under a minute
//   --crash    only the crash test, in its long form
//   --real     as without arguments, with the tests on real servers in their long form
//   FILE...    only these test files; other arguments go to vitest
// The last line is `N passed, N failed, N skipped`; each type check and the lint count as one test.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { install, root, run } from "./launch.mjs";
import { ensureWeb } from "./web.mjs";

const given = process.argv.slice(2);
const quick = given.includes("--quick");
const crash = given.includes("--crash");
const real = given.includes("--real");
const rest = given.filter((a) => !["--quick", "--crash", "--real"].includes(a));

install();
ensureWeb();
const total = { passed: 0, failed: 0, skipped: 0 };

const bin = (name, file) => join(root, "node_modules", name, file);
if (!crash && rest.length === 0) {
  for (const [what, command] of [
    ["type check", [bin("typescript", "bin/tsc"), "-p", join(root, "tsconfig.json")]],
    ["type check of the dashboard", [bin("typescript", "bin/tsc"), "-p", join(root, "web/tsconfig.json")]],
    ["type check of the map", [bin("typescript", "bin/tsc"), "-p", join(root, "examples/flights/page/tsconfig.json")]],
    ["lint", [bin("@biomejs/biome", "bin/biome"), "check", "--diagnostic-level=warn", root]],
  ]) {
    const started = performance.now();
    const code = await run(command, { cwd: root });
    total[code === 0 ? "passed" : "failed"]++;
    console.log(`${code === 0 ? "ok" : "FAILED"}  ${what}  ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
}

const temporary = mkdtempSync(join(tmpdir(), "millrace-test-"));
const report = join(temporary, "report.json");
const files = rest.length > 0 ? rest : crash ? ["test/crash"] : quick ? ["src/"] : [];
const code = await run(
  [
    bin("vitest", "vitest.mjs"),
    "run",
    ...files,
    "--reporter=default",
    "--reporter=json",
    `--outputFile.json=${report}`,
  ],
  { cwd: root, env: { ...(crash && { MILLRACE_CRASH: "full" }), ...(real && { MILLRACE_REAL: "full" }) } },
);
let counted = 0;
try {
  const result = JSON.parse(readFileSync(report, "utf8"));
  total.passed += result.numPassedTests;
  total.failed += result.numFailedTests;
  total.skipped += result.numPendingTests + result.numTodoTests;
  counted = result.numFailedTests;
  // A file that could not be loaded has no tests of its own; it is one failure.
  for (const file of result.testResults) {
    if (file.status === "failed" && !file.assertionResults.some((t) => t.status === "failed")) {
      total.failed++;
      counted++;
    }
  }
} catch (error) {
  console.error(`no test report: ${error.message}`);
}
// vitest also fails for errors outside any test.
if (code !== 0 && counted === 0) total.failed++;
rmSync(temporary, { recursive: true, force: true });

console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? code || 1 : 0;
