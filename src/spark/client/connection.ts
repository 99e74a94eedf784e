import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect,
  type OutgoingHttpHeaders,
  type SecureClientSessionOptions,
} from "node:http2";
import type { GrpcTransportOptions } from "@connectrpc/connect-node";

/** A server that gets pings more often than every five minutes closes the connection (gRPC's default). They find a dead peer. */
const PING_INTERVAL_MS = 330_000;
const PING_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 20_000;
/** What lies between may have forgotten a connection that was quiet for longer: a new one is cheap. */
const IDLE_MS = 300_000;
/** Bytes that a server may send ahead: the default of 64 KiB halts large results at every round trip. */
const WINDOW = 8 << 20;

type SessionManager = NonNullable<GrpcTransportOptions["sessionManager"]>;

interface Line {
  readonly session: ClientHttp2Session;
  streams: number;
  lastUsed: number;
  /** While calls are under way. */
  pings?: NodeJS.Timeout;
}

/**
 * One HTTP/2 connection at a time to one server: opened when it is needed, left behind when the server or time ends it, without holding the
 * process while no call is under way. Every call on it ends, with an answer or an error.
 */
export class Connection implements SessionManager {
  readonly authority: string;
  readonly #options: SecureClientSessionOptions;
  #line: Promise<Line> | undefined;
  readonly #open = new Set<ClientHttp2Session>();
  #closed = false;

  constructor(baseUrl: string, options: SecureClientSessionOptions) {
    this.authority = new URL(baseUrl).origin;
    this.#options = options;
  }

  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Omit<ClientSessionRequestOptions, "signal">,
  ): Promise<ClientHttp2Stream> {
    for (let tries = 0; ; tries++) {
      const line = await this.#current();
      try {
        const stream = line.session.request({ ...headers, ":method": method, ":path": path }, options);
        this.#watch(line, stream);
        return stream;
      } catch (error) {
        // It ended between the look at it and the request.
        if (tries >= 2 || !(line.session.closed || line.session.destroyed)) throw error;
      }
    }
  }

  notifyResponseByteRead(_stream: ClientHttp2Stream): void {
    // Pings are far apart; what was read between two of them need not be known.
  }

  /** Leaves the connection to the calls that are on it. */
  renew(): void {
    const known = this.#line;
    this.#line = undefined;
    known?.then(
      (line) => line.session.close(),
      () => {}, // it never came about
    );
  }

  close(): void {
    this.#closed = true;
    for (const session of this.#open) session.destroy();
  }

  async #current(): Promise<Line> {
    const known = this.#line;
    if (known !== undefined) {
      const line = await known;
      const fresh = line.streams > 0 || Date.now() - line.lastUsed < IDLE_MS;
      if (fresh && !line.session.closed && !line.session.destroyed) return line;
      line.session.close();
      if (this.#line === known) this.#line = undefined;
    }
    if (this.#line !== undefined) return await this.#current();
    const opening = this.#connect();
    this.#line = opening;
    const forget = (): void => {
      if (this.#line === opening) this.#line = undefined;
    };
    try {
      const line = await opening;
      // A server that is going away ends the calls that it has and takes no others.
      line.session.once("goaway", forget);
      line.session.once("close", forget);
      return line;
    } catch (error) {
      forget();
      throw error;
    }
  }

  #connect(): Promise<Line> {
    if (this.#closed) return Promise.reject(Object.assign(new Error("the client is closed"), { code: "ECONNABORTED" }));
    const session = connect(this.authority, {
      ...this.#options,
      settings: { initialWindowSize: WINDOW, enablePush: false },
    });
    this.#open.add(session);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        session.destroy(Object.assign(new Error("the connection was not made in time"), { code: "ETIMEDOUT" }));
      }, CONNECT_TIMEOUT_MS);
      // Also later: an error of the connection reaches the calls on it, and must reach nobody else.
      session.on("error", reject);
      session.once("connect", () => {
        session.setLocalWindowSize(WINDOW);
        session.unref();
        resolve({ session, streams: 0, lastUsed: Date.now() });
      });
      session.once("close", () => {
        this.#open.delete(session);
        reject(closedEarly());
      });
      session.once("connect", () => clearTimeout(timer));
      session.once("close", () => clearTimeout(timer));
    });
  }

  #watch(line: Line, stream: ClientHttp2Stream): void {
    const { session } = line;
    if (++line.streams === 1) {
      session.ref();
      this.#keepAlive(line);
    }
    let answered = false;
    stream.once("response", () => {
      answered = true;
    });
    stream.once("close", () => {
      line.lastUsed = Date.now();
      if (--line.streams === 0) {
        clearInterval(line.pings);
        if (!session.destroyed) session.unref();
      }
      // A connection that ends in good order closes its calls without an error; one that waits for its answer would wait forever.
      if (!answered && stream.rstCode === 0) stream.emit("error", closedEarly());
    });
  }

  /** Pings while a call is under way. */
  #keepAlive(line: Line): void {
    const { session } = line;
    line.pings = setInterval(() => {
      if (session.destroyed) return clearInterval(line.pings);
      const late = setTimeout(() => {
        session.destroy(Object.assign(new Error("the server no longer answers"), { code: "ETIMEDOUT" }));
      }, PING_TIMEOUT_MS);
      late.unref();
      session.ping(() => clearTimeout(late));
    }, PING_INTERVAL_MS);
    line.pings.unref();
  }
}

const closedEarly = (): Error =>
  Object.assign(new Error("the connection was closed before there was an answer"), { code: "ECONNRESET" });
