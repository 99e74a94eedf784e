/**
 * The data: sixteen databases of strings and hashes with expiry. Pure: the clock is given, and every change is told to
 * `log` as an operation that may be applied again without harm, which is what the append-only file keeps.
 */

/** Redis' number of databases. */
export const DATABASES = 16;

export type Hash = Map<string, string>;

interface Entry {
  value: string | Hash;
  /** Milliseconds since 1970; 0 is never. */
  expiresAt: number;
  /** Order of creation, the position of a SCAN. */
  readonly sequence: number;
}

/** An error that a client sees as it is. */
export class CommandError extends Error {}

const WRONG_TYPE = "WRONGTYPE Operation against a key holding the wrong kind of value";

export interface StoreOptions {
  /** The time in milliseconds since 1970. */
  now(): number;
  /** A change to database `db`: a Redis command that sets a state, never one that adds to it. */
  log(db: number, operation: readonly string[]): void;
  /** A key has changed, for those who watch it. */
  touched(db: number, key: string): void;
}

export class Store {
  readonly databases: Database[];
  readonly options: StoreOptions;

  constructor(options: StoreOptions) {
    this.options = options;
    this.databases = Array.from({ length: DATABASES }, (_, i) => new Database(i, options));
  }

  flushAll(): void {
    for (const db of this.databases) db.clear();
    this.options.log(0, ["FLUSHALL"]);
  }

  /** Removes some of the keys whose time is over; returns how many. */
  expireSome(limit: number): number {
    return this.databases.reduce((n, db) => n + db.expireSome(limit), 0);
  }
}

export class Database {
  readonly index: number;
  readonly #options: StoreOptions;
  #entries = new Map<string, Entry>();
  /** Keys with an expiry. */
  #expiring = new Set<string>();
  #expiringCursor: Iterator<string> | undefined;
  #sequence = 0;
  /** Iterators of running scans by the cursor that continues them; a lost one is found again by its sequence. */
  #scans = new Map<number, Iterator<[string, Entry]>>();

  constructor(index: number, options: StoreOptions) {
    this.index = index;
    this.#options = options;
  }

  /** Keys, those whose time is over but that nobody has met included, as in Redis. */
  get size(): number {
    return this.#entries.size;
  }

  get expiringSize(): number {
    return this.#expiring.size;
  }

