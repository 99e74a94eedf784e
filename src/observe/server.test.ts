import { request } from "node:http";
import { createServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import { publish, subscribe } from "../events.ts";
import type { QueryDetail, QuerySummary, StreamMessages } from "./api.ts";
import { type Observer, startObserver } from "./server.ts";

const open: Observer[] = [];
afterEach(async () => {
  for (const observer of open.splice(0)) await observer.close();
});
const start = async (options: Parameters<typeof startObserver>[0] = {}): Promise<Observer> => {
  const observer = await startObserver({ port: 0, ...options });
  open.push(observer);
  return observer;
};

/** A request with headers that fetch does not let us set. */
function call(
  observer: Observer,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: any; headers: NodeJS.Dict<string | string[]> }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port: observer.port, path, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        const isJson = response.headers["content-type"]?.includes("json") === true;
        resolve({ status: response.statusCode!, body: isJson ? JSON.parse(text) : text, headers: response.headers });
      });
    });
    asked.on("error", reject).end();
  });
}

const query = { id: "q-1", runId: "r-1", name: "delays" };
function progress(batchId: number, rows: number, latest = 100): void {
  const at = new Date().toISOString();
  publish("query.progress", {
    ...query,
    progress: {
      ...query,
      timestamp: at,
      batchId,
      batchDuration: 20,
      numInputRows: rows,
      durationMs: { addBatch: 15, walCommit: 2, triggerExecution: 20 },
      eventTime: { watermark: "2024-01-01T00:00:00.000Z" },
      stateOperators: [
        { operatorName: "stateStoreSave", numRowsTotal: 7, numRowsDroppedByWatermark: 2, memoryUsedBytes: 9 },
      ],
      sources: [
        {
          description: "KafkaV2[Subscribe[flights]]",
          startOffset: { flights: { 0: 0 } },
          endOffset: { flights: { 0: 40 } },
          latestOffset: { flights: { 0: latest } },
          numInputRows: rows,
        },
      ],
      sink: { name: "db", description: "PostgresSink", guarantee: "exactly-once", numOutputRows: 3 },
    },
  });
}

/** Reads server-sent events until `count` of them are there. */
async function events(observer: Observer, count: number, meanwhile: () => void): Promise<[string, any][]> {
  const response = await fetch(`${observer.url}api/stream`);
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const found: [string, any][] = [];
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body!) {
    text += decoder.decode(chunk, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const [event, data] = text.slice(0, end).split("\n");
      found.push([event!.slice("event: ".length), JSON.parse(data!.slice("data: ".length))]);
      text = text.slice(end + 2);
    }
    if (found.length === 1) meanwhile();
    if (found.length >= count) break;
  }
  return found;
}

test("a query is described with its rates, lag, watermark, state and sinks", async () => {
  const observer = await start();
  publish("query.started", { ...query, timestamp: new Date().toISOString() });
  progress(0, 10);
  progress(1, 30);
  const { body: list } = await call(observer, "/api/queries");
  expect((list as QuerySummary[])[0]).toMatchObject({
    ...query,
    state: "running",
    batchId: 1,
    batches: 2,
    inputRows: 40,
    outputRows: 6,
    lateRows: 4,
    lagRows: 60,
    lagTrend: 0,
    stateRows: 7,
    watermark: "2024-01-01T00:00:00.000Z",
    sinks: [{ name: "db", guarantee: "exactly-once" }],
  });
  const { body: one } = await call(observer, "/api/queries/delays");
  expect((one as QueryDetail).history.map((b) => [b.batchId, b.inputRows, b.phases])).toEqual([
    [0, 10, { addBatch: 15, walCommit: 2 }],
    [1, 30, { addBatch: 15, walCommit: 2 }],
  ]);
  const missing = await call(observer, "/api/queries/none");
  expect(missing.status).toBe(404);
  expect(missing.body.error).toMatchObject({ code: "NOT_FOUND", hint: "There are: delays." });
});

test("the stream opens with everything and goes on with what changes", async () => {
  const observer = await start();
  publish("query.started", { ...query, timestamp: new Date().toISOString() });
  const [first, second] = await events(observer, 2, () => progress(5, 1));
  expect(first![0]).toBe("open");
  expect((first![1] as StreamMessages["open"]).queries).toHaveLength(1);
  expect(second![0]).toBe("query");
  expect((second![1] as StreamMessages["query"]).batch).toMatchObject({ batchId: 5, inputRows: 1 });
});

test("ready is what no failed or restarting query denies", async () => {
  const observer = await start();
  expect((await call(observer, "/healthz")).body).toEqual({ status: "ok" });
  expect((await call(observer, "/readyz")).status).toBe(200);
  publish("query.restarting", { ...query, attempt: 1, delayMs: 5, error: new Error("lost") });
  const { status, body } = await call(observer, "/readyz");
  expect([status, body.reasons]).toEqual([503, [{ query: "delays", state: "restarting", code: "Error" }]]);
  expect((await call(observer, "/metrics")).body).toContain('millrace_query_restarts_total{query="delays"} 1');
});

