import fc from "fast-check";
import { expect, test } from "vitest";
import { Content, compareRows, type Row, type Step } from "./content.ts";

const order = [
  { column: "rank", descending: true },
  { column: "id", descending: false },
];
const row = (id: number, rank: number): Row => ({
  id: `[${id}]`,
  json: `{"id":${id},"rank":${rank}}`,
  sortKeys: [rank, id],
});

const write = fc.record({ id: fc.integer({ min: 0, max: 9 }), rank: fc.option(fc.integer({ min: 0, max: 5 })) });

test("whatever is written, the first rows of the order are there, or the store is asked", () => {
  fc.assert(
    fc.property(
      fc.array(fc.array(write, { minLength: 1, maxLength: 4 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 0, max: 5 }),
      (batches, limit, behind) => {
        const store = new Map<string, Row>();
        const content = new Content(order, limit);
        const read = (): Step => ({
          all: [...store.values()].sort((a, b) => compareRows(a, b, order)).slice(0, limit + 1),
        });
        content.take([read()]);
        /** A reader that hears of changes only now and then. */
        const reader = new Map<string, string>();
        let told = content.batch;
        for (const [i, batch] of batches.entries()) {
          const changes = batch.map(({ id, rank }) => {
            if (rank === null) store.delete(`[${id}]`);
            else store.set(`[${id}]`, row(id, rank));
            return rank === null ? { gone: `[${id}]` } : { row: row(id, rank) };
          });
          const before = content.rows();
          const result = content.take([{ changes }]);
          if (result === "unsure") {
            // Nothing was taken.
            expect(content.rows()).toEqual(before);
            expect(content.take([read()])).not.toBe("unsure");
          }
          const expected = read().all!.slice(0, limit);
          expect(content.rows().map((r) => r.json)).toEqual(expected.map((r) => r.json));
          if (result === "same") expect(content.rows()).toEqual(before);
          if (i % (behind + 1) !== 0) continue;
          expect(content.remembers(told)).toBe(true);
          const { upsert, gone } = content.since(told);
          for (const id of gone) reader.delete(id);
          for (const { id, json } of upsert) reader.set(id, json);
          told = content.batch;
          expect(new Map([...reader].sort())).toEqual(new Map(expected.map((r) => [r.id, r.json] as const).sort()));
        }
      },
    ),
  );
});

test("a read with what batches changed meanwhile is one change", () => {
  const content = new Content(order, 3);
  content.take([{ all: [row(1, 1)] }]);
  const batch = content.batch;
  const result = content.take([
    { all: [row(2, 2), row(1, 1)] },
    { changes: [{ row: row(3, 3) }, { gone: "[2]" }] },
    { changes: [{ row: row(1, 4) }] },
  ]);
  expect(result).toBe("changed");
  expect(content.batch).toBe(batch + 1);
  expect(content.since(batch).upsert.map((r) => r.json)).toEqual(['{"id":1,"rank":4}', '{"id":3,"rank":3}']);
});

test("the same rows are no change; what is too long ago is not remembered", () => {
  const content = new Content(order, 10);
  expect(content.take([{ all: [] }])).toBe("changed");
  expect(content.take([{ all: [] }])).toBe("same");
  expect(content.batch).toBe(1);
  for (let i = 0; i < 300; i++) content.take([{ changes: [{ row: row(1, i) }] }]);
  expect(content.batch).toBe(301);
  expect(content.remembers(301)).toBe(true);
  expect(content.remembers(45)).toBe(true);
  expect(content.remembers(44)).toBe(false);
  expect(content.remembers(302)).toBe(false);
  // By size too: no more than eight megabytes of ids.
  const large = new Content(order, 100_000);
  large.take([{ all: [] }]);
  const many = (json: string): Step => ({
    changes: Array.from({ length: 1_000 }, (_, i) => ({
      row: { id: `["${i}${"x".repeat(2_000)}"]`, json, sortKeys: [0, i] },
    })),
  });
  for (let i = 0; i < 4; i++) large.take([many(`${i}`)]);
  expect(large.remembers(large.batch - 1)).toBe(true);
  expect(large.remembers(1)).toBe(false);
});

test("rows whose time is over", () => {
  const content = new Content(order, 10);
  content.take([{ all: [{ ...row(1, 1), expiresAt: 100 }, row(2, 2)] }]);
  expect(content.hasExpiry).toBe(true);
  expect(content.expired(99)).toEqual([]);
  content.take([{ changes: content.expired(100) }]);
  expect(content.rows().map((r) => r.id)).toEqual(["[2]"]);
});
