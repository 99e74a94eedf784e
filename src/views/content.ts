import { compareSortKeys, compareText, type SortKey } from "../client/wire.ts";
import type { ViewOrder } from "../observe/api-views.ts";

/** A row of a view, ready to travel. */
export interface Row {
  /** The values of its key as JSON. */
  readonly id: string;
  /** The row as JSON. */
  readonly json: string;
  readonly sortKeys: readonly SortKey[];
  /** When the store forgets it, in milliseconds since 1970; undefined: never. */
  readonly expiresAt?: number | undefined;
}

/** A row that is there, or the id of one that is not. */
export type Change = { readonly row: Row } | { readonly gone: string };

/** All rows there are, the first in order; or what changed. */
export type Step =
  | { readonly all: readonly Row[]; readonly changes?: undefined }
  | { readonly all?: undefined; readonly changes: readonly Change[] };

/** Changes that are remembered for those who come again or are slow. */
const RING_BATCHES = 256;
const RING_BYTES = 8 * 1024 * 1024;

interface Batch {
  readonly number: number;
  readonly ids: readonly string[];
  readonly bytes: number;
}

/**
 * The rows of a view in memory: at most `limit`, the first in the order. It counts changes and remembers which rows each one touched; what
 * a reader has to be told is looked up when it is told, so that a slow one costs nothing.
 */
export class Content {
  readonly #order: readonly ViewOrder[];
  readonly #limit: number;
  #rows = new Map<string, Row>();
  /** The first of the rows that were left out; undefined: all are here. */
  #firstOut: Row | undefined;
  /** The last of the rows that are here, where it is known: finding it takes a look at all. */
  #knownLast: Row | undefined;
  readonly #ring: Batch[] = [];
  #ringBytes = 0;
  #batch = 0;
  #hasExpiry = false;

  constructor(order: readonly ViewOrder[], limit: number) {
    this.#order = order;
    this.#limit = limit;
  }

  /** Number of the last change; 0 before the first. */
  get batch(): number {
    return this.#batch;
  }
  get size(): number {
    return this.#rows.size;
  }
  /** There are more rows in the store. */
  get isCut(): boolean {
    return this.#firstOut !== undefined;
  }
  get hasExpiry(): boolean {
    return this.#hasExpiry;
  }

