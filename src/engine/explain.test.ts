import { afterAll, expect, test } from "vitest";
import type { Expr } from "../plan/expr.ts";
import type { Relation } from "../plan/relation.ts";
import { createEmbeddedBackend } from "./backend.ts";

const backend = createEmbeddedBackend();
afterAll(() => backend.close());

const col = (name: string): Expr => ({ kind: "attribute", name });
const counted: Relation = {
  kind: "aggregate",
  input: {
    kind: "filter",
    input: { kind: "range", start: 0n, end: 10n, step: 1n },
    condition: { kind: "call", name: ">", args: [col("id"), { kind: "literal", value: 3, type: { kind: "integer" } }] },
  },
  group: "groupby",
  grouping: [],
  aggregates: [{ kind: "alias", name: "n", child: { kind: "call", name: "count", args: [col("id")] } }],
};

test("simple: the plan as a tree", async () => {
  expect(await backend.explain(counted, "simple", {})).toBe(
    `== Physical Plan ==
Aggregate [], [count(id#1) AS n#2]
+- Filter (id#1 > 3)
   +- Range (0, 10, step=1)
`,
  );
});

test("extended: Spark's sections and the SQL, which DuckDB takes as it stands", async () => {
  const text = await backend.explain(counted, "extended", {});
  expect(text.match(/^== .* ==$/gm)).toEqual([
    "== Parsed Logical Plan ==",
    "== Analyzed Logical Plan ==",
    "== Physical Plan ==",
    "== DuckDB SQL ==",
  ]);
  expect(text).toContain("n: bigint");
  expect(text.trimEnd().split("\n").at(-1)).toMatch(/^SELECT .* FROM range\(/);
});

test("secrets of sources are not shown", async () => {
  const read: Relation = {
    kind: "read",
    format: "rate",
    options: { rowsPerSecond: "5" },
    paths: [],
    streaming: true,
  };
  expect(await backend.explain(read, "simple", {})).toContain(
    "StreamingRelation rate [timestamp#1, value#2] {rowsPerSecond=5}",
  );
  const kafka: Relation = {
    kind: "read",
    format: "kafka",
    options: { subscribe: "t", "kafka.bootstrap.servers": "h:1", "kafka.sasl.jaas.config": "user pw" },
    paths: [],
    streaming: true,
  };
  const text = await backend.explain(kafka, "extended", {});
  expect(text).toContain("kafka.sasl.jaas.config=***");
  expect(text).not.toContain("user pw");
});

test("a streaming plan cannot be collected", async () => {
  const read: Relation = { kind: "read", format: "rate", options: {}, paths: [], streaming: true };
  await expect(backend.run(read, {})[Symbol.asyncIterator]().next()).rejects.toMatchObject({
    code: "UNSUPPORTED_OPERATION",
    message: expect.stringContaining("writeStream.start()"),
  });
  await expect(
    backend.write(read, { format: "parquet", options: {}, path: "/x", mode: "error", partitionBy: [] }, {}),
  ).rejects.toMatchObject({ code: "UNSUPPORTED_OPERATION" });
});

test("a time zone that does not exist is named", async () => {
  const range: Relation = { kind: "range", start: 0n, end: 1n, step: 1n };
  const rows = backend.run(range, { "spark.sql.session.timeZone": "Mars/Olympus" })[Symbol.asyncIterator]();
  await expect(rows.next()).rejects.toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining("Mars/Olympus"),
  });
});
