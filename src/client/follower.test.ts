import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { client } from "./client.ts";

/** A server of one view by hand: each connection is kept, with what it asked. */
function fakeServer() {
  const connections: {
    url: string;
    headers: Record<string, string>;
    open: boolean;
    send(event: string, data: object): void;
    end(): void;
  }[] = [];
  return {
    connections,
    open: () => connections.filter((c) => c.open).length,
    async fetch(url: string, init: { headers: Record<string, string>; signal: AbortSignal }): Promise<Response> {
      let controller!: ReadableStreamDefaultController<Uint8Array>;
      const body = new ReadableStream<Uint8Array>({
        start(c) {
          controller = c;
        },
      });
      const connection = {
        url,
        headers: init.headers,
        open: true,
        send(event: string, data: object) {
          controller.enqueue(
            new TextEncoder().encode(`event: ${event}\ndata: ${JSON.stringify({ view: "v", ...data })}\n\n`),
          );
        },
        end() {
          connection.open = false;
          controller.close();
        },
      };
      init.signal.addEventListener("abort", () => {
        if (connection.open) controller.error(init.signal.reason);
        connection.open = false;
      });
      connections.push(connection);
      return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
    },
  };
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 50; i++) await Promise.resolve();
  await vi.advanceTimersByTimeAsync(0);
};

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance"] });
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

function follow(options: { followHidden?: boolean } = {}) {
  const server = fakeServer();
  const c = client("http://server/", { fetch: server.fetch, ...options });
  const view = c.view("v");
  const fill = (): void => {
    server.connections
      .at(-1)!
      .send("open", { epoch: "e", key: ["id"], columns: [{ name: "id", type: "int" }], orderBy: [] });
    server.connections.at(-1)!.send("snapshot", { part: 0, parts: 1, rows: [{ id: 1 }] });
    server.connections.at(-1)!.send("ready", { batch: 4, watermark: null });
  };
  return { server, c, view, fill };
}

describe("the connection of a client", () => {
  test("is one for all its views, made with the first one and again when another comes", async () => {
    const { server, c } = follow();
    c.view("w");
    await settle();
    expect(server.connections.map((one) => one.url)).toEqual(["http://server/api/views/stream?view=v&view=w"]);
    c.view("x");
    await settle();
    expect(server.connections.at(-1)!.url).toMatch(/view=v&view=w&view=x$/);
    expect(server.open()).toBe(1);
    c.close();
    await settle();
    expect(server.open()).toBe(0);
  });

  test("that is silent for longer than two beats is given up, and made anew from where it was", async () => {
    const { server, c, view, fill } = follow();
    await settle();
    fill();
    await settle();
    expect(view.status).toBe("live");
    await vi.advanceTimersByTimeAsync(12_000);
    expect(view.status).toBe("stale");
    expect(server.connections).toHaveLength(2);
    expect(server.connections[1]!.headers["last-event-id"]).toBe("v=e.4");
    server.connections[1]!.send("beat", { batch: 4, watermark: null, now: 0 });
    await settle();
    expect(view.status).toBe("live");
    expect(view.rows).toEqual([{ id: 1 }]);
    c.close();
  });

  test("that ends again and again is made again, ever more rarely, and never given up", async () => {
    const { server, c } = follow();
    await settle();
    const times: number[] = [];
    for (let i = 0; i < 30; i++) {
      server.connections.at(-1)!.end();
      const before = performance.now();
      const count = server.connections.length;
      while (server.connections.length === count) await vi.advanceTimersByTimeAsync(50);
      times.push(performance.now() - before);
    }
    expect(times[0]).toBeLessThanOrEqual(300);
    expect(Math.max(...times)).toBeLessThanOrEqual(5_100);
    expect(times.at(-1)).toBeGreaterThan(2_000);
    c.close();
  });

  test("of a hidden page is let go after half a minute, and made again when it is shown", async () => {
    const page = Object.assign(new EventTarget(), { visibilityState: "visible" });
    vi.stubGlobal("document", page);
    const show = (state: string): void => {
      page.visibilityState = state;
      page.dispatchEvent(new Event("visibilitychange"));
    };
    for (const followHidden of [false, true]) {
      const { server, c, view, fill } = follow({ followHidden });
      await settle();
      fill();
      show("hidden");
      await vi.advanceTimersByTimeAsync(4_000);
      expect(server.open()).toBe(1);
      for (let i = 0; i < 10; i++) {
        if (server.open() === 1) server.connections.at(-1)!.send("beat", { batch: 4, watermark: null, now: 0 });
        await vi.advanceTimersByTimeAsync(4_000);
      }
      expect(server.open()).toBe(followHidden ? 1 : 0);
      show("visible");
      await settle();
      expect(server.open()).toBe(1);
      expect(server.connections.at(-1)!.headers["last-event-id"]).toBe(followHidden ? undefined : "v=e.4");
      expect(view.rows).toEqual([{ id: 1 }]);
      c.close();
      await settle();
    }
  });

  test("something else answers in the server's place: the view says so", async () => {
    const c = client("http://server", {
      fetch: async () => new Response("<html>", { headers: { "content-type": "text/html" } }),
    });
    const view = c.view("v");
    await settle();
    expect(view.error).toMatchObject({
      code: "NO_STREAM",
      message: "http://server answered with text/html instead of a stream.",
    });
    c.close();
    const bad = client("http://server", { fetch: async () => new Response("no", { status: 502 }) });
    const other = bad.view("v");
    await settle();
    expect(other.error?.code).toBe("HTTP_502");
    bad.close();
  });

  test("is closed by a signal, and a listener that throws stops nothing", async () => {
    const { server, c, view, fill } = follow();
    view.subscribe(() => {
      throw new Error("mine");
    });
    let calls = 0;
    view.subscribe(() => calls++);
    await settle();
    // The error is thrown again where it is the program's, as one of a timer.
    const later: (() => void)[] = [];
    vi.stubGlobal("queueMicrotask", (f: () => void) => later.push(f));
    fill();
    await settle();
    expect(calls).toBe(1);
    expect(later).toHaveLength(1);
    expect(later[0]).toThrow("mine");
    c.close();
    vi.unstubAllGlobals();
    const closing = new AbortController();
    const again = client("http://server", { fetch: server.fetch, signal: closing.signal });
    const closed = again.view("v");
    closing.abort();
    expect(closed.status).toBe("closed");
    await settle();
    expect(server.open()).toBe(0);
    expect(again.view("w").status).toBe("closed");
  });
});
