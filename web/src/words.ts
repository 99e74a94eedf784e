import type { BatchSummary, QuerySummary } from "../../src/observe/api.ts";
import * as f from "./format.ts";
import type { Sample } from "./live/reducer.ts";

/** What the numbers of a query mean, in words; pure. */
export type Tone = "good" | "warn" | "bad" | "calm";

export interface Answer {
  readonly tone: Tone;
  /** The answer in a few words. */
  readonly text: string;
  /** More, in the same breath; may be empty. */
  readonly more: string;
}

/** The five questions of the first screen, in their order. */
export interface Answers {
  readonly running: Answer;
  readonly keepingUp: Answer;
  readonly fresh: Answer;
  readonly correct: Answer;
  readonly growing: Answer;
}

const DAY_S = 86_400;
/** A lag that is read within this time is the normal breath of micro-batches. */
const LAG_S = 10;

export function titleOf(query: Pick<QuerySummary, "name" | "id">): string {
  return query.name ?? `query ${query.id.slice(0, 8)}`;
}

export const isOver = (query: Pick<QuerySummary, "state">): boolean =>
  query.state === "ended" || query.state === "failed";

export function answersOf(query: QuerySummary, samples: readonly Sample[], now: number): Answers {
  return {
    running: running(query, now),
    keepingUp: keepingUp(query),
    fresh: fresh(query, now),
    correct: correct(query),
    growing: growing(query, samples),
  };
}

/** The worst of the answers. */
export function toneOf(answers: Answers): Tone {
  const tones = Object.values(answers).map((answer: Answer) => answer.tone);
  return tones.includes("bad") ? "bad" : tones.includes("warn") ? "warn" : tones.includes("good") ? "good" : "calm";
}

function running(q: QuerySummary, now: number): Answer {
  const since = `for ${f.duration(coarse(now - q.startedAt))}`;
  const last = q.lastBatchAt === null ? "no batch yet" : `last batch ${f.ago(now - q.lastBatchAt)}`;
  switch (q.state) {
    case "running":
      return {
        tone: "good",
        text: `Running ${since}`,
        more: q.lastBatchAt === null ? `no batch yet: ${waiting(q)}` : last,
      };
    case "idle":
      return {
        tone: "good",
        text: `Running ${since}`,
        more: q.lastBatchAt === null ? `no batch yet: ${waiting(q)}` : `nothing new to read, ${last}`,
      };
    case "restarting":
      return {
        tone: "warn",
        text: "Starting again",
        more: q.lastError === null ? "after a failure" : q.lastError.message,
      };
    case "failed":
      return { tone: "bad", text: "Failed", more: q.lastError?.message ?? "without a message" };
    case "ended":
      return { tone: "calm", text: "Ended", more: last };
  }
}

/** Why there is no batch yet. */
export function waiting(q: Pick<QuerySummary, "state">): string {
  if (isOver(q)) return "it ended before the first one";
  return q.state === "idle" ? "the sources have no rows" : "the first one is on its way";
}

function keepingUp(q: QuerySummary): Answer {
  if (isOver(q)) return { tone: "calm", text: "No longer reading", more: "" };
  const rate = q.inputRowsPerSecond === null ? "" : `reads ${f.rate(q.inputRowsPerSecond)}`;
  if (q.batches === 0) return { tone: "calm", text: "No batch yet", more: "" };
  if (q.lagRows === null) {
    return {
      tone: "calm",
      text: rate === "" ? "Not reading now" : capital(rate),
      more: "its sources do not tell what waits",
    };
  }
  if (q.lagRows === 0) return { tone: "good", text: "Nothing waits", more: rate };
  const rows = f.plural(q.lagRows, "row");
  const time = q.lagSeconds === null ? "" : ` (${f.seconds(q.lagSeconds)})`;
  const slow = q.lagSeconds === null || q.lagSeconds > LAG_S;
  const verb = q.lagRows === 1 ? "waits" : "wait";
  if (q.lagTrend === 1 && slow)
    return { tone: "warn", text: "Falling behind", more: `${rows}${time} ${verb} and it grows` };
  if (q.lagTrend === -1 && slow) return { tone: "good", text: "Catching up", more: `${rows}${time} still ${verb}` };
  if (slow) return { tone: "calm", text: "Behind, steadily", more: `${rows}${time} ${verb}` };
  return { tone: "good", text: "Keeping up", more: `${rate === "" ? "" : `${rate}, `}${rows}${time} ${verb}` };
}

