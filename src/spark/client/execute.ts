import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { MillraceError } from "../../errors.ts";
import {
  type ExecutePlanResponse,
  ExecutePlanResponse_ArrowBatchSchema,
  InterruptRequest_InterruptType,
  type Plan,
  type ReleaseExecuteRequestSchema,
} from "../proto/spark-connect_pb.ts";
import { type Channel, stopped } from "./channel.ts";
import { summaryOf } from "./failure.ts";
import { isConnectionFailure, isRetryable } from "./retry.ts";

/** How far a batch execution has come. */
export interface ExecutionProgress {
  readonly stages: readonly {
    readonly stageId: number;
    readonly tasks: number;
    readonly completedTasks: number;
    readonly inputBytes: number;
    readonly done: boolean;
  }[];
  readonly runningTasks: number;
}

export interface ExecuteOptions {
  /** Names to interrupt the operation by; no commas. */
  readonly tags?: readonly string[] | undefined;
  /** A UUID; a new one by default. */
  readonly operationId?: string | undefined;
  /** Interrupts the operation on the server; the call then throws STOPPED. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ExecutionProgress) => void) | undefined;
}

export interface ExecuteLimits {
  /** Whether the server can send an Arrow batch in pieces (4.1+). */
  readonly chunking: boolean;
  /** A stream that is silent for longer is taken for dead and attached again. */
  readonly silenceMs: number;
}

/**
 * Runs a plan and gives the server's responses in order, each once: the stream is attached again behind the last response when it
 * breaks or when the server ends it before the operation is complete. A response is released on the server when the caller asks for the
 * next one. Progress goes to `onProgress`; an Arrow batch in pieces is given whole.
 */
export async function* execute(
  channel: Channel,
  plan: Plan,
  options: ExecuteOptions,
  limits: ExecuteLimits,
): AsyncGenerator<ExecutePlanResponse, void, undefined> {
  const { signal, onProgress } = options;
  const tags = checkedTags(options.tags ?? []);
  const operationId = options.operationId ?? randomUUID();
  const backoff = channel.backoff();
  const release = new Release(channel, operationId);
  const batches = new Batches();
  let lastResponseId: string | undefined;
  let complete = false;
  let sent = 0;
  let attach = false;

  const open = (stop: AbortSignal): AsyncIterable<ExecutePlanResponse> => {
    const head = channel.head();
    if (attach) {
      const from = lastResponseId === undefined ? {} : { lastResponseId };
      return channel.stub.reattachExecute({ ...head, operationId, ...from }, { signal: stop });
    }
    sent++;
    // Whatever becomes of this call, the server may have the operation: the next try looks for it.
    attach = true;
    const reattachable = { requestOption: { case: "reattachOptions", value: { reattachable: true } } } as const;
    const chunking = {
      requestOption: { case: "resultChunkingOptions", value: { allowArrowBatchChunking: true } },
    } as const;
    const requestOptions = limits.chunking ? [reattachable, chunking] : [reattachable];
    return channel.stub.executePlan({ ...head, operationId, plan, tags, requestOptions }, { signal: stop });
  };

  try {
    while (!complete) {
      if (signal?.aborted) throw stopped(signal);
      const stop = new AbortController();
      const onAbort = (): void => stop.abort();
      signal?.addEventListener("abort", onAbort, { once: true });
      const watch = new Watch(limits.silenceMs, () => stop.abort());
      let broken: ConnectError | undefined;
      let responses = 0;
      const opened = channel.clock.now();
      const iterator = open(stop.signal)[Symbol.asyncIterator]();
      try {
        while (!complete) {
          let next: IteratorResult<ExecutePlanResponse>;
          watch.start();
          try {
            next = await iterator.next();
          } catch (error) {
            broken = ConnectError.from(error);
            break;
          } finally {
            watch.stop();
          }
          if (next.done) break;
          const response = next.value;
          channel.observe(response);
          backoff.reset();
          responses++;
          lastResponseId = response.responseId;
          if (response.responseType.case === "resultComplete") {
            complete = true;
          } else if (response.responseType.case === "executionProgress") {
            onProgress?.(progressOf(response.responseType.value));
          } else {
            const whole = batches.add(response);
            if (whole !== undefined) yield whole;
          }
          if (!complete) release.until(lastResponseId);
        }
      } finally {
        signal?.removeEventListener("abort", onAbort);
        stop.abort();
      }
      if (complete) break;
      if (signal?.aborted) throw stopped(signal);

      if (watch.rang) {
        // A dead connection, or an operation with nothing to say: a new connection finds out.
        channel.renew();
        continue;
      }
      // The server ends streams that have lasted, also of an operation that has nothing to say for days.
      const lasted = channel.clock.now() - opened >= LASTED_MS;
      if (lasted) backoff.reset();
      if (broken === undefined) {
        if (responses > 0 || lasted) continue;
        // One that ends at once with nothing in it must not be asked for in a tight loop.
        broken = new ConnectError("the stream ended before the operation was complete", Code.Unavailable);
      }
      const errorClass = summaryOf(broken).errorClass ?? "";
      if (
        lastResponseId === undefined &&
        sent > 0 &&
        /^INVALID_HANDLE\.(OPERATION|SESSION)_NOT_FOUND$/.test(errorClass) &&
        (await backoff.again(broken, signal))
      ) {
        attach = false; // it never arrived
        continue;
      }
      // Our own earlier request arrived after all, behind the question whether it had.
      if (sent > 1 && errorClass === "INVALID_HANDLE.OPERATION_ALREADY_EXISTS") continue;
      if ((isRetryable(broken) || isConnectionFailure(broken)) && (await backoff.again(broken, signal))) continue;
      throw await channel.failure(broken);
    }
    batches.finish();
  } catch (error) {
    if (signal?.aborted && !complete) interruptInBackground(channel, operationId);
    throw error;
  } finally {
    // Also when the caller stopped early: the server then ends the operation.
    if (sent > 0) release.all();
  }
}

