import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ViewColumn } from "../observe/api-views.ts";
import { readEvents, type ServerEvent } from "./event-reader.ts";
import { FollowedView } from "./live-view.ts";
import { compareText, reviverOf, sortKeyOf, toWire } from "./wire.ts";

async function eventsOf(chunks: readonly Uint8Array[]): Promise<ServerEvent[]> {
  const events: ServerEvent[] = [];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  for await (const event of readEvents(body)) events.push(event);
  return events;
}

test("the client is small, and a browser's: nothing of Node is in it", async () => {
  const built = await build({
    entryPoints: [fileURLToPath(new URL("index.ts", import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    platform: "browser",
    metafile: true,
    logLevel: "silent",
  });
  const inputs = Object.keys(built.metafile.inputs);
  expect(inputs.filter((file) => !/src\/client\/[\w-]+\.ts$/.test(file))).toEqual([]);
  const { contents } = built.outputFiles[0]!;
  const packed = gzipSync(contents).length;
  console.info(`millrace/client: ${contents.length} bytes, ${packed} packed`);
  expect(packed).toBeLessThan(8_000);
});

describe("server-sent events", () => {
  test("arrive the same however the bytes are cut, with any ends of lines", async () => {
    const text =
      ': hello\nevent: a\nid: 1\ndata: {"x":\ndata: "\u{1F6EB}"}\n\ndata:plain\n\n\nevent: none\n\nid\ndata\n\ndata: lost';
    const expected = [
      { event: "a", data: '{"x":\n"\u{1F6EB}"}', id: "1" },
      { event: "message", data: "plain", id: "1" },
      { event: "message", data: "", id: "" },
    ];
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 200 }),
        fc.constantFrom("\n", "\r\n", "\r"),
        async (sizes, newline) => {
          const bytes = new TextEncoder().encode(text.replaceAll("\n", newline));
          const chunks: Uint8Array[] = [];
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = sizes[i % sizes.length]!;
            chunks.push(bytes.slice(at, at + size));
            at += size;
          }
          expect(await eventsOf(chunks)).toEqual(expected);
        },
      ),
    );
  });
});

describe("values", () => {
  const read = (type: string, value: unknown, mode?: ViewColumn["mode"]) =>
    reviverOf({ name: "c", type, ...(mode && { mode }) })?.(value) ?? value;

  test("become what TypeScript has for the type", () => {
    expect(read("bigint", "9007199254740993")).toBe(9007199254740993n);
    expect(read("bigint", 5, "number")).toBe(5);
    expect(read("double", "-Infinity")).toBe(Number.NEGATIVE_INFINITY);
    expect(read("decimal(10,2)", "1.50")).toBe("1.50");
    expect(read("timestamp", "2001-02-03T04:05:06.123456Z")).toEqual(new Date("2001-02-03T04:05:06.123Z"));
    expect(read("timestamp_ntz", "2001-02-03T04:05:06")).toEqual(new Date("2001-02-03T04:05:06Z"));
    expect(read("timestamp", "2001-02-03T04:05:06.123456Z", "micros")).toBe(981_173_106_123_456n);
    expect(read("date", "2001-02-03")).toEqual(new Date("2001-02-03"));
    expect(read("binary", "AP8=")).toEqual(new Uint8Array([0, 255]));
    expect(read("interval day to second", "-5")).toBe(-5n);
    expect(read("interval year to month", 14)).toBe(14);
    expect(
      read("array<struct<a:bigint,b:map<date,array<double>>>>", [{ a: "1", b: { "2001-01-01": ["NaN", null] } }, null]),
    ).toEqual([{ a: 1n, b: new Map([[new Date("2001-01-01"), [Number.NaN, null]]]) }, null]);
    expect(read("map<int,string>", { "1": "x" })).toEqual(new Map([[1, "x"]]));
    // What is no type that is known, stays as it is.
    expect(read("struct<a b:bigint", { "a b": "1" })).toEqual({ "a b": "1" });
  });

  test("of keys travel as the server writes them", () => {
    const column = (type: string, mode?: ViewColumn["mode"]): ViewColumn => ({
      name: "c",
      type,
      ...(mode && { mode }),
    });
    expect(toWire(new Date("2001-02-03T04:05:06.500Z"), column("timestamp"))).toBe("2001-02-03T04:05:06.5Z");
    expect(toWire(new Date("2001-02-03T04:05:00.000Z"), column("timestamp"))).toBe("2001-02-03T04:05:00Z");
    expect(toWire(new Date("2001-02-03T04:05:10Z"), column("timestamp_ntz"))).toBe("2001-02-03T04:05:10");
    expect(toWire(new Date("2001-02-03"), column("date"))).toBe("2001-02-03");
    expect(toWire(-1n, column("timestamp", "micros"))).toBe("1969-12-31T23:59:59.999999Z");
    expect(toWire(7n, column("bigint"))).toBe("7");
    expect(toWire(7, column("bigint"))).toBe("7");
    expect(toWire(7, column("bigint", "number"))).toBe(7);
    expect(toWire(7, column("int"))).toBe(7);
  });

  test("are sorted by their type, text by code points", () => {
    const sorted = (type: string, values: unknown[]) => {
      const key = sortKeyOf({ name: "c", type });
      return [...values].sort((a, b) => {
        const [x, y] = [key(a)!, key(b)!];
        return typeof x === "string" && typeof y === "string" ? compareText(x, y) : x < y ? -1 : x > y ? 1 : 0;
      });
    };
    expect(sorted("bigint", ["10", "9", "-1", "9007199254740993", "9007199254740992"])).toEqual([
      "-1",
      "9",
      "10",
      "9007199254740992",
      "9007199254740993",
    ]);
    expect(sorted("decimal(10,2)", ["10.00", "9.50", "-0.50", "-0.75"])).toEqual(["-0.75", "-0.50", "9.50", "10.00"]);
    expect(sorted("timestamp", ["2001-01-01T00:00:00.5Z", "10001-01-01T00:00:00Z", "2001-01-01T00:00:00Z"])).toEqual([
      "2001-01-01T00:00:00Z",
      "2001-01-01T00:00:00.5Z",
      "10001-01-01T00:00:00Z",
    ]);
    expect(sorted("double", ["NaN", 1, "-Infinity"])).toEqual(["-Infinity", 1, "NaN"]);
    const text = fc.string({
      unit: fc.constantFrom("a", "b", "\ud7ff", "\ue000", "\uffff", "\u{10000}", "\u{10ffff}"),
    });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareText(a, b))).toBe(Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))));
      }),
    );
  });
});

