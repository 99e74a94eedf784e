import type { Ask, LaneName, Lanes } from "./lanes.ts";
import type { Outcome, OutcomeColumn, Rows } from "./outcome.ts";
import { shapeOf } from "./shape.ts";
import { TABLES } from "./tables.ts";

/** Expressions in one query; more make Spark's generated code too long. */
const BATCH = 20;

export interface Evaluated {
  readonly sql: string;
  readonly outcomes: ReadonlyMap<LaneName, Outcome>;
}

/**
 * Evaluates expressions over one table in every lane. Those of one kind go into one query; when it fails, its halves are asked. An
 * expression that fails on some row is evaluated row by row, so that values of the other rows and each row's error class are compared.
 */
export async function evaluate(
  lanes: Lanes,
  names: readonly LaneName[],
  exprs: readonly string[],
  on: Ask["on"],
): Promise<Evaluated[]> {
  const results = exprs.map((sql) => ({ sql, outcomes: new Map<LaneName, Outcome>() }));
  const rowIds = typeof on === "string" ? TABLES[on].rows.map((r) => Number(r[0])) : [];
  const keyed = typeof on === "string";
  const groups = {
    scalar: [] as number[],
    aggregate: [] as number[],
    distinct: [] as number[],
    alone: [] as number[],
  };
  for (const [i, sql] of exprs.entries()) {
    const shape = shapeOf(sql);
    // DISTINCT moves all rows of its query about, and with them the order that other aggregates may depend on.
    groups[shape === "aggregate" && /\bdistinct\b/i.test(sql) ? "distinct" : shape].push(i);
  }

  // Ours first: it is quick, and what fails with us is likely to fail with Spark, where it would spoil its whole query.
  for (const lane of [...names].sort((a, b) => Number(b === "embedded") - Number(a === "embedded"))) {
    const ask = (indices: readonly number[], key: boolean, row?: number): Promise<Map<number, Outcome>> =>
      batched(lanes, lane, exprs, indices, { on, key, ...(row !== undefined && { row }) }, (i) =>
        fails(results[i]!.outcomes),
      );
    const parts = await Promise.all([
      ask(groups.scalar, keyed),
      ask(groups.aggregate, false),
      ask(groups.distinct, false),
      ...groups.alone.map((i) => ask([i], false)),
    ]);
    for (const part of parts) for (const [i, outcome] of part) results[i]!.outcomes.set(lane, outcome);
  }

  const failing = keyed ? groups.scalar.filter((i) => [...results[i]!.outcomes.values()].some(isRuntime)) : [];
  if (failing.length === 0) return results;
  const rowwise = new Map<number, Map<LaneName, Rows>>(failing.map((i) => [i, new Map()]));
  for (const lane of [...names].sort((a, b) => Number(b === "embedded") - Number(a === "embedded"))) {
    const byRow = await Promise.all(
      rowIds.map(async (row) => {
        const predicted = (i: number): boolean =>
          rowwise
            .get(i)!
            .get("embedded")
            ?.rows.some((r) => r[0] === String(row) && r[1]!.startsWith("!")) ?? false;
        return {
          row,
          found: await batched(lanes, lane, exprs, failing, { on, key: true, row }, predicted),
        };
      }),
    );
    for (const i of failing) {
      let columns: readonly OutcomeColumn[] = [
        { name: "id", type: "integer" },
        { name: exprs[i]!, type: "?" },
      ];
      const rows: string[][] = [];
      for (const { row, found } of byRow) {
        const outcome = found.get(i)!;
        if (outcome.ok) {
          columns = outcome.columns;
          rows.push(...outcome.rows.map((r) => [...r]));
        } else rows.push([String(row), `!${outcome.code}${outcome.crash ? ` ${outcome.message}` : ""}`]);
      }
      rowwise.get(i)!.set(lane, { ok: true, columns, rows });
    }
  }
  for (const i of failing) {
    // Failed for every row in every lane: the error itself is the result.
    const all = [...rowwise.get(i)!.values()].every((o) => o.rows.every((r) => r[1]!.startsWith("!")));
    if (all && new Set([...results[i]!.outcomes.values()].map((o) => o.ok)).size === 1) continue;
    for (const lane of names) results[i]!.outcomes.delete(lane);
    for (const [lane, outcome] of rowwise.get(i)!) results[i]!.outcomes.set(lane, outcome);
  }
  return results;
}

function fails(outcomes: ReadonlyMap<LaneName, Outcome>): boolean {
  const first = outcomes.get("embedded");
  return first !== undefined && !first.ok;
}

/** Failed on a value, not on the expression: SQLSTATE class 22, data exceptions. */
function isRuntime(o: Outcome): boolean {
  return !o.ok && o.runtime;
}

async function batched(
  lanes: Lanes,
  lane: LaneName,
  exprs: readonly string[],
  indices: readonly number[],
  base: Omit<Ask, "exprs">,
  likelyToFail: (i: number) => boolean,
): Promise<Map<number, Outcome>> {
  const found = new Map<number, Outcome>();
  const run = async (list: readonly number[]): Promise<void> => {
    const outcome = await lanes.expressions(lane, { ...base, exprs: list.map((i) => exprs[i]!) });
    if (list.length === 1) found.set(list[0]!, outcome);
    else if (outcome.ok) split(outcome, list, base.key, found);
    else {
      const middle = list.length >> 1;
      await Promise.all([run(list.slice(0, middle)), run(list.slice(middle))]);
    }
  };
  const good = indices.filter((i) => !likelyToFail(i));
  const chunks: number[][] = [];
  for (let i = 0; i < good.length; i += BATCH) chunks.push(good.slice(i, i + BATCH));
  for (const i of indices) if (likelyToFail(i)) chunks.push([i]);
  await Promise.all(chunks.map(run));
  return found;
}

function split(outcome: Rows, list: readonly number[], key: boolean, found: Map<number, Outcome>): void {
  const from = key ? 1 : 0;
  for (const [k, i] of list.entries()) {
    const pick = <T>(cells: readonly T[]): T[] => (key ? [cells[0]!, cells[k + from]!] : [cells[k]!]);
    found.set(i, { ok: true, columns: pick(outcome.columns), rows: outcome.rows.map(pick) });
  }
}
