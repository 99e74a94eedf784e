import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OffsetStore } from "./offset-store.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-offsets-"));
  path = join(directory, "offsets.journal");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const committed = (offset: number, topic = "t", partition = 0) => ({
  topic,
  partition,
  offset,
  leaderEpoch: 3,
  metadata: "ü",
  timestamp: 1,
});

test("cut at every byte: each commit is there with all its partitions or not at all", async () => {
  const store = new OffsetStore(path);
  const sizes = [0];
  for (let i = 1; i <= 5; i++) {
    store.commit("g", [committed(i), committed(i, "t", 1), committed(i, "u")]);
    sizes.push(statSync(path).size);
  }
  await store.close();
  const whole = readFileSync(path);
  for (let size = 0; size <= whole.length; size++) {
    writeFileSync(path, whole);
    truncateSync(path, size);
    const cut = new OffsetStore(path);
    const expected = sizes.filter((s) => s <= size).length - 1;
    const found = [...cut.offsets("g")].map((o) => o.offset);
    expect(found, `cut at ${size}`).toEqual(expected === 0 ? [] : [expected, expected, expected]);
    cut.commit("g", [committed(99)]);
    await cut.close();
    const again = new OffsetStore(path);
    expect(again.get("g", "t", 0)).toEqual({ offset: 99, leaderEpoch: 3, metadata: "ü", timestamp: 1 });
    await again.close();
  }
});

test("a journal that has grown is rewritten without losing anything", async () => {
  const store = new OffsetStore(path);
  store.noteGroup("g", "consumer");
  for (let i = 0; i < 20_000; i++) store.commit("g", [committed(i)]);
  store.commit("h", [committed(7, "u")]);
  const before = statSync(path).size;
  await store.flush();
  expect(statSync(path).size).toBeLessThan(before / 100);
  store.commit("g", [committed(20_000)]);
  await store.close();
  const again = new OffsetStore(path);
  expect(again.protocolType("g")).toBe("consumer");
  expect(again.get("g", "t", 0)?.offset).toBe(20_000);
  expect(again.get("h", "u", 0)?.offset).toBe(7);
  await again.close();
});

test("what is forgotten stays forgotten", async () => {
  const store = new OffsetStore(path);
  store.commit("g", [committed(1), committed(2, "u"), committed(3, "v")]);
  store.commit("gone", [committed(1)]);
  store.forget("g", [{ topic: "t", partition: 0 }]);
  store.forgetTopic("u");
  store.forgetGroup("gone");
  await store.close();
  const again = new OffsetStore(path);
  expect([...again.offsets("g")].map((o) => o.topic)).toEqual(["v"]);
  expect([...again.groups()].map((g) => g.group)).toEqual(["g"]);
  await again.close();
});
