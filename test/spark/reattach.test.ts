import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import type { MillraceError } from "../../src/errors.ts";
import { type RetryClock, SparkConnectClient, type SparkConnectOptions } from "../../src/spark/client/client.ts";
import { type Plan, PlanSchema } from "../../src/spark/proto/spark-connect_pb.ts";
import { full } from "../shared-spark.ts";
import { ConnectServer, handle, type ServerScript, type StreamFault } from "./connect-server.ts";

const plan: Plan = create(PlanSchema, {
  opType: { case: "root", value: { relType: { case: "sql", value: { query: "SELECT 1" } } } },
});

/** Time that passes at once; `waits` are what was slept. */
function instant(): RetryClock & { readonly waits: number[] } {
  let now = 0;
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    sleep: async (ms) => {
      waits.push(ms);
      now += ms;
    },
    random: () => 0.5,
  };
}

/** Batches of rows, each row a byte with its number; a batch may come in pieces. */
function batches(sizes: readonly { readonly rows: number; readonly pieces: number }[]): ServerScript["responses"] {
  let row = 0;
  return [
    { schema: { kind: { case: "byte" as const, value: {} } } },
    ...sizes.flatMap(({ rows, pieces }) => {
      const data = Uint8Array.from({ length: rows }, (_, i) => (row + i) % 256);
      const startOffset = BigInt(row);
      row += rows;
      const length = Math.ceil(rows / pieces) || 1;
      const count = Math.max(1, Math.ceil(rows / length));
      return Array.from({ length: count }, (_, i) => ({
        responseType: {
          case: "arrowBatch" as const,
          value: {
            rowCount: BigInt(rows),
            data: data.slice(i * length, (i + 1) * length),
            startOffset,
            ...(pieces > 1 && { chunkIndex: BigInt(i), numChunksInBatch: BigInt(count) }),
          },
        },
      }));
    }),
  ];
}

async function session(
  script: ServerScript,
  options: SparkConnectOptions = {},
): Promise<{ server: ConnectServer; client: SparkConnectClient }> {
  const server = await ConnectServer.start(script);
  onTestFinished(() => server.stop());
  const client = await SparkConnectClient.connect(server.url, { clock: instant(), ...options });
  onTestFinished(() => client.close());
  return { server, client };
}

async function rowsOf(client: SparkConnectClient): Promise<number[]> {
  const rows: number[] = [];
  for await (const response of client.execute(plan)) {
    if (response.responseType.case === "arrowBatch") rows.push(...response.responseType.value.data);
  }
  return rows;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i % 256);
const failed = async (work: Promise<unknown>): Promise<MillraceError> =>
  await work.then(
    () => expect.unreachable("it succeeded"),
    (error) => error,
  );

