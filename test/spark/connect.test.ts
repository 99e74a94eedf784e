import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, onTestFinished, test } from "vitest";
import type { MillraceError } from "../../src/errors.ts";
import { SparkConnectClient, type SparkConnectOptions } from "../../src/spark/client/client.ts";
import { ConnectServer, type ServerScript, sparkStatus } from "./connect-server.ts";

const failed = async (work: Promise<unknown>): Promise<MillraceError> =>
  await work.then(
    () => expect.unreachable("it succeeded"),
    (error) => error,
  );

async function session(script: ServerScript, keys = "", options: SparkConnectOptions = {}) {
  const server = await ConnectServer.start(script);
  onTestFinished(() => server.stop());
  const client = await SparkConnectClient.connect(`${server.url}${keys}`, options);
  onTestFinished(() => client.close());
  return { server, client };
}

const reach = (url: string): Promise<unknown> => SparkConnectClient.connect(url, { connectTimeoutMs: 300 });

describe("connecting", () => {
  test("tells the version, sends token, headers and user agent, and releases the session at the end", async () => {
    const { server, client } = await session({}, "/;token=abc;x-tenant=blue;user_agent=mine;user_id=me");
    expect(client.serverVersion).toBe("4.2.0");
    expect(server.headers[0]!.get("authorization")).toBe("Bearer abc");
    expect(server.headers[0]!.get("x-tenant")).toBe("blue");
    await client.command({} as never).catch(() => {});
    expect(server.requests[0]!.clientType).toMatch(/^mine millrace\/\d+\.\d+\.\d+ node\//);
    expect(server.requests[0]!.userContext!.userId).toBe("me");
    expect(server.requests[0]!.sessionId).toBe(client.sessionId);
    await client.close();
    expect(server.releasedSessions).toEqual([client.sessionId]);
    expect((await failed(client.conf.get("a"))).code).toBe("STOPPED");
  });

  test("with keepSession the session stays", async () => {
    const { server, client } = await session({});
    await client.close({ keepSession: true });
    expect(server.releasedSessions).toEqual([]);
  });

  test("joins a session by its id", async () => {
    const { client } = await session({}, "/;session_id=9f3c1c52-6a0a-4a43-8f0b-0c6a3f3f7f10");
    expect(client.sessionId).toBe("9f3c1c52-6a0a-4a43-8f0b-0c6a3f3f7f10");
  });

  test.each(["3.5.9", "", "nonsense"])('a server of version "%s" is refused', async (version) => {
    const error = await failed(session({ version }));
    expect(error.code).toBe("SPARK_UNSUPPORTED_SERVER");
    expect(error.hint).toContain("4.0");
  });

  test("a server that knows no Spark Connect is refused", async () => {
    const unary = (): ConnectError => new ConnectError("unknown service", Code.Unimplemented);
    expect((await failed(session({ unary }))).code).toBe("SPARK_UNSUPPORTED_SERVER");
  });

  test("a refused token", async () => {
    const unary = (): ConnectError => new ConnectError("Invalid authentication token", Code.Unauthenticated);
    const error = await failed(session({ unary }, "/;token=wrong"));
    expect(error).toMatchObject({ code: "SPARK_AUTHENTICATION", retryable: false });
    expect(error.hint).toContain("spark.connect.authenticate.token");
    expect((await failed(session({ unary }))).hint).toContain("token=...");
  });

  test("nothing listens there", async () => {
    const { server } = await session({});
    const { url } = server;
    await server.stop();
    const error = await failed(reach(url));
    expect(error).toMatchObject({ code: "SPARK_UNREACHABLE", retryable: true });
    expect(error.message).toContain("nothing listens there");
    expect(error.hint).toContain("npm run services");
  });

  test("a name that does not exist", async () => {
    const error = await failed(reach("sc://spark.invalid"));
    expect(error.code).toBe("SPARK_UNREACHABLE");
    expect(error.message).toContain('no machine is known as "spark.invalid"');
  });

  test("TLS to a server without", async () => {
    const { server } = await session({});
    const error = await failed(reach(`${server.url}/;use_ssl=true`));
    expect(error).toMatchObject({ code: "SPARK_UNREACHABLE", retryable: false });
    expect(error.message).toContain("does not speak TLS");
  });

  test("a web server", async () => {
    const web = createHttpServer((_, response) => response.end("hello")).listen(0, "127.0.0.1");
    onTestFinished(() => void web.close());
    await once(web, "listening");
    const error = await failed(reach(`sc://127.0.0.1:${(web.address() as { port: number }).port}`));
    expect(error.code).toBe("SPARK_UNREACHABLE");
    expect(error.hint).toContain("15002");
  });

  test.each([
    ["says nothing", () => {}, "does not answer"],
    ["hangs up", (socket: { destroy(): void }) => socket.destroy(), "without an answer"],
  ])("one that %s", async (_what, on, says) => {
    const server = createServer(on).listen(0, "127.0.0.1");
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const error = await failed(reach(`sc://127.0.0.1:${(server.address() as { port: number }).port}`));
    expect(error.code).toBe("SPARK_UNREACHABLE");
    expect(error.message).toContain(says);
  });
});

describe("an error of Spark's", () => {
  const divide = () =>
    sparkStatus(
      {
        errorClass: "DIVIDE_BY_ZERO",
        sqlState: "22012",
        messageParameters: '{"config":"\\"spark.sql.ansi.enabled\\""}',
        errorId: "e1",
      },
      "[DIVIDE_BY_ZERO] Division by zero. SQLSTATE: 22012",
    );

  test("has the class as code, its state and parameters, and no text twice", async () => {
    const { client } = await session({ failure: divide });
    expect(await failed(client.command({} as never))).toMatchObject({
      code: "DIVIDE_BY_ZERO",
      message: "[DIVIDE_BY_ZERO] Division by zero.",
      sqlState: "22012",
      parameters: { config: '"spark.sql.ansi.enabled"' },
    });
  });

  test("that we do not know is SPARK_ERROR, with the class", async () => {
    const failure = () => sparkStatus({ errorClass: "SOME.NEW_CLASS", sqlState: "XX000" }, "[SOME.NEW_CLASS] Text.");
    const { client } = await session({ failure });
    expect(await failed(client.command({} as never))).toMatchObject({
      code: "SPARK_ERROR",
      message: "[SPARK_ERROR] SOME.NEW_CLASS: Text.",
      parameters: { errorClass: "SOME.NEW_CLASS" },
    });
  });

  test("of a class below one of ours has ours as code", async () => {
    const failure = () =>
      sparkStatus({ errorClass: "DATATYPE_MISMATCH.NEW_SORT" }, "[DATATYPE_MISMATCH.NEW_SORT] Text.");
    const { client } = await session({ failure });
    expect(await failed(client.command({} as never))).toMatchObject({
      code: "DATATYPE_MISMATCH",
      parameters: { errorClass: "DATATYPE_MISMATCH.NEW_SORT" },
    });
  });

  test("has the server's exceptions as cause", async () => {
    const frame = { declaringClass: "org.apache.spark.Job", methodName: "run", fileName: "Job.scala", lineNumber: 7 };
    const { client } = await session({
      failure: divide,
      details: {
        rootErrorIdx: 0,
        errors: [
          {
            errorTypeHierarchy: ["org.apache.spark.SparkException", "java.lang.Exception"],
            message: "Job aborted due to a failure: and the whole of a long text.",
            causeIdx: 1,
            stackTrace: Array.from({ length: 40 }, () => frame),
          },
          {
            errorTypeHierarchy: ["java.lang.ArithmeticException"],
            message: "/ by zero",
            sparkThrowable: { errorClass: "DIVIDE_BY_ZERO", sqlState: "22012", messageParameters: { a: "b" } },
            causeIdx: 0, // a circle
          },
        ],
      },
    });
    const error = await failed(client.command({} as never));
    expect(error).toMatchObject({ code: "DIVIDE_BY_ZERO", parameters: { a: "b" } });
    expect(error.message).toContain("the whole of a long text");
    const cause = error.cause as Error;
    expect(cause.name).toBe("org.apache.spark.SparkException");
    expect(cause.stack).toContain("    at org.apache.spark.Job.run(Job.scala:7)\n");
    expect(cause.stack).toMatch(/\.\.\. 25 more$/);
    expect((cause.cause as Error).name).toBe("java.lang.ArithmeticException");
  });

  test("of the service itself has its class only in the text", async () => {
    const failure = () =>
      new ConnectError("[INVALID_HANDLE.OPERATION_ABANDONED] The handle abc is invalid.", Code.Internal);
    const { client } = await session({ failure });
    expect((await failed(client.command({} as never))).parameters.errorClass).toBe(
      "INVALID_HANDLE.OPERATION_ABANDONED",
    );
  });
});

describe("artifacts", () => {
  test("a small one goes as it is, a large one in pieces of 32 KiB with a checksum each", async () => {
    const { server, client } = await session({});
    const large = Uint8Array.from({ length: 70_000 }, (_, i) => i * 7);
    await client.addArtifact("files/small.txt", new TextEncoder().encode("123456789"));
    await client.addArtifact("files/empty.txt", new Uint8Array());
    await client.addArtifact("jars/large.jar", large);
    const [small, empty, ...pieces] = server.artifacts.map((a) => a.payload);
    if (small!.case !== "batch" || empty!.case !== "batch") expect.unreachable();
    else {
      // CRC-32's check value.
      expect(small!.value.artifacts[0]).toMatchObject({ name: "files/small.txt", data: { crc: 0xcbf43926n } });
      expect(empty!.value.artifacts[0]).toMatchObject({ name: "files/empty.txt", data: { crc: 0n } });
    }
    const first = pieces[0]!;
    expect(first).toMatchObject({
      case: "beginChunk",
      value: { name: "jars/large.jar", totalBytes: 70_000n, numChunks: 3n },
    });
    const sent = pieces.flatMap((p) =>
      p.case === "beginChunk" ? [...p.value.initialChunk!.data] : p.case === "chunk" ? [...p.value.data] : [],
    );
    expect(Uint8Array.from(sent)).toEqual(large);
    expect(pieces.slice(1).map((p) => p.case)).toEqual(["chunk", "chunk"]);
  });

  test("the same one is sent once, also when it is asked for twice at a time", async () => {
    const { server, client } = await session({});
    const add = () => client.addArtifact("files/a", new Uint8Array([1]));
    await Promise.all([add(), add()]);
    await add();
    expect(server.artifacts).toHaveLength(1);
    expect(await client.artifactExists(["files/a", "files/b", "cache/abc"])).toEqual(
      new Map([
        ["files/a", true],
        ["files/b", false],
        ["cache/abc", false],
      ]),
    );
    const error = await failed(client.addArtifact("files/a", new Uint8Array([2])));
    expect(error.code).toBe("INVALID_ARGUMENT");
  });

  test("one whose sending broke is sent again, whole", async () => {
    const { server, client } = await session({
      unary: (method, call) =>
        method === "addArtifacts" && call === 0 ? new ConnectError("down", Code.Unavailable) : undefined,
    });
    await client.addArtifact("files/a", new Uint8Array(40_000));
    expect(server.artifacts.map((a) => a.payload.case)).toEqual(["beginChunk", "chunk", "beginChunk", "chunk"]);
  });

  test.each(["a.txt", "files/", "files/../x", "files\\x", "/files/x"])('"%s" is no name for one', async (name) => {
    const { client } = await session({});
    expect((await failed(client.addArtifact(name, new Uint8Array()))).code).toBe("INVALID_ARGUMENT");
  });

  test("a file that is not there", async () => {
    const { client } = await session({});
    expect((await failed(client.addArtifact("files/a", { path: "/does/not/exist" }))).code).toBe("PATH_NOT_FOUND");
  });
});

test("a session without calls is kept alive", async () => {
  let calls = 0;
  const kept = Promise.withResolvers<void>();
  await session(
    {
      unary: (method) => {
        if (method === "config" && ++calls === 2) kept.resolve();
        return undefined;
      },
    },
    "",
    { keepAliveMs: 20 },
  );
  await kept.promise;
  expect(calls).toBeGreaterThanOrEqual(2);
});
