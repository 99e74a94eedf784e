import { createConnection, type Socket } from "node:net";
import { connect as tlsConnect } from "node:tls";
import { MillraceError } from "../../errors.ts";
import { type Api, decodeResponse, encodeRequest } from "../wire/api.ts";
import { apiVersions } from "../wire/messages/api-versions.ts";
import { unreachable } from "./errors.ts";
import type { HostAndPort, KafkaClientOptions } from "./options.ts";
import { authenticate } from "./sasl.ts";

interface Pending {
  readonly correlationId: number;
  readonly name: string;
  readonly resolve: (frame: Buffer) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** A frame longer than this is not Kafka's: the first bytes of an HTTP answer read as a length are far beyond. */
const MAX_FRAME_BYTES = 1 << 30;

/** Versions above these speak of topics by id instead of by name. */
const VERSION_CAPS: Readonly<Record<number, number>> = { 0: 12, 1: 12, 8: 9, 9: 7, 10: 3, 20: 5 };

/**
 * One connection to one broker: frames, correlation, version negotiation, TLS and SASL. Requests are answered in order; several may
 * be under way. Every failure is KAFKA_UNREACHABLE (retryable), KAFKA_PROTOCOL or KAFKA_AUTHENTICATION.
 */
export class Connection {
  readonly address: string;
  /** Set when the connection cannot be used any more. */
  closed: Error | undefined;
  readonly #socket: Socket;
  readonly #options: KafkaClientOptions;
  readonly #pending: Pending[] = [];
  #nextCorrelationId = 0;
  #versions: ReadonlyMap<number, { min: number; max: number }> = new Map();
  /** Beyond it the broker wants a new authentication: a new connection is made instead. */
  #expires = Number.POSITIVE_INFINITY;

  // The frame being received: its length's bytes first, then its body.
  #lengthBytes = 0;
  #length = 0;
  #frame: Buffer | undefined;
  #filled = 0;

  private constructor(socket: Socket, address: string, options: KafkaClientOptions) {
    this.#socket = socket;
    this.address = address;
    this.#options = options;
  }

  /** Connects, authenticates and asks the broker for its versions. */
  static async open(server: HostAndPort, options: KafkaClientOptions): Promise<Connection> {
    const address = server.host.includes(":") ? `[${server.host}]:${server.port}` : `${server.host}:${server.port}`;
    let connection: Connection | undefined;
    const socket = await new Promise<Socket>((resolve, reject) => {
      const onread = {
        buffer: Buffer.allocUnsafeSlow(1 << 18),
        callback: (bytes: number, buf: Uint8Array): boolean => {
          connection?.receive(buf, bytes);
          return true;
        },
      };
      const made =
        options.tls === undefined
          ? createConnection({ host: server.host, port: server.port, noDelay: true, onread })
          : tlsConnect({
              ...options.tls,
              host: server.host,
              port: server.port,
              ...(/^[\d.]+$|:/.test(server.host) ? {} : { servername: server.host }),
            });
      const timer = setTimeout(() => {
        made.destroy();
        reject(unreachable(address, new Error(`no connection within ${options.connectTimeoutMs} ms`)));
      }, options.connectTimeoutMs);
      made.once(options.tls === undefined ? "connect" : "secureConnect", () => {
        clearTimeout(timer);
        made.removeAllListeners("error");
        resolve(made);
      });
      made.once("error", (error) => {
        clearTimeout(timer);
        made.destroy();
        reject(isTlsError(error) ? tlsRefused(address, error) : unreachable(address, error));
      });
    });
    socket.setNoDelay(true);
    connection = new Connection(socket, address, options);
    connection.#listen(options.tls !== undefined);
    try {
      await connection.#negotiate();
      if (options.sasl !== undefined) {
        const lifetimeMs = await authenticate(connection, options.sasl);
        if (lifetimeMs > 0) connection.#expires = Date.now() + lifetimeMs * 0.85;
      }
    } catch (error) {
      connection.close();
      throw error;
    }
    return connection;
  }

