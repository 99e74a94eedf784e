import { Code, type ConnectError } from "@connectrpc/connect";
import { RetryInfoSchema } from "../proto/google-rpc_pb.ts";

/** When a failed call is tried again. Times in milliseconds. The defaults are those of Spark's own clients. */
export interface RetryPolicy {
  readonly maxRetries: number;
  readonly initialBackoffMs: number;
  readonly backoffMultiplier: number;
  readonly maxBackoffMs: number;
  /** A random part up to this is added to waits of `jitterFromMs` and longer. */
  readonly jitterMs: number;
  readonly jitterFromMs: number;
  /** The longest delay that a server may ask for. */
  readonly maxServerDelayMs: number;
}

export const DEFAULT_RETRY: RetryPolicy = {
  maxRetries: 15,
  initialBackoffMs: 50,
  backoffMultiplier: 4,
  maxBackoffMs: 60_000,
  jitterMs: 500,
  jitterFromMs: 2_000,
  maxServerDelayMs: 600_000,
};

/** Time and chance, so that tests need not wait. */
export interface RetryClock {
  now(): number;
  /** Resolves after `ms`, or at once when `signal` is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** From 0 to 1, as Math.random. */
  random(): number;
}

export const SYSTEM_CLOCK: RetryClock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) return resolve();
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      signal?.addEventListener("abort", done, { once: true });
    }),
  random: Math.random,
};

/** Whether the same call may succeed when it is made again. */
export function isRetryable(error: ConnectError): boolean {
  if (error.findDetails(RetryInfoSchema).length > 0) return true;
  if (fromServer(error)) {
    return (
      error.code === Code.Unavailable ||
      (error.code === Code.Internal && error.rawMessage.includes("INVALID_CURSOR.DISCONNECTED"))
    );
  }
  return isConnectionFailure(error);
}

/** Whether the server answered with this status; otherwise it was made on this side. */
export function fromServer(error: ConnectError): boolean {
  return error.metadata.has("grpc-status");
}

/**
 * Whether the connection broke or could not be made, so that nothing is known of the call's outcome. What would only break again, a
 * certificate that is not trusted or a message above the limit, is not one.
 */
export function isConnectionFailure(error: ConnectError): boolean {
  if (fromServer(error)) return false;
  const codes = nodeCodes(error);
  if (codes.some((code) => LASTING.test(code))) return false;
  if (codes.length > 0) return true;
  if (error.code === Code.Unavailable || error.code === Code.Aborted) return true;
  // A stream that ends without a status, or that the peer resets, was cut on its way.
  return /missing status|http\/2 stream closed|protocol error: (missing|incomplete)|premature EOF|sentinel completed early|connection aborted/i.test(
    error.rawMessage,
  );
}

/** OpenSSL's and Node's codes for TLS that does not come about, and names that do not exist. */
const LASTING =
  /^(EPROTO|ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_OSSL|ERR_INVALID|ENOTFOUND|HOSTNAME_MISMATCH)/;

/** The `code` of every Node error beneath a failure, outermost first. */
export function nodeCodes(error: unknown): string[] {
  const codes: string[] = [];
  const seen = new Set<unknown>();
  for (let at = error; at instanceof Error && !seen.has(at); at = at.cause) {
    seen.add(at);
    const { code } = at as { code?: unknown };
    if (typeof code === "string") codes.push(code);
    if (at instanceof AggregateError) codes.push(...at.errors.flatMap(nodeCodes));
  }
  return codes;
}

/** The longest wait while nothing listens at the address: to ask again costs nobody anything, and a server that is started anew is found soon. */
const REFUSED_BACKOFF_MS = 2_000;

/**
 * Counts the tries of one call and says how long to wait before the next. While the connection itself is refused, waits are short and it is
 * the time that counts: as long as the policy's waits are together.
 */
export class Backoff {
  readonly #policy: RetryPolicy;
  readonly #clock: RetryClock;
  readonly #closed: AbortSignal;
  readonly #deadline: number;
  #tries = 0;
  #refusedSince: number | undefined;

  /** No try starts later than `withinMs` from now, and no wait outlasts `closed`. */
  constructor(policy: RetryPolicy, clock: RetryClock, closed: AbortSignal, withinMs = Number.POSITIVE_INFINITY) {
    this.#policy = policy;
    this.#clock = clock;
    this.#closed = closed;
    this.#deadline = clock.now() + withinMs;
  }

  /** After progress: later failures are counted anew. */
  reset(): void {
    this.#tries = 0;
    this.#refusedSince = undefined;
  }

  /** Waits for the next try; false when there is none. */
  async again(error: ConnectError, signal?: AbortSignal): Promise<boolean> {
    const policy = this.#policy;
    const refused = nodeCodes(error).includes("ECONNREFUSED");
    if (refused) this.#refusedSince ??= this.#clock.now();
    else this.#refusedSince = undefined;
    const over = refused
      ? this.#clock.now() - this.#refusedSince! >= totalWait(policy)
      : this.#tries >= policy.maxRetries;
    if (over) return false;
    let wait = backoffOf(policy, this.#tries);
    if (refused) wait = Math.min(wait, REFUSED_BACKOFF_MS);
    this.#tries = Math.min(this.#tries + 1, policy.maxRetries);
    const asked = serverDelayMs(error);
    if (asked !== undefined) wait = Math.max(wait, Math.min(asked, policy.maxServerDelayMs));
    if (wait >= policy.jitterFromMs) wait += this.#clock.random() * policy.jitterMs;
    const left = this.#deadline - this.#clock.now();
    if (left <= 0) return false;
    const wake = signal === undefined ? this.#closed : AbortSignal.any([signal, this.#closed]);
    await this.#clock.sleep(Math.min(wait, left), wake);
    return true;
  }
}

function backoffOf(policy: RetryPolicy, tries: number): number {
  return Math.min(policy.initialBackoffMs * policy.backoffMultiplier ** tries, policy.maxBackoffMs);
}

function totalWait(policy: RetryPolicy): number {
  return Array.from({ length: policy.maxRetries }, (_, i) => backoffOf(policy, i)).reduce((a, b) => a + b, 0);
}

function serverDelayMs(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? undefined : Number(delay.seconds) * 1000 + delay.nanos / 1e6;
}
