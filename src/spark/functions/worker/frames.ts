import { readSync, writeSync } from "node:fs";

/** A message of the Python worker or to it. */
export interface Frame {
  readonly type: string;
  readonly payload: Buffer;
}

/**
 * Messages over two pipes, read and written synchronously: the worker has nothing else to do while it waits, and a state variable must be
 * readable in the middle of the user's synchronous code.
 */
export class Frames {
  readonly #input: number;
  readonly #output: number;

  constructor(input: number, output: number) {
    this.#input = input;
    this.#output = output;
  }

  /** Undefined when the other side is gone. */
  read(): Frame | undefined {
    const head = this.#take(5);
    if (head === undefined) return undefined;
    const payload = this.#take(head.readUInt32LE(0));
    return payload && { type: String.fromCharCode(head[4]!), payload };
  }

  write(type: string, ...parts: readonly Uint8Array[]): void {
    const head = Buffer.alloc(5);
    head.writeUInt32LE(
      parts.reduce((n, p) => n + p.byteLength, 0),
      0,
    );
    head[4] = type.charCodeAt(0);
    for (const part of [head, ...parts]) {
      for (let at = 0; at < part.byteLength; )
        at += retry(() => writeSync(this.#output, part, at, part.byteLength - at));
    }
  }

  #take(length: number): Buffer | undefined {
    // Not from the pool: Arrow's columns are views of it, which 64-bit arrays want aligned.
    const buffer = Buffer.from(new ArrayBuffer(length));
    for (let at = 0; at < length; ) {
      const n = retry(() => readSync(this.#input, buffer, at, length - at, null));
      if (n === 0) return undefined;
      at += n;
    }
    return buffer;
  }
}

/** A signal may end a call on a pipe before anything was moved. */
function retry(call: () => number): number {
  for (;;) {
    try {
      return call();
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "EPIPE" || code === "EOF") return process.exit(0);
      if (code !== "EINTR" && code !== "EAGAIN") throw error;
    }
  }
}
