import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test } from "vitest";
import { freePort } from "../../services/free-port.ts";
import type { Conf } from "../../src/backend.ts";
import type { Connector } from "../../src/connectors/connector.ts";
import { count, max } from "../../src/dataframe/functions.ts";
import type { MillraceError } from "../../src/errors.ts";
import { type Events, subscribe } from "../../src/events.ts";
import { Faults } from "../../src/testing/faults.ts";
import { ledger, readLedger } from "../../src/testing/ledger.ts";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";
import { addFile, QuerySession } from "./query-session.ts";

const spark = given(await sharedSpark());

describe.skipIf(spark === undefined)("sinks of ours behind Spark", { timeout: 90_000 }, () => {
  const root = mkdtempSync(join(tmpdir(), "millrace-bridge-test-"));
  let folder: string;
  let input: string;
  const sessions: QuerySession[] = [];
  let number = 0;

  const session = (conf: Conf = {}, formats: readonly Connector[] = []): QuerySession => {
    const made = new QuerySession(
      spark!.url,
      { "spark.millrace.bridge.dir": join(folder, "bridge"), "millrace.restart.initialDelayMs": "50", ...conf },
      formats,
    );
    sessions.push(made);
    return made;
  };

  beforeEach(() => {
    folder = join(root, String(number++));
    input = join(folder, "input");
  });
  afterEach(async () => {
    for (const open of sessions.splice(0)) await open.close();
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const addRows = (file: number, rows = 10): void =>
    addFile(
      input,
      file,
      Array.from({ length: rows }, (_, i) => ({ id: file * 100 + i, name: `n${i}` })),
    );
  const ids = (path: string): string[] => readLedger(path).map((b) => b.rows.map((r) => r.id).join(" "));
  const expected = (files: number, rows = 10): string[] =>
    Array.from({ length: files }, (_, file) => Array.from({ length: rows }, (_, i) => file * 100 + i).join(" "));

  test("every batch goes to all sinks, with the query's id, and progress tells of each", async () => {
    const s = session();
    for (const file of [0, 1, 2]) addRows(file);
    const query = await s
      .files(input, "id BIGINT, name STRING")
      .writeStream.queryName("two")
      .sink("a", (sink) => sink.format("ledger").option("path", join(folder, "a")))
      .sink("b", (sink) => sink.format("ledger").option("path", join(folder, "b")))
      .option("checkpointLocation", join(folder, "checkpoint"))
      .start();
    await query.processAllAvailable();
    expect(ids(join(folder, "a"))).toEqual(expected(3));
    expect(ids(join(folder, "b"))).toEqual(expected(3));
    const progress = query.lastProgress!;
    expect(progress).toMatchObject({ id: query.id, runId: query.runId, name: "two", batchId: 2, numInputRows: 10 });
    expect(progress.sink).toMatchObject({
      name: "a",
      guarantee: "exactly-once",
      description: "Ledger[a]",
      numOutputRows: 10,
    });
    expect(progress.sinks!.map((sink) => sink.name)).toEqual(["a", "b"]);
    expect(query.recentProgress.map((p) => p.batchId)).toEqual([0, 1, 2]);
    await query.stop();
    expect(query.isActive).toBe(false);
    expect(query.exception).toBeNull();
    expect(JSON.parse(readFileSync(join(folder, "checkpoint/metadata"), "utf8")).id).toBe(query.id);
    // only the last batch is kept
    const [kept] = readdirSync(join(folder, "bridge"));
    expect(readdirSync(join(folder, "bridge", kept!, "batches"))).toEqual(["2"]);
  });

  test("stopped and started again it goes on, and no batch comes twice", async () => {
    const seen: number[] = [];
    for (let run = 0; run < 2; run++) {
      const s = session();
      addRows(run * 2);
      addRows(run * 2 + 1);
      const query = await s
        .files(input, "id BIGINT, name STRING")
        .writeStream.foreachBatch((rows: readonly any[], id) => {
          expect(rows).toHaveLength(10);
          seen.push(id);
        })
        .option("checkpointLocation", join(folder, "checkpoint"))
        .start();
      await query.processAllAvailable();
      await query.stop();
      await s.close();
    }
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  test("availableNow ends by itself", async () => {
    const s = session();
    for (const file of [0, 1, 2]) addRows(file);
    const query = await s
      .files(input, "id BIGINT, name STRING")
      .writeStream.format("ledger")
      .trigger({ availableNow: true })
      .option("checkpointLocation", join(folder, "checkpoint"))
      .start(join(folder, "out"));
    expect(await query.awaitTermination(60_000)).toBe(true);
    expect(ids(join(folder, "out"))).toEqual(expected(3));
    expect(query.recentProgress.map((p) => p.batchId)).toEqual([0, 1, 2]);
  });

  test("a delivery that fails twice is made again with the same rows; the query starts again by itself", async () => {
    const faults = new Faults();
    const s = session({}, [faults.wrap(ledger)]);
    const restarts: Events["query.restarting"][] = [];
    const off = subscribe("query.restarting", (event) => void restarts.push(event));
    for (const file of [0, 1, 2]) addRows(file);
    faults.failNext("addBatch", 1);
    faults.failNext("addBatch:after", 1);
    const query = await s
      .files(input, "id BIGINT, name STRING")
      .writeStream.format("ledger")
      .option("checkpointLocation", join(folder, "checkpoint"))
      .start(join(folder, "out"));
    await query.processAllAvailable();
    off();
    expect(ids(join(folder, "out"))).toEqual(expected(3));
    expect(restarts.map(({ id, attempt }) => [id, attempt])).toEqual([
      [query.id, 1],
      [query.id, 2],
    ]);
    expect(query.isActive).toBe(true);
    expect(query.recentProgress.map((p) => [p.batchId, p.runId])).toEqual([0, 1, 2].map((id) => [id, query.runId]));
  });

  test("a function that throws ends the query with the user's own error as the cause", async () => {
    const s = session();
    addRows(0);
    const query = await s
      .files(input, "id BIGINT, name STRING")
      .writeStream.foreachBatch(function nameOfTheFunction() {
        throw new TypeError("the user's mistake");
      })
      .start();
    await expect(query.awaitTermination()).rejects.toMatchObject({ code: "STREAM_FAILED" });
    const cause = query.exception!.cause as MillraceError;
    expect(cause).toMatchObject({ code: "USER_FUNCTION_FAILED" });
    expect(cause.cause).toBeInstanceOf(TypeError);
    expect((cause.cause as Error).stack).toMatch(/nameOfTheFunction.*bridge\.test\.ts/s);
    expect(query.isActive).toBe(false);
  });

  test("an aggregate in update and complete mode comes whole", async () => {
    for (const mode of ["update", "complete"] as const) {
      const s = session();
      rmSync(input, { recursive: true, force: true });
      addFile(input, 0, [
        { k: "a", v: 1 },
        { k: "b", v: 5 },
      ]);
      addFile(input, 1, [{ k: "a", v: 3 }]);
      const query = await s
        .files(input, "k STRING, v INT")
        .groupBy("k")
        .agg(count("*").as("n"), max("v").as("top"))
        .writeStream.outputMode(mode)
        .format("ledger")
        .option("checkpointLocation", join(folder, mode))
        .start(join(folder, `out-${mode}`));
      await query.processAllAvailable();
      await query.stop();
      const batches = readLedger(join(folder, `out-${mode}`)).map((b) =>
        [...b.rows].sort((x, y) => (String(x.k) < String(y.k) ? -1 : 1)),
      );
      const second = { k: "a", n: "2", top: 3 };
      expect(batches).toEqual([
        [
          { k: "a", n: "1", top: 1 },
          { k: "b", n: "1", top: 5 },
        ],
        mode === "update" ? [second] : [second, { k: "b", n: "1", top: 5 }],
      ]);
      expect(query.lastProgress!.stateOperators[0]!.operatorName).toBe("stateStoreSave");
    }
  });

  test("a port that the server cannot reach is named with what to set", async () => {
    const s = session({ "spark.millrace.bridge.host": "127.0.0.9", "spark.millrace.bridge.bind": "127.0.0.1" });
    addRows(0);
    const query = await s
      .files(input, "id BIGINT, name STRING")
      .writeStream.format("ledger")
      .option("checkpointLocation", join(folder, "checkpoint"))
      .start(join(folder, "out"));
    await expect(query.awaitTermination()).rejects.toThrow(/127\.0\.0\.9:\d+.*spark\.millrace\.bridge\.host/s);
    expect(query.exception!.cause).toMatchObject({ code: "BRIDGE_UNREACHABLE", retryable: false });
  });

  test("who does not know the token gets nothing", async () => {
    const port = await freePort();
    const s = session({ "spark.millrace.bridge.port": String(port) });
    const query = await s
      .files(input, "id BIGINT, name STRING")
      .writeStream.foreachBatch(() => undefined)
      .start();
    const answer = await new Promise<Buffer>((resolve) => {
      const socket = createConnection(port, "127.0.0.1");
      const said: Buffer[] = [];
      socket.on("data", (data: Buffer) => void said.push(data));
      socket.on("close", () => resolve(Buffer.concat(said)));
      socket.on("error", () => undefined);
      const hello = Buffer.from(JSON.stringify({ millrace: 1, run: "nobody", nonce: "00", kind: "batch", batch: 0 }));
      const frame = Buffer.alloc(4 + hello.length);
      frame.writeUInt32BE(hello.length);
      hello.copy(frame, 4);
      socket.write(frame);
    });
    expect(answer).toHaveLength(0);
    await query.stop();
  });

  test("columns that a query selects itself keep their exact types", async () => {
    const s = session();
    addFile(input, 0, [{ id: 1 }]);
    let got: any;
    const query = await s
      .files(input, "id INT")
      .selectExpr(
        "cast(1.5 as decimal(10,2)) as d",
        "timestamp '2020-01-02 03:04:05.678901' as ts",
        "cast('2020-01-02 03:04:05' as timestamp_ntz) as ntz",
        "date '1600-02-03' as day",
        "array(1, null, 3) as list",
        "map('a', 1, 'b', null) as m",
        "named_struct('x', 1, 'y', array('q')) as s",
        "cast('bytes' as binary) as bin",
        "cast(null as int) as nothing",
        "cast(9007199254740993 as bigint) as big",
        "float(1.25) as f",
        "double('NaN') as nan",
        "interval '1 02:03:04.5' day to second as i",
      )
      .writeStream.foreachBatch((rows) => {
        [got] = rows;
      })
      .start();
    await query.processAllAvailable();
    expect(got).toMatchObject({
      d: "1.50",
      ts: new Date("2020-01-02T03:04:05.678Z"),
      ntz: new Date("2020-01-02T03:04:05.000Z"),
      day: new Date("1600-02-03T00:00:00.000Z"),
      list: [1, null, 3],
      s: { x: 1, y: ["q"] },
      nothing: null,
      big: 9007199254740993n,
      f: 1.25,
      nan: Number.NaN,
    });
    expect(got.m).toEqual(
      new Map([
        ["a", 1],
        ["b", null],
      ] as [string, number | null][]),
    );
    expect(Buffer.from(got.bin).toString()).toBe("bytes");
  });
});