describe("a followed view", () => {
  const open = {
    view: "v",
    epoch: "e",
    key: ["id"],
    columns: [
      { name: "id", type: "int" },
      { name: "n", type: "bigint" },
    ],
    orderBy: [{ column: "n", descending: true }],
  };
  const filled = (): FollowedView => {
    const view = new FollowedView("v", () => {});
    view.take("open", open, 0);
    view.take(
      "snapshot",
      {
        view: "v",
        part: 0,
        parts: 1,
        rows: [
          { id: 1, n: "1" },
          { id: 2, n: "2" },
        ],
      },
      0,
    );
    expect(view.rows).toEqual([]);
    expect(view.status).toBe("connecting");
    view.take("ready", { view: "v", batch: 7, watermark: "2001-01-01T00:00:00.000Z" }, 0);
    return view;
  };

  test("shows nothing before it is whole, and each message at once", () => {
    const view = filled();
    expect(view.rows).toEqual([
      { id: 2, n: 2n },
      { id: 1, n: 1n },
    ]);
    expect(view.watermark).toEqual(new Date("2001-01-01"));
    const { rows } = view;
    expect(view.rows).toBe(rows);
    const seen: number[] = [];
    view.subscribe((v) => seen.push(v.rows.length));
    view.take(
      "changes",
      {
        view: "v",
        batch: 9,
        watermark: null,
        upsert: [
          { id: 3, n: null },
          { id: 1, n: "5" },
        ],
        remove: [[2]],
        skipped: 1,
      },
      0,
    );
    expect(seen).toEqual([2, 2]);
    expect(view.rows).toEqual([
      { id: 1, n: 5n },
      { id: 3, n: null },
    ]);
    expect([view.batch, view.skipped, view.get(1)]).toEqual([9, 1, { id: 1, n: 5n }]);
    expect(Object.isFrozen(view.rows) && Object.isFrozen(view.rows[0])).toBe(true);
  });

  test("keeps its rows while the server is away or a new snapshot comes", () => {
    const view = filled();
    view.stale();
    expect([view.status, view.rows.length]).toEqual(["stale", 2]);
    view.take("beat", { view: "v", batch: 7, watermark: null, now: 0 }, 0);
    expect(view.status).toBe("live");
    view.take("fail", { view: "v", code: "C", message: "m", hint: null }, 0);
    expect([view.status, view.error, view.rows.length]).toEqual(["stale", { code: "C", message: "m", hint: null }, 2]);
    view.take("reset", { view: "v", reason: "redefined" }, 0);
    view.take("open", { ...open, epoch: "f" }, 0);
    expect(view.rows).toHaveLength(2);
    const changes: unknown[] = [];
    view.subscribe((_, change) => changes.push(change));
    view.take("ready", { view: "v", batch: 1, watermark: null }, 0);
    expect(view.rows).toEqual([]);
    expect(changes.at(-1)).toMatchObject({ kind: "rows", upserted: [], removed: [{ id: 1 }, { id: 2 }] });
    expect(view.position).toEqual({ epoch: "f", batch: 1 });
  });

  test("an iterator folds what nobody took", async () => {
    const view = filled();
    const iterator = view[Symbol.asyncIterator]();
    const change = (batch: number, upsert: object[], remove: number[][]) =>
      view.take("changes", { view: "v", batch, watermark: null, upsert: upsert as never, remove, skipped: 0 }, 0);
    expect((await iterator.next()).value).toMatchObject({ kind: "rows", upserted: [{ id: 1 }, { id: 2 }] });
    change(8, [{ id: 3, n: "1" }], [[1]]);
    change(
      9,
      [
        { id: 3, n: "2" },
        { id: 1, n: "9" },
      ],
      [],
    );
    change(10, [], [[2]]);
    expect((await iterator.next()).value).toEqual({
      kind: "changes",
      upserted: [
        { id: 3, n: 2n },
        { id: 1, n: 9n },
      ],
      removed: [{ id: 2, n: 2n }],
    });
    const next = iterator.next();
    change(11, [{ id: 4, n: "1" }], []);
    expect((await next).value).toMatchObject({ upserted: [{ id: 4 }] });
    view.close();
    expect((await iterator.next()).value).toMatchObject({ kind: "state" });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test("closed before it was whole: whoever waits for the first rows is told", async () => {
    const view = new FollowedView("v", () => {});
    view.close();
    await expect(view.ready).rejects.toThrow("The view v was closed before its first rows came.");
    expect(view.status).toBe("closed");
  });
});
