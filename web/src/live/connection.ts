/** The state of the line to the process, as the reader of the page sees it; pure. */
export interface Connection {
  /** Whether the stream is open at the moment. */
  readonly open: boolean;
  /** Attempts since it was lost; 0 while it is open. */
  readonly attempt: number;
  /** When the last message came, by this machine's clock; null before the first. */
  readonly lastMessageAt: number | null;
  /** Why it cannot be opened, when the process said so. */
  readonly problem: string | null;
}

export type Status =
  | { readonly kind: "connecting"; readonly text: string }
  | { readonly kind: "live"; readonly text: string }
  | { readonly kind: "reconnecting"; readonly text: string }
  | { readonly kind: "stale"; readonly text: string; readonly seconds: number };

/** The process sends a sign of life every five seconds: whoever missed two of them is looking at the past. */
export const STALE_MS = 11_000;

export const NEW: Connection = { open: false, attempt: 0, lastMessageAt: null, problem: null };

export function opened(_: Connection, now: number): Connection {
  return { open: true, attempt: 0, lastMessageAt: now, problem: null };
}

export function heard(c: Connection, now: number): Connection {
  return { ...c, open: true, attempt: 0, lastMessageAt: now, problem: null };
}

export function lost(c: Connection, problem: string | null): Connection {
  return { ...c, open: false, attempt: c.attempt + 1, problem };
}

/** What to show. */
export function statusOf(c: Connection, now: number): Status {
  const age = c.lastMessageAt === null ? null : now - c.lastMessageAt;
  if (age !== null && age > STALE_MS) {
    const seconds = Math.round(age / 1000);
    return { kind: "stale", text: `Stale since ${ageText(seconds)}`, seconds };
  }
  if (c.open) return { kind: "live", text: "Live" };
  return age === null && c.attempt < 2
    ? { kind: "connecting", text: "Connecting" }
    : { kind: "reconnecting", text: "Reconnecting" };
}

function ageText(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`;
}

/** Until the next attempt: doubles up to five seconds; a random part keeps many pages from asking at once. */
export function backoffMs(attempt: number, random: () => number = Math.random): number {
  const most = Math.min(5000, 250 * 2 ** Math.min(attempt, 10));
  return Math.round(most * (0.5 + random() / 2));
}