describe("a result over streams that break", () => {
  const fault = fc.record<StreamFault>({
    after: fc.integer({ min: -1, max: 5 }),
    how: fc.constantFrom("end", "reset", "unavailable", "disconnected", "retry-info"),
  });
  const batch = fc.record({ rows: fc.integer({ min: 0, max: 40 }), pieces: fc.integer({ min: 1, max: 4 }) });

  test("has every row once and in order, and runs once", { timeout: 120_000 }, async () => {
    const server = await ConnectServer.start();
    onTestFinished(() => server.stop());
    const client = await SparkConnectClient.connect(server.url, { clock: instant() });
    onTestFinished(() => client.close());
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { maxLength: 8 }), fc.array(fault, { maxLength: 12 }), async (sizes, faults) => {
        server.script = { responses: batches(sizes)!, faults };
        server.streams = 0;
        server.started = 0;
        expect(await rowsOf(client)).toEqual(numbers(sizes.reduce((sum, { rows }) => sum + rows, 0)));
        expect(server.started).toBe(1);
      }),
      { numRuns: full ? 1000 : 80 },
    );
    // Everything was released: the server holds no result.
    await client.close();
    expect([...server.operations.keys()]).toEqual([]);
  });

  test("an operation whose request was lost is sent again under the same id", async () => {
    const { server, client } = await session({
      responses: batches([{ rows: 3, pieces: 1 }])!,
      faults: [{ after: -1, how: "reset" }],
    });
    expect(await rowsOf(client)).toEqual([0, 1, 2]);
    expect(server.started).toBe(1);
  });

  test("a caller that stops early ends the operation on the server", async () => {
    const { server, client } = await session({ responses: batches([1, 2, 3].map((rows) => ({ rows, pieces: 1 })))! });
    for await (const _ of client.execute(plan)) break;
    await client.close();
    expect(server.operations.size).toBe(0);
  });

  test("a stream that says nothing is attached again, over a new connection and as often as it takes", async () => {
    const clock = instant();
    const { server, client } = await session(
      { responses: batches([{ rows: 2, pieces: 1 }])!, silent: 5 },
      { silenceMs: 100, clock },
    );
    expect(await rowsOf(client)).toEqual([0, 1]);
    expect(server.started).toBe(1);
    // More when the machine is too busy to answer in time.
    expect(server.streams).toBeGreaterThanOrEqual(6);
    expect(clock.waits).toEqual([]);
  });

  test("an operation may say nothing for as long as it likes", async () => {
    // Two minutes go by with every look at the clock, as if the server ended each stream after its time.
    let now = 0;
    const clock: RetryClock = { ...instant(), now: () => (now += 120_000) };
    const faults: StreamFault[] = Array.from({ length: 60 }, (_, i) => ({
      after: 0,
      how: i % 3 === 2 ? "reset" : "end",
    }));
    const { server, client } = await session({ responses: batches([{ rows: 2, pieces: 1 }])!, faults }, { clock });
    expect(await rowsOf(client)).toEqual([0, 1]);
    expect(server.streams).toBe(61);
  });

  test("streams that end at once with nothing in them are not asked for for ever", async () => {
    const faults: StreamFault[] = Array.from({ length: 60 }, () => ({ after: 0, how: "end" }));
    const { server, client } = await session({ responses: batches([{ rows: 2, pieces: 1 }])!, faults });
    expect((await failed(rowsOf(client))).code).toBe("SPARK_UNREACHABLE");
    expect(server.streams).toBe(16);
  });

  test("a batch that lacks rows is an error", async () => {
    const responses = batches([
      { rows: 2, pieces: 1 },
      { rows: 2, pieces: 1 },
    ])!;
    const { client } = await session({ responses: [responses[0]!, responses[2]!] });
    expect((await failed(rowsOf(client))).message).toContain("row 0 was due, a batch from row 2 came");
  });

  test("a result that ends within a batch is an error", async () => {
    const { client } = await session({ responses: batches([{ rows: 4, pieces: 2 }])!.slice(0, 2) });
    expect((await failed(rowsOf(client))).message).toContain("within a batch");
  });
});

describe("retries", () => {
  test("wait 50 ms, four times as long each time up to a minute, with a random part from two seconds on", async () => {
    const clock = instant();
    const { client } = await session({ unary: (method) => (method === "config" ? down() : undefined) }, { clock });
    const error = await failed(client.conf.getOption("a"));
    expect(error.code).toBe("SPARK_UNREACHABLE");
    expect(error.retryable).toBe(true);
    expect(clock.waits).toEqual([50, 200, 800, 3_450, 13_050, 51_450, ...Array(9).fill(60_250)]);
  });

  test("of a connection that is refused are two seconds apart, for as long as the others together", async () => {
    const clock = instant();
    const { server, client } = await session({}, { clock });
    await server.stop();
    const error = await failed(client.conf.getOption("a"));
    expect(error.code).toBe("SPARK_UNREACHABLE");
    expect(clock.waits.slice(0, 4)).toEqual([50, 200, 800, 2_250]);
    expect(clock.waits.slice(4).every((wait) => wait === 2_250)).toBe(true);
    expect(clock.now()).toBeGreaterThan(600_000);
    expect(clock.now()).toBeLessThan(620_000);
  });

  test("end with the first success", async () => {
    const { client } = await session({
      unary: (method, call) => (method === "config" && call < 3 ? down() : undefined),
    });
    expect(await client.conf.getOption("a")).toBe("set");
  });

  test("wait as long as the server asks for", async () => {
    const clock = instant();
    const { client } = await session({ faults: [{ after: 0, how: "retry-info" }], responses: [{}] }, { clock });
    await rowsOf(client);
    expect(clock.waits).toEqual([3_250]);
  });

  test("are not made for an error of the query", async () => {
    const clock = instant();
    const { server, client } = await session(
      { failure: () => new ConnectError("boom", Code.Internal), responses: [] },
      { clock },
    );
    expect((await failed(rowsOf(client))).code).toBe("SPARK_ERROR");
    expect(clock.waits).toEqual([]);
    expect(server.streams).toBe(1);
  });

  test("begin anew after progress", async () => {
    const faults: StreamFault[] = Array.from({ length: 20 }, () => ({ after: 1, how: "unavailable" }));
    const { client } = await session(
      { responses: batches(Array.from({ length: 20 }, () => ({ rows: 1, pieces: 1 })))!, faults },
      { retry: { maxRetries: 1 } },
    );
    expect(await rowsOf(client)).toEqual(numbers(20));
  });
});

