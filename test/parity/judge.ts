import { DataFrame, SparkSession } from "../../src/index.ts";
import type { Relation } from "../../src/plan/relation.ts";
import type { StructType } from "../../src/types/data-type.ts";
import type { ExpressionCase, ParityCase, PlanCase, QueryCase } from "./case.ts";
import { evaluate } from "./expressions.ts";
import { type InlineTable, JUDGED, type LaneName, type Lanes } from "./lanes.ts";
import { type CompareOptions, type DifferenceKind, difference, type Outcome, told } from "./outcome.ts";
import { listedDifferences } from "./shape.ts";
import { EMPTY_SCHEMA, schemaOfTable, type TableName } from "./tables.ts";

/** What became of one case. */
export interface Verdict {
  readonly family: string;
  /** What a reader finds it by: the SQL, or the name. */
  readonly label: string;
  readonly status: "equal" | "expected" | "unexpected";
  /** Where it is not equal: which lane, and how the two differ. */
  readonly lane?: LaneName;
  readonly kind?: DifferenceKind;
  readonly difference?: string;
  /** Why an expected difference stays. */
  readonly reason?: string;
  readonly spark?: string;
  readonly other?: string;
  /** A smaller form of a random case that differs as well. */
  readonly shrunk?: string;
}

/** A case ready to run: an expression with its input. */
export interface Expression extends Omit<ExpressionCase, "on" | "kind"> {
  readonly on: ExpressionCase["on"] | InlineTable;
}

/** Compares the lanes of one case; a `known` difference has to be there. */
export function judge(
  spec: { readonly family: string; readonly label: string; readonly known?: string | undefined },
  outcomes: ReadonlyMap<LaneName, Outcome>,
  options: CompareOptions,
  listed: () => readonly string[],
): Verdict {
  const { family, label } = spec;
  const spark = outcomes.get("text") ?? outcomes.get("encoded")!;
  for (const lane of JUDGED) {
    const other = outcomes.get(lane);
    if (other === undefined || other === spark) continue;
    // A name that Spark makes up shows how the expression reached it; values, types and nullability are what our encoder answers for.
    const found = difference(spark, other, lane === "encoded" ? { ...options, names: false } : options);
    if (found === undefined) continue;
    const pair = { lane, kind: found.kind, difference: found.text, spark: told(spark), other: told(other) };
    if (lane === "embedded" && (other.ok || !other.crash)) {
      if (spec.known !== undefined) return { family, label, status: "expected", reason: spec.known, ...pair };
      const reasons = listed();
      if (reasons.length > 0) return { family, label, status: "expected", reason: reasons.join("; "), ...pair };
    }
    return { family, label, status: "unexpected", ...pair };
  }
  if (spec.known !== undefined) {
    return {
      family,
      label,
      status: "unexpected",
      difference: `listed as a known difference ("${spec.known}"), but the engines agree`,
      spark: told(spark),
    };
  }
  return { family, label, status: "equal" };
}

/** Evaluates expression cases, those over one input together. */
export async function judgeExpressions(
  lanes: Lanes,
  names: readonly LaneName[],
  cases: readonly Expression[],
  done: (verdicts: readonly Verdict[]) => void,
): Promise<Verdict[]> {
  const groups = new Map<unknown, Expression[]>();
  for (const c of cases) {
    const list = groups.get(c.on) ?? [];
    list.push(c);
    groups.set(c.on, list);
  }
  const verdicts: Verdict[] = [];
  for (const [on, list] of groups) {
    for (let at = 0; at < list.length; at += 200) {
      const part = list.slice(at, at + 200);
      const evaluated = await evaluate(
        lanes,
        names,
        part.map((c) => c.sql),
        on as Expression["on"],
      );
      const found = part.map((c, i) => {
        const label = typeof c.on === "string" ? `${c.sql}  [${c.on}]` : c.sql;
        const schema: StructType =
          c.on === undefined ? EMPTY_SCHEMA : typeof c.on === "string" ? schemaOfTable(c.on) : c.on.schema;
        return judge(
          { family: c.family, label, known: c.known },
          evaluated[i]!.outcomes,
          { tolerance: c.tolerance },
          () => listedDifferences(c.sql, schema),
        );
      });
      verdicts.push(...found);
      done(found);
    }
  }
  return verdicts;
}

export async function judgeQueries(
  lanes: Lanes,
  names: readonly LaneName[],
  cases: readonly QueryCase[],
  done: (verdicts: readonly Verdict[]) => void,
): Promise<Verdict[]> {
  return inParallel(cases, lanes.jobs * 2, async (c) => {
    const outcomes = new Map<LaneName, Outcome>();
    await Promise.all(names.map(async (lane) => outcomes.set(lane, await lanes.query(lane, c.sql))));
    const verdict = judge({ family: c.family, label: c.name ?? c.sql, known: c.known }, outcomes, c, () => []);
    done([verdict]);
    return verdict;
  });
}

/** Builds each plan once and runs it on Spark, through our encoder, and embedded. */
export async function judgePlans(
  lanes: Lanes,
  cases: readonly PlanCase[],
  done: (verdicts: readonly Verdict[]) => void,
): Promise<Verdict[]> {
  const spark = new SparkSession();
  const table = (name: TableName): DataFrame<any> =>
    new DataFrame(spark.range(0).session, lanes.fixtures.relation(name));
  return inParallel(cases, lanes.jobs * 2, async (c) => {
    const outcomes = new Map<LaneName, Outcome>();
    const plan = (): Relation => c.build(spark, table).plan;
    for (const lane of ["encoded", "embedded"] as const) outcomes.set(lane, await lanes.plan(lane, plan));
    const verdict = judge({ family: c.family, label: c.name, known: c.known }, outcomes, c, () => []);
    done([verdict]);
    return verdict;
  });
}

export async function inParallel<T, R>(items: readonly T[], width: number, fn: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(width, items.length) }, async () => {
      for (let i = next++; i < items.length; i = next++) results[i] = await fn(items[i]!);
    }),
  );
  return results;
}

/** Cases by the settings they need. */
export function byConf<T extends ParityCase | Expression>(cases: readonly T[]): T[][] {
  const groups = new Map<string, T[]>();
  for (const c of cases) {
    const key = JSON.stringify(Object.entries(c.conf ?? {}).sort());
    const list = groups.get(key) ?? [];
    list.push(c);
    groups.set(key, list);
  }
  return [...groups.values()];
}
