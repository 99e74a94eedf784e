import { ErrorCode } from "../wire/error-codes.ts";
import type { BatchHeader } from "../wire/record-batch.ts";

/** How many batches a producer may have in flight and send again (Kafka's max.in.flight limit for idempotent producers). */
const WINDOW = 5;
const MAX_SEQUENCE = 2147483647;

interface SentBatch {
  firstSequence: number;
  lastSequence: number;
  baseOffset: number;
}

interface Producer {
  epoch: number;
  lastTimestamp: number;
  /** The last batches, oldest first. */
  batches: SentBatch[];
}

/** One producer as it is kept in a checkpoint: id, epoch, last use, batches as [firstSequence, lastSequence, baseOffset]. */
export type StoredProducer = [id: number, epoch: number, lastTimestamp: number, batches: [number, number, number][]];

export type SequenceCheck =
  | { readonly duplicateOf: number }
  | { readonly error: ErrorCode; readonly message: string }
  | undefined;

/**
 * What one partition knows of its idempotent producers, by Kafka's rules (ProducerAppendInfo): a batch sent again is recognised
 * by its sequence numbers among the last five, a gap is refused. Changed only by appended batches, so a scan of batch headers rebuilds it.
 */
export class ProducerState {
  readonly #producers = new Map<number, Producer>();

  get size(): number {
    return this.#producers.size;
  }

  /** Undefined: append it. */
  check(header: BatchHeader): SequenceCheck {
    const { producerId, producerEpoch: epoch, baseSequence: first } = header;
    const known = this.#producers.get(producerId);
    if (known === undefined) return undefined;
    const last = lastSequenceOf(header);
    if (epoch === known.epoch) {
      for (const batch of known.batches) {
        if (batch.firstSequence === first && batch.lastSequence === last) return { duplicateOf: batch.baseOffset };
      }
    }
    if (epoch < known.epoch) {
      return {
        error: ErrorCode.INVALID_PRODUCER_EPOCH,
        message: `Epoch ${epoch} of producer ${producerId} is older than its current epoch ${known.epoch}.`,
      };
    }
    if (epoch > known.epoch) {
      if (first === 0) return undefined;
      return {
        error: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
        message: `Producer ${producerId} starts epoch ${epoch} with sequence ${first} instead of 0.`,
      };
    }
    const expected = following(known.batches.at(-1)!.lastSequence);
    if (first === expected) return undefined;
    return {
      error: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER,
      message: `Producer ${producerId} sent sequence ${first}, expected ${expected}.`,
    };
  }

  /** Takes an appended batch in. */
  note(header: BatchHeader, baseOffset: number, now: number): void {
    const known = this.#producers.get(header.producerId);
    const batch = { firstSequence: header.baseSequence, lastSequence: lastSequenceOf(header), baseOffset };
    if (known === undefined || known.epoch !== header.producerEpoch) {
      this.#producers.set(header.producerId, { epoch: header.producerEpoch, lastTimestamp: now, batches: [batch] });
      return;
    }
    known.lastTimestamp = now;
    known.batches.push(batch);
    if (known.batches.length > WINDOW) known.batches.shift();
  }

  /** Forgets producers that were idle since `before` (milliseconds). */
  expire(before: number): void {
    for (const [id, producer] of this.#producers) {
      if (producer.lastTimestamp < before) this.#producers.delete(id);
    }
  }

  clear(): void {
    this.#producers.clear();
  }

  store(): StoredProducer[] {
    return Array.from(this.#producers, ([id, p]) => [
      id,
      p.epoch,
      p.lastTimestamp,
      p.batches.map((b): [number, number, number] => [b.firstSequence, b.lastSequence, b.baseOffset]),
    ]);
  }

  restore(stored: readonly StoredProducer[]): void {
    this.#producers.clear();
    for (const [id, epoch, lastTimestamp, batches] of stored) {
      this.#producers.set(id, {
        epoch,
        lastTimestamp,
        batches: batches.map(([firstSequence, lastSequence, baseOffset]) => ({
          firstSequence,
          lastSequence,
          baseOffset,
        })),
      });
    }
  }

  /** For DescribeProducers. */
  *active(): Iterable<{ producerId: number; epoch: number; lastSequence: number; lastTimestamp: number }> {
    for (const [producerId, p] of this.#producers) {
      yield {
        producerId,
        epoch: p.epoch,
        lastSequence: p.batches.at(-1)!.lastSequence,
        lastTimestamp: p.lastTimestamp,
      };
    }
  }
}

function lastSequenceOf(header: BatchHeader): number {
  const last = header.baseSequence + header.lastOffsetDelta;
  return last > MAX_SEQUENCE ? last - MAX_SEQUENCE - 1 : last;
}

function following(sequence: number): number {
  return sequence === MAX_SEQUENCE ? 0 : sequence + 1;
}