const down = (): ConnectError => new ConnectError("down", Code.Unavailable);

describe("a session that is lost", () => {
  test.each(["SESSION_NOT_FOUND", "SESSION_CHANGED", "SESSION_CLOSED"])("INVALID_HANDLE.%s", async (what) => {
    const { client } = await session({ unary: (method) => (method === "config" ? handle(what) : undefined) });
    const error = await failed(client.conf.getOption("a"));
    expect(error.code).toBe("SPARK_SESSION_LOST");
    expect(error.hint).toContain("checkpoints");
    // Every later call says so at once.
    expect(await failed(rowsOf(client))).toBe(error);
  });

  test("a plan is not run a second time on a server that was restarted", async () => {
    const { server, client } = await session({
      responses: batches([{ rows: 9, pieces: 1 }])!,
      faults: [{ after: 0, how: "reset" }],
    });
    const restart = client.execute(plan, {})[Symbol.asyncIterator]();
    const original = server.cutConnections.bind(server);
    server.cutConnections = () => {
      server.cutConnections = original;
      server.serverSession = "second";
      server.operations.clear();
      original();
    };
    const error = await failed(restart.next());
    expect(error.code).toBe("SPARK_SESSION_LOST");
    expect(server.started).toBe(1);
  });

  test("an answer of another session is refused", async () => {
    const { server, client } = await session({});
    server.serverSession = "second";
    expect((await failed(client.conf.getOption("a"))).code).toBe("SPARK_SESSION_LOST");
  });
});

describe("a signal", () => {
  test("interrupts the operation and throws STOPPED", async () => {
    const { server, client } = await session({ responses: batches([{ rows: 1, pieces: 1 }])!, silent: 1 });
    const stop = new AbortController();
    const reading = (async () => {
      for await (const response of client.execute(plan, { signal: stop.signal })) {
        if (response.responseType.case === "arrowBatch") stop.abort(new Error("enough"));
      }
    })();
    const error = await failed(reading);
    expect(error.code).toBe("STOPPED");
    expect((error.cause as Error).message).toBe("enough");
    await client.close();
    expect(server.interrupted).toHaveLength(1);
  });

  test("that is aborted already starts nothing", async () => {
    const { server, client } = await session({});
    const iterator = client.execute(plan, { signal: AbortSignal.abort() })[Symbol.asyncIterator]();
    expect((await failed(iterator.next())).code).toBe("STOPPED");
    expect(server.started).toBe(0);
  });
});

describe("a request", () => {
  test("larger than a message may be is refused with the limit's name", async () => {
    const { server } = await session({});
    const client = await SparkConnectClient.connect(`${server.url}/;grpc_max_message_size=2000`);
    onTestFinished(() => client.close());
    const query = "x".repeat(5000);
    const large = create(PlanSchema, {
      opType: { case: "root", value: { relType: { case: "sql", value: { query } } } },
    });
    const error = await failed(client.execute(large)[Symbol.asyncIterator]().next());
    expect(error.message).toContain("A message to the Spark server");
    expect(error.hint).toContain("grpc_max_message_size");
    expect(error.hint).toContain("maxInboundMessageSize");
  });

  test("asks for pieces of Arrow batches from 4.1 on", async () => {
    for (const [version, options] of [
      ["4.0.0", ["reattachOptions"]],
      ["4.1.1", ["reattachOptions", "resultChunkingOptions"]],
    ] as const) {
      const { server, client } = await session({ version });
      await rowsOf(client);
      expect(server.requests[0]!.requestOptions.map((o) => o.requestOption.case)).toEqual(options);
    }
  });

  test("carries its tags; one with a comma is refused", async () => {
    const { server, client } = await session({});
    await client.command(create(PlanSchema).opType.value as never, { tags: ["a", "b", "a"] }).catch(() => {});
    expect(server.requests[0]!.tags).toEqual(["a", "b"]);
    expect((await failed(client.command({} as never, { tags: ["a,b"] }))).code).toBe("INVALID_ARGUMENT");
  });
});
