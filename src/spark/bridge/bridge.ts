import { randomBytes, randomUUID } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Conf, SinkProgress } from "../../backend.ts";
import type { OutputMode, SinkMarker } from "../../connectors/connector.ts";
import { type Connection, type Database, openDatabase } from "../../duckdb/duckdb.ts";
import { makeDirectory } from "../../durable-files.ts";
import { MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import { offsetsHash } from "../../streaming/checkpoint.ts";
import { duckdbLimits } from "../../streaming/conf.ts";
import { type Delivered, deliver } from "../../streaming/delivery.ts";
import type { OpenSink, ResolvedSink } from "../../streaming/sinks.ts";
import type { StructType } from "../../types/data-type.ts";
import type { BridgeAddress } from "./address.ts";
import { BatchStore, batchTimestamp, type KeptBatch, type Part } from "./batch-store.ts";
import type { BridgeCall } from "./command.ts";
import { PeerGone } from "./frames.ts";
import { type BridgeRun, type BridgeServer, type Conversation, releaseBridge, shareBridge } from "./server.ts";

/** What a query with sinks of ours is, behind Spark. */
export interface BridgeSetup {
  readonly sinks: readonly ResolvedSink[];
  readonly schema: StructType;
  readonly outputMode: OutputMode;
  readonly queryName: string | null;
  /** As the server sees it; null when Spark takes a temporary one. */
  readonly checkpoint: string | null;
  readonly conf: Conf;
  readonly address: BridgeAddress;
  /** Where rows lie until every sink has them; of this query alone. */
  readonly folder: string;
  /** Gives the folder free. */
  leave(): Promise<void>;
}

const MESSAGE_BYTES = 64 << 20;
/** A worker that waits for us hears from us so often, and gives up after the second. */
const PATIENCE_MS = 5_000;
const SILENCE_SECONDS = 60;
const CONNECT_SECONDS = 10;
/** A message of Spark's gets unreadable with more of ours in it. */
const VERDICT_LETTERS = 4_000;

/**
 * The sinks of one query behind Spark, over all its restarts. Spark's workers send the rows of a batch here; they are stored, then delivered
 * under (query id, sink name, batch id), and only when every sink has them does Spark hear that the batch is done.
 */
export class Bridge {
  readonly #setup: BridgeSetup;
  readonly #server: BridgeServer;
  readonly #store: BatchStore;
  #database: Promise<Database> | undefined;
  readonly #readers: Connection[] = [];
  /** The delivery under way: a run that was cut off may still be delivering when the next one begins. */
  #delivering: Promise<unknown> = Promise.resolve();

  private constructor(setup: BridgeSetup, server: BridgeServer) {
    this.#setup = setup;
    this.#server = server;
    this.#store = new BatchStore(join(setup.folder, "batches"));
  }

  /** Throws PORT_IN_USE, DIRECTORY_NOT_WRITABLE. */
  static async open(setup: BridgeSetup): Promise<Bridge> {
    const server = await shareBridge(setup.address.bind, setup.address.port);
    return new Bridge(setup, server);
  }

  /** Lets a new run of the query in, under a new token. */
  begin(): BridgedRun {
    const { address, checkpoint } = this.#setup;
    const id = randomUUID();
    const run = new BridgedRun(
      {
        host: address.host,
        port: this.#server.port,
        run: id,
        token: randomBytes(32).toString("hex"),
        checkpoint,
        connectSeconds: CONNECT_SECONDS,
        silenceSeconds: SILENCE_SECONDS,
      },
      {
        store: this.#store,
        outputMode: this.#setup.outputMode,
        openSinks: (queryId) => this.#openSinks(queryId),
        deliver: (queryId, sinks, batch) => this.#deliver(queryId, sinks, batch),
        leave: async () => {
          this.#server.end(id);
          await this.#delivering;
        },
      },
    );
    this.#server.open(id, run);
    return run;
  }

  async close(): Promise<void> {
    await this.#delivering;
    releaseBridge(this.#server);
    const database = await this.#database;
    this.#readers.length = 0;
    database?.close();
    rmSync(join(this.#setup.folder, "tmp"), { recursive: true, force: true });
    await this.#setup.leave();
  }

  async #openSinks(queryId: string): Promise<OpenSink[]> {
    const { sinks, schema, outputMode, queryName } = this.#setup;
    const opened: OpenSink[] = [];
    try {
      for (const [i, sink] of sinks.entries()) {
        const temporaryPath = this.#folder(`sink${i}`);
        const request = { options: sink.options, path: sink.path, partitionBy: sink.partitionBy, schema, outputMode };
        opened.push({
          ...sink,
          sink: await sink.factory.openStream!({
            ...request,
            queryId,
            sinkName: sink.name,
            sole: sinks.length === 1,
            queryName,
            temporaryPath,
          }),
        });
      }
      return opened;
    } catch (error) {
      for (const { sink } of opened) await sink.close(error as Error).catch(() => undefined);
      throw error;
    }
  }

  async #deliver(queryId: string, sinks: readonly OpenSink[], batch: KeptBatch): Promise<readonly Delivered[]> {
    const before = this.#delivering;
    const work = (async () => {
      await before;
      this.#database ??= openDatabase(":memory:", {
        ...duckdbLimits(this.#setup.conf),
        tempDirectory: this.#folder("duckdb"),
      });
      const database = await this.#database;
      const { schema, outputMode } = this.#setup;
      return deliver(
        {
          queryId,
          schema,
          outputMode,
          acquire: async () => this.#readers.pop() ?? (await database.connect()),
          release: (reader) => void this.#readers.push(reader),
        },
        sinks,
        batch,
        { from: this.#store.sql(batch, schema), rowCount: batch.rowCount },
      );
    })();
    this.#delivering = work.catch(() => undefined);
    return work;
  }

  #folder(name: string): string {
    const path = join(this.#setup.folder, "tmp", name);
    rmSync(path, { recursive: true, force: true });
    makeDirectory(path);
    return path;
  }
}

/** What a run needs of its bridge. */
interface RunParts {
  readonly store: BatchStore;
  readonly outputMode: OutputMode;
  openSinks(queryId: string): Promise<OpenSink[]>;
  deliver(queryId: string, sinks: readonly OpenSink[], batch: KeptBatch): Promise<readonly Delivered[]>;
  /** Ends the conversations and waits for the delivery under way. */
  leave(): Promise<void>;
}

interface Started {
  readonly queryId: string;
  readonly sinks: readonly OpenSink[];
  readonly markers: readonly (SinkMarker | undefined)[];
}

/** One run of the query on the server, from its start until it ends or fails. */
export class BridgedRun implements BridgeRun {
  readonly token: string;
  /** What the code on the server is told. */
  readonly call: BridgeCall;
  readonly #parts: RunParts;
  #started: Started | undefined;
  #begun!: (started: Started) => void;
  readonly #beginning: Promise<Started>;
  readonly #closed = new AbortController();
  #current: number | undefined;
  #lastBatch: number | undefined;
  #idle: (() => void)[] = [];
  readonly #delivered = new Map<number, readonly SinkProgress[]>();
  /** What made a batch fail here; Spark only knows its text. */
  failure: unknown;
  /** Called when a worker goes away in the middle of a batch: its server may be gone. */
  onBroken: () => void = () => undefined;

  constructor(call: BridgeCall, parts: RunParts) {
    this.call = call;
    this.token = call.token;
    this.#parts = parts;
    this.#beginning = new Promise((resolve) => {
      this.#begun = resolve;
    });
  }

  /** The query's id is known: opens the sinks. Throws what they throw. */
  async started(queryId: string): Promise<void> {
    const sinks = await this.#parts.openSinks(queryId);
    const markers: (SinkMarker | undefined)[] = [];
    try {
      for (const { sink } of sinks) markers.push(await sink.lastBatch());
    } catch (error) {
      for (const { sink } of sinks) await sink.close(error as Error).catch(() => undefined);
      throw error;
    }
    this.#started = { queryId, sinks, markers };
    this.#begun(this.#started);
  }

  /** The batch that a worker is talking about now. */
  get current(): number | undefined {
    return this.#current;
  }

  /** The last batch that every sink has. */
  get lastBatch(): number | undefined {
    return this.#lastBatch;
  }

  /** What the sinks said of a batch; of one that did not come here, that they got nothing. */
  sinksOf(batchId: number): readonly SinkProgress[] {
    const told = this.#delivered.get(batchId);
    if (told !== undefined) return told;
    return (this.#started?.sinks ?? []).map((sink) => progressOf(0)({ sink, metrics: undefined }));
  }

  /** Lets no further batch begin; resolves when none is under way. */
  async quiesce(): Promise<void> {
    this.#closed.abort();
    if (this.#current !== undefined) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** The run is over: closes connections and sinks. */
  async end(error?: Error): Promise<void> {
    this.#closed.abort();
    await this.#parts.leave();
    const failures: unknown[] = [];
    for (const { sink } of this.#started?.sinks ?? []) {
      try {
        await sink.close(error);
      } catch (failure) {
        failures.push(failure);
      }
    }
    this.#started = undefined;
    if (error === undefined && failures.length > 0) throw failures[0];
  }

  async converse(conversation: Conversation): Promise<void> {
    if (conversation.hello.kind === "rows") await this.#receive(conversation, conversation.hello);
    else await this.#batch(conversation, conversation.hello.batch);
  }

  async #receive(
    { reader, say }: Conversation,
    hello: { readonly batch: number; readonly partition: number; readonly attempt: number },
  ): Promise<void> {
    const { batch, partition, attempt } = hello;
    if (batch !== this.#current) throw new PeerGone(`Rows of batch ${batch}, which is not under way.`);
    await this.#parts.store.receive(batch, partition, attempt, reader.data());
    const { rows } = await reader.message<{ rows: number }>(1024);
    say({ stored: rows });
  }

  async #batch(conversation: Conversation, id: number): Promise<void> {
    if (this.#closed.signal.aborted || this.#current !== undefined) return;
    this.#current = id;
    // also in the middle of a delivery, which goes on to its end
    const broken = (): void => this.onBroken();
    conversation.gone.addEventListener("abort", broken, { once: true });
    try {
      await this.#take(conversation, id);
      conversation.say({ delivered: id });
    } catch (error) {
      if (error instanceof PeerGone) throw error;
      this.failure = error;
      const text = error instanceof Error ? error.message : String(error);
      conversation.say({ failed: text.slice(0, VERDICT_LETTERS) });
    } finally {
      conversation.gone.removeEventListener("abort", broken);
      this.#current = undefined;
      for (const wake of this.#idle.splice(0)) wake();
    }
  }

  async #take(conversation: Conversation, id: number): Promise<void> {
    const { reader, say } = conversation;
    const { store } = this.#parts;
    const { offsets } = await reader.message<{ offsets: string | null }>(MESSAGE_BYTES);
    const started = await patiently(conversation, this.#beginning);
    const { queryId, sinks } = started;
    const hash = offsetsHash(offsets ?? `${queryId} ${id}`);
    this.#check(started, id);

    let batch = store.find(queryId, id);
    if (batch !== undefined && batch.hash !== hash) {
      throw new MillraceError(
        "CHECKPOINT_DIVERGED",
        `The rows of batch ${id} that wait here for their sinks are of other offsets than those in offsets/${id}.`,
        {
          hint: "The checkpoint was restored from an older copy or changed by hand: start with a new checkpointLocation.",
        },
      );
    }
    if (batch === undefined) {
      store.begin(id);
      say({ want: "rows" });
      const { parts } = await reader.message<{ parts: [number, number, number][] }>(MESSAGE_BYTES);
      batch = store.seal(queryId, id, hash, batchTimestamp(offsets ?? "") || Date.now(), parts.map(partOf));
      publish("batch.step", { queryId, batchId: id, step: "state-committed" });
    } else {
      // what was stored is what sinks may have: nothing that is computed again may take its place
      say({ want: "nothing" });
      await reader.message(MESSAGE_BYTES);
    }
    const rowCount = batch.rowCount;
    const delivered = await patiently(conversation, this.#parts.deliver(queryId, sinks, batch));
    this.#lastBatch = id;
    this.#delivered.set(id, delivered.map(progressOf(rowCount)));
    this.#delivered.delete(id - 100);
  }

  /** A sink that is ahead of the batch holds batches of another copy of the checkpoint. */
  #check({ sinks, markers }: Started, id: number): void {
    if (this.#lastBatch !== undefined) return;
    for (const [i, { name, factory }] of sinks.entries()) {
      const marker = markers[i];
      if (marker !== undefined && marker.batchId > id) {
        throw new MillraceError(
          "CHECKPOINT_DIVERGED",
          `The sink ${name} holds batch ${marker.batchId} of this query, ahead of batch ${id}, which the checkpoint says is next.`,
          {
            hint: "The checkpoint was restored from an older copy: restore all of it from one moment, or start with a new one.",
          },
        );
      }
      const forgets = factory.durability === "process" && this.#parts.outputMode !== "complete";
      if (marker === undefined && forgets && id > 0) {
        throw new MillraceError(
          "CHECKPOINT_INCOMPATIBLE",
          `The checkpoint has delivered batches to the sink ${name}, whose rows lived in a process that is gone.`,
          { hint: "Such a sink cannot go on from a checkpoint: use a new checkpointLocation, or none." },
        );
      }
    }
  }
}

function partOf([partition, attempt, rows]: [number, number, number]): Part {
  return { partition, attempt, rows };
}

function progressOf(rowCount: number): (delivered: Delivered) => SinkProgress {
  return ({ sink, metrics }) => ({
    name: sink.name,
    guarantee: sink.guarantee,
    description: sink.sink.description,
    numOutputRows: rowCount,
    metrics: metrics ?? {},
  });
}

/** Waits for work while the worker is told that we are still there; a worker that goes away does not end the work. */
async function patiently<T>({ say }: Conversation, work: Promise<T>): Promise<T> {
  const beat = setInterval(() => say({ wait: true }), PATIENCE_MS);
  try {
    return await work;
  } finally {
    clearInterval(beat);
  }
}
