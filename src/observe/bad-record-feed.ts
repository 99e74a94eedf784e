import { type Events, subscribe } from "../events.ts";

/** A bad record, and how many of its source it stands for. */
export type BadRecordNews = Events["record.bad"] & { readonly count: number };

/** Between two tellings of one source, in milliseconds. */
const EVERY_MS = 5_000;

/**
 * Tells of bad records without drowning the reader: of each source the first at once, then at most one every five seconds, with the number
 * of those since. Returns what ends it, after telling the rest.
 *
 * ```ts
 * const stop = followBadRecords(({ source, count, reason }) => console.error(source, count, reason));
 * stop();
 * ```
 */
export function followBadRecords(tell: (news: BadRecordNews) => void): () => void {
  const waiting = new Map<string, { last: Events["record.bad"] | undefined; count: number; timer: NodeJS.Timeout }>();
  const flush = (source: string): void => {
    const entry = waiting.get(source)!;
    if (entry.last === undefined) {
      waiting.delete(source);
      return;
    }
    const { last, count } = entry;
    entry.last = undefined;
    entry.count = 0;
    entry.timer = after(source);
    tell({ ...last, count });
  };
  const after = (source: string): NodeJS.Timeout => setTimeout(() => flush(source), EVERY_MS).unref();
  const off = subscribe("record.bad", (record) => {
    const entry = waiting.get(record.source);
    if (entry === undefined) {
      waiting.set(record.source, { last: undefined, count: 0, timer: after(record.source) });
      tell({ ...record, count: 1 });
      return;
    }
    entry.last = record;
    entry.count++;
  });
  return () => {
    off();
    for (const { timer, last, count } of waiting.values()) {
      clearTimeout(timer);
      if (last !== undefined) tell({ ...last, count });
    }
    waiting.clear();
  };
}
