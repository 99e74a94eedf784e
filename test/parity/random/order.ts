import { parseType } from "../../../src/types/ddl.ts";
import type { Verdict } from "../judge.ts";
import type { Lanes } from "../lanes.ts";
import type { Outcome, Rows } from "../outcome.ts";
import { TABLES } from "../tables.ts";
import { evaluateAll, evaluateOwn, type Outcomes, type Own } from "./evaluate.ts";
import { sqlOf, type Tree } from "./expression.ts";
import { literalsOf } from "./pool.ts";
import { EVALUATION_ORDER } from "./special.ts";

/** So many failing parts are tried. */
const PARTS = 8;

/**
 * Whether an expression differs only in what is computed of it: one engine fails on some rows, where the other has values. That is so if one
 * of these holds.
 *
 * - A part of it fails by itself in both engines alike, and with a value in the place of that part both agree on what the one had.
 * - A part of it is null on those rows, and with a value in its place both engines fail.
 */
export async function evaluationOrder(
  lanes: Lanes,
  tree: Tree,
  own: Own,
  outcomes: Outcomes,
): Promise<Partial<Verdict> | undefined> {
  const wanted = valuesOfOne(await rowByRow(lanes, own, outcomes.get("text")), outcomes.get("embedded"));
  if (wanted === undefined) return undefined;
  const asked = async (list: readonly Tree[]): Promise<Outcomes[]> =>
    evaluateAll(lanes, await Promise.all(list.map((t) => evaluateOwn(lanes, sqlOf(t), own.on))));
  let tried = 0;
  for (const { part, put } of parts(tree)) {
    if (tried >= PARTS) return undefined;
    const alone = await evaluateOwn(lanes, sqlOf(part), own.on);
    const failed = !alone.whole.ok && alone.whole.runtime;
    if (!failed && !isNullOn(alone.whole, wanted)) continue;
    tried++;
    const [spark] = await evaluateAll(lanes, [alone]);
    const holds = (o: Outcome | undefined): boolean => (failed ? fails(o) : isNullOn(o, wanted));
    if (!holds(spark!.get("text"))) continue;
    const changed = await asked(standIns(part.type).map(put));
    const agrees = (o: Outcome | undefined): boolean => (failed ? has(o, wanted) : failsOn(o, wanted));
    const agreed = changed.some((one) => agrees(one.get("text")) && agrees(one.get("embedded")));
    if (agreed) return { status: "expected", reason: EVALUATION_ORDER };
  }
  return undefined;
}

/** Spark's outcome for each row by itself, where the whole of them failed. */
async function rowByRow(lanes: Lanes, own: Own, o: Outcome | undefined): Promise<Outcome | undefined> {
  if (o === undefined || o.ok || !o.runtime || !own.keyed) return o;
  const rows: string[][] = [];
  for (const id of TABLES[own.on].rows.map((r) => Number(r[0]))) {
    const one = await lanes.expressions("text", { exprs: [own.sql], on: own.on, key: true, row: id });
    rows.push(one.ok ? [...one.rows[0]!] : [String(id), `!${one.code}`]);
  }
  return { ok: true, columns: [], rows };
}

/** What may stand where a part failed: a null, and where null means something of its own, as in `<=>`, values. */
function standIns(type: string): Tree[] {
  const constant = (sql: string): Tree => ({ type, parts: [], render: () => sql });
  const none = `CAST(NULL AS ${type})`;
  const values = literalsOf(parseType(type)).filter((sql) => sql !== none);
  return [none, ...values].map(constant);
}

const text = (row: readonly string[]): string => row.join(" | ");
const isError = (row: readonly string[]): boolean => row.length === 2 && row[1]!.startsWith("!");

/** The rows that only one of two outcomes has values for; undefined where they differ in another way. */
function valuesOfOne(a: Outcome | undefined, b: Outcome | undefined): ReadonlySet<string> | undefined {
  if (a === undefined || b === undefined || (!a.ok && !b.ok)) return undefined;
  if (!a.ok) return a.runtime ? new Set((b as Rows).rows.map(text)) : undefined;
  if (!b.ok) return b.runtime ? new Set(a.rows.map(text)) : undefined;
  const [left, right] = [byId(a), byId(b)];
  if (left.size !== a.rows.length || right.size !== b.rows.length) return undefined;
  const found = new Set<string>();
  for (const [id, row] of left) {
    const other = right.get(id);
    if (other === undefined) return undefined;
    if (isError(row) === isError(other)) {
      if (!isError(row) && text(row) !== text(other)) return undefined;
    } else found.add(text(isError(row) ? other : row));
  }
  return found.size > 0 ? found : undefined;
}

const byId = (o: Rows): Map<string, readonly string[]> => new Map(o.rows.map((r) => [r[0]!, r]));

const fails = (o: Outcome | undefined): boolean => o !== undefined && (o.ok ? o.rows.some(isError) : o.runtime);

const idOf = (row: string): string => row.slice(0, row.indexOf(" | "));
const ids = (wanted: ReadonlySet<string>): ReadonlySet<string> => new Set([...wanted].map(idOf));

function isNullOn(o: Outcome | undefined, wanted: ReadonlySet<string>): boolean {
  if (o === undefined || !o.ok) return false;
  const on = ids(wanted);
  return o.rows.every((r) => r.length !== 2 || !on.has(r[0]!) || r[1] === "NULL") && o.rows.some((r) => on.has(r[0]!));
}

function failsOn(o: Outcome | undefined, wanted: ReadonlySet<string>): boolean {
  if (o === undefined || !o.ok) return o?.runtime === true;
  const on = ids(wanted);
  return o.rows.filter((r) => on.has(r[0]!)).every(isError);
}

const has = (o: Outcome | undefined, wanted: ReadonlySet<string>): boolean => {
  if (o === undefined || !o.ok) return false;
  const rows = new Set(o.rows.map(text));
  return [...wanted].every((w) => rows.has(w));
};

/** Parts of an expression without variables of a lambda around them, the smallest first, and the expression with another in their place. */
function parts(tree: Tree): { readonly part: Tree; put(other: Tree): Tree }[] {
  const found: { part: Tree; put(other: Tree): Tree }[] = [];
  const visit = (node: Tree, put: (other: Tree) => Tree): void => {
    for (const [i, part] of node.parts.entries()) {
      const replace = (other: Tree): Tree => put({ ...node, parts: node.parts.map((p, k) => (k === i ? other : p)) });
      const whole = part.parts.length > 0 || sqlOf(part).startsWith("CAST(NULL");
      if (part.type !== "" && whole && !/\b[sk]?x\d+\b/.test(sqlOf(part))) {
        found.push({ part, put: replace });
      }
      visit(part, replace);
    }
  };
  visit(tree, (t) => t);
  return found.sort((a, b) => sqlOf(a.part).length - sqlOf(b.part).length);
}
