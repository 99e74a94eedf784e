import { copyFile, mkdtemp, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Aof, type FsyncPolicy, recover } from "./aof.ts";
import { encodeCommand } from "./resp.ts";
import { Store } from "./store.ts";

let directory: string;
let path: string;
const aofs: Aof[] = [];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "millrace-aof-"));
  path = join(directory, "appendonly.aof");
});
afterEach(async () => {
  for (const aof of aofs.splice(0)) aof.close();
  await rm(directory, { recursive: true, force: true });
});

async function open(options: { policy?: FsyncPolicy; rewriteMinSize?: number; path?: string } = {}) {
  let aof: Aof | undefined;
  const store = new Store({ now: () => 1000, log: (db, o) => aof?.log(db, o), touched: () => {} });
  const file = options.path ?? path;
  const recovered = await recover(file, store);
  aof = new Aof(
    { path: file, policy: options.policy ?? "no", rewriteMinSize: options.rewriteMinSize ?? 1e9 },
    store,
    recovered.size,
  );
  aofs.push(aof);
  return { store, aof, recovered };
}

function state(store: Store): unknown {
  return store.databases.map((db) => [...db.keys()].sort().map((k) => [k, db.copy(k)]));
}

describe("the append-only file", () => {
  test("a torn tail at every byte gives what was whole before it, and a transaction whole or not at all", async () => {
    const { store, aof } = await open();
    const states: [number, unknown][] = [[0, state(store)]];
    const step = async (change: () => void): Promise<void> => {
      change();
      aof.flush();
      states.push([(await stat(path)).size, state(store)]);
    };
    await step(() => store.databases[0]!.setString("k", "v\r\n*3\r\n$1", 0));
    await step(() => store.databases[3]!.setFields("h", ["f", "v", "g", "w"]));
    await step(() => {
      aof.begin();
      store.databases[0]!.setString("t1", "1", 0);
      store.databases[2]!.setString("t2", "2", 5000);
      store.databases[0]!.delete("k");
      aof.commit();
    });
    await step(() => store.databases[3]!.setRange("s", 2, "xyz"));
    await step(() => store.flushAll());
    await step(() => store.databases[1]!.setString("last", "1", 0));
    const total = (await stat(path)).size;
    for (let length = 0; length <= total; length++) {
      const torn = join(directory, "torn.aof");
      await copyFile(path, torn);
      await truncate(torn, length);
      const again = await open({ path: torn });
      aofs.pop()!.close();
      const [size, expected] = states.findLast(([s]) => s <= length)!;
      expect({ length, state: state(again.store) }).toEqual({ length, state: expected });
      // A SELECT may have been kept, which changes nothing by itself.
      expect(again.recovered.size).toBeGreaterThanOrEqual(size);
      expect((await stat(torn)).size).toBe(again.recovered.size);
    }
  });

  test("goes on after a torn tail in the right database", async () => {
    await writeFile(path, `${encodeCommand(["SELECT", "5"])}${encodeCommand(["SET", "a", "1"])}*3\r\n$3\r\nSE`);
    const first = await open();
    expect(first.recovered.cut).toBe(10);
    first.store.databases[0]!.setString("b", "2", 0);
    first.store.databases[5]!.setString("c", "3", 0);
    aofs.pop()!.close();
    const again = await open();
    expect([...again.store.databases[0]!.keys()]).toEqual(["b"]);
    expect([...again.store.databases[5]!.keys()]).toEqual(["a", "c"]);
  });

  test.each<[string, string]>([
    [
      "nonsense in the middle",
      `${encodeCommand(["SET", "a", "1"])}*1\r\nGARBAGE\r\n${encodeCommand(["SET", "b", "2"])}`,
    ],
    ["a bad length", `${encodeCommand(["SET", "a", "1"])}*9999999999\r\n`],
    ["an unknown operation", encodeCommand(["SADD", "s", "1"])],
    ["an unknown database", encodeCommand(["SELECT", "99"]) + encodeCommand(["SET", "a", "1"])],
  ])("%s is refused and left as it is", async (_, text) => {
    await writeFile(path, text);
    await expect(open()).rejects.toMatchObject({ code: "REDIS_FAILED" });
    expect(await readFile(path, "latin1")).toBe(text);
  });

  test.each<FsyncPolicy>(["always", "everysec", "no"])("policy %s writes before it answers", async (policy) => {
    const { store, aof } = await open({ policy });
    store.databases[0]!.setString("k", "v", 0);
    aof.flush();
    expect(await readFile(path, "latin1")).toContain("$1\r\nk\r\n");
  });
});

describe("rewriting", () => {
  async function rewritten(aof: Aof): Promise<void> {
    while (aof.rewriting) await new Promise((resolve) => setImmediate(resolve));
  }

  test("happens when the file has doubled, keeps the state, and takes changes made meanwhile", async () => {
    const { store, aof } = await open({ rewriteMinSize: 200_000 });
    for (let i = 0; i < 2000; i++) {
      store.databases[i % 4]!.setString(`key:${i}`, "x".repeat(50), i % 7 === 0 ? 5_000_000 : 0);
      store.databases[1]!.setFields("hash", [`f${i}`, "v"]);
      aof.flush();
    }
    expect(aof.rewriting).toBe(true);
    for (let i = 0; aof.rewriting; i++) {
      aof.begin();
      store.databases[2]!.setRange("appended", i, "y");
      store.databases[1]!.deleteFields("hash", [`f${i}`]);
      aof.commit();
      store.databases[0]!.delete(`key:${4 * i}`);
      store.databases[3]!.rename("key:3", "moved");
      aof.flush();
      await new Promise((resolve) => setImmediate(resolve));
    }
    store.databases[0]!.setString("after", "1", 0);
    aof.flush();
    expect((await stat(path)).size).toBe(aof.size);
    aofs.pop()!.close();
    const again = await open();
    expect(state(again.store)).toEqual(state(store));
  });

  test("makes the file small, again and again", async () => {
    const { store, aof } = await open({ rewriteMinSize: 10_000 });
    for (let i = 0; i < 5000; i++) {
      store.databases[0]!.setString("k", "v".repeat(100), 0);
      aof.flush();
      await rewritten(aof);
    }
    expect((await stat(path)).size).toBeLessThan(25_000);
  });

  test("one begun within a transaction keeps it whole", async () => {
    const { store, aof } = await open();
    aof.begin();
    store.databases[0]!.setString("a", "1", 0);
    aof.rewrite();
    store.databases[0]!.setString("b", "2", 0);
    aof.commit();
    aof.flush();
    await rewritten(aof);
    aofs.pop()!.close();
    expect(state((await open()).store)).toEqual(state(store));
  });

  test("a leftover of one that was killed is removed", async () => {
    await writeFile(`${path}.rewrite`, "half");
    await open();
    await expect(stat(`${path}.rewrite`)).rejects.toMatchObject({ code: "ENOENT" });
  });
});
