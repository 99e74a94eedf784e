import { evaluate } from "../expressions.ts";
import { judge, type Verdict } from "../judge.ts";
import type { LaneName, Lanes } from "../lanes.ts";
import { listedDifferences } from "../shape.ts";
import { schemaOfTable, type TableName } from "../tables.ts";
import { ExpressionMaker, smaller, sqlOf, type Tree } from "./expression.ts";
import { tapes } from "./tape.ts";

/** Mostly the table that has a column of every type. */
const INPUTS: readonly TableName[] = ["mixed", "mixed", "mixed", "mixed", "numbers", "strings", "times", "nested"];

/** Two sums of the same numbers in another order. */
const TOLERANCE = 1e-9;
const RULES = { names: false, anyRuntimeError: true, tolerance: TOLERANCE } as const;

/** How many differing cases are made smaller; each takes some queries. */
const SHRUNK = 12;

/** So many are judged before the next are evaluated: what differs is told soon. */
const PART = 40;

interface Made {
  readonly index: number;
  readonly tree: Tree;
  readonly sql: string;
  readonly on: TableName;
}

/** Makes and judges `count` random expressions; the same seed gives the same ones. */
export async function judgeRandomExpressions(
  lanes: Lanes,
  names: readonly LaneName[],
  count: number,
  seed: number,
  done: (verdicts: readonly Verdict[]) => void,
): Promise<Verdict[]> {
  const made: Made[] = [];
  for (const [index, tape] of tapes(seed, count).entries()) {
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
      const own = await lanes.expressions("embedded", { exprs: [sql], on, key: false });
      if (!own.ok && !own.crash && !tape.chance(own.runtime ? 20 : 4)) continue;
      made.push({ index, tree, sql, on });
      break;
    }
  }
  // Spark interprets these: compiling code for an expression that is asked once takes longer than all else. Written cases are compiled.
  return lanes.withConf(INTERPRETED, () => judgeMade(lanes, names, made, seed, done));
}

const INTERPRETED = { "spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN" };

async function judgeMade(
  lanes: Lanes,
  names: readonly LaneName[],
  made: readonly Made[],
  seed: number,
  done: (verdicts: readonly Verdict[]) => void,
): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  let toShrink = SHRUNK;
  for (const on of new Set(INPUTS)) {
    const list = made.filter((m) => m.on === on);
    for (let at = 0; at < list.length; at += PART) {
      const part = list.slice(at, at + PART);
      const found = await judgeTrees(lanes, names, part, seed);
      for (const [i, v] of found.entries()) {
        if (v.status === "unexpected" && toShrink-- > 0) {
          found[i] = { ...v, shrunk: await shrink(lanes, names, part[i]!, v, seed) };
        }
        done([found[i]!]);
      }
      verdicts.push(...found);
    }
  }
  return verdicts;
}

async function judgeTrees(
  lanes: Lanes,
  names: readonly LaneName[],
  list: readonly Made[],
  seed: number,
): Promise<Verdict[]> {
  const first = list[0];
  if (first === undefined) return [];
  const evaluated = await evaluate(
    lanes,
    names,
    list.map((m) => m.sql),
    first.on,
    { rowWise: names.filter((name) => name !== "encoded") },
  );
  return list.map((m, i) =>
    judge(
      { family: "random", label: `${m.sql}  [${m.on}, seed ${seed}, case ${m.index}]` },
      evaluated[i]!.outcomes,
      RULES,
      () => [],
    ),
  );
}

/** The smallest form found that differs in the same way; candidates of one size are asked together. */
async function shrink(
  lanes: Lanes,
  names: readonly LaneName[],
  from: Made,
  verdict: Verdict,
  seed: number,
): Promise<string> {
  const schema = schemaOfTable(from.on);
  let best = from;
  let told = verdict;
  for (let round = 0; round < 5; round++) {
    const candidates = smaller(best.tree, schema)
      .slice(0, 24)
      .map((tree): Made => ({ ...from, tree, sql: sqlOf(tree) }))
      .filter((m) => listedDifferences(m.sql, schema).length === 0);
    const found = await judgeTrees(lanes, verdict.lane === "encoded" ? names : ["text", "embedded"], candidates, seed);
    const at = found.findIndex((v) => v.status === "unexpected" && v.kind === verdict.kind);
    if (at < 0) break;
    best = candidates[at]!;
    told = found[at]!;
  }
  return best === from ? "" : `${best.sql}: ${told.difference}`;
}