function fresh(q: QuerySummary, now: number): Answer {
  if (q.watermark === null) {
    return q.batches === 0
      ? { tone: "calm", text: "No batch yet", more: "" }
      : { tone: "calm", text: "No watermark", more: "it closes no windows of event time" };
  }
  const delay = q.watermarkDelaySeconds ?? (now - Date.parse(q.watermark)) / 1000;
  const final = `results are final up to ${f.eventMinute(q.watermark)}`;
  if (isOver(q)) return { tone: "calm", text: "Moves no longer", more: final };
  if (delay > 60 * DAY_S) return { tone: "calm", text: "Old data are replayed", more: final };
  return { tone: "good", text: `${capital(f.seconds(delay))} behind the clock`, more: final };
}

function correct(q: QuerySummary): Answer {
  const late = q.lateRows > 0 ? `${f.plural(q.lateRows, "late row")} dropped` : "";
  if (q.state === "failed")
    return { tone: "bad", text: "Stopped by an error", more: [q.lastError?.code, late].filter(Boolean).join(", ") };
  if (q.restarts > 0) {
    return {
      tone: "warn",
      text: `${f.plural(q.restarts, "failure")}, started again`,
      more: [q.lastError?.code, late].filter(Boolean).join(", "),
    };
  }
  if (q.batches === 0) return { tone: "calm", text: "No batch yet", more: "" };
  if (late !== "")
    return { tone: q.lateRows > q.inputRows / 100 ? "warn" : "good", text: capital(late), more: "no failures" };
  return { tone: "good", text: "No failures", more: "no late rows" };
}

function growing(q: QuerySummary, samples: readonly Sample[]): Answer {
  if (q.stateRows === null) {
    return { tone: "calm", text: q.batches === 0 ? "No batch yet" : "Keeps no state", more: "" };
  }
  const size = q.stateBytes === null || q.stateBytes === 0 ? "" : f.bytes(q.stateBytes);
  return {
    tone: "calm",
    text: `Keeps ${f.plural(q.stateRows, "row")}`,
    more: [size, growth(samples)].filter(Boolean).join(", "),
  };
}

/** How the state's rows moved over the last minutes. */
export function growth(samples: readonly Sample[]): string {
  const known = samples.filter((s) => s.stateRows !== null);
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) return "";
  const minutes = (last.at - first.at) / 60_000;
  if (minutes < 0.25) return "";
  const change = last.stateRows! - first.stateRows!;
  if (Math.abs(change) <= Math.max(first.stateRows!, last.stateRows!) / 20) return "steady";
  return `${change > 0 ? "growing" : "shrinking"} by ${f.count(Math.abs(change) / minutes)} rows a minute`;
}

/** The first sentence of the page. */
export function headline(
  queries: readonly QuerySummary[],
  now: number,
): { readonly tone: Tone; readonly text: string } {
  if (queries.length === 0) return { tone: "calm", text: "No query has started yet." };
  const failed = queries.filter((q) => q.state === "failed");
  if (failed.length > 0)
    return { tone: "bad", text: `${subject(failed)} ${failed.length === 1 ? "has" : "have"} failed.` };
  const restarting = queries.filter((q) => q.state === "restarting");
  if (restarting.length > 0) {
    const verb = restarting.length === 1 ? "starts" : "start";
    return { tone: "warn", text: `${subject(restarting)} ${verb} again after a failure.` };
  }
  const open = queries.filter((q) => !isOver(q));
  if (open.length === 0) {
    return { tone: "calm", text: queries.length === 1 ? "The query has ended." : "All queries have ended." };
  }
  const behind = open.filter((q) => answersOf(q, [], now).keepingUp.tone === "warn");
  if (behind.length > 0) {
    return { tone: "warn", text: `${subject(behind)} ${behind.length === 1 ? "is" : "are"} falling behind.` };
  }
  if (open.every((q) => q.batches === 0)) return { tone: "calm", text: "Started; no batch yet." };
  if (open.every((q) => q.state === "idle")) return { tone: "good", text: "All caught up; nothing new to read." };
  return { tone: "good", text: "Everything is keeping up." };
}