  #find(key: string): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || entry.expiresAt === 0 || entry.expiresAt > this.#options.now()) return entry;
    this.#remove(key);
    this.#options.log(this.index, ["DEL", key]);
    return undefined;
  }

  #remove(key: string): void {
    this.#entries.delete(key);
    this.#expiring.delete(key);
    this.#options.touched(this.index, key);
  }

  #put(key: string, value: string | Hash, expiresAt: number): void {
    const entry = this.#entries.get(key);
    if (entry !== undefined) {
      entry.value = value;
      entry.expiresAt = expiresAt;
    } else {
      this.#entries.set(key, { value, expiresAt, sequence: ++this.#sequence });
    }
    if (expiresAt > 0) this.#expiring.add(key);
    else this.#expiring.delete(key);
    this.#options.touched(this.index, key);
  }

  // Any type

  type(key: string): "none" | "string" | "hash" {
    const entry = this.#find(key);
    return entry === undefined ? "none" : typeof entry.value === "string" ? "string" : "hash";
  }

  has(key: string): boolean {
    return this.#find(key) !== undefined;
  }

  delete(key: string): boolean {
    if (this.#find(key) === undefined) return false;
    this.#remove(key);
    this.#options.log(this.index, ["DEL", key]);
    return true;
  }

  /** When the key expires: 0 never, undefined when there is no such key. */
  expiresAt(key: string): number | undefined {
    return this.#find(key)?.expiresAt;
  }

  /** Sets when the key expires; a time that is over removes it, 0 keeps it for ever. False when there is no such key. */
  expire(key: string, at: number): boolean {
    const entry = this.#find(key);
    if (entry === undefined) return false;
    if (at !== 0 && at <= this.#options.now()) return this.delete(key);
    this.#put(key, entry.value, at);
    this.#options.log(this.index, at === 0 ? ["PERSIST", key] : ["PEXPIREAT", key, String(at)]);
    return true;
  }

  /** Gives the key another name, its expiry included. */
  rename(from: string, to: string): boolean {
    const entry = this.#find(from);
    if (entry === undefined) return false;
    if (from === to) return true;
    this.#remove(from);
    this.#options.log(this.index, ["DEL", from]);
    this.restore(to, entry.value, entry.expiresAt);
    return true;
  }

  /** Replaces a key by a value of any type. */
  restore(key: string, value: string | Hash, expiresAt: number): void {
    this.#put(key, value, expiresAt);
    for (const operation of asOperations(key, value, expiresAt)) this.#options.log(this.index, operation);
  }

  /** A copy of a value, for COPY. */
  copy(key: string): { value: string | Hash; expiresAt: number } | undefined {
    const entry = this.#find(key);
    if (entry === undefined) return undefined;
    return { value: typeof entry.value === "string" ? entry.value : new Map(entry.value), expiresAt: entry.expiresAt };
  }

  clear(): void {
    for (const key of this.#entries.keys()) this.#options.touched(this.index, key);
    this.#entries = new Map();
    this.#expiring = new Set();
    this.#expiringCursor = undefined;
    this.#scans.clear();
  }

  flush(): void {
    this.clear();
    this.#options.log(this.index, ["FLUSHDB"]);
  }

  *keys(): Generator<string> {
    for (const key of [...this.#entries.keys()]) if (this.#find(key) !== undefined) yield key;
  }

  randomKey(): string | undefined {
    for (let attempt = 0; attempt < 100 && this.#entries.size > 0; attempt++) {
      let skip = Math.floor(Math.random() * this.#entries.size);
      for (const key of this.#entries.keys()) {
        if (skip-- > 0) continue;
        if (this.#find(key) !== undefined) return key;
        break;
      }
    }
    return undefined;
  }

  /** About `count` keys from a cursor on, and the cursor that goes on (0 at the end). Keys that stay all the while come exactly once. */
  scan(cursor: number, count: number): { cursor: number; keys: string[] } {
    let iterator = this.#scans.get(cursor);
    this.#scans.delete(cursor);
    iterator ??= this.#entriesFrom(cursor);
    const keys: string[] = [];
    let last = 0;
    for (let i = 0; i < count; i++) {
      const step = iterator.next();
      if (step.done) return { cursor: 0, keys };
      last = step.value[1].sequence;
      if (this.#find(step.value[0]) !== undefined) keys.push(step.value[0]);
    }
    this.#scans.set(last, iterator);
    if (this.#scans.size > 64) this.#scans.delete(this.#scans.keys().next().value!);
    return { cursor: last, keys };
  }

  *#entriesFrom(sequence: number): Generator<[string, Entry]> {
    for (const pair of this.#entries) if (pair[1].sequence > sequence) yield pair;
  }

  expireSome(limit: number): number {
    let removed = 0;
    for (let i = Math.min(limit, this.#expiring.size); i > 0; i--) {
      this.#expiringCursor ??= this.#expiring.values();
      const step = this.#expiringCursor.next();
      if (step.done) {
        this.#expiringCursor = undefined;
        break;
      }
      if (this.#find(step.value) === undefined) removed++;
    }
    return removed;
  }

  // Strings

  getString(key: string): string | undefined {
    const value = this.#find(key)?.value;
    if (typeof value === "object") throw new CommandError(WRONG_TYPE);
    return value;
  }

  /** Sets a string whatever was there; `expiresAt` 0 is never. */
  setString(key: string, value: string, expiresAt: number): void {
    this.#put(key, value, expiresAt);
    this.#options.log(
      this.index,
      expiresAt === 0 ? ["SET", key, value] : ["SET", key, value, "PXAT", String(expiresAt)],
    );
  }

  /** Sets a string and keeps its expiry. */
  updateString(key: string, value: string): void {
    this.setString(key, value, this.#find(key)?.expiresAt ?? 0);
  }

  /** Overwrites a part of a string, padding with zero bytes; keeps its expiry. Returns the new length. */
  setRange(key: string, offset: number, part: string): number {
    const old = this.getString(key) ?? "";
    const value = old.slice(0, offset).padEnd(offset, "\0") + part + old.slice(offset + part.length);
    const before = this.#find(key);
    this.#put(key, value, before?.expiresAt ?? 0);
    this.#options.log(this.index, before === undefined ? ["SET", key, value] : ["SETRANGE", key, String(offset), part]);
    return value.length;
  }

  // Hashes

  getHash(key: string): Hash | undefined {
    const value = this.#find(key)?.value;
    if (typeof value === "string") throw new CommandError(WRONG_TYPE);
    return value;
  }

  /** Sets fields, making the hash when it is missing; returns how many fields are new. */
  setFields(key: string, pairs: readonly string[]): number {
    let hash = this.getHash(key);
    let added = 0;
    if (hash === undefined) {
      hash = new Map();
      this.#put(key, hash, 0);
    }
    for (let i = 0; i < pairs.length; i += 2) {
      if (!hash.has(pairs[i]!)) added++;
      hash.set(pairs[i]!, pairs[i + 1]!);
    }
    this.#options.touched(this.index, key);
    this.#options.log(this.index, ["HSET", key, ...pairs]);
    return added;
  }

  /** Removes fields, and the hash with its last one; returns how many there were. */
  deleteFields(key: string, fields: readonly string[]): number {
    const hash = this.getHash(key);
    if (hash === undefined) return 0;
    const removed = fields.filter((f) => hash.delete(f));
    if (removed.length === 0) return 0;
    if (hash.size === 0) {
      this.#remove(key);
      this.#options.log(this.index, ["DEL", key]);
    } else {
      this.#options.touched(this.index, key);
      this.#options.log(this.index, ["HDEL", key, ...removed]);
    }
    return removed.length;
  }

  // The append-only file

  /** Applies a logged operation. Lenient about types: a snapshot taken in pieces may already hold what came later. */
  apply(operation: readonly string[]): void {
    const [name, key, ...rest] = operation as [string, string, ...string[]];
    const entry = this.#entries.get(key);
    switch (name) {
      case "SET":
        this.#put(key, rest[0]!, rest[1] === "PXAT" ? Number(rest[2]) : 0);
        break;
      case "SETRANGE": {
        const old = typeof entry?.value === "string" ? entry.value : "";
        const at = Number(rest[0]);
        const part = rest[1]!;
        this.#put(key, old.slice(0, at).padEnd(at, "\0") + part + old.slice(at + part.length), entry?.expiresAt ?? 0);
        break;
      }
      case "DEL":
        this.#remove(key);
        break;
      case "HSET": {
        const hash: Hash = typeof entry?.value === "object" ? entry.value : new Map();
        for (let i = 0; i < rest.length; i += 2) hash.set(rest[i]!, rest[i + 1]!);
        this.#put(key, hash, entry?.expiresAt ?? 0);
        break;
      }
      case "HDEL":
        if (typeof entry?.value !== "object") break;
        for (const field of rest) entry.value.delete(field);
        if (entry.value.size === 0) this.#remove(key);
        break;
      case "PEXPIREAT":
        if (entry !== undefined) this.#put(key, entry.value, Number(rest[0]));
        break;
      case "PERSIST":
        if (entry !== undefined) this.#put(key, entry.value, 0);
        break;
      case "FLUSHDB":
        this.clear();
        break;
      default:
        throw new CommandError(`unknown operation ${name}`);
    }
  }

  /** Operations that make this database from an empty one; may be consumed in pieces while it changes. */
  *dump(): Generator<readonly string[]> {
    for (const [key, entry] of this.#entries) yield* asOperations(key, entry.value, entry.expiresAt);
  }
}

/** Fields per HSET when a hash is written as a whole. */
const FIELDS_AT_ONCE = 1000;

function* asOperations(key: string, value: string | Hash, expiresAt: number): Generator<readonly string[]> {
  if (typeof value === "string") {
    yield expiresAt === 0 ? ["SET", key, value] : ["SET", key, value, "PXAT", String(expiresAt)];
    return;
  }
  yield ["DEL", key];
  let operation = ["HSET", key];
  for (const [field, v] of value) {
    operation.push(field, v);
    if (operation.length >= 2 + 2 * FIELDS_AT_ONCE) {
      yield operation;
      operation = ["HSET", key];
    }
  }
  if (operation.length > 2) yield operation;
  if (expiresAt !== 0) yield ["PEXPIREAT", key, String(expiresAt)];
}
