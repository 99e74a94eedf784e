import { inParallel } from "../judge.ts";
import type { LaneName, Lanes } from "../lanes.ts";
import type { Outcome, Rows } from "../outcome.ts";
import { shapeOf } from "../shape.ts";
import { TABLES, type TableName } from "../tables.ts";

/** An expression over a table, and what the embedded engine makes of it. */
export interface Own {
  readonly sql: string;
  readonly on: TableName;
  /** A row for each row of the table, with its id in front. */
  readonly keyed: boolean;
  readonly whole: Outcome;
}

/** A failing expression row by row: `!CODE` where a row fails. */
interface ByRow {
  readonly rows: Rows;
  readonly good: readonly number[];
  readonly bad: readonly number[];
}

export type Outcomes = Map<LaneName, Outcome>;

/** Expressions in one query of Spark; each stands in it twice. */
const BATCH = 20;

/** So many of an expression's failing rows are asked of Spark; the others count as agreed. */
const SAMPLED = 2;

export async function evaluateOwn(lanes: Lanes, sql: string, on: TableName): Promise<Own> {
  const keyed = shapeOf(sql) === "scalar";
  return { sql, on, keyed, whole: await lanes.expressions("embedded", { exprs: [sql], on, key: keyed }) };
}

/**
 * Asks Spark, in as few queries as can be: an expression stands in a query both as text and as our encoder writes it, beside others of the
 * same table. One that fails on some rows is asked behind a condition for the rows that it has values for, and alone for the rest.
 */