  /** All rows, in order. */
  rows(): Row[] {
    return [...this.#rows.values()].sort((a, b) => this.#compare(a, b));
  }

  /**
   * Takes steps as one change: no reader sees what lies between them. `unsure`: rows that are not here may belong here now, which only the
   * store knows; then nothing was taken, unless the steps began with all rows.
   */
  take(steps: readonly Step[]): "changed" | "same" | "unsure" {
    const all = steps.findLastIndex((step) => step.all !== undefined);
    return all < 0 ? this.#change(steps) : this.#replace(steps.slice(all));
  }

  #replace(steps: readonly Step[]): "changed" | "same" | "unsure" {
    const before = this.#rows;
    const rows = steps[0]!.all!;
    this.#rows = new Map(rows.map((row) => [row.id, row]));
    this.#firstOut = undefined;
    this.#knownLast = undefined;
    this.#hasExpiry = rows.some((row) => row.expiresAt !== undefined);
    this.#cut();
    for (const { changes } of steps.slice(1)) for (const change of changes!) this.#set(change);
    this.#cut();
    const changed: string[] = [];
    for (const row of this.#rows.values()) if (before.get(row.id)?.json !== row.json) changed.push(row.id);
    for (const id of before.keys()) if (!this.#rows.has(id)) changed.push(id);
    const isNews = this.#remember(changed);
    if (this.#isUnsure()) return "unsure";
    return isNews ? "changed" : "same";
  }

  #change(steps: readonly Step[]): "changed" | "same" | "unsure" {
    const before = new Map<string, Row | undefined>();
    const firstOut = this.#firstOut;
    for (const { changes } of steps) {
      for (const change of changes!) {
        const id = "row" in change ? change.row.id : change.gone;
        if (!before.has(id)) before.set(id, this.#rows.get(id));
        this.#set(change);
      }
    }
    const cut = this.#cut();
    const changed: string[] = [];
    if (this.#isUnsure()) {
      for (const row of cut) this.#put(row);
      for (const [id, row] of before) {
        if (row === undefined) this.#delete(id);
        else this.#put(row);
      }
      this.#firstOut = firstOut;
      return "unsure";
    }
    for (const row of cut) if (!before.has(row.id)) changed.push(row.id);
    for (const [id, row] of before) if (row?.json !== this.#rows.get(id)?.json) changed.push(id);
    return this.#remember(changed) ? "changed" : "same";
  }

  #set(change: Change): void {
    if ("row" in change) {
      this.#put(change.row);
      if (change.row.expiresAt !== undefined) this.#hasExpiry = true;
    } else this.#delete(change.gone);
  }

  #put(row: Row): void {
    this.#rows.set(row.id, row);
    const last = this.#knownLast;
    if (last === undefined) return;
    if (this.#compare(row, last) >= 0) this.#knownLast = row;
    else if (last.id === row.id) this.#knownLast = undefined;
  }

  #delete(id: string): void {
    this.#rows.delete(id);
    if (this.#knownLast?.id === id) this.#knownLast = undefined;
  }

  /** Rows whose time is over. */
  expired(now: number): Change[] {
    const gone: Change[] = [];
    for (const row of this.#rows.values()) if ((row.expiresAt ?? Infinity) <= now) gone.push({ gone: row.id });
    return gone;
  }

  /** Whether the changes since that one are still known. */
  remembers(batch: number): boolean {
    return batch <= this.#batch && batch >= this.#batch - this.#ring.length;
  }

  /** The rows that changed since then, as they are now, and the ids of those that are gone. */
  since(batch: number): { readonly upsert: readonly Row[]; readonly gone: readonly string[] } {
    const ids = new Set<string>();
    for (let i = this.#ring.length - (this.#batch - batch); i < this.#ring.length; i++) {
      for (const id of this.#ring[i]!.ids) ids.add(id);
    }
    const upsert: Row[] = [];
    const gone: string[] = [];
    for (const id of ids) {
      const row = this.#rows.get(id);
      if (row === undefined) gone.push(id);
      else upsert.push(row);
    }
    return { upsert, gone };
  }

  #remember(ids: readonly string[]): boolean {
    if (ids.length === 0 && this.#batch > 0) return false;
    this.#batch++;
    let bytes = 64;
    for (const id of ids) bytes += 2 * id.length + 16;
    // The first rows are no change of anything.
    if (this.#batch > 1) {
      this.#ring.push({ number: this.#batch, ids, bytes });
      this.#ringBytes += bytes;
    }
    while (this.#ring.length > RING_BATCHES || this.#ringBytes > RING_BYTES)
      this.#ringBytes -= this.#ring.shift()!.bytes;
    return true;
  }

  /** Removes the last rows of the order while there are too many. */
  #cut(): readonly Row[] {
    const over = this.#rows.size - this.#limit;
    if (over <= 0) return [];
    const last = over === 1 ? [this.#last()!] : this.rows().slice(this.#limit);
    for (const row of last) {
      this.#delete(row.id);
      if (this.#firstOut === undefined || this.#compare(row, this.#firstOut) < 0) this.#firstOut = row;
    }
    return last;
  }

  /** A row that was left out could come before one that is here. */
  #isUnsure(): boolean {
    if (this.#firstOut === undefined) return false;
    if (this.#rows.size < this.#limit) return true;
    return this.#compare(this.#last()!, this.#firstOut) > 0;
  }

  #last(): Row | undefined {
    if (this.#knownLast === undefined) {
      for (const row of this.#rows.values()) {
        if (this.#knownLast === undefined || this.#compare(row, this.#knownLast) > 0) this.#knownLast = row;
      }
    }
    return this.#knownLast;
  }

  #compare(a: Row, b: Row): number {
    return compareRows(a, b, this.#order);
  }
}

/** In the order of a view; rows of different keys are never equal. */
export function compareRows(a: Row, b: Row, order: readonly ViewOrder[]): number {
  return compareSortKeys(a.sortKeys, b.sortKeys, order) || compareText(a.id, b.id);
}
