import { randomUUID } from "node:crypto";
import type { SecureClientSessionOptions } from "node:http2";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { MillraceError } from "../../errors.ts";
import { SparkConnectService } from "../proto/spark-connect_pb.ts";
import { Connection } from "./connection.ts";
import { isSessionLost, sessionLost, sparkError, summaryOf, transportError } from "./failure.ts";
import { Backoff, fromServer, isRetryable, type RetryClock, type RetryPolicy } from "./retry.ts";
import type { ConnectAddress } from "./url.ts";

/** Certificates for a server behind TLS, as node:tls takes them. */
export interface TlsOptions {
  readonly ca?: string | Uint8Array;
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly servername?: string;
}

export interface ChannelOptions {
  readonly address: ConnectAddress;
  readonly userAgent: string;
  readonly retry: RetryPolicy;
  readonly clock: RetryClock;
  readonly tls?: TlsOptions | undefined;
}

/** What every request begins with. */
export interface RequestHead {
  readonly sessionId: string;
  readonly userContext: { readonly userId: string; readonly userName: string };
  readonly clientType: string;
  readonly clientObservedServerSideSessionId?: string;
}

/** The connection to a server and the session on it: makes calls, tries them again, and turns failures into our errors. */
export class Channel {
  readonly address: ConnectAddress;
  readonly sessionId: string;
  readonly stub: Client<typeof SparkConnectService>;
  readonly clock: RetryClock;
  readonly #options: ChannelOptions;
  readonly #connection: Connection;
  readonly #background = new Set<Promise<void>>();
  #serverSession: string | undefined;
  #lost: MillraceError | undefined;
  readonly #closed = new AbortController();
  #lastCall: number;

  constructor(options: ChannelOptions) {
    const { address } = options;
    this.#options = options;
    this.address = address;
    this.clock = options.clock;
    this.sessionId = address.sessionId ?? randomUUID();
    this.#lastCall = options.clock.now();
    const baseUrl = `${address.tls ? "https" : "http"}://${address.authority}`;
    this.#connection = new Connection(baseUrl, { ...options.tls } as SecureClientSessionOptions);
    const headers: Interceptor = (next) => async (request) => {
      for (const [name, value] of Object.entries(address.headers)) request.header.set(name, value);
      if (address.token !== undefined) request.header.set("authorization", `Bearer ${address.token}`);
      return await next(request);
    };
    this.stub = createClient(
      SparkConnectService,
      createGrpcTransport({
        baseUrl,
        sessionManager: this.#connection,
        readMaxBytes: address.maxMessageSize,
        writeMaxBytes: address.maxMessageSize,
        interceptors: [headers],
      }),
    );
  }

  /** Milliseconds since a call was last made. */
  get idleMs(): number {
    return this.clock.now() - this.#lastCall;
  }

  /** What a request begins with; throws when the session is lost or closed. */
  head(): RequestHead {
    this.check();
    this.#lastCall = this.clock.now();
    return {
      sessionId: this.sessionId,
      userContext: { userId: this.address.userId, userName: this.address.userId },
      clientType: this.#options.userAgent,
      ...(this.#serverSession !== undefined && { clientObservedServerSideSessionId: this.#serverSession }),
    };
  }

  check(): void {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#closed.signal.aborted) {
      throw new MillraceError("STOPPED", `The session on the Spark server at ${this.address.authority} is closed.`, {
        hint: "Build a new SparkSession.",
      });
    }
  }

  /** Remembers which session of the server answered; another one than before has none of our state. */
  observe(response: { readonly serverSideSessionId: string }): void {
    const { serverSideSessionId } = response;
    if (serverSideSessionId === "" || serverSideSessionId === this.#serverSession) return;
    if (this.#serverSession !== undefined) {
      this.#lost = sessionLost(this.address, "the server was restarted");
      throw this.#lost;
    }
    this.#serverSession = serverSideSessionId;
  }

  backoff(withinMs?: number): Backoff {
    return new Backoff(this.#options.retry, this.clock, this.#closed.signal, withinMs);
  }

  /** One call with one answer: tried again while that may help. `call` builds its request anew from the head at every try. */
  async unary<R extends { readonly serverSideSessionId: string }>(
    call: (head: RequestHead, signal: AbortSignal | undefined) => Promise<R>,
    options: { readonly signal?: AbortSignal | undefined; readonly withinMs?: number } = {},
  ): Promise<R> {
    const backoff = this.backoff(options.withinMs);
    for (;;) {
      const head = this.head();
      // A server that was reached gets longer: its first answer is slow.
      const timeout = options.withinMs === undefined ? undefined : AbortSignal.timeout(3 * options.withinMs);
      try {
        const signals = [options.signal, timeout].filter((s) => s !== undefined);
        const response = await call(head, signals.length === 0 ? undefined : AbortSignal.any(signals));
        this.observe(response);
        return response;
      } catch (error) {
        if (error instanceof MillraceError) throw error;
        if (options.signal?.aborted) throw stopped(options.signal);
        const failure = timeout?.aborted
          ? new ConnectError("no answer in time", Code.DeadlineExceeded)
          : ConnectError.from(error);
        if (isRetryable(failure) && (await backoff.again(failure, options.signal))) continue;
        if (options.signal?.aborted) throw stopped(options.signal);
        throw await this.failure(failure);
      }
    }
  }

  /** Our error for a failed call. Asks the server for the details that it keeps. */
  async failure(error: ConnectError): Promise<MillraceError> {
    const summary = summaryOf(error);
    if (!fromServer(error)) return transportError(error, this.address, this.#serverSession !== undefined);
    if (isSessionLost(summary.errorClass)) {
      this.#lost ??= sessionLost(this.address, "the server was restarted, or the session ended", sparkError(summary));
      return this.#lost;
    }
    if (summary.errorId === undefined) {
      return summary.errorClass === undefined ? this.#plain(error) : sparkError(summary);
    }
    try {
      const errorId = summary.errorId;
      const details = await this.stub.fetchErrorDetails({ ...this.head(), errorId }, { timeoutMs: 30_000 });
      return sparkError(summary, details);
    } catch {
      return sparkError(summary); // the details are an addition; the status has the class and the message
    }
  }

  #plain(error: ConnectError): MillraceError {
    // A status without Spark's details: of a proxy, of the gRPC library, or of the service's own checks.
    const spoken = transportError(error, this.address, this.#serverSession !== undefined);
    return spoken.code === "SPARK_UNREACHABLE" && !isRetryable(error) ? sparkError(summaryOf(error)) : spoken;
  }

  /** Work that no caller waits for; `drain` does. It must not reject. */
  inBackground(work: Promise<void>): void {
    this.#background.add(work);
    void work.finally(() => this.#background.delete(work));
  }

  async drain(): Promise<void> {
    await Promise.all(this.#background);
  }

  /** Makes the next call take a new connection. */
  renew(): void {
    this.#connection.renew();
  }

  /** Ends the connection; calls under way fail. */
  close(): void {
    this.#closed.abort();
    this.#connection.close();
  }
}

export function stopped(signal: AbortSignal): MillraceError {
  return new MillraceError("STOPPED", "The call was stopped by its signal.", { cause: signal.reason });
}
