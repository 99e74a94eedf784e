import { catalog } from "../../../src/functions/index.ts";
import { DataFrame, SparkSession } from "../../../src/index.ts";
import { analyze } from "../../../src/plan/analyze.ts";
import type { ResolvedRelation } from "../../../src/plan/resolved.ts";
import { inParallel, judge, type Verdict } from "../judge.ts";
import type { LaneName, Lanes } from "../lanes.ts";
import type { Outcome } from "../outcome.ts";
import { differencesOf } from "../shape.ts";
import { schemaOfTable, type TableName } from "../tables.ts";
import { type MadePlan, makePlan, type PlanInputs } from "./plan.ts";
import { numbered, type RandomCases } from "./run.ts";
import type { Tape } from "./tape.ts";

const RULES = { names: true, anyRuntimeError: true, tolerance: 1e-9 } as const;

const failsOnValue = (outcomes: ReadonlyMap<LaneName, Outcome>): boolean =>
  [...outcomes.values()].some((o) => !o.ok && o.runtime && !o.crash);

/**
 * Makes and judges random plans. One that fails on a value in either engine is left out: which rows a value is computed for is the
 * optimizer's affair in both. Plans that are refused have to be refused by both with the same class.
 */
export async function judgeRandomPlans(
  lanes: Lanes,
  cases: RandomCases,
  done: (verdicts: readonly Verdict[]) => void,
): Promise<Verdict[]> {
  const spark = new SparkSession();
  const inputs: PlanInputs = {
    table: (name) => new DataFrame(spark.range(0).session, lanes.fixtures.named(name)),
    schema: (df) => lanes.embedded.engine.schema(df.plan, {}),
  };
  const analysed = (made: MadePlan): ResolvedRelation =>
    analyze(made.df.plan, {
      catalog,
      conf: {},
      scanSchema: () => ({ kind: "struct", fields: [] }),
      expand: (node) =>
        node.kind === "named_table"
          ? { kind: "local", schema: schemaOfTable(node.name as TableName), rows: [] }
          : undefined,
    });
  const listed = (made: MadePlan): boolean => {
    try {
      return differencesOf(analysed(made)).length > 0;
    } catch {
      // Refused: it is judged whether Spark does so too.
      return false;
    }
  };
  const ask = async (made: MadePlan): Promise<Map<LaneName, Outcome>> => {
    const outcomes = new Map<LaneName, Outcome>();
    // Ours first: what fails on a value is not asked at all.
    outcomes.set("embedded", await lanes.plan("embedded", () => made.df.plan));
    if (failsOnValue(outcomes)) return outcomes;
    outcomes.set("encoded", await lanes.plan("encoded", () => made.df.plan));
    return outcomes;
  };
  const judged = (made: MadePlan, outcomes: Map<LaneName, Outcome>, index: number): Verdict =>
    judge(
      { family: "random-plan", label: `${made.steps.join(".")}  [seed ${cases.seed}, plan ${index}]` },
      outcomes,
      RULES,
      () => [],
    );

  const verdicts = await inParallel(numbered(cases, 1), lanes.jobs * 2, async ([index, tape]) => {
    for (let attempt = 0; attempt < 5; attempt++) {
      const of = (): Tape => tape.from(attempt);
      const made = await makePlan(of(), inputs, 4).catch(() => undefined);
      if (made === undefined || listed(made)) continue;
      const outcomes = await ask(made);
      if (failsOnValue(outcomes)) continue;
      let verdict = judged(made, outcomes, index);
      for (let most = 1; verdict.status === "unexpected" && most < made.steps.length - 1; most++) {
        const shorter = await makePlan(of(), inputs, most);
        const asked = await ask(shorter);
        if (failsOnValue(asked)) continue;
        const again = judged(shorter, asked, index);
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
