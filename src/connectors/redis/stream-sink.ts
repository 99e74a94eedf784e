import type { ChainableCommander, Redis } from "iovalkey";
import { MillraceError } from "../../errors.ts";
import type {
  BatchWriteRequest,
  SinkBatch,
  SinkMarker,
  SinkRequest,
  SinkResult,
  StreamSink,
  StreamSinkRequest,
} from "../connector.ts";
import { type BatchWrite, beginWrite, LARGEST_WATCHED, openTarget, type WriteTarget, wroteBeside } from "../written.ts";
import { addressOf, connect, type RedisAddress, translate } from "./connection.ts";
import { type Layout, layoutOf, mayOverwrite, rowsSql, VERSION, versionKind } from "./layout.ts";

/** How often a transaction is tried that other writers keep breaking, before the batch fails (and is tried again as a whole). */
const MAX_ATTEMPTS = 30;

interface Row {
  readonly key: string;
  readonly version: string | null;
  /** Hash: one text per field. String: the JSON. */
  readonly values: readonly (string | null)[];
}

/** @throws MillraceError MISSING_OPTION, INVALID_OPTION */
export function validateRedis(request: SinkRequest): void {
  layoutOf(request.options, request.schema);
  addressOf(request.options);
  if (request.partitionBy.length > 0) {
    throw new MillraceError("INVALID_OPTION", "The format redis has no partitionBy.", { hint: "Remove partitionBy." });
  }
}

export async function openRedisSink(request: StreamSinkRequest): Promise<StreamSink> {
  const sink = new RedisSink(request);
  const closeTarget = openTarget(sink.writeTarget);
  try {
    await sink.connect();
  } catch (error) {
    closeTarget();
    throw error;
  }
  sink.onClose = closeTarget;
  return sink;
}

/** `df.write.format("redis")`: every mode writes by key; nothing that the rows do not name is removed. */
export async function writeRedis(request: BatchWriteRequest): Promise<void> {
  if (request.mode === "error" || request.mode === "ignore") {
    throw new MillraceError(
      "UNSUPPORTED_OPERATION",
      `The format redis has no save mode ${request.mode}: a cache has no tables.`,
      {
        hint: 'Use mode("append") or mode("overwrite"), which both write by key.',
      },
    );
  }
  const sink = new RedisSink(request);
  try {
    await sink.addBatch(request.batch);
    wroteBeside(sink.writeTarget);
  } finally {
    await sink.close();
  }
}

class RedisSink implements StreamSink {
  readonly description: string;
  readonly #address: RedisAddress;
  readonly #layout: Layout;
  readonly #versionKind: "number" | "text";
  /** The keys as those name them who follow what is written there. */
  readonly writeTarget: WriteTarget;
  onClose: (() => void) | undefined;
  #client: Redis | undefined;

