import { inParallel, judge, type Verdict } from "../judge.ts";
import type { Lanes } from "../lanes.ts";
import { listedDifferences } from "../shape.ts";
import { schemaOfTable, type TableName } from "../tables.ts";
import { chunks, evaluateAll, evaluateApart, evaluateOwn, type Outcomes, type Own } from "./evaluate.ts";
import { ExpressionMaker, smaller, sqlOf, type Tree } from "./expression.ts";
import { evaluationOrder } from "./order.ts";
import { type Tape, tapes } from "./tape.ts";

/** Mostly the table that has a column of every type. */
const INPUTS: readonly TableName[] = ["mixed", "mixed", "mixed", "mixed", "numbers", "strings", "times", "nested"];

/** Two sums of the same numbers in another order. */
const TOLERANCE = 1e-9;
const RULES = { names: false, anyRuntimeError: true, tolerance: TOLERANCE } as const;

/** How many differing cases are made smaller; each takes some queries. */
const SHRUNK = 12;

/** So many are judged together: what differs is told soon. */
const PART = 160;

/** Spark interprets these: compiling code for an expression that is asked once takes longer than all else. Written cases are compiled. */
export const ASKED_ONCE = {
  "spark.sql.codegen.wholeStage": "false",
  "spark.sql.codegen.factoryMode": "NO_CODEGEN",
  "spark.sql.adaptive.enabled": "false",
  "spark.sql.shuffle.partitions": "1",
  "spark.sql.leafNodeDefaultParallelism": "1",
  // With one partition Spark 4.2 takes the union of two single partitions for a single one: a window over it counts each part by itself.
  "spark.sql.unionOutputPartitioning": "false",
};

interface Made {
  readonly index: number;
  readonly tree: Tree;
  readonly own: Own;
}

/** Which random cases are made. */
export interface RandomCases {
  readonly count: number;
  readonly seed: number;
  /** Only the case of this number. */
  readonly only?: number | undefined;
}

/** The numbered tapes of a run. */
export function numbered({ count, seed, only }: RandomCases, offset = 0): [index: number, tape: Tape][] {
  const all = [...tapes(seed + offset, only === undefined ? count : Math.max(count, only + 1)).entries()];
  return only === undefined ? all : all.filter(([index]) => index === only);
}

/** Makes and judges random expressions; the same seed gives the same ones. */
export async function judgeRandomExpressions(
  lanes: Lanes,
  cases: RandomCases,
  done: (verdicts: readonly Verdict[]) => void,
): Promise<Verdict[]> {
  let toShrink = SHRUNK;
  const judged = await inParallel(chunks(numbered(cases), PART), 2, async (part) => {
    const made: Made[] = [];
    for (const [index, tape] of part) {
      const one = await make(lanes, index, tape);
      if (one) made.push(one);
    }
    const verdicts = await judgeMade(lanes, made, cases.seed);
    for (const [i, v] of verdicts.entries()) {
      if (v.status === "unexpected" && toShrink-- > 0) {
        verdicts[i] = { ...v, shrunk: await shrink(lanes, made[i]!, v, cases.seed) };
      }
    }
    done(verdicts);
    return verdicts;
  });
  return judged.flat();
}

async function make(lanes: Lanes, index: number, tape: Tape): Promise<Made | undefined> {
  const on = tape.pick(INPUTS);
  const schema = schemaOfTable(on);
  const maker = new ExpressionMaker(tape, schema);
  const kind = tape.next(100);
  // What the function table lists as different is left out: another is made in its place.
  for (let attempt = 0; attempt < 12; attempt++) {
    const tree = kind < 80 ? maker.scalar() : kind < 92 ? maker.aggregate() : maker.windowed();
    const sql = sqlOf(tree);
    if (listedDifferences(sql, schema).length > 0) continue;
    // Errors are worth asking about, but not half of all cases: most of those that ours fails on are made anew.
    const own = await evaluateOwn(lanes, sql, on);
    if (!own.whole.ok && !own.whole.crash && !tape.chance(own.whole.runtime ? 20 : 4)) continue;
    return { index, tree, own };
  }
  return undefined;
}

async function judgeMade(lanes: Lanes, list: readonly Made[], seed: number): Promise<Verdict[]> {
  const evaluated = await evaluateAll(
    lanes,
    list.map((m) => m.own),
  );
  const judged = ({ own, index }: Made, outcomes: Outcomes): Verdict =>
    judge(
      { family: "random", label: `${own.sql}  [${own.on}, seed ${seed}, case ${index}]` },
      outcomes,
      RULES,
      () => [],
    );
  return Promise.all(
    list.map(async (made, i) => {
      const first = judged(made, evaluated[i]!);
      if (first.status !== "unexpected") return first;
      // By itself: expressions of one query share parts in Spark.
      const outcomes = await evaluateApart(lanes, made.own);
      const verdict = judged(made, outcomes);
      if (verdict.status !== "unexpected") return verdict;
      return { ...verdict, ...(await evaluationOrder(lanes, made.tree, made.own, outcomes)) };
    }),
  );
}

/** The smallest form found that differs in the same way; candidates of one size are asked together. */
async function shrink(lanes: Lanes, from: Made, verdict: Verdict, seed: number): Promise<string> {
  const schema = schemaOfTable(from.own.on);
  let best = from;
  let told = verdict;
  for (let round = 0; round < 5; round++) {
    const candidates: Made[] = [];
    for (const tree of smaller(best.tree, schema).slice(0, 24)) {
      const sql = sqlOf(tree);
      if (listedDifferences(sql, schema).length > 0) continue;
      candidates.push({ index: from.index, tree, own: await evaluateOwn(lanes, sql, from.own.on) });
    }
    const found = await judgeMade(lanes, candidates, seed);
    const at = found.findIndex(
      (v) => v.status === "unexpected" && v.kind === verdict.kind && !v.spark?.startsWith("PARSE_"),
    );
    if (at < 0) break;
    best = candidates[at]!;
    told = found[at]!;
  }
  return best === from ? "" : `${best.own.sql}: ${told.difference}`;
}
