import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { open, truncate } from "node:fs/promises";
import { dirname } from "node:path";
import { syncDirectory } from "../durable.ts";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { CommandReader, encodeCommand } from "./resp.ts";
import { DATABASES, type Store } from "./store.ts";

/** When written data is forced to the disk: with every reply, once a second, or when the system likes. */
export type FsyncPolicy = "always" | "everysec" | "no";

export interface AofOptions {
  path: string;
  policy: FsyncPolicy;
  /** A file smaller than this is not worth rewriting, in bytes. */
  rewriteMinSize: number;
}

interface Rewrite {
  fd: number;
  /** Commands logged since it began. */
  changes: string[];
  size: number;
}

/** Time one slice of a rewrite may take, in milliseconds. */
const SLICE_MS = 4;

/**
 * The append-only file: every change as a Redis command, written before the client is answered. What was answered survives
 * the end of the process; what survives the end of the machine depends on the policy.
 */
export class Aof {
  readonly policy: FsyncPolicy;
  readonly #path: string;
  readonly #rewriteMinSize: number;
  readonly #store: Store;
  #fd: number;
  #db = -1;
  #buffer: string[] = [];
  #inTransaction = false;
  #transactionStarted = false;
  /** Bytes in the file, and after its last rewrite. */
  size: number;
  baseSize: number;
  #dirty = false;
  #syncing = false;
  readonly #timer: NodeJS.Timeout;
  #rewrite: Rewrite | undefined;
  #closed = false;
  #failed: Error | undefined;

  constructor(options: AofOptions, store: Store, size: number) {
    this.policy = options.policy;
    this.#path = options.path;
    this.#rewriteMinSize = options.rewriteMinSize;
    this.#store = store;
    this.#fd = openSync(options.path, "a", 0o600);
    this.size = size;
    this.baseSize = size;
    this.#timer = setInterval(() => this.#everySecond(), 1000);
    this.#timer.unref();
  }

  get rewriting(): boolean {
    return this.#rewrite !== undefined;
  }

  /** Writes cannot be kept, so none are accepted: the reason. */
  get failed(): Error | undefined {
    return this.#failed;
  }

  /** Takes a change; `flush` writes it. */
  log(db: number, operation: readonly string[]): void {
    if (this.#inTransaction && !this.#transactionStarted) {
      this.#transactionStarted = true;
      this.#append(encodeCommand(["MULTI"]));
    }
    if (db !== this.#db && operation[0] !== "FLUSHALL") {
      this.#db = db;
      this.#append(encodeCommand(["SELECT", String(db)]));
    }
    this.#append(encodeCommand(operation));
  }

