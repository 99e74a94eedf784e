import { readFileSync, writeFileSync } from "node:fs";
import { readInt64, writeInt64 } from "../wire/record-batch.ts";

/**
 * A sparse index of one segment: pairs of ascending numbers, kept in memory and appended to a file now and then. The files have
 * Kafka's layout: `.index` pairs the last offset of a batch (relative to the segment, 4 bytes) with its position (4 bytes), `.timeindex`
 * a timestamp (8 bytes) with such an offset. They are derived data: what is missing or implausible is rebuilt from the log.
 */
export class SparseIndex {
  readonly path: string;
  readonly #keyBytes: 4 | 8;
  #keys: Float64Array;
  #values: Int32Array;
  #count = 0;
  /** Entries that the file has. */
  #written = 0;

  constructor(path: string, keyBytes: 4 | 8) {
    this.path = path;
    this.#keyBytes = keyBytes;
    this.#keys = new Float64Array(64);
    this.#values = new Int32Array(64);
  }

  get length(): number {
    return this.#count;
  }

  /** The last entry's key; -Infinity when empty. */
  get lastKey(): number {
    return this.#count === 0 ? Number.NEGATIVE_INFINITY : this.#keys[this.#count - 1]!;
  }

  get lastValue(): number {
    return this.#count === 0 ? -1 : this.#values[this.#count - 1]!;
  }

  add(key: number, value: number): void {
    if (this.#count === this.#keys.length) {
      const keys = new Float64Array(this.#count * 2);
      const values = new Int32Array(this.#count * 2);
      keys.set(this.#keys);
      values.set(this.#values);
      this.#keys = keys;
      this.#values = values;
    }
    this.#keys[this.#count] = key;
    this.#values[this.#count++] = value;
  }

  /** The value at the greatest key <= `key`; undefined when there is none. */
  floor(key: number): number | undefined {
    const i = this.#upper(key) - 1;
    return i < 0 ? undefined : this.#values[i]!;
  }

  /** The value at the greatest key < `key`; undefined when there is none. */
  lower(key: number): number | undefined {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if (this.#keys[mid]! < key) low = mid + 1;
      else high = mid;
    }
    return low === 0 ? undefined : this.#values[low - 1]!;
  }

  #upper(key: number): number {
    let low = 0;
    let high = this.#count;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if (this.#keys[mid]! <= key) low = mid + 1;
      else high = mid;
    }
    return low;
  }

  /** Drops the entries whose value is not below `limit`. */
  truncateValues(limit: number): void {
    while (this.#count > 0 && this.#values[this.#count - 1]! >= limit) this.#count--;
    if (this.#written > this.#count) this.#written = -1;
  }

  clear(): void {
    this.#count = 0;
    this.#written = -1;
  }

  /** Brings the file up to date. */
  write(): void {
    if (this.#written === this.#count) return;
    const from = Math.max(0, this.#written);
    const bytes = this.#keyBytes + 4;
    const out = Buffer.alloc((this.#count - from) * bytes);
    for (let i = from, at = 0; i < this.#count; i++, at += bytes) {
      if (this.#keyBytes === 8) writeInt64(out, this.#keys[i]!, at);
      else out.writeInt32BE(this.#keys[i]!, at);
      out.writeInt32BE(this.#values[i]!, at + this.#keyBytes);
    }
    writeFileSync(this.path, out, { flag: this.#written <= 0 ? "w" : "a" });
    this.#written = this.#count;
  }

  /** Reads the file. False when it is missing, has a broken entry or is not in ascending order: then the index is empty. */
  load(): boolean {
    let file: Buffer;
    try {
      file = readFileSync(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return false;
      throw error;
    }
    const bytes = this.#keyBytes + 4;
    this.clear();
    if (file.length % bytes !== 0) return false;
    for (let at = 0; at < file.length; at += bytes) {
      const key = this.#keyBytes === 8 ? readInt64(file, at) : file.readInt32BE(at);
      const value = file.readInt32BE(at + this.#keyBytes);
      if (key <= this.lastKey || value < 0 || (this.#count > 0 && value <= this.lastValue)) {
        this.clear();
        return false;
      }
      this.add(key, value);
    }
    this.#written = this.#count;
    return true;
  }
}
