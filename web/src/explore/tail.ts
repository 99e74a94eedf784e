import type { MessagePage, RecordText, TopicMessage } from "../../../src/observe/api-explore.ts";

/** The live end of a topic as it is shown: newest on top, a bounded number, and how many were left out between; pure. */
export interface Tail {
  readonly messages: readonly TopicMessage[];
  /** As `from` of the next request. */
  readonly next: string;
  /** Messages that came faster than they could be shown. */
  readonly skipped: number;
}

export const KEEP = 200;

export function firstTail(page: MessagePage): Tail {
  return { messages: page.messages.slice(0, KEEP), next: page.next, skipped: 0 };
}

/** What came in since; `page` is oldest first. */
export function extendTail(tail: Tail, page: MessagePage): Tail {
  if (page.messages.length === 0) return { ...tail, next: page.next };
  const known = new Set(tail.messages.map(idOf));
  const fresh = page.messages.filter((m) => !known.has(idOf(m))).reverse();
  return { ...tail, messages: [...fresh, ...tail.messages].slice(0, KEEP), next: page.next };
}

/** Too much came in: the newest page takes over, and what lies between is counted. `latest` is newest first. */
export function jumpTail(tail: Tail, latest: MessagePage): Tail {
  const known = new Set(tail.messages.map(idOf));
  const fresh = latest.messages.filter((m) => !known.has(idOf(m)));
  const passed = offsetsBetween(tail.next, latest.next);
  return {
    messages: [...fresh, ...tail.messages].slice(0, KEEP),
    next: latest.next,
    skipped: tail.skipped + Math.max(0, passed - fresh.length),
  };
}

/** `partition:offset` pairs, by partition. */
function offsetsOf(next: string): Map<string, number> {
  return new Map(next.split(",").map((pair) => [pair.split(":")[0]!, Number(pair.split(":")[1])]));
}

function offsetsBetween(from: string, to: string): number {
  const before = offsetsOf(from);
  let sum = 0;
  for (const [partition, offset] of offsetsOf(to)) sum += Math.max(0, offset - (before.get(partition) ?? offset)) || 0;
  return sum;
}

export function idOf(m: Pick<TopicMessage, "partition" | "offset">): string {
  return `${m.partition}:${m.offset}`;
}

/** A key or value in one line. */
export function oneLine(text: RecordText, most = 160): string {
  if (text === null) return "null";
  if ("base64" in text) return `[binary] ${text.base64.slice(0, 40)}${text.base64.length > 40 ? "…" : ""}`;
  const line = text.text.replace(/\s+/g, " ");
  return line.length > most || text.truncated ? `${line.slice(0, most)}…` : line;
}

/** JSON with line breaks; other text as it is. */
export function pretty(text: string): string {
  if (!/^\s*[[{]/.test(text)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // begins like JSON and is none
  }
}

/** `hexdump -C` of bytes: what cannot be read is at least seen. */
export function hexdump(base64: string): string {
  const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = [...bytes.subarray(at, at + 16)];
    const hex = row.map((b) => b.toString(16).padStart(2, "0")).join(" ");
    const text = row.map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : ".")).join("");
    lines.push(`${at.toString(16).padStart(6, "0")}  ${hex.padEnd(47)}  ${text}`);
  }
  return lines.join("\n");
}

/** What the reader chose of a topic. */
export interface Seek {
  readonly from: "latest" | "earliest" | "offset" | "time";
  /** An offset, or a local time as `<input type="datetime-local">` gives it. */
  readonly at: string;
  readonly partition: string;
  readonly search: string;
}

/** As `from` of a request, or the reason why it cannot be one. */
export function fromOf(seek: Seek): { readonly from: string } | { readonly problem: string } {
  if (seek.from === "latest" || seek.from === "earliest") return { from: seek.from };
  if (seek.from === "offset") {
    return /^\d+$/.test(seek.at.trim())
      ? { from: seek.at.trim() }
      : { problem: "Give an offset: a whole number from 0." };
  }
  const ms = Date.parse(seek.at);
  return Number.isNaN(ms) ? { problem: "Give a date and a time." } : { from: new Date(ms).toISOString() };
}