  #append(command: string): void {
    this.#buffer.push(command);
    this.#rewrite?.changes.push(command);
  }

  /** Changes until `commit` are read back all or none. */
  begin(): void {
    this.#inTransaction = true;
    this.#transactionStarted = false;
  }

  commit(): void {
    if (this.#transactionStarted) this.#append(encodeCommand(["EXEC"]));
    this.#inTransaction = false;
    this.#transactionStarted = false;
  }

  /** Writes what was logged; called before the replies go out. Throws when it cannot; what was logged is kept for the next try. */
  flush(): void {
    if (this.#buffer.length === 0) return;
    const text = this.#buffer.join("");
    const bytes = Buffer.from(text, "latin1");
    try {
      // Half a command from a write that failed must not stand before the next one.
      if (this.#failed !== undefined) ftruncateSync(this.#fd, this.size);
      writeAll(this.#fd, bytes);
      if (this.policy === "always") fdatasyncSync(this.#fd);
    } catch (error) {
      this.#buffer = [text];
      this.#fail(error);
      throw this.#failed;
    }
    this.#buffer = [];
    this.#failed = undefined;
    this.size += bytes.length;
    this.#dirty = true;
    if (!this.rewriting && this.size >= this.#rewriteMinSize && this.size >= 2 * this.baseSize) this.rewrite();
  }

  #fail(cause: unknown): void {
    const first = this.#failed === undefined;
    this.#failed = cannotWrite(this.#path, cause);
    if (first) publish("server.error", { server: "redis", error: this.#failed });
  }

  sync(): void {
    this.flush();
    fdatasyncSync(this.#fd);
    this.#dirty = false;
  }

  #everySecond(): void {
    if (this.#failed !== undefined) {
      try {
        this.flush();
      } catch {
        // published when it began; until it works writes are refused
      }
    }
    if (this.policy !== "everysec" || !this.#dirty || this.#syncing || this.#closed) return;
    this.#dirty = false;
    this.#syncing = true;
    fdatasync(this.#fd, (error) => {
      this.#syncing = false;
      // A rewrite may have put another file in the place of this one, and forced that to the disk.
      if (error !== null && !this.#closed && error.code !== "EBADF") {
        publish("server.error", { server: "redis", error: cannotWrite(this.#path, error) });
      }
    });
  }

  /**
   * Writes the present state to a new file, in slices between other work, then the changes made meanwhile, and puts it in
   * place of the old one. Changes set states and never add to them, so it does no harm that the slices already show some.
   */
  rewrite(): void {
    if (this.#rewrite !== undefined || this.#closed) return;
    const temporary = `${this.#path}.rewrite`;
    let state: Rewrite;
    try {
      state = { fd: openSync(temporary, "w", 0o600), changes: [], size: 0 };
    } catch (error) {
      publish("server.error", { server: "redis", error: cannotWrite(temporary, error) });
      this.baseSize = this.size;
      return;
    }
    this.#rewrite = state;
    const source = dumpAll(this.#store);
    // Whatever the current transaction has already changed is in the state; its changes follow as a whole.
    if (this.#transactionStarted) state.changes.push(encodeCommand(["MULTI"]));
    // The changes follow the snapshot, whose last SELECT says nothing about them.
    this.#db = -1;
    const slice = (): void => {
      if (this.#closed || this.#rewrite !== state) return;
      try {
        const until = performance.now() + SLICE_MS;
        let piece: string[] = [];
        do {
          const next = source.next();
          if (next.done) {
            state.size += write(state.fd, piece);
            this.#finishRewrite(state, temporary);
            return;
          }
          piece.push(encodeCommand(next.value));
          if (piece.length === 256) {
            state.size += write(state.fd, piece);
            piece = [];
          }
        } while (performance.now() < until);
        state.size += write(state.fd, piece);
        setImmediate(slice);
      } catch (error) {
        // The old file is whole and goes on; try again when it has doubled once more.
        this.#rewrite = undefined;
        this.baseSize = this.size;
        closeSync(state.fd);
        rmSync(temporary, { force: true });
        publish("server.error", { server: "redis", error: cannotWrite(temporary, error) });
      }
    };
    setImmediate(slice);
  }

  #finishRewrite(state: Rewrite, temporary: string): void {
    // Changes that the old file could not take are among those of the rewrite.
    if (this.#failed === undefined) this.flush();
    else this.#buffer = [];
    state.size += write(state.fd, state.changes);
    fsyncSync(state.fd);
    renameSync(temporary, this.#path);
    syncDirectory(dirname(this.#path));
    const old = this.#fd;
    this.#fd = state.fd;
    this.#rewrite = undefined;
    this.size = state.size;
    this.baseSize = state.size;
    this.#dirty = false;
    this.#failed = undefined;
    closeSync(old);
  }

  close(): void {
    if (this.#closed) return;
    clearInterval(this.#timer);
    if (this.#failed === undefined) {
      this.flush();
      if (this.policy !== "no") fsyncSync(this.#fd);
    }
    this.#closed = true;
    closeSync(this.#fd);
    if (this.#rewrite !== undefined) {
      closeSync(this.#rewrite.fd);
      rmSync(`${this.#path}.rewrite`, { force: true });
    }
  }
}

function* dumpAll(store: Store): Generator<readonly string[]> {
  for (const db of store.databases) {
    let selected = false;
    for (const operation of db.dump()) {
      if (!selected) yield ["SELECT", String(db.index)];
      selected = true;
      yield operation;
    }
  }
}

function write(fd: number, commands: string[]): number {
  if (commands.length === 0) return 0;
  const bytes = Buffer.from(commands.join(""), "latin1");
  writeAll(fd, bytes);
  return bytes.length;
}

function writeAll(fd: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

function cannotWrite(path: string, cause: unknown): MillraceError {
  const { code } = cause as NodeJS.ErrnoException;
  if (code === "ENOSPC") return new MillraceError("DISK_FULL", `No space is left to write ${path}.`, { cause });
  return new MillraceError("DIRECTORY_NOT_WRITABLE", `Cannot write ${path} (${code ?? String(cause)}).`, { cause });
}

/**
 * Reads a file back into an empty store and cuts off what a crash left unfinished at its end: half a command, or a
 * transaction without its EXEC. Returns the bytes kept and cut.
 */
export async function recover(path: string, store: Store): Promise<{ size: number; cut: number }> {
  rmSync(`${path}.rewrite`, { force: true });
  let total: number;
  try {
    total = statSync(path).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { size: 0, cut: 0 };
    throw error;
  }
  const reader = new CommandReader();
  let db = 0;
  let good = 0;
  let transaction: string[][] | undefined;
  const apply = (command: string[]): void => {
    if (command[0] === "SELECT") db = Number(command[1]);
    else if (command[0] === "FLUSHALL") for (const d of store.databases) d.clear();
    else {
      const database = store.databases[db];
      if (database === undefined) throw new Error(`database ${db} of ${DATABASES}`);
      database.apply(command);
    }
  };
  const file = await open(path, "r");
  try {
    const chunk = Buffer.allocUnsafe(1024 * 1024);
    while (reader.fault === undefined) {
      const { bytesRead } = await file.read(chunk, 0, chunk.length);
      if (bytesRead === 0) break;
      const commands = reader.push(Buffer.from(chunk.subarray(0, bytesRead)));
      const { ends } = reader;
      commands.forEach((command, i) => {
        if (command[0] === "MULTI") transaction = [];
        else if (command[0] === "EXEC") {
          for (const c of transaction ?? []) apply(c);
          transaction = undefined;
        } else if (transaction !== undefined) transaction.push(command);
        else apply(command);
        if (transaction === undefined) good = ends[i]!;
      });
    }
  } catch (error) {
    if (error instanceof MillraceError) throw error;
    throw new MillraceError(
      "REDIS_FAILED",
      `The append only file ${path} cannot be read: ${(error as Error).message}.`,
      {
        hint: "Move it away to start with an empty cache.",
        cause: error,
      },
    );
  } finally {
    await file.close();
  }
  if (reader.fault !== undefined) {
    throw new MillraceError(
      "REDIS_FAILED",
      `The append only file ${path} is damaged after byte ${good} (${reader.fault.message}).`,
      {
        hint: `Keep a copy, then cut it there (truncate -s ${good}) to go on with what comes before.`,
        parameters: { path, offset: String(good) },
      },
    );
  }
  if (good < total) {
    await truncate(path, good);
    publish("warning", {
      code: "CACHE_LOG_TRUNCATED",
      message: `${path}: the last ${total - good} bytes were an unfinished write and were removed.`,
    });
  }
  return { size: good, cut: total - good };
}
