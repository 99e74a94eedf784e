import { batch, computed, effect, signal } from "@preact/signals";
import { client, type LiveStatus, type LiveView } from "millrace/client";
import type { Views } from "../views.ts";
import { type Alert, Alerts } from "./model/alerts.ts";
import { History, type HourRow } from "./model/history.ts";
import { advance, type Extent, type Playback, seek, toggle } from "./model/playback.ts";
import { alertRow, hourRow } from "./model/rows.ts";

/**
 * What the page knows and shows. Rows are kept as they come, thousands a second; the page looks at them at most twelve times a second
 * (`drawn`), and what is expensive to look at twice a second (`slow`).
 */
export const history = new History();
export const alerts = new Alerts();
/** The newest hour of each airport, from the cache. */
export const latest = new Map<string, HourRow>();

const FRAME_MS = 80;
const SLOW_MS = 500;
/** Alerts in the list. */
const LISTED = 60;
/** Rings that begin at one time; more would be noise. */
const RINGS = 6;

export const status = signal<LiveStatus>("connecting");
export const problem = signal<string | null>(null);
export const playback = signal<Playback>({ mode: "live", at: 0 });
export const extent = signal<Extent | null>(null);
// Time moves with every frame; what depends only on these is not drawn anew each time.
export const mode = computed(() => playback.value.mode);
export const isEmpty = computed(() => extent.value === null);
/** The full hour that is shown; changes with every hour and not with every frame. */
export const shownHour = signal<number | null>(null);
export const speed = signal(12);
/** The delay of an airport is the mean over so many hours. */
export const averageHours = signal(24);
export const selected = signal<string | null>(codeInAddress());
export const listed = signal<readonly Alert[]>([]);
/** Alerts that came or were passed since the last frame: they get a ring on the map. */
export const rings = signal<readonly Alert[]>([]);
export const drawn = signal(0);
export const slow = signal(0);

let scheduled = false;
let drawnAt = 0;
let slowAt = 0;
let alertsChanged = true;
let unseen: Alert[] = [];

/** Draws soon. Asked a thousand times it still draws once, and not at all while nobody can see the page. */
export function wantFrame(): void {
  if (scheduled) return;
  scheduled = true;
  setTimeout(() => requestAnimationFrame(frame), Math.max(drawnAt + FRAME_MS - performance.now(), 0));
}

function frame(now: number): void {
  scheduled = false;
  // A page that was hidden does not play what it missed.
  const seconds = Math.min(Math.max(now - drawnAt, 0) / 1000, 0.5);
  drawnAt = now;
  const { first, last } = history;
  if (first === null || last === null) return;
  // A time shows the hours before it: the first one has passed an hour after its beginning.
  const until = { first: first + 1, last: last + 1 };
  const before = playback.peek();
  const next = before.at === 0 ? { mode: "live" as const, at: until.last } : advance(before, seconds, until);
  batch(() => {
    playback.value = next;
    if (extent.peek()?.first !== until.first || extent.peek()?.last !== until.last) extent.value = until;
    const hour = Math.ceil(next.at) - 1;
    if (shownHour.peek() !== hour || alertsChanged) {
      shownHour.value = hour;
      alertsChanged = false;
      // Live, an alert stands in the list when it comes, though its hour is long past.
      const list = alerts.until(next.mode === "live" ? Number.POSITIVE_INFINITY : next.at, LISTED);
      if (list.length !== listed.peek().length || list.some((a, i) => a !== listed.peek()[i])) listed.value = list;
    }
    const passed = next.mode === "live" ? unseen : next.mode === "playing" ? alerts.between(before.at, next.at) : [];
    if (passed.length > 0) rings.value = [...passed].sort((a, b) => b.deviations - a.deviations).slice(0, RINGS);
    unseen = [];
    drawn.value++;
    if (now - slowAt >= SLOW_MS) {
      slowAt = now;
      slow.value++;
    } else {
      setTimeout(wantFrame, SLOW_MS);
    }
  });
  if (next.mode === "playing" || (next.mode === "live" && next.at < until.last)) wantFrame();
}

export function togglePlay(): void {
  if (extent.value !== null) playback.value = toggle(playback.value, speed.value, extent.value);
  wantFrame();
}

export function seekTo(hour: number): void {
  if (extent.value !== null) playback.value = seek(hour, extent.value);
  alertsChanged = true;
  wantFrame();
}

export function goLive(): void {
  if (extent.value !== null) playback.value = { mode: "live", at: extent.value.last };
  alertsChanged = true;
  wantFrame();
}

/** Shows the airport, and the moment after that hour where the page still knows it. */
export function show(alert: Alert): void {
  selected.value = alert.origin;
  if (extent.value !== null && alert.hour + 1 >= extent.value.first) seekTo(alert.hour + 1);
}

/** Follows the views of the process that served the page. */
export function connect(): void {
  const source = client<Views>();
  const delays = source.view("delays");
  const airports = source.view("airports");
  const unusual = source.view("alerts");
  delays.subscribe((_, change) => {
    if (change.kind === "state") return;
    const rows = change.upserted.flatMap((row) => hourRow(row) ?? []);
    // The program was started over: it sends a time that the page has passed already.
    if (change.kind === "rows" && rows.length > 0 && history.last !== null) {
      const newest = rows.reduce((hour, row) => Math.max(hour, row.hour), 0);
      if (newest < history.last) startOver();
    }
    for (const row of rows) history.set(row);
    wantFrame();
  });
  airports.subscribe((_, change) => {
    if (change.kind === "rows") latest.clear();
    for (const row of change.upserted) {
      const hour = hourRow(row);
      if (hour !== undefined) latest.set(hour.origin, hour);
    }
  });
  let known = false;
  unusual.subscribe((_, change) => {
    if (change.kind === "state") return;
    const fresh = alerts.add(change.upserted.flatMap((row) => alertRow(row) ?? []));
    // What was there when the page was opened is no news.
    if (known) unseen.push(...fresh);
    known = true;
    alertsChanged = true;
    wantFrame();
  });
  const views: readonly LiveView<unknown>[] = [delays, airports, unusual];
  const followStatus = (): void => {
    const order: readonly LiveStatus[] = ["closed", "connecting", "stale", "live"];
    status.value = order.find((one) => views.some((view) => view.status === one)) ?? "connecting";
    problem.value = views.find((view) => view.error !== null)?.error?.message ?? null;
  };
  for (const view of views) view.subscribe(followStatus);
  followStatus();
}

function startOver(): void {
  history.clear();
  alerts.clear();
  latest.clear();
  unseen = [];
  playback.value = { mode: "live", at: 0 };
  extent.value = null;
}

/** The chosen airport is a part of the address, so that it can be sent to others. */
export function keepAddress(): void {
  effect(() => {
    const code = selected.value;
    if (code !== codeInAddress()) {
      window.history.replaceState(null, "", code === null ? location.pathname + location.search : `#${code}`);
    }
  });
  addEventListener("hashchange", () => {
    const code = codeInAddress();
    if (code !== null) selected.value = code;
  });
}

function codeInAddress(): string | null {
  return /^#([A-Z0-9]{3,4})$/.exec(location.hash)?.[1] ?? null;
}
