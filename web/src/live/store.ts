import { batch, computed, signal } from "@preact/signals";
import type { QueryDetail, QuerySummary, StreamMessages } from "../../../src/observe/api.ts";
import { type Connection, heard, lost, NEW, opened, statusOf } from "./connection.ts";
import type { Message } from "./events.ts";
import { aged, type Live, NOTHING, onBeat, onHistory, onOpen, onQuery, sameProcess, tick } from "./reducer.ts";
import { type Shared, shareEvents } from "./shared.ts";

/** Nothing is drawn more often than this. */
const DRAW_MS = 100;

export const live = signal<Live>(NOTHING);
export const connection = signal<Connection>(NEW);
/** This machine's clock; moves every second, so that ages on the page move as well. */
export const now = signal(Date.now());
/** Grows when what was fetched may be old: after a reconnect, a restart of the process, or a look at a tab that was hidden. */
export const generation = signal(0);

export const status = computed(() => statusOf(connection.value, now.value));
/** Now, by the process's clock. While nothing is heard of it, its time stands still: no age on the page may look alive. */
export const processNow = computed(() => {
  const { lastMessageAt } = connection.value;
  const at = status.value.kind === "live" || lastMessageAt === null ? now.value : lastMessageAt;
  return at + live.value.skew;
});
export const queries = computed<readonly QuerySummary[]>(() =>
  live.value.queries.map((q) => aged(q, processNow.value)),
);

/** What came since the last drawing. */
let pending: Live | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
let drawnAt = 0;

function change(step: (live: Live) => Live): void {
  pending = step(pending ?? live.peek());
  timer ??= setTimeout(draw, Math.max(0, drawnAt + DRAW_MS - Date.now()));
}

function draw(): void {
  clearTimeout(timer);
  timer = undefined;
  drawnAt = Date.now();
  if (pending === undefined) return;
  const next = pending;
  pending = undefined;
  batch(() => {
    live.value = next;
    now.value = Math.max(now.peek(), Date.now());
  });
}

function onMessage(message: Message): void {
  const at = Date.now();
  const before = pending ?? live.peek();
  if (message.event === "open") {
    const isNew = before.process !== null && !sameProcess(before.process, message.data.process);
    const again = connection.peek().attempt > 0 || isNew;
    change((state) => onOpen(state, message.data, at));
    connection.value = opened(connection.peek(), at);
    if (again) generation.value++;
    return;
  }
  if (message.event === "query") change((state) => onQuery(state, message.data));
  else change((state) => onBeat(state, message.data, at));
  connection.value = heard(connection.peek(), at);
}

/** The process's state as a new tab is to see it. */
function current(): StreamMessages["open"] | null {
  const { process, queries, skew } = pending ?? live.peek();
  return process === null ? null : { process: { ...process, now: Date.now() + skew }, queries };
}

/** A query's details were fetched: its batches become the history. */
export function learn(detail: QueryDetail): void {
  change((state) => onHistory(state, detail.id, detail.history));
}

/** Begins to listen; once a page. */
export function start(): void {
  let shared: Shared = share();
  setInterval(() => {
    now.value = Date.now();
    if (status.peek().kind === "live") change((state) => tick(state, Date.now()));
  }, 1000);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState !== "visible") return;
    now.value = Date.now();
    shared.wake();
    generation.value++;
  });
  window.addEventListener("online", () => shared.wake());
  // A page that is kept for the way back must not hold the stream meanwhile.
  window.addEventListener("pagehide", () => shared.close());
  window.addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    shared = share();
    generation.value++;
  });
}

function share(): Shared {
  return shareEvents(
    "/api/stream",
    {
      message: onMessage,
      lost: (problem) => {
        connection.value = lost(connection.peek(), problem);
      },
    },
    current,
  );
}
