import { create } from "@bufbuild/protobuf";
import type { SparkConnectClient } from "../client/client.ts";
import * as pb from "../proto/spark-connect_pb.ts";

/** What the server tells of a query's run. */
export interface RunListener {
  /** Spark's JSON of a progress. */
  progress(json: string): void;
  idle(timestamp: string): void;
  terminated(): void;
}

const END_MS = 10_000;

interface Stream {
  /** Resolves when the server has begun to send, or the stream has ended. */
  readonly ready: Promise<void>;
  readonly ended: Promise<void>;
  readonly stop: AbortController;
}

function busCommand(command: pb.StreamingQueryListenerBusCommand["command"]): pb.Command {
  return create(pb.CommandSchema, { commandType: { case: "streamingQueryListenerBusCommand", value: { command } } });
}

/** The events of all queries of one session, by one stream that is open while somebody listens. */
export class ListenerBus {
  static readonly #buses = new WeakMap<SparkConnectClient, ListenerBus>();
  readonly #client: SparkConnectClient;
  readonly #listeners = new Map<string, RunListener>();
  #stream: Stream | undefined;
  /** The end of the stream before: the server has one for each session. */
  #ending: Promise<void> = Promise.resolve();

  static of(client: SparkConnectClient): ListenerBus {
    let bus = ListenerBus.#buses.get(client);
    if (bus === undefined) {
      bus = new ListenerBus(client);
      ListenerBus.#buses.set(client, bus);
    }
    return bus;
  }

  private constructor(client: SparkConnectClient) {
    this.#client = client;
  }

  /** Whether events come. While they do not, whoever wants to know has to ask. */
  get open(): boolean {
    return this.#stream !== undefined;
  }

  /** Resolves when the server sends events, so that none of what begins afterwards is missed. */
  async ready(): Promise<void> {
    await this.#ending;
    this.#stream ??= this.#start();
    await this.#stream.ready;
  }

  /** Calls the listener on what happens in a run until the returned function is called. */
  listen(runId: string, listener: RunListener): () => void {
    this.#listeners.set(runId, listener);
    return () => {
      this.#listeners.delete(runId);
      if (this.#listeners.size === 0) this.#end();
    };
  }

  /** Ends the stream in good order: the server takes another one only then. */
  #end(): void {
    const stream = this.#stream;
    if (stream === undefined) return;
    this.#stream = undefined;
    const removal = { case: "removeListenerBusListener", value: true } as const;
    this.#ending = this.#client.command(busCommand(removal), { signal: AbortSignal.timeout(END_MS) }).then(
      () => stream.ended,
      // the server is gone, and the stream with it
      () => stream.stop.abort(),
    );
  }

  #start(): Stream {
    const stop = new AbortController();
    let added!: () => void;
    const ready = new Promise<void>((resolve) => {
      added = resolve;
    });
    const ended = this.#read(stop.signal, added)
      // what ends the stream ends other calls too, and they say it; until the next `ready` progress is asked for
      .catch(() => undefined)
      .then(() => {
        added();
        if (this.#stream === stream) this.#stream = undefined;
      });
    const stream: Stream = { ready, ended, stop };
    return stream;
  }

  async #read(signal: AbortSignal, added: () => void): Promise<void> {
    const command = busCommand({ case: "addListenerBusListener", value: true });
    const plan = create(pb.PlanSchema, { opType: { case: "command", value: command } });
    for await (const { responseType } of this.#client.execute(plan, { signal })) {
      if (responseType.case !== "streamingQueryListenerEventsResult") continue;
      if (responseType.value.listenerBusListenerAdded) added();
      for (const event of responseType.value.events) this.#dispatch(event);
    }
  }

  #dispatch({ eventJson, eventType }: pb.StreamingQueryListenerEvent): void {
    const event = JSON.parse(eventJson) as { runId?: string; timestamp?: string; progress?: { runId: string } };
    const runId = event.runId ?? event.progress?.runId ?? "";
    const listener = this.#listeners.get(runId);
    if (listener === undefined) return;
    if (eventType === pb.StreamingQueryEventType.QUERY_PROGRESS_EVENT) {
      listener.progress(event.progress === undefined ? eventJson : JSON.stringify(event.progress));
    } else if (eventType === pb.StreamingQueryEventType.QUERY_IDLE_EVENT) listener.idle(event.timestamp ?? "");
    else if (eventType === pb.StreamingQueryEventType.QUERY_TERMINATED_EVENT) listener.terminated();
  }
}
