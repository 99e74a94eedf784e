import { MillraceError } from "../../errors.ts";
import { initProducerId, produce } from "../wire/messages/produce.ts";
import { partitionForKey } from "../wire/murmur2.ts";
import { type EncodeRecord, encodeBatch, type RecordColumns } from "../wire/record-batch.ts";
import type { KafkaClient } from "./client.ts";
import { brokerError, ClientErrorCode, isRetriable } from "./errors.ts";
import type { ProducerOptions } from "./options.ts";
import { type Batch, newBatch, newPartition, orderLost, type PartitionState, slices } from "./producer-batches.ts";
import { byTopic } from "./types.ts";

/** A record to send. Without `partition` the key decides (murmur2, as in Java); without a key too, whole batches take turns. */
export interface ProducerRecord extends EncodeRecord {
  readonly partition?: number;
}

const MAX_SEQUENCE = 0x7fffffff;

/**
 * Sends records: batched by partition, acknowledged by all replicas, and, as Kafka's own producer by default, idempotent: a batch that
 * is sent again after a lost answer is stored once, and order within a partition is kept. Up to five batches per partition are under way.
 *
 * Retriable errors are retried until `delivery.timeout.ms`. A failed promise means that the records may or may not be stored.
 * Errors: KAFKA_UNREACHABLE, KAFKA_UNKNOWN_TOPIC, KAFKA_AUTHENTICATION, KAFKA_PROTOCOL, INVALID_VALUE (a record too large).
 *
 * ```ts
 * const producer = new KafkaProducer(client);
 * await producer.send("flights", [{ key: "ATL", value: '{"delay":3}' }]);
 * await producer.close();
 * ```
 */
