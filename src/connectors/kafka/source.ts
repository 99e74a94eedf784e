import { type ErrorCode, MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import {
  EARLIEST,
  KAFKA_COLUMNS,
  KafkaClient,
  type KafkaColumn,
  keyOf,
  LATEST,
  type OffsetRange,
  type PartitionOffset,
  RangeReader,
  type TopicPartition,
} from "../../kafka/client/index.ts";
import { sqlString } from "../../types/duckdb-types.ts";
import type {
  BatchInput,
  Offset,
  OffsetAdvance,
  ReadLimit,
  SourceRequest,
  StreamSource,
  StreamSourceRequest,
} from "../connector.ts";
import { readInitialOffsets, writeInitialOffsets } from "./initial-offsets.ts";
import { fromOffset, namesOf, type Positions, positionsOf, rateLimit, toOffset } from "./offsets.ts";
import { type KafkaSourceOptions, type OffsetLimit, parseSourceOptions, type Subscription } from "./options.ts";

/** New partitions and topics are looked for at most so often; Spark does it with every trigger. */
const DISCOVERY_MS = 1_000;
const MISSING_PAUSE_MS = 100;

/** Reads topics as Spark's Kafka source does, for streams (`StreamSource`) and for single reads (`readBatch`). */
export class KafkaSource implements StreamSource {
  readonly description: string;
  readonly #options: KafkaSourceOptions;
  readonly #client: KafkaClient;
  readonly #reader: RangeReader;
  readonly #columns: ReadonlySet<KafkaColumn>;
  readonly #metadataPath: string | undefined;
  #partitions: TopicPartition[] = [];
  #discoveredAt = 0;
  /** The ends as last heard, for the metrics. */
  #latest: Positions = new Map();
  #frozen: Positions | undefined;
  #lastTriggerMs = 0;

  constructor(request: SourceRequest & Partial<StreamSourceRequest>, kind: "stream" | "batch") {
    this.#options = parseSourceOptions(request.options, kind);
    this.#client = new KafkaClient(this.#options.client);
    this.#reader = new RangeReader(this.#client, {
      ...(request.temporaryPath === undefined ? {} : { temporaryPath: request.temporaryPath }),
      pollTimeoutMs: this.#options.pollTimeoutMs,
      onDataLoss: (partition, wanted, earliest) =>
        this.#dataLoss(
          "KAFKA_DATA_LOSS.COULD_NOT_READ_OFFSET_RANGE",
          `The offsets ${wanted.start} to ${wanted.end} of ${namesOf([partition])} are gone (the first one there is ${earliest}).`,
        ),
    });
    this.#columns = new Set(
      KAFKA_COLUMNS.filter(
        (name) =>
          (name !== "headers" || this.#options.includeHeaders) &&
          (request.columns === undefined || request.columns.some((c) => c.toLowerCase() === name.toLowerCase())),
      ),
    );
    this.#metadataPath = request.metadataPath;
    this.description = `KafkaV2[${describe(this.#options.subscription)}]`;
  }

  async initialOffset(): Promise<Offset> {
    const stored = this.#metadataPath === undefined ? undefined : readInitialOffsets(this.#metadataPath);
    if (stored !== undefined) return toOffset(stored.values());
    const initial = await this.#resolve(this.#options.starting, "starting");
    if (this.#metadataPath !== undefined) writeInitialOffsets(this.#metadataPath, initial.values());
    return toOffset(initial.values());
  }

  async latestOffset(start: Offset, limit: ReadLimit): Promise<OffsetAdvance> {
    const from = fromOffset(start);
    const latest =
      this.#frozen ?? (limit === "options" ? this.#observed(from) : undefined) ?? (await this.#fetchLatest(limit));
    this.#latest = latest;
    const end = limit === "options" ? await this.#bounded(from, latest) : latest;
    return { end: toOffset(end.values()), latest: toOffset(latest.values()) };
  }

  /** The ends that a wait has just seen, if they are beyond `from`: saves a round trip when data has arrived. */
  #observed(from: Positions): Positions | undefined {
    const observed = this.#reader.takeObserved();
    if (observed === undefined) return undefined;
    const merged = new Map(from);
    let some = false;
    for (const [key, position] of observed) {
      const known = merged.get(key);
      if (known === undefined || position.offset <= known.offset) continue;
      merged.set(key, position);
      some = true;
    }
    // A look at the cluster from time to time must not be put off for ever by a steady stream.
    return some && Date.now() - this.#discoveredAt < DISCOVERY_MS ? merged : undefined;
  }

  async #fetchLatest(limit: ReadLimit): Promise<Positions> {
    await this.#discover(limit === "all" ? 0 : DISCOVERY_MS);
    return positionsOf(await this.#client.listOffsets(this.#partitions, LATEST));
  }

  async #bounded(from: Map<string, PartitionOffset>, latest: Positions): Promise<Positions> {
    const { maxOffsetsPerTrigger: most, minOffsetsPerTrigger: least, maxTriggerDelayMs } = this.#options;
    if (least !== undefined) {
      const now = Date.now();
      let fresh = 0;
      for (const [key, end] of latest) fresh += Math.max(0, end.offset - (from.get(key)?.offset ?? 0));
      if (now - this.#lastTriggerMs < maxTriggerDelayMs && fresh < least) return from;
      this.#lastTriggerMs = now;
    }
    if (most === undefined) return latest;
    const added = [...latest.values()].filter((p) => !from.has(keyOf(p)));
    const start = new Map(from);
    for (const position of await this.#client.listOffsets(added, EARLIEST)) start.set(keyOf(position), position);
    return rateLimit(most, start, latest);
  }

  async read(start: Offset, end: Offset): Promise<BatchInput> {
    return this.#input(await this.#ranges(fromOffset(start), fromOffset(end)));
  }

  /** Spark's checks of a batch's range against the one before. */
  async #ranges(from: Map<string, PartitionOffset>, until: Positions): Promise<OffsetRange[]> {
    const added = [...until.values()].filter((p) => !from.has(keyOf(p)));
    if (added.length > 0) {
      const earliest = positionsOf(await this.#client.listOffsets(added, EARLIEST));
      const late = [...earliest.values()].filter((p) => p.offset !== 0);
      if (late.length > 0) {
        this.#dataLoss(
          "KAFKA_DATA_LOSS.ADDED_PARTITION_DOES_NOT_START_FROM_OFFSET_ZERO",
          `The added partitions ${namesOf(late)} do not start at offset 0; some data may have been missed.`,
        );
      }
      for (const [key, position] of earliest) from.set(key, position);
    }
    const gone = [...from.values()].filter((p) => !until.has(keyOf(p)));
    if (gone.length > 0) {
      this.#dataLoss("KAFKA_DATA_LOSS.PARTITIONS_DELETED", `The partitions ${namesOf(gone)} are gone.`);
    }
    const ranges: OffsetRange[] = [];
    for (const [key, end] of until) {
      const start = from.get(key)!.offset;
      if (end.offset < start) {
        this.#dataLoss(
          "KAFKA_DATA_LOSS.PARTITION_OFFSET_CHANGED",
          `The end of ${namesOf([end])} went back from ${start} to ${end.offset}; the topic was made anew, or data was lost.`,
        );
      } else if (end.offset > start) {
        ranges.push({ topic: end.topic, partition: end.partition, start, end: end.offset });
      }
    }
    return ranges;
  }

  async #input(ranges: readonly OffsetRange[]): Promise<BatchInput> {
    const result = await this.#reader.read(ranges, this.#columns);
    return {
      kind: "sql",
      from: fromText(result.path, this.#columns, this.#options.includeHeaders),
      rowCount: result.rowCount,
      release: result.release,
    };
  }

  /** A single read of the range that the options name. */
  async readBatch(): Promise<BatchInput> {
    const start = await this.#resolve(this.#options.starting, "starting");
    const end = await this.#resolve(this.#options.ending, "ending");
    const ranges: OffsetRange[] = [];
    for (const [key, { topic, partition, offset }] of end) {
      const from = start.get(key);
      if (from === undefined) continue;
      if (from.offset > offset) {
        throw new MillraceError(
          "INVALID_OPTION",
          `The starting offset ${from.offset} of ${namesOf([from])} is behind the ending offset ${offset}.`,
        );
      }
      if (from.offset < offset) ranges.push({ topic, partition, start: from.offset, end: offset });
    }
    const input = await this.#input(ranges);
    const { release } = input;
    return {
      ...input,
      release: async () => {
        await release?.();
        await this.close();
      },
    };
  }

  async waitForData(start: Offset, timeoutMs: number, signal: AbortSignal): Promise<void> {
    // A wait sees only the partitions it knows; new ones are found by the look at the cluster that follows it.
    const most = this.#options.subscription.kind === "assign" ? timeoutMs : Math.min(timeoutMs, DISCOVERY_MS);
    await this.#reader.wait([...fromOffset(start).values()], most, signal);
  }

  async prepareForAvailableNow(): Promise<void> {
    this.#frozen = await this.#fetchLatest("all");
  }

  async commit(end: Offset): Promise<void> {
    const group = this.#options.lagReportingGroup;
    if (group === undefined) return;
    try {
      await this.#client.commitOffsets(group, [...fromOffset(end).values()]);
    } catch (error) {
      // Nothing depends on it: the checkpoint has the offsets.
      publish("client.error", { client: "kafka", error: error as Error });
    }
  }

  metrics(end: Offset): Record<string, string> {
    const at = fromOffset(end);
    const behind = [...this.#latest].map(([key, latest]) => Math.max(0, latest.offset - (at.get(key)?.offset ?? 0)));
    if (behind.length === 0) return {};
    const average = behind.reduce((a, b) => a + b, 0) / behind.length;
    return {
      minOffsetsBehindLatest: String(Math.min(...behind)),
      maxOffsetsBehindLatest: String(Math.max(...behind)),
      avgOffsetsBehindLatest: Number.isInteger(average) ? average.toFixed(1) : String(average),
    };
  }

  async close(): Promise<void> {
    this.#reader.close();
    this.#client.close();
  }

  // ------------------------------------------------------------------------------------------------------- partitions

  /** Brings `#partitions` up to date when that was longer ago than `maxAgeMs`. Throws KAFKA_UNKNOWN_TOPIC. */
  async #discover(maxAgeMs: number): Promise<void> {
    if (maxAgeMs > 0 && Date.now() - this.#discoveredAt < maxAgeMs) return;
    const { subscription } = this.#options;
    switch (subscription.kind) {
      case "assign": {
        const topics = await this.#client.describeTopics([...new Set(subscription.partitions.map((p) => p.topic))]);
        const known = new Set(topics.flatMap((t) => t.partitions.map((p) => keyOf({ topic: t.name, ...p }))));
        const missing = subscription.partitions.filter((p) => !known.has(keyOf(p)));
        if (missing.length > 0) {
          throw new MillraceError("KAFKA_UNKNOWN_TOPIC", `The assigned partitions ${namesOf(missing)} do not exist.`, {
            parameters: { topic: missing[0]!.topic },
          });
        }
        this.#partitions = [...subscription.partitions];
        break;
      }
      case "subscribe": {
        let info = await this.#client.metadata(subscription.topics);
        // A broker that has just started may not know the topic yet.
        for (let again = 0; again < 3 && info.missing.some((name) => this.#hasSeen(name)); again++) {
          await new Promise((resolve) => setTimeout(resolve, MISSING_PAUSE_MS));
          info = await this.#client.metadata(subscription.topics);
        }
        // At the start an unknown topic is a mistake. Later it was deleted, which is judged with the offsets.
        if (info.missing.length > 0 && this.#discoveredAt === 0) {
          throw await this.#client.unknownTopic(info.missing[0]!);
        }
        this.#partitions = partitionsOf(info.topics.values());
        break;
      }
      case "pattern": {
        const info = await this.#client.metadata(null);
        this.#partitions = partitionsOf(
          [...info.topics.values()].filter((t) => !t.internal && subscription.pattern.test(t.name)),
        );
      }
    }
    this.#discoveredAt = Date.now();
  }

  #hasSeen(topic: string): boolean {
    return this.#partitions.some((p) => p.topic === topic);
  }

  async #resolve(limit: OffsetLimit, side: "starting" | "ending"): Promise<Map<string, PartitionOffset>> {
    await this.#discover(0);
    const partitions = this.#partitions;
    const list = (at: number): Promise<PartitionOffset[]> => this.#client.listOffsets(partitions, at);
    switch (limit.kind) {
      case "earliest":
        return positionsOf(await list(EARLIEST));
      case "latest":
        return positionsOf(await list(LATEST));
      case "timestamp":
        return this.#byTimestamp(() => limit.timestamp, side);
      case "timestamps": {
        this.#mustMatch(limit.timestamps, `${side}OffsetsByTimestamp`);
        return this.#byTimestamp((p) => limit.timestamps.get(keyOf(p))!.offset, side);
      }
      case "offsets": {
        this.#mustMatch(limit.offsets, `${side}Offsets`);
        const [earliest, latest] = await Promise.all([list(EARLIEST), list(LATEST)]);
        const first = positionsOf(earliest);
        const last = positionsOf(latest);
        return positionsOf(
          partitions.map((p) => {
            const key = keyOf(p);
            const wanted = limit.offsets.get(key)!.offset;
            if (wanted === EARLIEST) return first.get(key)!;
            if (wanted === LATEST) return last.get(key)!;
            const [least, most] = [first.get(key)!.offset, last.get(key)!.offset];
            if (side === "ending" || (wanted >= least && wanted <= most)) return { ...p, offset: wanted };
            this.#dataLoss(
              "KAFKA_DATA_LOSS.START_OFFSET_RESET",
              `The starting offset ${wanted} of ${namesOf([p])} does not exist; there are ${least} to ${most}.`,
            );
            return { ...p, offset: wanted < least ? least : most };
          }),
        );
      }
    }
  }

  async #byTimestamp(
    at: (partition: TopicPartition) => number,
    side: "starting" | "ending",
  ): Promise<Map<string, PartitionOffset>> {
    const found = await this.#client.listOffsets(this.#partitions, at);
    const none = found.filter((p) => p.offset < 0);
    if (none.length === 0) return positionsOf(found);
    if (side === "starting" && this.#options.whenNoTimestampMatches === "error") {
      throw new MillraceError(
        "INVALID_OPTION",
        `No record of ${namesOf(none)} is as young as the starting time (${at(none[0]!)}).`,
        { hint: 'Set "startingOffsetsByTimestampStrategy" to "latest" to start at the end of such partitions.' },
      );
    }
    const latest = positionsOf(await this.#client.listOffsets(none, LATEST));
    return positionsOf(found.map((p) => (p.offset < 0 ? latest.get(keyOf(p))! : p)));
  }

  /** Offsets per partition must name all partitions and no others. */
  #mustMatch(given: Positions, option: string): void {
    const known = new Set(this.#partitions.map(keyOf));
    const missing = this.#partitions.filter((p) => !given.has(keyOf(p)));
    const foreign = [...given.values()].filter((p) => !known.has(keyOf(p)));
    if (missing.length === 0 && foreign.length === 0) return;
    throw new MillraceError(
      "INVALID_OPTION",
      `The option "${option}" must name exactly the partitions that are read: ${[
        missing.length > 0 ? `${namesOf(missing)} missing` : "",
        foreign.length > 0 ? `${namesOf(foreign)} not read` : "",
      ]
        .filter((s) => s !== "")
        .join(", ")}.`,
      { hint: "Use -1 for latest and -2 for earliest." },
    );
  }

  /** Throws under failOnDataLoss, warns otherwise. */
  #dataLoss(code: ErrorCode, message: string): void {
    if (this.#options.failOnDataLoss) {
      throw new MillraceError(code, message, {
        hint: 'Data may have been deleted before it was read. To go on without it, set the option "failOnDataLoss" to "false".',
      });
    }
    publish("warning", { code, message });
  }
}

