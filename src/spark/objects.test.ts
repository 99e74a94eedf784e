import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { makeObjects } from "./objects.ts";

const plain = (names: readonly string[], columns: readonly (readonly unknown[])[], count: number): object[] =>
  Array.from({ length: count }, (_, i) => Object.fromEntries(names.map((name, k) => [name, columns[k]![i]])));

test("fields of any name, wide rows too", () => {
  const name = fc.oneof(
    fc.string({ unit: "binary", maxLength: 6 }),
    fc.constantFrom("__proto__", "constructor", '"', "\\", "\u2028", "*/", "0"),
  );
  fc.assert(
    fc.property(
      fc.oneof(fc.array(name, { maxLength: 8 }), fc.constant(Array.from({ length: 300 }, (_, i) => `c${i % 250}`))),
      (names) => {
        const columns = names.map((_, k) => [k, `v${k}`, null]);
        const made = makeObjects(names, columns, 3);
        expect(made.map((o) => Object.entries(o))).toEqual(plain(names, columns, 3).map((o) => Object.entries(o)));
        expect(made.every((o) => Object.getPrototypeOf(o) === Object.prototype)).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});

test("also where code may not be made from text", () => {
  const url = new URL("./objects.ts", import.meta.url).href;
  const script = `const { makeObjects } = await import(${JSON.stringify(url)});
    console.log(JSON.stringify(makeObjects(["a", "b"], [[1, 2], ["x", null]], 2)));`;
  const options = ["--disallow-code-generation-from-strings", "--input-type=module", "-e", script];
  const out = execFileSync(process.execPath, options, { encoding: "utf8" });
  expect(JSON.parse(out)).toEqual([
    { a: 1, b: "x" },
    { a: 2, b: null },
  ]);
});