export class KafkaProducer {
  readonly #client: KafkaClient;
  readonly #options: ProducerOptions;
  readonly #partitions = new Map<string, PartitionState>();
  readonly #inFlightByNode = new Map<number, number>();
  readonly #unsettled = new Set<Promise<void>>();
  #producer: Promise<{ id: number; epoch: number }> | undefined;
  #producerIdNow = -1;
  #turn = 0;
  #pumping = false;
  #pumpAgain = false;
  #wake: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(client: KafkaClient, options: Partial<ProducerOptions> = {}) {
    this.#client = client;
    this.#options = { ...client.options.producer, ...options };
  }

  /** Number of partitions of a topic; creates the topic when the broker does so by itself. Throws KAFKA_UNKNOWN_TOPIC. */
  async partitions(topic: string): Promise<number> {
    const known = this.#client.knownPartitions(topic);
    if (known > 0) return known;
    const deadline = Date.now() + 5_000;
    for (let pauseMs = 10; ; pauseMs = Math.min(250, pauseMs * 2)) {
      const info = await this.#client.metadata([topic], this.#client.options.allowAutoCreateTopics);
      const partitions = info.topics.get(topic)?.partitions ?? [];
      if (partitions.length > 0 && partitions.every((p) => p.leader >= 0)) return partitions.length;
      // A broker that creates topics by itself answers "unknown" or "no leader yet" once or twice first.
      if (Date.now() > deadline || !this.#client.options.allowAutoCreateTopics) {
        throw await this.#client.unknownTopic(topic);
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
  }

  /** Sends records to the partitions that their keys choose. Resolves when all are stored. */
  async send(topic: string, records: readonly ProducerRecord[]): Promise<void> {
    if (records.length === 0) return;
    const count = await this.partitions(topic);
    const groups = new Map<number, ProducerRecord[]>();
    const keyless = this.#turn++ % count;
    for (const record of records) {
      const partition =
        record.partition ??
        (record.key === undefined || record.key === null
          ? keyless
          : partitionForKey(typeof record.key === "string" ? Buffer.from(record.key) : record.key, count));
      if (partition < 0 || partition >= count || !Number.isInteger(partition)) {
        throw new MillraceError(
          "INVALID_VALUE",
          `The Kafka topic "${topic}" has no partition ${partition}; it has ${count}.`,
          {
            parameters: { topic },
          },
        );
      }
      const group = groups.get(partition);
      if (group === undefined) groups.set(partition, [record]);
      else group.push(record);
    }
    const now = Date.now();
    await Promise.all(
      [...groups].map(([partition, group]) =>
        this.sendColumns(topic, partition, {
          keys: group.map((r) => r.key ?? null),
          values: group.map((r) => r.value ?? null),
          timestamps: group.map((r) => r.timestamp ?? now),
          headers: group.some((r) => r.headers !== undefined) ? group.map((r) => r.headers) : undefined,
        }),
      ),
    );
  }

  /**
   * The fast way in: records of one partition by column. The columns must not be changed until the promise settles; it resolves when
   * all are stored. Several calls may be under way; their order is kept.
   */
  sendColumns(topic: string, partition: number, columns: RecordColumns): Promise<void> {
    if (this.#closed) return Promise.reject(new MillraceError("STOPPED", "The Kafka producer is closed."));
    const state = this.#state(topic, partition);
    const parts: Promise<void>[] = [];
    for (const [from, to] of slices(columns, this.#options.batchBytes)) {
      parts.push(
        new Promise((resolve, reject) => {
          state.queue.push(newBatch(columns, from, to, Date.now(), resolve, reject));
        }),
      );
    }
    const all = parts.length === 1 ? parts[0]! : Promise.all(parts).then(() => {});
    this.#unsettled.add(all);
    const settled = (): void => {
      this.#unsettled.delete(all);
    };
    all.then(settled, settled);
    this.#schedule();
    return all;
  }

  /** Resolves when everything sent so far is stored or has failed. */
  async flush(): Promise<void> {
    await Promise.allSettled([...this.#unsettled]);
  }

  /** Waits for what is under way, then closes; the client stays open. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.flush();
    clearTimeout(this.#wake);
  }

  #state(topic: string, partition: number): PartitionState {
    const key = `${partition}/${topic}`;
    let state = this.#partitions.get(key);
    if (state === undefined) {
      state = newPartition(topic, partition);
      this.#partitions.set(key, state);
    }
    return state;
  }

  #schedule(delayMs = this.#options.lingerMs): void {
    if (delayMs > 0) {
      this.#wake ??= setTimeout(() => {
        this.#wake = undefined;
        void this.#pump();
      }, delayMs);
      return;
    }
    queueMicrotask(() => void this.#pump());
  }

  async #pump(): Promise<void> {
    if (this.#pumping) {
      this.#pumpAgain = true;
      return;
    }
    this.#pumping = true;
    try {
      do {
        this.#pumpAgain = false;
        await this.#pumpOnce();
      } while (this.#pumpAgain);
    } finally {
      this.#pumping = false;
    }
  }

  async #pumpOnce(): Promise<void> {
    const ready: PartitionState[] = [];
    const now = Date.now();
    let resumeAt = Number.POSITIVE_INFINITY;
    for (const state of this.#partitions.values()) {
      if (state.recovering) {
        if (state.inFlight > 0) continue;
        if (state.resumeAt > now) {
          resumeAt = Math.min(resumeAt, state.resumeAt);
          continue;
        }
        this.#recover(state, now);
      }
      if (state.queue.length > state.inFlight && state.inFlight < this.#mostInFlight(state)) ready.push(state);
    }
    if (resumeAt < Number.POSITIVE_INFINITY) this.#schedule(Math.max(1, resumeAt - now));
    if (ready.length === 0) return;
    // A new producer id starts all sequences again, so everything under the old one must be answered first.
    if (this.#producer === undefined && [...this.#partitions.values()].some((s) => s.inFlight > 0)) return;
    let producer: { id: number; epoch: number };
    try {
      producer = await this.#producerId();
    } catch (error) {
      for (const state of ready) this.#failed(state, state.queue.slice(state.inFlight), error as MillraceError);
      return;
    }
    const byNode = new Map<number, PartitionState[]>();
    for (const state of ready) {
      try {
        const leader = await this.#client.leader(state.topic, state.partition);
        const group = byNode.get(leader);
        if (group === undefined) byNode.set(leader, [state]);
        else group.push(state);
      } catch (error) {
        this.#failed(state, state.queue.slice(state.inFlight), error as MillraceError);
      }
    }
    for (const [nodeId, states] of byNode) {
      let sending: { state: PartitionState; batch: Batch }[] = [];
      let bytes = 0;
      for (const state of states) {
        if ((this.#inFlightByNode.get(nodeId) ?? 0) >= this.#options.maxInFlight) break;
        const batch = state.queue[state.inFlight];
        if (batch === undefined || state.recovering) continue;
        try {
          this.#encode(state, batch, producer);
        } catch (error) {
          state.queue.splice(state.inFlight, 1);
          batch.reject(error as Error);
          continue;
        }
        if (bytes + batch.bytes!.length > this.#options.maxRequestBytes && sending.length > 0) {
          this.#sendTo(nodeId, sending);
          sending = [];
          bytes = 0;
        }
        state.inFlight++;
        batch.sent = true;
        bytes += batch.bytes!.length;
        sending.push({ state, batch });
      }
      if (sending.length > 0) this.#sendTo(nodeId, sending);
    }
    // More of the same partitions may go out at once.
    for (const [nodeId, states] of byNode) {
      if ((this.#inFlightByNode.get(nodeId) ?? 0) >= this.#options.maxInFlight) continue;
      if (states.some((s) => !s.recovering && s.queue.length > s.inFlight && s.inFlight < this.#mostInFlight(s))) {
        this.#pumpAgain = true;
      }
    }
  }

  /**
   * A broker that does not know our producer id yet takes any sequence as the first one. So nothing may follow the first batch until
   * that is stored: a second one could get through alone and take its place.
   */
  #mostInFlight(state: PartitionState): number {
    return !this.#options.idempotent || state.knownAs === this.#producerIdNow ? this.#options.maxInFlight : 1;
  }

  #encode(state: PartitionState, batch: Batch, producer: { id: number; epoch: number }): void {
    if (batch.bytes !== undefined && batch.producerId === producer.id) return;
    const count = batch.to - batch.from;
    if (producer.id >= 0) {
      batch.sequence = state.nextSequence;
      // After the highest sequence comes 0.
      const next = state.nextSequence + count;
      state.nextSequence = next > MAX_SEQUENCE ? next - MAX_SEQUENCE - 1 : next;
    }
    batch.producerId = producer.id;
    batch.bytes = encodeBatch({
      columns: batch.columns,
      from: batch.from,
      to: batch.to,
      codec: this.#options.codec,
      producerId: producer.id,
      producerEpoch: producer.epoch,
      baseSequence: batch.sequence,
      timestamp: batch.createdMs,
    });
  }

  #sendTo(nodeId: number, sending: readonly { state: PartitionState; batch: Batch }[]): void {
    this.#inFlightByNode.set(nodeId, (this.#inFlightByNode.get(nodeId) ?? 0) + 1);
    const done = (): void => {
      this.#inFlightByNode.set(nodeId, this.#inFlightByNode.get(nodeId)! - 1);
      void this.#pump();
    };
    this.#produce(nodeId, sending).then(done, (error: MillraceError) => {
      for (const { state, batch } of sending) {
        state.inFlight--;
        // The broker may be gone, and its partitions led by another one.
        this.#client.forgetLeaders(state.topic);
        this.#failed(state, [batch], error);
      }
      done();
    });
  }

  async #produce(nodeId: number, sending: readonly { state: PartitionState; batch: Batch }[]): Promise<void> {
    const connection = await this.#client.connection(nodeId, "produce");
    const groups = byTopic(sending.map((s) => ({ ...s, topic: s.state.topic, partition: s.state.partition })));
    const request = {
      acks: this.#options.acks,
      timeoutMs: this.#client.options.requestTimeoutMs,
      topicData: groups.map(([name, of]) => ({
        name,
        partitionData: of.map((s) => ({ index: s.partition, records: [s.batch.bytes!] })),
      })),
    };
    if (this.#options.acks === 0) {
      connection.send(produce, request);
      for (const { state, batch } of sending) this.#stored(state, batch);
      return;
    }
    const answer = await connection.request(produce, request);
    const results = new Map(
      answer.responses.flatMap((topic) =>
        topic.partitionResponses.map((p) => [`${p.index}/${topic.name}`, p] as const),
      ),
    );
    for (const { state, batch } of sending) {
      const result = results.get(`${state.partition}/${state.topic}`);
      const code = result?.errorCode ?? ClientErrorCode.UNKNOWN_SERVER_ERROR;
      if (code === 0 || code === ClientErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
        this.#stored(state, batch);
        continue;
      }
      state.inFlight--;
      this.#refused(state, batch, code, result?.errorMessage ?? result?.recordErrors[0]?.batchIndexErrorMessage);
    }
  }

  #stored(state: PartitionState, batch: Batch): void {
    state.inFlight--;
    const at = state.queue.indexOf(batch);
    if (at >= 0) state.queue.splice(at, 1);
    state.attempt = 0;
    state.knownAs = batch.producerId;
    batch.bytes = undefined;
    batch.resolve();
  }

  #refused(state: PartitionState, batch: Batch, code: number, detail: string | null | undefined): void {
    if (code === ClientErrorCode.MESSAGE_TOO_LARGE && batch.to - batch.from > 1) {
      this.#split(state, batch);
      return;
    }
    if (code === ClientErrorCode.MESSAGE_TOO_LARGE) {
      this.#failed(
        state,
        [batch],
        new MillraceError(
          "INVALID_VALUE",
          `A record of ${batch.bytes?.length ?? 0} bytes is larger than the topic "${state.topic}" takes.`,
          {
            hint: "Raise max.message.bytes of the topic, or make the record smaller.",
            parameters: { topic: state.topic },
          },
        ),
      );
      return;
    }
    if (
      this.#options.idempotent &&
      (code === ClientErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER ||
        code === ClientErrorCode.UNKNOWN_PRODUCER_ID ||
        code === ClientErrorCode.INVALID_PRODUCER_EPOCH)
    ) {
      // Behind a failed batch this is expected, and the sequences stay. At the head the broker has lost our state (or expired it):
      // a new producer id starts all sequences again.
      if (state.queue[0] === batch) this.#producer = undefined;
      this.#failed(state, [batch], orderLost(code, state.topic));
      return;
    }
    if (isRetriable(code)) this.#client.forgetLeaders(state.topic);
    this.#failed(state, [batch], brokerError(code, `store records in ${state.topic}-${state.partition}`, detail));
  }

  #split(state: PartitionState, batch: Batch): void {
    const at = state.queue.indexOf(batch);
    const middle = (batch.from + batch.to) >> 1;
    let left = 2;
    const resolve = (): void => {
      if (--left === 0) batch.resolve();
    };
    const halves = [
      newBatch(batch.columns, batch.from, middle, batch.createdMs, resolve, batch.reject),
      newBatch(batch.columns, middle, batch.to, batch.createdMs, resolve, batch.reject),
    ];
    state.queue.splice(at, 1, ...halves);
    // The sequences of the refused batch and of all behind it are used anew; none of those can have been stored.
    this.#startRecovery(state, 0);
    if (batch.producerId >= 0) {
      for (const later of state.queue.slice(at)) later.bytes = undefined;
      state.nextSequence = batch.sequence;
    }
  }

  /** Decides about batches that did not get through: again later, or given up. */
  #failed(state: PartitionState, batches: readonly Batch[], error: MillraceError): void {
    const again = error instanceof MillraceError && error.retryable;
    const now = Date.now();
    for (const batch of batches) {
      batch.error = error;
      if (!again || now - batch.createdMs > this.#options.deliveryTimeoutMs) this.#giveUp(state, batch, error);
    }
    if (state.queue.length > 0) {
      // All that was under way fails together; that is one attempt.
      if (!state.recovering) state.attempt++;
      this.#startRecovery(
        state,
        Math.min(2_000, this.#client.options.retryBackoffMs * 2 ** Math.max(0, state.attempt - 1)),
      );
    }
  }

  #giveUp(state: PartitionState, batch: Batch, error: Error): void {
    const at = state.queue.indexOf(batch);
    if (at >= 0) state.queue.splice(at, 1);
    // Its sequence numbers may or may not be taken: only a new producer id is safe for what follows.
    if (batch.sent) this.#producer = undefined;
    batch.reject(error);
  }

  #startRecovery(state: PartitionState, pauseMs: number): void {
    state.recovering = true;
    state.resumeAt = Date.now() + pauseMs;
    this.#schedule(Math.max(1, pauseMs));
  }

  /** All answers are in: what is left goes out again, in order, with its old sequence numbers. */
  #recover(state: PartitionState, now: number): void {
    state.recovering = false;
    for (const batch of [...state.queue]) {
      if (now - batch.createdMs > this.#options.deliveryTimeoutMs && batch.error !== undefined) {
        this.#giveUp(state, batch, batch.error);
      }
    }
  }

  async #producerId(): Promise<{ id: number; epoch: number }> {
    if (!this.#options.idempotent) return { id: -1, epoch: -1 };
    this.#producer ??= this.#newProducerId();
    try {
      return await this.#producer;
    } catch (error) {
      this.#producer = undefined;
      throw error;
    }
  }

  async #newProducerId(): Promise<{ id: number; epoch: number }> {
    const { brokers } = await this.#client.metadata([]);
    const connection = await this.#client.connection(brokers[0]!.nodeId, "produce");
    const answer = await connection.request(initProducerId, { transactionalId: null, transactionTimeoutMs: 60_000 });
    if (answer.errorCode !== 0) throw brokerError(answer.errorCode, "give a producer id");
    // Batches encoded for another id are encoded again, from sequence 0, when their turn comes.
    for (const state of this.#partitions.values()) state.nextSequence = 0;
    this.#producerIdNow = answer.producerId;
    return { id: answer.producerId, epoch: answer.producerEpoch };
  }
}
