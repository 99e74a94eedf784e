import { expect, test } from "vitest";
import { readFunctionText } from "./free-variables.ts";

const free = (text: string): string[] => [...readFunctionText(text)!.free].sort();

test("free variables of a function's text", () => {
  expect(free("(r) => r.a + q")).toEqual(["q"]);
  expect(free("function f(n) { return n < 2 ? 1 : n * f(n - 1) }")).toEqual([]);
  expect(free("({ a, b: [c, ...d] }, e = g) => a + c + d + e")).toEqual(["g"]);
  expect(free("() => { for (const x of xs) { var y = x } return y }")).toEqual(["xs"]);
  expect(free("() => { if (a) { let b = 1; } return b }")).toEqual(["a", "b"]);
  expect(free("() => { try { f() } catch ({ message }) { return message } }")).toEqual(["f"]);
  expect(free("async ({ id }) => ({ id, [key]: await fetch(base + id) })")).toEqual(["base", "fetch", "key"]);
  expect(free("handle(x) { return helper(x, this.y) }")).toEqual(["helper"]);
  expect(free("get size() { return table.size }")).toEqual(["table"]);
  expect(free("async *rows() { yield* source }")).toEqual(["source"]);
  expect(free("class A extends Base { #x = start; static n = count(); m() { return this.#x + A.n + k } }")).toEqual([
    "Base",
    "count",
    "k",
    "start",
  ]);
  expect(free("(x) => { loop: for (;;) { break loop } switch (x) { case k: let z = 1; return z } }")).toEqual(["k"]);
  expect(free("() => { const f = () => g(); return f; function g() { return h } }")).toEqual(["h"]);
});

test("what a text takes from around it without a name", () => {
  const around = (text: string) => [...readFunctionText(text)!.surroundings];
  expect(around("() => this.x")).toEqual(["this"]);
  expect(around("function () { return () => this.x + arguments[0] }")).toEqual([]);
  expect(around("m() { return super.m() }")).toEqual(["super"]);
  expect(around("class extends B { m() { return super.m() } }")).toEqual([]);
  expect(around("(o) => #p in o")).toEqual(["#p"]);
  expect(around("m() { return this.#p }")).toEqual(["#p"]);
  expect(around("() => import.meta.url")).toEqual(["import.meta"]);
  expect(readFunctionText("() => import('node:fs')")!.dynamicImports).toEqual(["node:fs"]);
  expect(readFunctionText("class { #a = 1; static b = 2; c = 3 }")).toMatchObject({
    kind: "class",
    hasPrivateMembers: true,
    staticMembers: new Set(["b"]),
  });
  expect(readFunctionText("function abs() { [native code] }")).toBeUndefined();
});
