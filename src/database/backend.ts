import { MessageChannel, type MessagePort, Worker } from "node:worker_threads";
import type { BackendWorkerData, FromBackend, ToBackend } from "./backend-worker.ts";
import { B, dataRow, errorFields, MessageReader, messages, query } from "./protocol.ts";

/** What a running request hears. */
export interface ExecListener {
  /** Output as it comes, cut anywhere. `taken` must be called once the bytes no longer wait in memory. */
  out(bytes: Buffer, taken: () => void): void;
  /** A COPY FROM STDIN wants more; answer with `more`. */
  need?(): void;
}

/** For requests whose output nobody reads. */
export const QUIET: ExecListener = { out: (_, taken) => taken() };

/** The thread died under a request. */
export class BackendDied extends Error {}

/** The one PostgreSQL session, in its thread: one request at a time. */
export class Backend {
  readonly #directory: string;
  #worker: Worker | undefined;
  #port: MessagePort | undefined;
  #signals = new Int32Array(new SharedArrayBuffer(12));
  #current: { listener: ExecListener; resolve: () => void; reject: (error: Error) => void } | undefined;
  #stopped: (() => void) | undefined;
  #startFailed: ((error: Error) => void) | undefined;
  /** Called when the thread ends without having been asked. */
  onDeath: ((error: Error) => void) | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Starts the thread; resolves when the database answers, in milliseconds of boot. */
  start(): Promise<number> {
    const { port1, port2 } = new MessageChannel();
    this.#signals = new Int32Array(new SharedArrayBuffer(12));
    const data: BackendWorkerData = { directory: this.#directory, port: port2, signals: this.#signals };
    const worker = new Worker(new URL("./backend-worker.ts", import.meta.url), {
      name: "millrace-postgres",
      workerData: data,
      transferList: [port2],
      stdout: true,
      stderr: true,
    });
    this.#worker = worker;
    this.#port = port1;
    return new Promise((resolve, reject) => {
      let started = false;
      this.#startFailed = reject;
      const died = (error: Error): void => {
        if (this.#worker !== worker) return;
        this.#worker = undefined;
        port1.close();
        if (!started) reject(error);
        this.#current?.reject(error);
        this.#current = undefined;
        if (this.#stopped) this.#stopped();
        else if (started) this.onDeath?.(error);
      };
      worker.on("error", (error) =>
        died(new BackendDied(`the database stopped: ${(error as Error).message}`, { cause: error })),
      );
      worker.on("exit", (code) => died(new BackendDied(`the database thread ended (${code})`)));
      port1.on("message", (m: FromBackend) => {
        switch (m.t) {
          case "started":
            started = true;
            resolve(m.bootMs);
            break;
          case "failed":
            died(new BackendDied(m.message));
            break;
          case "out": {
            const size = m.bytes.length;
            this.#current?.listener.out(Buffer.from(m.bytes.buffer, m.bytes.byteOffset, size), () => {
              Atomics.add(this.#signals, 1, size);
              Atomics.notify(this.#signals, 1);
            });
            break;
          }
          case "need":
            this.#current?.listener.need?.();
            break;
          case "done": {
            const current = this.#current;
            this.#current = undefined;
            current?.resolve();
            break;
          }
          case "stopped":
            break;
        }
      });
    });
  }

  /** Runs protocol messages to their end; output goes to the listener. */
  exec(bytes: Uint8Array[], listener: ExecListener): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#worker === undefined) return reject(new BackendDied("the database is not running"));
      this.#current = { listener, resolve, reject };
      Atomics.store(this.#signals, 2, 0);
      this.#send("x", bytes);
    });
  }

  /** Gives a waiting COPY more messages. */
  more(bytes: Uint8Array[]): void {
    this.#send("m", bytes);
  }

  /** Asks the running statement to stop at its next row of output. */
  cancel(): void {
    Atomics.store(this.#signals, 2, 1);
  }

  /** Runs SQL of our own and returns the rows of its last statement; throws PostgreSQL's message on an error. */
  async sql(text: string): Promise<(string | null)[][]> {
    const reader = new MessageReader();
    let rows: (string | null)[][] = [];
    let failed: string | undefined;
    let fresh = true;
    await this.exec([query(text)], {
      out(bytes, taken) {
        const whole = reader.push(bytes);
        taken();
        if (whole === undefined) return;
        for (const m of messages(whole)) {
          if (m[0] === B.dataRow) {
            if (fresh) rows = [];
            fresh = false;
            rows.push(dataRow(m));
          } else if (m[0] === B.commandComplete) fresh = true;
          else if (m[0] === B.error) failed = errorFields(m).M ?? "unknown error";
        }
      },
    });
    if (failed !== undefined) throw new Error(failed);
    return rows;
  }

  /** Ends the thread at once, as a kill of the process would: committed transactions are kept. */
  async kill(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#port?.close();
    const current = this.#current;
    this.#current = undefined;
    await worker?.terminate();
    const error = new BackendDied("the database was stopped");
    this.#startFailed?.(error);
    current?.reject(error);
  }

  /** Shuts the database down in order. */
  async stop(): Promise<void> {
    const worker = this.#worker;
    if (worker === undefined) return;
    await new Promise<void>((resolve) => {
      this.#stopped = resolve;
      const stop: ToBackend = { t: "stop" };
      this.#port?.postMessage(stop);
      this.#wake();
    });
  }

  #send(t: "x" | "m", bytes: Uint8Array[]): void {
    // A copy of its own: posting a slice would clone the whole buffer behind it.
    const all = new Uint8Array(bytes.reduce((n, b) => n + b.length, 0));
    let at = 0;
    for (const b of bytes) {
      all.set(b, at);
      at += b.length;
    }
    const m: ToBackend = { t, bytes: all };
    this.#port!.postMessage(m, [all.buffer]);
    this.#wake();
  }

  #wake(): void {
    Atomics.add(this.#signals, 0, 1);
    Atomics.notify(this.#signals, 0);
  }
}