  /** True when a new request should go to another connection. */
  get stale(): boolean {
    return this.closed !== undefined || (this.#expires < Date.now() && this.#pending.length === 0);
  }

  get inFlight(): number {
    return this.#pending.length;
  }

  /** The version to speak for an API; throws KAFKA_PROTOCOL when broker and client have none in common. */
  version(of: Api): number {
    const known = this.#versions.get(of.key);
    const max = Math.min(of.max, VERSION_CAPS[of.key] ?? of.max, known?.max ?? -1);
    if (known === undefined || max < Math.max(known.min, of.min)) {
      throw new MillraceError("KAFKA_PROTOCOL", `The Kafka broker at ${this.address} does not speak ${of.name}.`, {
        hint: "Kafka 2.1 or newer is needed.",
      });
    }
    return max;
  }

  /**
   * Sends a request and gives its answer. `timeoutMs` (default `request.timeout.ms`) must be well above any time that the broker may
   * hold the answer back; when it passes, the connection is given up.
   */
  async request<Req, Res, ReqIn>(
    of: Api<Req, Res, ReqIn, any>,
    body: ReqIn,
    timeoutMs = this.#options.requestTimeoutMs,
  ): Promise<Res> {
    const version = of.key === apiVersions.key ? 0 : this.version(of);
    const correlationId = this.#takeCorrelationId();
    const frame = encodeRequest(of, version, correlationId, this.#options.clientId, body);
    const answer = await this.#exchange(of.name, correlationId, frame, timeoutMs);
    try {
      return decodeResponse(of, version, answer).body;
    } catch (error) {
      this.#fail(error as Error);
      throw error;
    }
  }

  /** Sends a request that has no answer (Produce with acks 0). */
  send<Req, ReqIn>(of: Api<Req, any, ReqIn, any>, body: ReqIn): void {
    if (this.closed !== undefined) throw this.closed;
    const frame = encodeRequest(of, this.version(of), this.#takeCorrelationId(), this.#options.clientId, body);
    this.#socket.write(frame);
  }

  close(): void {
    this.#fail(new MillraceError("STOPPED", `The connection to ${this.address} was closed.`));
  }

  #takeCorrelationId(): number {
    this.#nextCorrelationId = (this.#nextCorrelationId + 1) & 0x7fffffff;
    return this.#nextCorrelationId;
  }

  #exchange(name: string, correlationId: number, frame: Buffer, timeoutMs: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.closed !== undefined) return reject(this.closed);
      const timer = setTimeout(() => {
        this.#fail(unreachable(this.address, new Error(`no answer to ${name} within ${timeoutMs} ms`)));
      }, timeoutMs);
      this.#pending.push({ correlationId, name, resolve, reject, timer });
      this.#socket.write(frame);
    });
  }

  async #negotiate(): Promise<void> {
    const answer = await this.request(apiVersions, {} as never);
    if (answer.errorCode !== 0) {
      throw new MillraceError(
        "KAFKA_PROTOCOL",
        `The Kafka broker at ${this.address} refused to say what it speaks (error ${answer.errorCode}).`,
      );
    }
    this.#versions = new Map(answer.apiKeys.map((a) => [a.apiKey, { min: a.minVersion, max: a.maxVersion }]));
  }

  #listen(tls: boolean): void {
    const socket = this.#socket;
    // A plain socket hands its bytes to `receive` through `onread`, from one reused buffer.
    if (tls) socket.on("data", (chunk: Buffer) => this.receive(chunk, chunk.length));
    socket.on("error", (error) => this.#fail(unreachable(this.address, error)));
    socket.on("close", () => {
      this.#fail(unreachable(this.address, new Error("the connection was closed by the other side")));
    });
  }

  /** Takes bytes off the wire; `buf` is reused by the caller, so they are copied. */
  receive(buf: Uint8Array, bytes: number): void {
    let at = 0;
    while (at < bytes && this.closed === undefined) {
      if (this.#frame === undefined) {
        this.#length = ((this.#length << 8) | buf[at++]!) >>> 0;
        if (++this.#lengthBytes < 4) continue;
        if (this.#length > MAX_FRAME_BYTES || this.#length < 4) {
          this.#fail(
            new MillraceError("KAFKA_PROTOCOL", `What answers at ${this.address} does not speak Kafka's protocol.`, {
              hint: "Check the port, and kafka.security.protocol: a TLS port needs SSL or SASL_SSL.",
            }),
          );
          return;
        }
        this.#frame = Buffer.allocUnsafeSlow(this.#length);
        this.#filled = 0;
        continue;
      }
      const n = Math.min(bytes - at, this.#length - this.#filled);
      this.#frame.set(n === buf.length ? buf : buf.subarray(at, at + n), this.#filled);
      this.#filled += n;
      at += n;
      if (this.#filled === this.#length) {
        const frame = this.#frame;
        this.#frame = undefined;
        this.#length = 0;
        this.#lengthBytes = 0;
        this.#deliver(frame);
      }
    }
  }

  #deliver(frame: Buffer): void {
    const pending = this.#pending.shift();
    if (pending === undefined || pending.correlationId !== frame.readInt32BE(0)) {
      if (pending !== undefined) this.#pending.unshift(pending);
      this.#fail(new MillraceError("KAFKA_PROTOCOL", `The broker at ${this.address} answered out of order.`));
      return;
    }
    clearTimeout(pending.timer);
    pending.resolve(frame);
  }

  #fail(error: Error): void {
    if (this.closed !== undefined) return;
    this.closed = error;
    this.#socket.destroy();
    this.#frame = undefined;
    for (const pending of this.#pending.splice(0)) {
      clearTimeout(pending.timer);
      pending.reject(error);
    }
  }
}

function isTlsError(error: Error): boolean {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|EPROTO)/.test(code);
}

function tlsRefused(address: string, cause: Error): MillraceError {
  const code = (cause as NodeJS.ErrnoException).code;
  return new MillraceError(
    "KAFKA_AUTHENTICATION",
    `No trusted TLS connection to ${address}: ${cause.message} (${code}).`,
    {
      hint: "Check kafka.security.protocol and kafka.ssl.truststore.certificates (or .location).",
      parameters: { address },
      cause,
    },
  );
}