/** A name stays as its author wrote it, so it is never the first word. */
function subject(queries: readonly QuerySummary[]): string {
  if (queries.length > 3) return `${queries.length} queries`;
  return `The ${queries.length === 1 ? "query" : "queries"} ${f.list(queries.map(titleOf))}`;
}

export function trendText(trend: -1 | 0 | 1): string {
  return trend === 1 ? "↑ growing" : trend === -1 ? "↓ shrinking" : "→ steady";
}

/** Whether lags that were seen one after the other grow; a tenth up or down is noise. Null while there are too few. */
export function trendOf(lags: readonly number[]): -1 | 0 | 1 | null {
  const [first, last] = [lags[0], lags.at(-1)];
  if (lags.length < 3 || first === undefined || last === undefined) return null;
  if (Math.abs(last - first) <= Math.max(...lags) / 10) return 0;
  return last > first ? 1 : -1;
}

/** The phases of a batch in the order in which they run, in words. */
export const PHASES: Readonly<Record<string, string>> = {
  latestOffset: "look for new rows",
  getOffset: "look for new rows",
  walCommit: "write the plan down",
  getBatch: "fetch the rows",
  queryPlanning: "plan",
  compute: "compute",
  addBatch: "compute and deliver",
  sink: "deliver",
  commitBatch: "commit the state",
  commitOffsets: "commit",
};

export function phaseTitle(phase: string): string {
  return PHASES[phase] ?? phase;
}

/** Known phases in their order, then the others by name. */
export function inOrder(phases: Iterable<string>): string[] {
  const order = Object.keys(PHASES);
  const at = (phase: string): number => (order.includes(phase) ? order.indexOf(phase) : order.length);
  return [...new Set(phases)].sort((a, b) => at(a) - at(b) || (a < b ? -1 : 1));
}

/** Where the time of the last batches went, in a sentence, of a query that keeps up; null before the first batch. */
export function timeSpent(q: Pick<QuerySummary, "state">, batches: readonly BatchSummary[]): string | null {
  if (q.state === "idle") return "None; there is nothing new to read.";
  const last = batches.slice(-20);
  const total = last.reduce((sum, b) => sum + b.ms, 0);
  const phases = new Map<string, number>();
  for (const b of last) {
    for (const [name, ms] of Object.entries(b.phases)) phases.set(name, (phases.get(name) ?? 0) + ms);
  }
  const most = [...phases].sort((a, b) => b[1] - a[1])[0];
  if (total <= 0 || most === undefined) return null;
  return `None, it keeps up. Of a batch, ${f.percent(Math.min(1, most[1] / total))} goes into: ${phaseTitle(most[0])}.`;
}

/** How fast the watermark moves: seconds of event time in a second; null when it cannot be told. */
export function replaySpeed(batches: readonly BatchSummary[]): number | null {
  const known = batches.filter((b) => b.watermark !== null && Date.parse(b.watermark) > 0);
  const [first, last] = [known[0], known.at(-1)];
  if (first === undefined || last === undefined) return null;
  const clock = Date.parse(last.timestamp) - Date.parse(first.timestamp);
  return clock < 1000 ? null : (Date.parse(last.watermark!) - Date.parse(first.watermark!)) / clock;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Ages that move by themselves are not to flicker: whole seconds up to a minute, then whole minutes. */
function coarse(ms: number): number {
  const step = ms < 60_000 ? 1000 : 60_000;
  return Math.max(0, Math.floor(ms / step) * step);
}
