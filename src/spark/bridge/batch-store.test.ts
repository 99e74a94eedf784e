import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Connection, type Database, openDatabase } from "../../duckdb/duckdb.ts";
import { offsetsHash } from "../../streaming/checkpoint.ts";
import type { StructType } from "../../types/data-type.ts";
import { MODE_KEY } from "../../types/schema.ts";
import { BatchStore, batchTimestamp } from "./batch-store.ts";

const folder = mkdtempSync(join(tmpdir(), "millrace-store-"));
let database: Database;
let connection: Connection;
beforeAll(async () => {
  database = await openDatabase(":memory:");
  connection = await database.connect();
});
afterAll(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

const schema: StructType = {
  kind: "struct",
  fields: [
    { name: "id", type: { kind: "long" }, nullable: true, metadata: {} },
    { name: "name", type: { kind: "string" }, nullable: true },
  ],
};

async function* file(...ids: number[]): AsyncGenerator<Uint8Array> {
  const path = join(folder, "made.parquet");
  const values = ids.map((id) => `(${id}::BIGINT, 'n${id}')`).join(", ");
  await connection.exec(`COPY (SELECT * FROM (VALUES ${values}) t(id, name)) TO '${path}' (FORMAT parquet)`);
  const bytes = readFileSync(path);
  yield bytes.subarray(0, 10);
  yield bytes.subarray(10);
}

async function read(sql: string): Promise<unknown[]> {
  const rows: unknown[] = [];
  for await (const chunk of connection.stream(`SELECT * FROM ${sql}`)) rows.push(...chunk.columns[0]!);
  return rows;
}

test("a batch is there when it is sealed, with the attempts that Spark took, in the order of partitions", async () => {
  const store = new BatchStore(join(folder, "a"));
  store.begin(3);
  await store.receive(3, 10, 77, file(5, 6));
  await store.receive(3, 2, 78, file(1, 2));
  await store.receive(3, 2, 70, file(9));
  expect(store.find("q", 3)).toBeUndefined();
  const kept = store.seal("q", 3, "hash", 12, [
    { partition: 10, attempt: 77, rows: 2 },
    { partition: 2, attempt: 78, rows: 2 },
  ]);
  expect(store.find("q", 3)).toEqual(kept);
  expect(store.find("another", 3)).toBeUndefined();
  expect(kept.rowCount).toBe(4);
  expect(await read(store.sql(kept, schema))).toEqual([1n, 2n, 5n, 6n]);
  expect(readdirSync(join(folder, "a/3")).sort()).toEqual(["00002-78.parquet", "00010-77.parquet", "batch.json"]);
  store.begin(4);
  expect(readdirSync(join(folder, "a"))).toEqual(["4"]);
});

test("a part that Spark names and nobody sent is an error; an empty batch has the schema", async () => {
  const store = new BatchStore(join(folder, "b"));
  store.begin(0);
  expect(() => store.seal("q", 0, "hash", 0, [{ partition: 0, attempt: 1, rows: 1 }])).toThrow(/not here/);
  const empty = store.seal("q", 0, "hash", 0, []);
  expect(await read(store.sql(empty, schema))).toEqual([]);
});

test("a long as a number", async () => {
  const store = new BatchStore(join(folder, "c"));
  store.begin(0);
  await store.receive(0, 0, 0, file(7));
  const kept = store.seal("q", 0, "hash", 0, [{ partition: 0, attempt: 0, rows: 1 }]);
  const numbers: StructType = {
    ...schema,
    fields: [{ ...schema.fields[0]!, metadata: { [MODE_KEY]: "number" } }, schema.fields[1]!],
  };
  expect(typeof (await read(store.sql(kept, numbers)))[0]).toBe("number");
});

test("the time of a batch, and what tells it from another, come from offsets/N", () => {
  const text = 'v1\n{"batchWatermarkMs":0,"batchTimestampMs":1795414741032,"conf":{}}\n{"t":{"0":1}}';
  expect(batchTimestamp(text)).toBe(1_795_414_741_032);
  expect(offsetsHash(text)).toMatch(/^[0-9a-f]{64}$/);
});
