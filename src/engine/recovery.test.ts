import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MillraceError } from "../errors.ts";
import { type RecoveryFacts, recover } from "./recovery.ts";

const hash = (id: number): string => `hash of ${id}`;

function facts(over: Partial<RecoveryFacts>): RecoveryFacts {
  return {
    checkpoint: "/ckpt",
    latestOffsets: undefined,
    previousOffsets: true,
    latestCommit: undefined,
    state: "none",
    stateful: true,
    sinks: [],
    offsetsHash: hash,
    ...over,
  };
}

const at = (batchId: number): { batchId: number; offsetsHash: string } => ({ batchId, offsetsHash: hash(batchId) });

function divergence(over: Partial<RecoveryFacts>): string {
  try {
    recover(facts(over));
  } catch (error) {
    expect(error).toBeInstanceOf(MillraceError);
    expect((error as MillraceError).code).toBe("CHECKPOINT_DIVERGED");
    return (error as MillraceError).message;
  }
  throw new Error("recover found an action where it should have refused");
}

describe("the rows of the table", () => {
  test("an empty checkpoint starts", () => {
    expect(recover(facts({}))).toEqual({ kind: "start" });
    expect(recover(facts({ state: "unused" }))).toEqual({ kind: "start" });
  });

  test("state N-1, offsets/N, no commits/N: run N as planned", () => {
    expect(recover(facts({ latestOffsets: 7, latestCommit: 6, state: at(6) }))).toEqual({ kind: "run", batchId: 7 });
    expect(recover(facts({ latestOffsets: 0 }))).toEqual({ kind: "run", batchId: 0 });
  });

  test("state N, offsets/N, no commits/N: deliver what is stored", () => {
    expect(recover(facts({ latestOffsets: 7, latestCommit: 6, state: at(7) }))).toEqual({
      kind: "deliver",
      batchId: 7,
    });
    expect(recover(facts({ latestOffsets: 0, state: at(0) }))).toEqual({ kind: "deliver", batchId: 0 });
  });

  test("state N, offsets/N, commits/N: plan N+1", () => {
    expect(recover(facts({ latestOffsets: 7, latestCommit: 7, state: at(7) }))).toEqual({ kind: "plan", batchId: 8 });
  });

  test("a plan that stages nothing knows the first and the last row", () => {
    expect(recover(facts({ latestOffsets: 7, latestCommit: 6, state: "unused" }))).toEqual({ kind: "run", batchId: 7 });
    expect(recover(facts({ latestOffsets: 7, latestCommit: 7, state: "unused" }))).toEqual({
      kind: "plan",
      batchId: 8,
    });
  });

  test("a checkpoint of Spark's is carried on by a query without state", () => {
    const spark = { state: "none", stateful: false } as const;
    expect(recover(facts({ ...spark, latestOffsets: 7, latestCommit: 7 }))).toEqual({ kind: "plan", batchId: 8 });
    expect(recover(facts({ ...spark, latestOffsets: 7, latestCommit: 6 }))).toEqual({ kind: "run", batchId: 7 });
  });
});

