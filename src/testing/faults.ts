import type { Connector, SinkFactory, SourceFactory, StreamSink, StreamSource } from "../connectors/connector.ts";
import { MillraceError } from "../errors.ts";

/** Calls that can be made to fail. `open...` are the factories'; `addBatch:after` fails when the rows are delivered already. */
export type FaultyCall =
  | "openSource"
  | "initialOffset"
  | "latestOffset"
  | "read"
  | "openSink"
  | "lastBatch"
  | "addBatch"
  | "addBatch:after";

/**
 * Makes the outside world fail on demand: wraps connectors so that calls of their sources and sinks throw what a test says.
 *
 * @example
 * const faults = new Faults();
 * const unreliable = faults.wrap(memory);
 * faults.failNext("addBatch", 3); // the next three deliveries fail as an unreachable sink does
 */
export class Faults {
  readonly #planned = new Map<FaultyCall, Error[]>();
  readonly #calls = new Map<FaultyCall, number>();

  /** The next `times` calls throw `error`; the default can be tried again. */
  failNext(call: FaultyCall, times = 1, error: Error = unreachable(call)): void {
    const planned = this.#planned.get(call) ?? [];
    for (let i = 0; i < times; i++) planned.push(error);
    this.#planned.set(call, planned);
  }

  /** How often a call was made. */
  calls(call: FaultyCall): number {
    return this.#calls.get(call) ?? 0;
  }

  /** The connector with the calls of its streams under control of this object. */
  wrap(connector: Connector): Connector {
    return {
      ...connector,
      ...(connector.source && { source: this.#source(connector.source) }),
      ...(connector.sink && { sink: this.#sink(connector.sink) }),
    };
  }

  #source(factory: SourceFactory): SourceFactory {
    return {
      ...factory,
      openStream: async (request) => {
        this.#pass("openSource");
        const source = await factory.openStream!(request);
        const { waitForData, commit, metrics, prepareForAvailableNow } = source;
        const wrapped: StreamSource = {
          description: source.description,
          initialOffset: () => this.#then("initialOffset", () => source.initialOffset()),
          latestOffset: (start, limit) => this.#then("latestOffset", () => source.latestOffset(start, limit)),
          read: (start, end) => this.#then("read", () => source.read(start, end)),
          close: () => source.close(),
          ...(waitForData && { waitForData: waitForData.bind(source) }),
          ...(commit && { commit: commit.bind(source) }),
          ...(metrics && { metrics: metrics.bind(source) }),
          ...(prepareForAvailableNow && { prepareForAvailableNow: prepareForAvailableNow.bind(source) }),
        };
        return wrapped;
      },
    };
  }

  #sink(factory: SinkFactory): SinkFactory {
    return {
      ...factory,
      openStream: async (request) => {
        this.#pass("openSink");
        const sink = await factory.openStream!(request);
        const wrapped: StreamSink = {
          description: sink.description,
          lastBatch: () => this.#then("lastBatch", () => sink.lastBatch()),
          addBatch: async (batch) => {
            const result = await this.#then("addBatch", () => sink.addBatch(batch));
            this.#pass("addBatch:after");
            return result;
          },
          close: (error) => sink.close(error),
        };
        return wrapped;
      },
    };
  }

  async #then<T>(call: FaultyCall, action: () => Promise<T>): Promise<T> {
    this.#pass(call);
    return action();
  }

  #pass(call: FaultyCall): void {
    this.#calls.set(call, this.calls(call) + 1);
    const error = this.#planned.get(call)?.shift();
    if (error !== undefined) throw error;
  }
}

function unreachable(call: FaultyCall): MillraceError {
  const sink = call === "openSink" || call === "lastBatch" || call.startsWith("addBatch");
  return new MillraceError(sink ? "SINK_FAILED" : "SOURCE_FAILED", `${call} failed because a test asked for it.`, {
    retryable: true,
  });
}
