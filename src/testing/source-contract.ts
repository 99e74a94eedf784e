import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { BatchInput, Offset, StreamSource } from "../connectors/connector.ts";
import { openDatabase } from "../duckdb/duckdb.ts";
import type { AnyRow } from "../types/data-type.ts";
import type { ContractCase } from "./contract.ts";

/** One stream that a test can add to. */
export interface SourceUnderTest {
  /** Opens the source; a second time as the same query after a restart. */
  open(): Promise<StreamSource> | StreamSource;
  /** Makes more rows available; resolves when the source can see them. */
  grow(): Promise<void> | void;
  close?(): Promise<void> | void;
}

export interface SourceContractOptions {
  /** A new stream for each case, read from its start. */
  create(): Promise<SourceUnderTest> | SourceUnderTest;
}

/** What the engine relies on when it reads a source (src/connectors/connector.ts, `StreamSource`). */
export function sourceContract({ create }: SourceContractOptions): ContractCase[] {
  const cases: ContractCase[] = [];
  const on = (name: string, body: (stream: SourceUnderTest, source: StreamSource) => Promise<void>): void => {
    cases.push({
      name,
      async run() {
        const stream = await create();
        const source = await stream.open();
        try {
          await body(stream, source);
        } finally {
          await source.close();
          await stream.close?.();
        }
      },
    });
  };

  on("starts at the same offset however often it is asked, after a restart too", async (stream, source) => {
    const start = await source.initialOffset();
    await stream.grow();
    assert.deepEqual(await source.initialOffset(), start);
    const again = await stream.open();
    assert.deepEqual(await again.initialOffset(), start);
    await again.close();
  });

  on("offsets are JSON, and say that nothing is new by being equal", async (stream, source) => {
    await stream.grow();
    const { end } = await source.latestOffset(await source.initialOffset(), "all");
    assert.deepEqual(JSON.parse(JSON.stringify(end)), end);
    assert.deepEqual((await source.latestOffset(end, "all")).end, end);
  });

  on("a range gives the same rows each time, after a restart too", async (stream, source) => {
    const start = await source.initialOffset();
    await stream.grow();
    const { end } = await source.latestOffset(start, "all");
    const rows = await rowsOf(source, start, end);
    assert.ok(rows.length > 0, "there are no rows");
    await stream.grow();
    assert.deepEqual(await rowsOf(source, start, end), rows);
    const again = await stream.open();
    assert.deepEqual(await rowsOf(again, start, JSON.parse(JSON.stringify(end))), rows);
    await again.close();
  });

  on("two ranges that meet give the rows of the whole", async (stream, source) => {
    const start = await source.initialOffset();
    await stream.grow();
    const middle = (await source.latestOffset(start, "all")).end;
    await stream.grow();
    const end = (await source.latestOffset(middle, "all")).end;
    assert.ok(!isDeepStrictEqual(middle, end), "growing changed nothing");
    const parts = [...(await rowsOf(source, start, middle)), ...(await rowsOf(source, middle, end))];
    assert.deepEqual(sorted(await rowsOf(source, start, end)), sorted(parts));
  });

  on("a batch can be fetched ahead while the one before is held", async (stream, source) => {
    const start = await source.initialOffset();
    await stream.grow();
    const middle = (await source.latestOffset(start, "all")).end;
    await stream.grow();
    const end = (await source.latestOffset(middle, "all")).end;
    const [first, second] = [await source.read(start, middle), await source.read(middle, end)];
    const count = (await read(first)).length + (await read(second)).length;
    assert.equal(count, (await rowsOf(source, start, end)).length);
    await first.release?.();
    await second.release?.();
  });

  on("AvailableNow sees nothing that came later", async (stream, source) => {
    if (source.prepareForAvailableNow === undefined) return;
    let position: Offset = await source.initialOffset();
    await stream.grow();
    await source.prepareForAvailableNow();
    const frozen = (await source.latestOffset(position, "all")).end;
    await stream.grow();
    for (let batches = 0; ; batches++) {
      assert.ok(batches < 1000, "it never ends");
      const { end } = await source.latestOffset(position, "options");
      if (isDeepStrictEqual(end, position)) break;
      position = end;
    }
    assert.deepEqual(position, frozen);
  });

  on("waiting ends when asked to, and when there is data already", async (stream, source) => {
    if (source.waitForData === undefined) return;
    const start = await source.initialOffset();
    const { end } = await source.latestOffset(start, "all");
    const controller = new AbortController();
    const waiting = source.waitForData(end, 60_000, controller.signal);
    controller.abort();
    await waiting;
    await stream.grow();
    await source.waitForData(end, 60_000, new AbortController().signal);
  });

  return cases;
}

async function rowsOf(source: StreamSource, start: Offset, end: Offset): Promise<AnyRow[]> {
  const input = await source.read(start, end);
  try {
    return await read(input);
  } finally {
    await input.release?.();
  }
}

async function read(input: BatchInput): Promise<AnyRow[]> {
  const rows: AnyRow[] = [];
  if (input.kind === "rows") {
    for await (const chunk of input.rows) rows.push(...chunk);
    return rows;
  }
  const database = await openDatabase(":memory:", { threads: 1 });
  try {
    const connection = await database.connect();
    rows.push(...(await connection.query(`SELECT * FROM ${input.from}`)).rows);
  } finally {
    database.close();
  }
  return rows;
}

function sorted(rows: readonly AnyRow[]): string[] {
  return rows.map((row) => JSON.stringify(row, (_, value) => (typeof value === "bigint" ? `${value}n` : value))).sort();
}
