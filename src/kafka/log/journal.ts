import { closeSync, constants, fdatasync, fstatSync, ftruncateSync, openSync } from "node:fs";
import { promisify } from "node:util";
import { crc32c } from "../wire/crc32c.ts";
import { readFully, replaceFile, writeFully } from "./files.ts";

const syncData = promisify(fdatasync);
const FRAME_BYTES = 8;
/** A journal is rewritten when it is larger than this and than four times what it was after the last rewrite. */
const REWRITE_BYTES = 1024 * 1024;

/**
 * An append-only file of JSON entries, each framed by length and CRC-32C, so that an entry is there as a whole or not at all. `replay`
 * gets the entries of the last run in order; `snapshot` gives the entries that stand for the present state, to rewrite a file that
 * has grown.
 */
export class Journal {
  readonly #path: string;
  readonly #snapshot: () => Iterable<unknown>;
  #fd: number;
  #size = 0;
  #rewriteAt = REWRITE_BYTES;
  #dirty = false;
  #syncing = 0;

  constructor(path: string, replay: (entry: any) => void, snapshot: () => Iterable<unknown>) {
    this.#path = path;
    this.#snapshot = snapshot;
    this.#fd = openSync(path, constants.O_RDWR | constants.O_CREAT);
    const { size } = fstatSync(this.#fd);
    const file = Buffer.allocUnsafe(size);
    readFully(this.#fd, file, 0, size, 0);
    while (size - this.#size >= FRAME_BYTES) {
      const length = file.readUInt32BE(this.#size);
      const from = this.#size + FRAME_BYTES;
      if (from + length > size) break;
      const payload = file.subarray(from, from + length);
      if (crc32c(payload) !== file.readUInt32BE(this.#size + 4)) break;
      replay(JSON.parse(payload.toString("utf8")));
      this.#size = from + length;
    }
    if (this.#size < size) ftruncateSync(this.#fd, this.#size);
    this.#rewriteAt = Math.max(REWRITE_BYTES, this.#size * 4);
  }

  /** Adds an entry. When the disk refuses, the file is as before and the error is thrown. */
  append(entry: unknown): void {
    const bytes = frame(entry);
    try {
      writeFully(this.#fd, bytes, this.#size);
    } catch (error) {
      try {
        ftruncateSync(this.#fd, this.#size);
      } catch {
        // The next append overwrites what was written of this one; a restart cuts it off.
      }
      throw error;
    }
    this.#size += bytes.length;
    this.#dirty = true;
  }

  /** Puts the entries so far on disk. */
  async sync(): Promise<void> {
    if (!this.#dirty) return;
    this.#dirty = false;
    this.#syncing++;
    try {
      await syncData(this.#fd);
    } catch (error) {
      this.#dirty = true;
      throw error;
    } finally {
      this.#syncing--;
    }
  }

  /** Rewrites the file when it has grown far beyond the state it stands for. */
  rewriteIfGrown(): void {
    // A running sync needs the file open; the next call will do.
    if (this.#size <= this.#rewriteAt || this.#syncing > 0) return;
    const bytes = Buffer.concat(Array.from(this.#snapshot(), frame));
    replaceFile(this.#path, bytes);
    closeSync(this.#fd);
    this.#fd = openSync(this.#path, constants.O_RDWR);
    this.#size = bytes.length;
    this.#rewriteAt = Math.max(REWRITE_BYTES, this.#size * 4);
    this.#dirty = false;
  }

  async close(): Promise<void> {
    try {
      await this.sync();
    } finally {
      closeSync(this.#fd);
    }
  }
}

function frame(entry: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(entry));
  const head = Buffer.allocUnsafe(FRAME_BYTES);
  head.writeUInt32BE(payload.length, 0);
  head.writeUInt32BE(crc32c(payload), 4);
  return Buffer.concat([head, payload]);
}
