/**
 * The thread of the embedded PostgreSQL. It blocks while a statement runs and while it waits for work, so it takes its
 * input from a message port by `Atomics.wait` and never returns to its event loop after the start.
 */
import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { PGlite } from "@electric-sql/pglite";
import { ensureDataDirectory } from "./data-directory.ts";

/** What the front gives the thread. */
export interface BackendWorkerData {
  directory: string;
  port: MessagePort;
  /** [0] counts requests, [1] counts bytes of output the front has taken, [2] is 1 while a cancel is asked for. */
  signals: Int32Array<SharedArrayBuffer>;
}

/** `x`: run these protocol messages. `m`: more input for the COPY that runs. `stop`: shut the database down. */
export type ToBackend = { t: "x" | "m"; bytes: Uint8Array } | { t: "stop" };

export type FromBackend =
  | { t: "started"; bootMs: number }
  | { t: "failed"; message: string }
  | { t: "out"; bytes: Uint8Array }
  | { t: "need" }
  | { t: "done" }
  | { t: "stopped" };

const { directory, port, signals } = workerData as BackendWorkerData;
const CHUNK = 64 * 1024;
/** Output that the front has not yet given to its client; above it the statement waits. */
const MAX_AHEAD = 32 * 1024 * 1024;

let input: Uint8Array = new Uint8Array(0);
let readAt = 0;
let output = new Uint8Array(CHUNK);
let written = 0;
let sent = 0;
let stopping = false;

function post(m: FromBackend, transfer: ArrayBuffer[] = []): void {
  port.postMessage(m, transfer);
}

/** Blocks until the front says something. */
function next(): ToBackend {
  for (;;) {
    const seen = Atomics.load(signals, 0);
    const m = receiveMessageOnPort(port);
    if (m !== undefined) return m.message as ToBackend;
    Atomics.wait(signals, 0, seen);
  }
}

function flush(): void {
  if (written === 0) return;
  const bytes = output.slice(0, written);
  sent = (sent + written) | 0;
  written = 0;
  post({ t: "out", bytes }, [bytes.buffer]);
}

function waitForReader(): void {
  for (;;) {
    const taken = Atomics.load(signals, 1);
    if (((sent - taken) | 0) <= MAX_AHEAD) return;
    Atomics.wait(signals, 1, taken);
  }
}

async function main(): Promise<void> {
  const started = performance.now();
  await ensureDataDirectory(directory);
  const pg = await PGlite.create({
    dataDir: directory,
    relaxedDurability: true,
    // Checkpoints come every 64 MiB (maintenance.ts): there is no use in keeping a gigabyte of old log.
    startParams: [...PGlite.defaultStartParams, "-c", "max_wal_size=128MB", "-c", "min_wal_size=32MB"],
  });
  // PGlite's own callbacks hold a whole request and a whole response in memory and cannot wait for the rest of a COPY.
  const mod = pg.Module as unknown as PostgresModule;
  mod._pgl_set_rw_cbs(
    mod.addFunction((pointer, capacity) => {
      if (readAt === input.length) {
        flush();
        post({ t: "need" });
        const m = next();
        if (m.t === "stop") stopping = true;
        if (m.t !== "m") return 0;
        input = m.bytes;
        readAt = 0;
      }
      const end = Math.min(input.length, readAt + capacity);
      mod.HEAPU8.set(input.subarray(readAt, end), pointer);
      const length = end - readAt;
      readAt = end;
      return length;
    }, "ipi"),
    mod.addFunction((pointer, length) => {
      if (Atomics.exchange(signals, 2, 0) === 1) {
        mod.HEAPU8[mod._QueryCancelPending] = 1;
        mod.HEAPU8[mod._InterruptPending] = 1;
      }
      if (written + length > output.length) {
        flush();
        waitForReader();
        if (length > output.length) output = new Uint8Array(length);
      }
      output.set(mod.HEAPU8.subarray(pointer, pointer + length), written);
      written += length;
      return length;
    }, "ipi"),
  );
  post({ t: "started", bootMs: performance.now() - started });

  while (!stopping) {
    const m = next();
    if (m.t === "stop") break;
    run(mod, m.bytes);
    flush();
    if (output.length > CHUNK) output = new Uint8Array(CHUNK);
    post({ t: "done" });
  }
  await pg.close();
  post({ t: "stopped" });
  port.close();
}

function run(mod: PostgresModule, bytes: Uint8Array): void {
  input = bytes;
  readAt = 0;
  // A cancel that came too late for its statement must not hit the next one.
  mod.HEAPU8[mod._QueryCancelPending] = 0;
  try {
    while (readAt < input.length || mod._pq_buffer_remaining_data() > 0) {
      const stack = mod.stackSave();
      try {
        mod._PostgresMainLoopOnce();
      } catch (error) {
        mod.stackRestore(stack);
        // PostgreSQL raises its errors by a jump to the main loop, which arrives here as this status.
        if ((error as { status?: number }).status !== LONGJMP) throw error;
        mod._PostgresMainLongJmp();
      }
    }
  } finally {
    mod._PostgresSendReadyForQueryIfNecessary();
    mod._pgl_pq_flush();
  }
}

/** `POSTGRES_MAIN_LONGJMP` of PGlite 0.5. */
const LONGJMP = 100;

interface PostgresModule {
  HEAPU8: Uint8Array;
  /** Addresses of the flags that PostgreSQL looks at between rows. */
  _QueryCancelPending: number;
  _InterruptPending: number;
  addFunction(f: (pointer: number, length: number) => number, signature: string): number;
  stackSave(): number;
  stackRestore(pointer: number): void;
  _pgl_set_rw_cbs(read: number, write: number): void;
  _pq_buffer_remaining_data(): number;
  _PostgresMainLoopOnce(): void;
  _PostgresMainLongJmp(): void;
  _PostgresSendReadyForQueryIfNecessary(): void;
  _pgl_pq_flush(): void;
}

main().catch((error: unknown) => {
  post({ t: "failed", message: error instanceof Error ? error.message : String(error) });
  port.close();
});
