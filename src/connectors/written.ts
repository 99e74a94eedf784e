/** Where a sink writes: what those who follow it compare. `server` is host:port/database, without user and password. */
export type WriteTarget =
  | { readonly kind: "table"; readonly server: string; readonly schema: string | undefined; readonly table: string }
  | { readonly kind: "cache"; readonly server: string; readonly prefix: string };

/** Somebody who follows what is written in a place, such as a live view. */
export interface WriteWatcher {
  matches(target: WriteTarget): boolean;
  /** A batch begins to be written. What is returned hears how it went. */
  begin(batch: { readonly queryId: string; readonly batchId: number }): WriteWatch;
  /** Something was written beside the batches of queries. */
  wrote(): void;
}

/** One batch on its way, for one watcher. Exactly one of `done` and `failed` is called at its end. */
export interface WriteWatch {
  /** Whether it wants the rows of a batch of that many; otherwise it finds out by reading. */
  wants(rowCount: number): boolean;
  /** For tables: SQL of one text for each row that the table then holds, for RETURNING. */
  readonly returning: string | undefined;
  /** The batch is in the store. `rows`: what `returning` gave, or what was written under keys; undefined: it was not asked. */
  done(written: Written | undefined): void;
  /** The batch may be in the store, a part of it, or nothing. */
  failed(): void;
}

export interface Written {
  /** What was there before is gone, as in output mode complete. */
  readonly replaced: boolean;
  readonly rows: readonly string[];
  readonly keys: readonly KeyWritten[];
}

/** A key of the cache that a batch has set. */
export interface KeyWritten {
  readonly key: string;
  readonly type: "hash" | "string";
  /** Names of the hash's fields that were set or, where null, removed; a string has one value, its JSON. */
  readonly fields: readonly string[];
  readonly values: readonly (string | null)[];
  readonly ttlMs: number | undefined;
}

/** Rows of larger batches are not handed on: reading the store once costs less. */
export const LARGEST_WATCHED = 5_000;

const watchers = new Set<WriteWatcher>();
const open = new Set<WriteTarget>();

/** Follows what is written from here on, until the returned function is called. */
export function watchWrites(watcher: WriteWatcher): () => void {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

/** Where queries of this process write now. */
export function openTargets(): Iterable<WriteTarget> {
  return open;
}

/** A query writes there, until the returned function is called. */
export function openTarget(target: WriteTarget): () => void {
  open.add(target);
  return () => open.delete(target);
}

/** Something was written there that is no batch of a query. */
export function wroteBeside(target: WriteTarget): void {
  for (const watcher of watchers) if (watcher.matches(target)) watcher.wrote();
}

/** A batch begins to be written there. */
export function beginWrite(target: WriteTarget, batch: { readonly id: number; readonly queryId: string }): BatchWrite {
  const watches: WriteWatch[] = [];
  for (const watcher of watchers) {
    if (watcher.matches(target)) watches.push(watcher.begin({ queryId: batch.queryId, batchId: batch.id }));
  }
  const write = new BatchWrite(target, watches);
  writing.add(write);
  return write;
}

/** Resolves when the batches have ended that are on their way to those places now. */
export async function writesEnded(matches: (target: WriteTarget) => boolean): Promise<void> {
  await Promise.all([...writing].flatMap((write) => (matches(write.target) ? [write.ended()] : [])));
}

const writing = new Set<BatchWrite>();

/** A batch on its way, for all who follow it. */
export class BatchWrite {
  readonly target: WriteTarget;
  readonly #watches: readonly WriteWatch[];
  /** Those who were asked and want the rows. */
  #asked: readonly WriteWatch[] = [];
  #rows: (readonly string[])[] = [];
  #keys: KeyWritten[] = [];
  #replaced = false;
  readonly #waiting: (() => void)[] = [];

  constructor(target: WriteTarget, watches: readonly WriteWatch[]) {
    this.target = target;
    this.#watches = watches;
  }

  /** Whether anybody follows it. */
  get isWatched(): boolean {
    return this.#watches.length > 0;
  }
  ended(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
  /** What RETURNING is to give for the batch's rows: one SQL text for each who wants them. */
  returning(rowCount: number): readonly string[] {
    this.#rows = [];
    this.#asked = this.#watches.filter((watch) => watch.returning !== undefined && watch.wants(rowCount));
    return this.#asked.map((watch) => watch.returning!);
  }
  /** What RETURNING gave. */
  rows(rows: readonly (readonly string[])[]): void {
    this.#rows.push(...rows);
  }
  /** Nobody is to get the rows after all. */
  forget(): void {
    this.#asked = [];
    this.#rows = [];
    this.#keys = [];
  }
  replaced(): void {
    this.#replaced = true;
  }
  /** Whether somebody wants to hear of the keys. */
  wantsKeys(rowCount: number): boolean {
    this.#asked = this.#watches.filter((watch) => watch.wants(rowCount));
    if (this.#asked.length === 0) this.#keys = [];
    return this.#asked.length > 0;
  }
  keys(keys: readonly KeyWritten[]): void {
    for (const key of keys) this.#keys.push(key);
  }
  /** Whether somebody was asked who wants the rows. */
  get asked(): boolean {
    return this.#asked.length > 0;
  }
  /** Another attempt begins. */
  again(): void {
    this.#replaced = false;
    this.forget();
  }

  done(): void {
    for (const watch of this.#watches) {
      const place = this.#asked.indexOf(watch);
      const written =
        place < 0
          ? undefined
          : { replaced: this.#replaced, rows: this.#rows.map((row) => row[place]!), keys: this.#keys };
      watch.done(written);
    }
    this.#end();
  }
  failed(): void {
    for (const watch of this.#watches) watch.failed();
    this.#end();
  }

  #end(): void {
    writing.delete(this);
    for (const tell of this.#waiting) tell();
  }
}