describe("anything else is refused and says which file is ahead or behind", () => {
  test.each([
    [{ latestCommit: 3 }, "commits/3 is there but offsets/ is empty"],
    [{ state: at(3) }, "the state holds batch 3 but offsets/ is empty"],
    [{ latestOffsets: 5, latestCommit: 4, previousOffsets: false, state: at(4) }, "offsets/4 is missing"],
    [{ latestOffsets: 5, latestCommit: 6, state: at(5) }, "commits/6 is ahead of the latest offsets/5"],
    [{ latestOffsets: 5, latestCommit: 3, state: at(4) }, "commits/ ends at 3"],
    [{ latestOffsets: 5, state: at(4) }, "commits/ ends at nothing"],
    [{ latestOffsets: 5, latestCommit: 5, state: at(4) }, "the state holds batch 4, behind commits/5"],
    [{ latestOffsets: 5, latestCommit: 4, state: at(3) }, "the state holds batch 3, behind offsets/5"],
    [{ latestOffsets: 5, latestCommit: 5, state: at(6) }, "the state holds batch 6, ahead of offsets/5"],
    [{ latestOffsets: 5, latestCommit: 4 }, "batches up to 4 are committed but the state database holds none"],
    [
      { latestOffsets: 5, latestCommit: 4, state: { batchId: 5, offsetsHash: "another" } },
      "the state holds batch 5 of other offsets than those in offsets/5",
    ],
    [
      { latestOffsets: 5, latestCommit: 4, state: { batchId: 4, offsetsHash: "another" } },
      "the state holds batch 4 of other offsets than those in offsets/4",
    ],
  ] as [Partial<RecoveryFacts>, string][])("%o", (given, message) => {
    expect(divergence(given)).toContain(message);
  });

  test("a sink ahead of the checkpoint: it was restored from an older copy", () => {
    const sinks = [{ name: "lake", marker: { batchId: 9, hash: hash(9) } }];
    expect(divergence({ latestOffsets: 5, latestCommit: 5, state: at(5), sinks })).toContain(
      "the sink lake holds batch 9 of this query, ahead of offsets/5",
    );
    expect(divergence({ sinks })).toContain("ahead of the empty offsets/");
  });

  test("a sink with the same number of other offsets", () => {
    const sinks = [{ name: "lake", marker: { batchId: 5, hash: "another" } }];
    expect(divergence({ latestOffsets: 5, latestCommit: 5, state: at(5), sinks })).toContain(
      "the sink lake holds batch 5 of other offsets",
    );
  });
});

test("sinks that are behind, know nothing or cannot store a hash are fine", () => {
  const sinks = [
    { name: "new", marker: undefined },
    { name: "behind", marker: { batchId: 3, hash: hash(3) } },
    { name: "current", marker: { batchId: 5, hash: hash(5) } },
    { name: "no hash", marker: { batchId: 5 } },
  ];
  expect(recover(facts({ latestOffsets: 5, latestCommit: 4, state: at(4), sinks }))).toEqual({
    kind: "run",
    batchId: 5,
  });
});

test("a marker whose offsets file is purged cannot be compared", () => {
  const sinks = [{ name: "slow", marker: { batchId: 1, hash: "whatever" } }];
  const offsetsHash = (id: number): string | undefined => (id < 100 ? undefined : hash(id));
  expect(recover(facts({ latestOffsets: 200, latestCommit: 200, state: at(200), sinks, offsetsHash }))).toEqual({
    kind: "plan",
    batchId: 201,
  });
});

test("whatever is found, the outcome is a row of the table or CHECKPOINT_DIVERGED", () => {
  const maybe = fc.option(fc.integer({ min: 0, max: 6 }), { nil: undefined });
  fc.assert(
    fc.property(maybe, maybe, maybe, fc.boolean(), fc.boolean(), (offsets, commit, state, previous, stateful) => {
      const given = facts({
        latestOffsets: offsets,
        latestCommit: commit,
        previousOffsets: previous,
        state: state === undefined ? "none" : at(state),
        stateful,
      });
      let action: ReturnType<typeof recover>;
      try {
        action = recover(given);
      } catch (error) {
        expect((error as MillraceError).code).toBe("CHECKPOINT_DIVERGED");
        return;
      }
      // what is done never skips a batch and never repeats one that is committed
      if (action.kind === "start") expect([offsets, commit, state]).toEqual([undefined, undefined, undefined]);
      if (action.kind === "plan") expect([commit, action.batchId]).toEqual([offsets, offsets! + 1]);
      if (action.kind === "run") expect([action.batchId, commit ?? -1]).toEqual([offsets, offsets! - 1]);
      if (action.kind === "deliver")
        expect([action.batchId, state, commit ?? -1]).toEqual([offsets, offsets, offsets! - 1]);
    }),
    { numRuns: 2000 },
  );
});