  constructor(request: SinkRequest) {
    this.#address = addressOf(request.options);
    this.#layout = layoutOf(request.options, request.schema);
    const version = request.schema.fields.find((f) => f.name === this.#layout.version);
    this.#versionKind = version === undefined ? "text" : versionKind(version.type);
    this.writeTarget = { kind: "cache", server: this.#address.label, prefix: this.#layout.keyParts[0]! };
    this.description = `RedisSink[${this.#address.label}, ${this.#layout.keyLabel}]`;
  }

  async connect(): Promise<void> {
    await this.#connected();
  }

  /** A cache may forget anything at any time, so it is never asked what it holds: a batch is written again, by key. */
  async lastBatch(): Promise<SinkMarker | undefined> {
    return undefined;
  }

  async addBatch(batch: SinkBatch): Promise<SinkResult> {
    const write = beginWrite(this.writeTarget, batch);
    try {
      const result = await this.#deliver(batch, write);
      write.done();
      return result;
    } catch (error) {
      const translated = translate(error, this.#address, `write batch ${batch.id}`);
      // A watch or a half-sent transaction may be left on the connection.
      this.#drop();
      write.failed();
      throw translated;
    }
  }

  async #deliver(batch: SinkBatch, write: BatchWrite): Promise<SinkResult> {
    const client = await this.#connected();
    let total = 0;
    const written: Row[] = [];
    let count = 0;
    // Followers get the rows at the end, all or none.
    const keeps = write.isWatched;
    const flush = async (rows: readonly Row[]): Promise<void> => {
      const done = await this.#write(client, rows);
      total += rows.length;
      count += done.length;
      if (keeps && count <= LARGEST_WATCHED) for (const row of done) written.push(row);
    };
    let pending: Row[] = [];
    for await (const chunk of batch.query(rowsSql(this.#layout, batch.schema))) {
      for (let i = 0; i < chunk.rowCount; i++) {
        const key = chunk.columns[0]![i] as string | null;
        if (key === null) throw this.#nullKey(batch);
        pending.push({
          key,
          version: chunk.columns[1]![i] as string | null,
          values: chunk.columns.slice(2).map((column) => column[i] as string | null),
        });
        if (pending.length >= this.#layout.rowsPerTransaction) {
          await flush(pending);
          pending = [];
        }
      }
    }
    if (pending.length > 0) await flush(pending);
    if (write.wantsKeys(count)) {
      const { type, fields, ttlMs } = this.#layout;
      write.keys(written.map(({ key, values }) => ({ key, type, fields, values, ttlMs })));
    }
    return { metrics: { keysWritten: `${count}`, olderVersionsSkipped: `${total - count}` } };
  }

  async close(): Promise<void> {
    this.onClose?.();
    this.#drop();
  }

  async #connected(): Promise<Redis> {
    if (this.#client !== undefined && this.#client.status !== "ready") this.#drop();
    this.#client ??= await connect(this.#address);
    return this.#client;
  }

  #drop(): void {
    this.#client?.disconnect();
    this.#client = undefined;
  }

  /** Writes rows of distinct keys; gives those that were not older than what is there. */
  async #write(client: Redis, rows: readonly Row[], attempt = 1): Promise<readonly Row[]> {
    if (this.#layout.version === undefined) {
      await run(this.#queue(client.multi(), rows).exec());
      return rows;
    }
    const read = client.pipeline();
    read.watch(...rows.map((row) => this.#versionKey(row.key)));
    for (const row of rows) {
      if (this.#layout.type === "hash") read.hget(row.key, VERSION);
      else read.get(this.#versionKey(row.key));
    }
    const held = (await run(read.exec()))!.slice(1) as (string | null)[];
    const newer = rows.filter((row, i) => mayOverwrite(this.#versionKind, row.version, held[i] ?? null));
    if (newer.length === 0) {
      await client.unwatch();
      return [];
    }
    if ((await run(this.#queue(client.multi(), newer).exec())) !== null) return newer;
    // Someone else wrote one of these keys in between. Smaller transactions meet fewer others.
    if (attempt >= MAX_ATTEMPTS) {
      throw new MillraceError(
        "REDIS_FAILED",
        `Redis at ${this.#address.label}: other writers changed ${rows.length === 1 ? rows[0]!.key : `the keys ${this.#layout.keyLabel}`} during each of ${MAX_ATTEMPTS} transactions.`,
        { retryable: true, hint: "Let one writer own these keys, or set batchsize lower." },
      );
    }
    const half = Math.ceil(rows.length / 2);
    const written = await this.#write(client, rows.slice(0, half), attempt + 1);
    if (half >= rows.length) return written;
    return [...written, ...(await this.#write(client, rows.slice(half), attempt + 1))];
  }

  #queue(transaction: ChainableCommander, rows: readonly Row[]): ChainableCommander {
    const { type, fields, ttlMs, version } = this.#layout;
    for (const row of rows) {
      if (type === "string") {
        const value = row.values[0] ?? "{}";
        if (ttlMs === undefined) transaction.set(row.key, value);
        else transaction.set(row.key, value, "PX", ttlMs);
        if (version === undefined) continue;
        if (row.version === null) transaction.del(this.#versionKey(row.key));
        else if (ttlMs === undefined) transaction.set(this.#versionKey(row.key), row.version);
        else transaction.set(this.#versionKey(row.key), row.version, "PX", ttlMs);
        continue;
      }
      const set: string[] = [];
      const remove: string[] = [];
      for (const [i, value] of row.values.entries()) {
        if (value === null) remove.push(fields[i]!);
        else set.push(fields[i]!, value);
      }
      if (row.version !== null) set.push(VERSION, row.version);
      if (set.length > 0) transaction.hset(row.key, ...set);
      if (remove.length > 0) transaction.hdel(row.key, ...remove);
      if (ttlMs !== undefined) transaction.pexpire(row.key, ttlMs);
    }
    return transaction;
  }

  #versionKey(key: string): string {
    return this.#layout.type === "hash" ? key : `${key}:${VERSION}`;
  }

  #nullKey(batch: SinkBatch): MillraceError {
    return new MillraceError(
      "REDIS_FAILED",
      `A row of batch ${batch.id} has no value for the key ${this.#layout.keyLabel}.`,
      { hint: "Filter such rows, for instance with na.drop." },
    );
  }
}

/** The replies of a pipeline or transaction; the first error among them is thrown. Null when a watched key changed. */
async function run(sent: Promise<[error: Error | null, result: unknown][] | null>): Promise<unknown[] | null> {
  const replies = await sent;
  if (replies === null) return null;
  return replies.map(([error, result]) => {
    if (error !== null) throw error;
    return result;
  });
}
