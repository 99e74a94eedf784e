import { styleText } from "node:util";
import type { StreamingQueryProgress } from "../backend.ts";
import { subscribe } from "../events.ts";
import { lagOf } from "./lag.ts";

export interface StatusLineOptions {
  /** Where it is drawn; default stderr. On a terminal one line per query is redrawn in place, elsewhere lines are written now and then. */
  stream?: NodeJS.WriteStream;
  /** Time between two lines per query where there is no terminal, in milliseconds; default 10,000. */
  plainEveryMs?: number;
  /** Whether a query that fails is told with its reason; default true. False for who tells it more fully. */
  reasons?: boolean;
  /** The clock in milliseconds, for tests. */
  now?: () => number;
}

export interface StatusLine {
  /** Writes a line above the status. */
  log(line: string): void;
  /** Leaves the last status as it is and stops listening. */
  stop(): void;
}

/** What is shown of one query. */
interface QueryState {
  name: string;
  state: "running" | "idle" | "restarting" | "ended" | "failed";
  /** End of a batch and its rows, for the rate over the last seconds. */
  recent: { at: number; rows: number; ms: number }[];
  batchId: number | undefined;
  batchMs: number | undefined;
  lag: number | undefined;
  mostLag: number;
  watermark: string | undefined;
  totalRows: number;
  detail: string;
  printedAt: number;
}

const RATE_WINDOW_MS = 5_000;

/**
 * Shows what each running query does: events per second, the last batch and its time, the lag of its source and its watermark.
 *
 * ```ts
 * const status = startStatusLine();
 * status.log("all flights are sent");
 * status.stop();
 * ```
 */
export function startStatusLine(options: StatusLineOptions = {}): StatusLine {
  const stream = options.stream ?? process.stderr;
  const plainEveryMs = options.plainEveryMs ?? 10_000;
  const now = options.now ?? (() => performance.now());
  const isTerminal = stream.isTTY === true;
  const queries = new Map<string, QueryState>();
  let drawn = 0;

  const erase = (): string => (drawn > 0 ? `\x1b[${drawn}A\x1b[0J` : "");
  const draw = (above = ""): void => {
    if (!isTerminal) {
      if (above !== "") stream.write(above);
      return;
    }
    const width = stream.columns || 80;
    const lines = [...queries.values()].map((q) => {
      const text = describe(q, now()).slice(0, width - 1);
      return styleText(q.state === "failed" ? "red" : "dim", text, { stream });
    });
    stream.write(`${erase()}${above}${lines.map((l) => `${l}\n`).join("")}`);
    drawn = lines.length;
  };
  const changed = (q: QueryState, force = false): void => {
    if (isTerminal) return;
    if (!force && now() - q.printedAt < plainEveryMs) return;
    q.printedAt = now();
    stream.write(`${describe(q, now())}\n`);
  };
  const of = (id: string, name: string | null): QueryState => {
    let q = queries.get(id);
    if (q === undefined) {
      q = {
        name: name ?? id.slice(0, 8),
        state: "running",
        recent: [],
        batchId: undefined,
        batchMs: undefined,
        lag: undefined,
        mostLag: 0,
        watermark: undefined,
        totalRows: 0,
        detail: "",
        printedAt: Number.NEGATIVE_INFINITY,
      };
      queries.set(id, q);
    }
    return q;
  };

  const off = [
    subscribe("query.started", (e) => {
      const q = of(e.id, e.name);
      q.name = e.name ?? q.name;
      q.state = "running";
      q.detail = "";
    }),
    subscribe("query.progress", (e) => {
      const q = of(e.id, e.name);
      take(q, e.progress as StreamingQueryProgress, now());
      changed(q);
    }),
    subscribe("query.idle", (e) => {
      const q = queries.get(e.id);
      if (q !== undefined) q.state = "idle";
    }),
    subscribe("query.restarting", (e) => {
      const q = of(e.id, null);
      q.state = "restarting";
      q.detail = `attempt ${e.attempt} in ${duration(e.delayMs)}: ${firstLine(e.error.message)}`;
      changed(q, true);
    }),
    subscribe("query.terminated", (e) => {
      const q = of(e.id, e.name);
      q.state = e.error === null ? "ended" : "failed";
      q.detail = e.error === null || options.reasons === false ? "" : firstLine(e.error.message);
      if (e.error === null || options.reasons !== false) changed(q, true);
    }),
  ];
  const timer = isTerminal ? setInterval(() => draw(), 200) : undefined;
  timer?.unref();
  return {
    log: (line) => draw(`${line}\n`),
    stop() {
      clearInterval(timer);
      for (const f of off) f();
      if (isTerminal) draw();
      drawn = 0;
    },
  };
}