test("other names, other pages and strangers without the token are refused", async () => {
  const observer = await start({ allowedHosts: ["metrics.example.org"] });
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await call(observer, "/api/queries", headers)).status;
  expect(await status({ host: "evil.example" })).toBe(403);
  expect(await status({ host: "localhost:1" })).toBe(403);
  expect(await status({ host: `localhost:${observer.port}` })).toBe(200);
  expect(await status({ host: "metrics.example.org" })).toBe(200);
  expect(await status({ origin: "http://evil.example" })).toBe(403);
  expect(await status({ origin: "null" })).toBe(403);
  expect(await status({ "sec-fetch-site": "cross-site" })).toBe(403);
  const link = { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
  expect(await status({ ...link, "sec-fetch-dest": "document" })).toBe(200);
  expect(await status({ ...link, "sec-fetch-dest": "iframe" })).toBe(403);
  expect(await status({ origin: `http://127.0.0.1:${observer.port}` })).toBe(200);

  await expect(startObserver({ port: 0, host: "0.0.0.0" })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
  const secret = await start({ token: "" });
  const token = new URL(secret.url).searchParams.get("token")!;
  expect((await call(secret, "/metrics")).status).toBe(401);
  expect((await call(secret, "/metrics", { authorization: "Bearer wrong" })).status).toBe(401);
  expect((await call(secret, "/metrics", { authorization: `Bearer ${token}` })).status).toBe(200);
  const { headers } = await call(secret, `/healthz?token=${token}`);
  const [cookie] = headers["set-cookie"] as string[];
  expect(cookie).toMatch(/HttpOnly; SameSite=Strict/);
  expect((await call(secret, "/metrics", { cookie: cookie!.split(";")[0]! })).status).toBe(200);
});

test("no route answers strangers: another name, another page, no token", async () => {
  const routes = [
    "/",
    "/metrics",
    "/healthz",
    "/readyz",
    "/none",
    "/api/none",
    "/api/process",
    "/api/queries",
    "/api/queries/q",
    "/api/queries/q/batches/1",
    "/api/bad-records",
    "/api/explain",
    "/api/stream",
    "/api/topics",
    "/api/topics/t",
    "/api/topics/t/messages",
    "/api/lake",
    "/api/lake/table?name=t",
    "/api/lake/rows?name=t",
    "/api/database",
    "/api/database/table?schema=s&table=t",
    "/api/database/rows?schema=s&table=t",
    "/api/cache",
    "/api/cache/key?key=k",
    "/api/views",
    "/api/views/v",
    "/api/views/stream?view=v",
  ];
  const observer = await start({ addresses: () => ({}) });
  const secret = await start({ token: "", addresses: () => ({}) });
  for (const path of routes) {
    const found = [
      (await call(observer, path, { host: "evil.example" })).status,
      (await call(observer, path, { origin: "http://evil.example" })).status,
      (await call(observer, path, { "sec-fetch-site": "cross-site" })).status,
      (await call(secret, path)).status,
      (await call(secret, path, { cookie: "millrace_token=wrong" })).status,
    ];
    expect([path, ...found]).toEqual([path, 403, 403, 403, 401, 401]);
  }
  // what the process does not know is said, and is no failure
  const { status, body } = await call(observer, "/api/topics");
  expect([status, body.error.code]).toEqual([404, "NOT_CONFIGURED"]);
});

test("every number of the API is explained in a sentence", async () => {
  const observer = await start();
  const { body } = await call(observer, "/api/explain");
  for (const [name, text] of Object.entries(body as Record<string, string>)) {
    expect([name, text]).toEqual([name, expect.stringMatching(/^[A-Z0-9].{10,220}\.$/)]);
  }
  const [summary] = (await call(observer, "/api/queries")).body;
  expect(summary).toBeUndefined();
  publish("query.started", { ...query, timestamp: new Date().toISOString() });
  progress(0, 10);
  const { body: list } = await call(observer, "/api/queries");
  const told = new Set(["id", "runId", "name", "watermark", "sources", "sinks"]);
  const missing = Object.keys(list[0]).filter((key) => !told.has(key) && !(`query.${key}` in body));
  expect(missing).toEqual([]);
  const { body: one } = await call(observer, "/api/queries/delays");
  const batchKeys = Object.keys(one.history[0]).filter((key) => !(`batch.${key}` in body));
  expect(batchKeys).toEqual([]);
});

test("a taken port is passed over, and said", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const { port } = taken.address() as { port: number };
  const warnings: string[] = [];
  const off = subscribe("warning", (e) => warnings.push(e.code));
  const observer = await start({ port });
  off();
  expect(observer.port).toBeGreaterThan(port);
  expect(warnings).toEqual(["PORT_TAKEN"]);
  await new Promise((resolve) => taken.close(resolve));
});