function partitionsOf(
  topics: Iterable<{ readonly name: string; readonly partitions: readonly { readonly partition: number }[] }>,
): TopicPartition[] {
  return [...topics].flatMap((t) => t.partitions.map((p) => ({ topic: t.name, partition: p.partition })));
}

function describe(subscription: Subscription): string {
  switch (subscription.kind) {
    case "assign":
      return `Assign[${namesOf(subscription.partitions)}]`;
    case "subscribe":
      return `Subscribe[${subscription.topics.join(", ")}]`;
    case "pattern":
      return `SubscribePattern[${subscription.text}]`;
  }
}

const SQL_TYPES: Readonly<Record<KafkaColumn, string>> = {
  key: "BLOB",
  value: "BLOB",
  topic: "VARCHAR",
  partition: "INTEGER",
  offset: "BIGINT",
  timestamp: "TIMESTAMP WITH TIME ZONE",
  timestampType: "INTEGER",
  headers: "STRUCT(key VARCHAR, value BLOB)[]",
};

/** The table expression over a file; columns that were not laid out are null. */
function fromText(path: string | undefined, columns: ReadonlySet<KafkaColumn>, includeHeaders: boolean): string {
  const list = KAFKA_COLUMNS.filter((name) => name !== "headers" || includeHeaders).map((name) =>
    path !== undefined && columns.has(name) ? `"${name}"` : `CAST(NULL AS ${SQL_TYPES[name]}) AS "${name}"`,
  );
  const from = path === undefined ? " WHERE false" : ` FROM read_parquet(${sqlString(path)})`;
  return `(SELECT ${list.join(", ")}${from})`;
}
