import type { Socket } from "node:net";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { supported } from "./handlers/api-versions.ts";
import type { Broker } from "./handlers/broker.ts";
import { type Call, type Handler, NO_RESPONSE } from "./handlers/handler.ts";
import { HANDLERS } from "./handlers/index.ts";
import { API_VERSIONS_KEY, encodeResponse, readRequestBody, readRequestRest, readRequestStart } from "./wire/api.ts";
import { Reader } from "./wire/buffers.ts";
import { ErrorCode } from "./wire/error-codes.ts";

/** The largest request that is taken (Kafka's socket.request.max.bytes). */
const MAX_REQUEST_BYTES = 100 * 1024 * 1024;
/** A connection without traffic is closed after this time (Kafka's connections.max.idle.ms). */
const MAX_IDLE_MS = 600_000;

const BY_KEY = new Map(HANDLERS.map((h) => [h.api.key, h]));

/**
 * One client. Requests are answered one after the other in the order they came, as Kafka does, and hardly more is read from the socket while
 * one is at work or while the client has not taken the last answer: a connection holds one answer and about one request in memory.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #broker: Broker;
  readonly #frames: Buffer[] = [];
  readonly #onClose = new Set<() => void>();
  /** The four bytes of a length of which some have come. */
  #length: Buffer = Buffer.alloc(0);
  /** The frame that is being received. */
  #partial: Buffer | undefined;
  #filled = 0;
  #busy = false;
  #closed = false;

  constructor(socket: Socket, broker: Broker, onClosed: () => void) {
    this.#socket = socket;
    this.#broker = broker;
    socket.setNoDelay(true);
    socket.setKeepAlive(true);
    socket.setTimeout(MAX_IDLE_MS, () => {
      if (!this.#busy) socket.destroy();
    });
    socket.on("data", (chunk) => this.#receive(chunk as Buffer));
    // The other side went away in whatever manner: "close" follows.
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#closed = true;
      this.#frames.length = 0;
      this.#partial = undefined;
      for (const listener of this.#onClose) listener();
      onClosed();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length && !this.#closed) {
      if (this.#partial !== undefined) {
        const n = chunk.copy(this.#partial, this.#filled, at);
        this.#filled += n;
        at += n;
        if (this.#filled < this.#partial.length) break;
        this.#frames.push(this.#partial);
        this.#partial = undefined;
        continue;
      }
      const missing = 4 - this.#length.length;
      if (chunk.length - at < missing) {
        this.#length = Buffer.concat([this.#length, chunk.subarray(at)]);
        break;
      }
      let size: number;
      if (missing === 4) size = chunk.readInt32BE(at);
      else {
        size = Buffer.concat([this.#length, chunk.subarray(at, at + missing)]).readInt32BE(0);
        this.#length = Buffer.alloc(0);
      }
      at += missing;
      if (size < 8 || size > MAX_REQUEST_BYTES) {
        this.#refuse(unreadable(size));
        return;
      }
      if (chunk.length - at >= size) {
        this.#frames.push(chunk.subarray(at, at + size));
        at += size;
      } else {
        this.#partial = Buffer.allocUnsafeSlow(size);
        this.#filled = 0;
      }
    }
    if (this.#busy) {
      // What came is kept, more is not taken until the answer is out. Before that the socket is read, to notice a client that goes.
      this.#socket.pause();
    } else if (this.#frames.length > 0) {
      void this.#work();
    }
  }

  async #work(): Promise<void> {
    this.#busy = true;
    try {
      for (let frame = this.#frames.shift(); frame !== undefined; frame = this.#frames.shift()) {
        const answer = await this.#answer(frame);
        if (this.#closed) return;
        if (answer !== undefined) await this.#send(answer);
        if (this.#closed) return;
      }
    } catch (error) {
      this.#fail(error);
      return;
    } finally {
      this.#busy = false;
    }
    if (this.#socket.isPaused()) this.#socket.resume();
  }

  /** The answer's frame; undefined when there is none to give. */
  async #answer(frame: Buffer): Promise<Buffer[] | undefined> {
    const r = new Reader(frame);
    const { apiKey, apiVersion, correlationId } = readRequestStart(r);
    const handler = BY_KEY.get(apiKey);
    if (handler === undefined || apiVersion < handler.api.min || apiVersion > handler.api.max) {
      return unsupported(handler, apiKey, apiVersion, correlationId);
    }
    const clientId = readRequestRest(r, apiVersion >= handler.api.flexible);
    const call: Call = {
      broker: this.#broker,
      version: apiVersion,
      clientId,
      clientHost: plain(this.#socket.remoteAddress) ?? "",
      localHost: plain(this.#socket.localAddress) ?? "127.0.0.1",
      onClose: (listener) => {
        if (this.#closed) listener();
        this.#onClose.add(listener);
        return () => this.#onClose.delete(listener);
      },
    };
    const body = await handler.handle(readRequestBody(handler.api, apiVersion, r), call);
    return body === NO_RESPONSE ? undefined : encodeResponse(handler.api, apiVersion, correlationId, body);
  }

  /** Resolves when the socket is ready for the next answer. */
  #send(parts: Buffer[]): Promise<void> | undefined {
    const socket = this.#socket;
    let ready = true;
    socket.cork();
    for (const part of parts) ready = socket.write(part);
    socket.uncork();
    if (ready) return undefined;
    return new Promise((resolve) => {
      const done = (): void => {
        socket.off("drain", done);
        socket.off("close", done);
        resolve();
      };
      socket.on("drain", done);
      socket.on("close", done);
    });
  }

  #fail(error: unknown): void {
    if (error instanceof MillraceError && error.code === "KAFKA_PROTOCOL") {
      this.#refuse(error.message);
      return;
    }
    publish("server.error", { server: "kafka", error: error as Error });
    this.#socket.destroy();
  }

  #refuse(reason: string): void {
    const client = plain(this.#socket.remoteAddress) ?? "unknown";
    publish("warning", {
      code: "KAFKA_BAD_REQUEST",
      message: `Closed the connection of ${client}: ${reason}`,
      detail: { client },
    });
    this.#socket.destroy();
  }
}

/** A version that is too new is answered with version 0 of ApiVersions, so that the client can try again; anything else is refused. */
function unsupported(handler: Handler | undefined, key: number, version: number, correlationId: number): Buffer[] {
  if (handler === undefined || key !== API_VERSIONS_KEY) {
    const name = handler?.api.name ?? `API key ${key}`;
    throw new MillraceError("KAFKA_PROTOCOL", `${name} version ${version} is not supported.`);
  }
  const body = { errorCode: ErrorCode.UNSUPPORTED_VERSION, apiKeys: supported(HANDLERS) };
  return encodeResponse(handler.api, 0, correlationId, body);
}

function unreadable(size: number): string {
  const text = Buffer.alloc(4);
  text.writeInt32BE(size);
  if (/^[A-Z]{3,4} ?$/.test(text.toString("latin1"))) return "it speaks HTTP, not Kafka.";
  if (text[0] === 0x16 && text[1] === 3) return "it speaks TLS; this listener is plain text.";
  return `it announced a request of ${size} bytes; the most is ${MAX_REQUEST_BYTES}.`;
}

/** An IPv4 address as such, where the system shows it inside an IPv6 one. */
function plain(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:/, "");
}