export async function evaluateAll(lanes: Lanes, list: readonly Own[], ask: Ask = together): Promise<Outcomes[]> {
  const found = list.map((own): Outcomes => new Map([["embedded", own.whole]]));
  const beside = new Map<string, Asked[]>();
  const alone: (() => Promise<void>)[] = [];
  await inParallel([...list.entries()], 2, async ([i, own]) => {
    const { sql, on, keyed, whole } = own;
    const put = (asked: Asked): void => {
      const key = `${on} ${keyed}`;
      beside.set(key, [...(beside.get(key) ?? []), asked]);
    };
    if (whole.ok) {
      put({ sql, take: (lane, outcome) => found[i]!.set(lane, outcome) });
    } else if (whole.runtime && keyed && !/ OVER \(/.test(sql)) {
      const byRow = await ownByRow(lanes, own);
      found[i] = new Map([["embedded", byRow.rows]]);
      const { take, ask } = failing(lanes, own, byRow, found[i]!);
      alone.push(ask);
      if (byRow.good.length > 0) put({ sql: `CASE WHEN id IN (${byRow.good.join(", ")}) THEN ${sql} END`, take });
    } else alone.push(() => separately(lanes, own, sql, (lane, outcome) => found[i]!.set(lane, outcome)));
  });
  await Promise.all([
    ...[...beside.values()].flatMap((asked) => {
      const { on, keyed } = list.find((own) => beside.get(`${own.on} ${own.keyed}`) === asked)!;
      return chunks(asked, BATCH).map((part) => ask(lanes, { on, keyed }, part));
    }),
    ...alone.map((ask) => ask()),
  ]);
  return found;
}

/** The same for one expression, each lane in a query of its own. */
export async function evaluateApart(lanes: Lanes, own: Own): Promise<Outcomes> {
  const [outcomes] = await evaluateAll(lanes, [own], async (l, input, [asked]) =>
    separately(l, input, asked!.sql, asked!.take),
  );
  return outcomes!;
}

type Ask = (lanes: Lanes, input: Input, list: readonly Asked[]) => Promise<void>;

interface Asked {
  readonly sql: string;
  take(lane: LaneName, outcome: Outcome): void;
}

type Input = Pick<Own, "on" | "keyed">;

async function together(lanes: Lanes, input: Input, list: readonly Asked[]): Promise<void> {
  const n = list.length;
  const outcome = await lanes.together({ exprs: list.map((a) => a.sql), on: input.on, key: input.keyed });
  if (outcome.ok) {
    const first = input.keyed ? 1 : 0;
    for (const [k, asked] of list.entries()) {
      asked.take("encoded", columnsOf(outcome, input.keyed, first + k));
      asked.take("text", columnsOf(outcome, input.keyed, first + n + k));
    }
  } else if (n === 1) await separately(lanes, input, list[0]!.sql, list[0]!.take);
  else {
    const middle = n >> 1;
    await Promise.all([together(lanes, input, list.slice(0, middle)), together(lanes, input, list.slice(middle))]);
  }
}

async function separately(lanes: Lanes, input: Input, sql: string, take: Asked["take"]): Promise<void> {
  const ask = { exprs: [sql], on: input.on, key: input.keyed };
  for (const lane of ["text", "encoded"] as const) take(lane, await lanes.expressions(lane, ask));
}

function columnsOf(outcome: Rows, keyed: boolean, at: number): Rows {
  const pick = <T>(cells: readonly T[]): T[] => (keyed ? [cells[0]!, cells[at]!] : [cells[at]!]);
  return { ok: true, columns: pick(outcome.columns), rows: outcome.rows.map(pick) };
}

const error = (id: number, o: Outcome): string[] => [
  String(id),
  o.ok ? "?" : `!${o.code}${o.crash ? ` ${o.message}` : ""}`,
];

async function ownByRow(lanes: Lanes, { sql, on }: Own): Promise<ByRow> {
  const good: number[] = [];
  const bad: number[] = [];
  const rows: string[][] = [];
  let columns: Rows["columns"] = [
    { name: "id", type: "integer" },
    { name: sql, type: "?" },
  ];
  for (const id of TABLES[on].rows.map((r) => Number(r[0]))) {
    const outcome = await lanes.expressions("embedded", { exprs: [sql], on, key: true, row: id });
    if (outcome.ok) {
      good.push(id);
      columns = outcome.columns;
      rows.push(...outcome.rows.map((r) => [...r]));
    } else {
      bad.push(id);
      rows.push(error(id, outcome));
    }
  }
  return { rows: { ok: true, columns: behindCondition(columns), rows }, good, bad };
}

/** What stands behind a condition may always be null. */
const behindCondition = (columns: Rows["columns"]): Rows["columns"] =>
  columns.map((c, i) => (i === 0 ? c : { ...c, type: c.type.replace(/!$/, "") }));

/** An expression that fails on some rows: `take` gets its values of the other rows, `ask` asks about some that fail. */
function failing(lanes: Lanes, own: Own, byRow: ByRow, found: Outcomes): { take: Asked["take"]; ask(): Promise<void> } {
  const errors = new Map<LaneName, Map<number, string[]>>();
  const values = new Map<LaneName, Outcome>();
  const settle = (lane: LaneName): void => {
    const asked = errors.get(lane);
    const outcome: Outcome | undefined = byRow.good.length === 0 ? { ...byRow.rows, rows: [] } : values.get(lane);
    if (asked === undefined || outcome === undefined) return;
    if (!outcome.ok) {
      found.set(lane, outcome);
      return;
    }
    const good = new Set(byRow.good.map(String));
    const rest = byRow.bad.map((id) => asked.get(id) ?? byRow.rows.rows.find((r) => r[0] === String(id))!);
    const columns = behindCondition(outcome.columns);
    found.set(lane, { ok: true, columns, rows: [...outcome.rows.filter((r) => good.has(r[0]!)), ...rest] });
  };
  return {
    take: (lane, outcome) => {
      values.set(lane, outcome);
      settle(lane);
    },
    ask: async () => {
      for (const lane of ["text", "encoded"] as const) {
        const of = new Map<number, string[]>();
        for (const row of byRow.bad.slice(0, SAMPLED)) {
          const outcome = await lanes.expressions(lane, { exprs: [own.sql], on: own.on, key: true, row });
          of.set(row, outcome.ok ? [...outcome.rows[0]!] : error(row, outcome));
        }
        errors.set(lane, of);
        settle(lane);
      }
    },
  };
}

export function chunks<T>(list: readonly T[], size: number): T[][] {
  const found: T[][] = [];
  for (let i = 0; i < list.length; i += size) found.push(list.slice(i, i + size));
  return found;
}
