import type { OutputMode } from "../connectors/connector.ts";
import { planStream } from "../engine/stream-plan.ts";
import type { ResolvedRelation } from "../plan/resolved.ts";
import { stateShape } from "../plan/state-shape.ts";

/** What a checkpoint depends on, on Spark too; see `plan/state-shape.ts`. */
export interface CheckpointShape {
  /** The stateful operators in words. */
  readonly operators: readonly string[];
  /** How the tables of the state are laid out. */
  readonly tables: readonly string[];
  readonly sources: number;
}

export function checkpointShape(plan: ResolvedRelation, outputMode: OutputMode): CheckpointShape {
  const planned = planStream(plan, outputMode);
  return {
    operators: stateShape(plan).filter((line) => !/^(source|watermark)/.test(line)),
    tables: planned.operators.map((operator) => JSON.stringify(operator.shape)),
    sources: planned.sources.length,
  };
}

/** Why a query of shape `now` cannot go on from the checkpoint of one of shape `before`, a line for each reason; none: it can. */
export function misfits(before: CheckpointShape, now: CheckpointShape): string[] {
  const found: string[] = [];
  if (before.sources !== now.sources) {
    found.push(`the checkpoint has the offsets of ${count(before.sources, "source")}, the query reads ${now.sources}`);
  }
  for (let i = 0; i < Math.max(before.operators.length, now.operators.length); i++) {
    const [was, is] = [before.operators[i], now.operators[i]];
    if (was === is) continue;
    if (was === undefined) found.push(`new: ${is}`);
    else if (is === undefined) found.push(`gone: ${was}`);
    else found.push(...operatorMisfits(was, is));
  }
  if (found.length === 0 && before.tables.join() !== now.tables.join()) {
    found.push("the tables that hold the state have other columns");
  }
  return found;
}

function operatorMisfits(was: string, is: string): string[] {
  const [before, now] = [aggregateParts(was), aggregateParts(is)];
  if (before === undefined || now === undefined) return [`was ${was}, is ${is}`];
  const found: string[] = [];
  if (before.keys.join() !== now.keys.join()) {
    found.push(`grouping keys were ${list(before.keys)}, are ${list(now.keys)}`);
  }
  const gone = before.calls.filter((call) => !now.calls.includes(call));
  const added = now.calls.filter((call) => !before.calls.includes(call));
  if (added.length > 0) found.push(`new aggregate ${list(added)}`);
  if (gone.length > 0) found.push(`aggregate ${list(gone)} is gone`);
  if (found.length === 0) found.push(`aggregates were ${list(before.calls)}, are ${list(now.calls)}`);
  return found;
}

/** `aggregate by [a: string, ...] of [count(*): long, ...]` taken apart; undefined for other operators. */
function aggregateParts(text: string): { keys: string[]; calls: string[] } | undefined {
  const start = "aggregate by [";
  if (!text.startsWith(start)) return undefined;
  const keys = bracketed(text, start.length);
  const rest = text.indexOf("[", start.length + keys.length + 1);
  return rest < 0 ? undefined : { keys: split(keys), calls: split(bracketed(text, rest + 1)) };
}

/** The text up to the bracket that closes. */
function bracketed(text: string, from: number): string {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    if ("[(<".includes(text[i]!)) depth++;
    else if ("])>".includes(text[i]!) && text[i - 1] !== "-" && depth-- === 0) return text.slice(from, i);
  }
  return text.slice(from);
}

/** Parts between commas that stand in no bracket. */
function split(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let from = 0;
  for (let i = 0; i < text.length; i++) {
    if ("[(<".includes(text[i]!)) depth++;
    else if ("])>".includes(text[i]!)) depth--;
    else if (text[i] === "," && depth === 0) {
      parts.push(text.slice(from, i).trim());
      from = i + 1;
    }
  }
  const last = text.slice(from).trim();
  if (last !== "") parts.push(last);
  return parts;
}

const list = (parts: readonly string[]): string => (parts.length === 0 ? "none" : parts.join(", "));
const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;