function take(q: QueryState, p: StreamingQueryProgress, now: number): void {
  q.state = "running";
  q.batchId = p.batchId;
  q.batchMs = p.batchDuration;
  q.totalRows += p.numInputRows;
  q.recent.push({ at: now, rows: p.numInputRows, ms: p.batchDuration });
  while (q.recent.length > 0 && q.recent[0]!.at < now - RATE_WINDOW_MS) q.recent.shift();
  const lags = p.sources.map(lagOf).filter((l) => l !== undefined);
  q.lag = lags.length === 0 ? undefined : lags.reduce((a, b) => a + b, 0);
  // What it had to read since it was up to date last.
  q.mostLag = q.lag ? Math.max(q.mostLag, q.lag + p.numInputRows) : 0;
  q.watermark = p.eventTime?.watermark;
}

function describe(q: QueryState, now: number): string {
  const parts = [q.name.padEnd(10)];
  if (q.state === "failed" || q.state === "restarting") {
    parts.push(q.detail === "" ? q.state : `${q.state} ${q.detail}`);
    return parts.join(" ");
  }
  const facts: string[] = [];
  if (q.batchId === undefined) facts.push(q.state === "ended" ? "ended" : "no batch yet");
  else if (q.state === "ended") facts.push(`ended after ${count(q.totalRows)} events`, `batch ${q.batchId}`);
  else {
    facts.push(`${count(rate(q, now))} events/s`, `batch ${q.batchId} in ${duration(q.batchMs!)}`);
    if (q.lag !== undefined) facts.push(q.lag === 0 ? "no lag" : `lag ${count(q.lag)}${catchingUp(q, now)}`);
  }
  if (q.watermark !== undefined && !q.watermark.startsWith("1970-01-01T00:00:00.000")) {
    facts.push(`watermark ${q.watermark.replace("T", " ").replace(/(:\d\d)?\.\d+Z$/, "")}`);
  }
  if (q.state === "idle") facts.push("waiting");
  return `${parts[0]} ${facts.join(" · ")}`;
}

/** From so many seconds of lag on it is told how far the query is, and how long it will take. */
const CATCHES_UP_S = 2;
const BAR = 16;

function catchingUp(q: QueryState, now: number): string {
  const perSecond = rate(q, now);
  if (q.lag === undefined || perSecond === 0 || q.lag / perSecond < CATCHES_UP_S) return "";
  const share = 1 - q.lag / Math.max(q.mostLag, q.lag);
  const full = Math.round(share * BAR);
  return ` ${"█".repeat(full)}${"░".repeat(BAR - full)} ${Math.floor(share * 100)} %, ${Math.ceil(q.lag / perSecond)} s left`;
}

/** Rows per second over the last seconds; one long batch counts with its own time. */
function rate(q: QueryState, now: number): number {
  const recent = q.recent.filter((r) => r.at >= now - RATE_WINDOW_MS);
  if (recent.length === 0) return 0;
  const first = recent[0]!;
  const span = Math.max(now - (first.at - first.ms), 1);
  return Math.round((recent.reduce((n, r) => n + r.rows, 0) * 1000) / span);
}

function count(n: number): string {
  return n.toLocaleString("en-US");
}

function duration(ms: number): string {
  return ms < 10_000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0]!;
}