/** A stream that held so long was no failure: what breaks it is the first of its kind. */
const LASTED_MS = 10_000;

/** Rings when a stream gives nothing for too long. */
class Watch {
  readonly #ms: number;
  readonly #ring: () => void;
  #timer: NodeJS.Timeout | undefined;
  rang = false;

  constructor(ms: number, ring: () => void) {
    this.#ms = ms;
    this.#ring = ring;
  }

  start(): void {
    this.#timer = setTimeout(() => {
      this.rang = true;
      this.#ring();
    }, this.#ms);
    this.#timer.unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function checkedTags(tags: readonly string[]): string[] {
  for (const tag of tags) {
    if (tag === "" || tag.includes(",")) {
      throw new MillraceError("INVALID_ARGUMENT", `The tag "${tag}" is ${tag === "" ? "empty" : "with a comma"}.`, {
        hint: "A tag is a text without commas.",
      });
    }
  }
  return [...new Set(tags)];
}

function progressOf(value: {
  readonly stages: readonly {
    readonly stageId: bigint;
    readonly numTasks: bigint;
    readonly numCompletedTasks: bigint;
    readonly inputBytesRead: bigint;
    readonly done: boolean;
  }[];
  readonly numInflightTasks: bigint;
}): ExecutionProgress {
  return {
    stages: value.stages.map((stage) => ({
      stageId: Number(stage.stageId),
      tasks: Number(stage.numTasks),
      completedTasks: Number(stage.numCompletedTasks),
      inputBytes: Number(stage.inputBytesRead),
      done: stage.done,
    })),
    runningTasks: Number(value.numInflightTasks),
  };
}

function interruptInBackground(channel: Channel, operationId: string): void {
  const interrupt = channel.unary((head, signal) =>
    channel.stub.interrupt(
      {
        ...head,
        interruptType: InterruptRequest_InterruptType.OPERATION_ID,
        interrupt: { case: "operationId", value: operationId },
      },
      { ...(signal && { signal }) },
    ),
  );
  // The caller has been told that it is stopped; an operation that cannot be reached ends when the server misses its client.
  channel.inBackground(interrupt.then(ignore, ignore));
}

const ignore = (): void => {};

/** Joins Arrow batches that come in pieces, and sees that no rows are missing between batches. */
class Batches {
  #pieces: Uint8Array[] = [];
  #rows = 0n;

  /** The response as the caller gets it, or undefined while pieces are missing. */
  add(response: ExecutePlanResponse): ExecutePlanResponse | undefined {
    if (response.responseType.case !== "arrowBatch") return response;
    const batch = response.responseType.value;
    const chunks = Number(batch.numChunksInBatch ?? 1n);
    const index = Number(batch.chunkIndex ?? 0n);
    if (index !== this.#pieces.length) {
      throw damaged(`piece ${this.#pieces.length} of a batch was due, piece ${index} of ${chunks} came`);
    }
    if (index === 0 && batch.startOffset !== undefined && batch.startOffset !== this.#rows) {
      throw damaged(`row ${this.#rows} was due, a batch from row ${batch.startOffset} came`);
    }
    this.#pieces.push(batch.data);
    if (this.#pieces.length < chunks) return undefined;
    this.#rows += batch.rowCount;
    const data = chunks === 1 ? batch.data : new Uint8Array(Buffer.concat(this.#pieces));
    this.#pieces = [];
    if (chunks === 1) return response;
    const { rowCount, startOffset } = batch;
    const whole = create(ExecutePlanResponse_ArrowBatchSchema, {
      rowCount,
      data,
      ...(startOffset !== undefined && { startOffset }),
    });
    return { ...response, responseType: { case: "arrowBatch", value: whole } };
  }

  finish(): void {
    if (this.#pieces.length > 0) throw damaged(`the result ended within a batch, after ${this.#pieces.length} pieces`);
  }
}

function damaged(what: string): MillraceError {
  return new MillraceError("SPARK_ERROR", `The server's result has a gap: ${what}.`, { hint: "Run it again." });
}

type ReleaseInit = NonNullable<MessageInitShape<typeof ReleaseExecuteRequestSchema>["release"]>;

function releaseOf(wanted: string): ReleaseInit {
  return wanted === "all" ? { case: "releaseAll", value: {} } : { case: "releaseUntil", value: { responseId: wanted } };
}

/** Tells the server which responses it may forget; one call at a time, always for the newest. */
class Release {
  readonly #channel: Channel;
  readonly #operationId: string;
  #wanted: string | undefined;
  #running = false;

  constructor(channel: Channel, operationId: string) {
    this.#channel = channel;
    this.#operationId = operationId;
  }

  until(responseId: string): void {
    if (this.#wanted !== "all") this.#wanted = responseId;
    this.#start();
  }

  all(): void {
    this.#wanted = "all";
    this.#start();
  }

  #start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#channel.inBackground(this.#run());
  }

  async #run(): Promise<void> {
    try {
      while (this.#wanted !== undefined) {
        const wanted = this.#wanted;
        this.#wanted = undefined;
        await this.#channel.unary((head, signal) =>
          this.#channel.stub.releaseExecute(
            { ...head, operationId: this.#operationId, release: releaseOf(wanted) },
            { ...(signal && { signal }) },
          ),
        );
      }
    } catch {
      // The server forgets an operation without a client by itself; what went wrong with the session, the next call says.
    } finally {
      this.#running = false;
    }
  }
}
