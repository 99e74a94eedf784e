import { catalog } from "../../../src/functions/index.ts";
import { DataFrame, SparkSession } from "../../../src/index.ts";
import { analyze } from "../../../src/plan/analyze.ts";
import { inParallel, judge, type Verdict } from "../judge.ts";
import type { LaneName, Lanes } from "../lanes.ts";
import type { Outcome } from "../outcome.ts";
import { differencesOf } from "../shape.ts";
import { schemaOfTable, type TableName } from "../tables.ts";
import { type MadePlan, makePlan, type PlanInputs } from "./plan.ts";
import { type Tape, tapes } from "./tape.ts";

const RULES = { names: true, anyRuntimeError: true, tolerance: 1e-9 } as const;

/**
 * Makes and judges random plans. One that fails on a value in either engine is left out: which rows a value is computed for is the
 * optimizer's affair in both. Plans that are refused have to be refused by both with the same class.
 */
export async function judgeRandomPlans(
  lanes: Lanes,
  count: number,
  seed: number,
  done: (verdicts: readonly Verdict[]) => void,
): Promise<Verdict[]> {
  const spark = new SparkSession();
  const tables = new Map<unknown, TableName>();
  const inputs: PlanInputs = {
    table: (name) => {
      const df = new DataFrame(spark.range(0).session, lanes.fixtures.relation(name));
      tables.set(df.plan, name);
      return df;
    },
    schema: (df) => lanes.embedded.engine.schema(df.plan, {}),
  };
  const listed = (made: MadePlan): boolean => {
    const plan = analyze(made.df.plan, { catalog, conf: {}, scanSchema: (r) => schemaOfTable(tables.get(r)!) });
    return differencesOf(plan).length > 0;
  };
  const ask = async (made: MadePlan): Promise<Map<LaneName, Outcome>> => {
    const outcomes = new Map<LaneName, Outcome>();
    for (const lane of ["encoded", "embedded"] as const) {
      outcomes.set(lane, await lanes.plan(lane, () => made.df.plan));
    }
    return outcomes;
  };
  const judged = (made: MadePlan, outcomes: Map<LaneName, Outcome>, index: number): Verdict =>
    judge(
      { family: "random-plan", label: `${made.steps.join(".")}  [seed ${seed}, plan ${index}]` },
      outcomes,
      RULES,
      () => [],
    );

  const verdicts = await inParallel([...tapes(seed + 1, count).entries()], lanes.jobs * 2, async ([index, tape]) => {
    for (let attempt = 0; attempt < 5; attempt++) {
      const of = (): Tape => tape.from(attempt);
      const made = await makePlan(of(), inputs, 4).catch(() => undefined);
      if (made === undefined || listed(made)) continue;
      const outcomes = await ask(made);
      if ([...outcomes.values()].some((o) => !o.ok && o.runtime)) continue;
      let verdict = judged(made, outcomes, index);
      for (let most = 1; verdict.status === "unexpected" && most < made.steps.length - 1; most++) {
        const shorter = await makePlan(of(), inputs, most);
        const again = judged(shorter, await ask(shorter), index);
        if (again.status !== "unexpected") continue;
        verdict = { ...verdict, shrunk: `${shorter.steps.join(".")}: ${again.difference}` };
        break;
      }
      done([verdict]);
      return verdict;
    }
    return undefined;
  });
  return verdicts.filter((v): v is Verdict => v !== undefined);
}
