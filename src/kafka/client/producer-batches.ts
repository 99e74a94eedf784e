import { MillraceError } from "../../errors.ts";
import type { RecordColumns } from "../wire/record-batch.ts";
import { errorName } from "./errors.ts";

/** Records on their way to one partition; the unit of sequence numbers and retries. */
export interface Batch {
  readonly columns: RecordColumns;
  readonly from: number;
  readonly to: number;
  readonly createdMs: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
  /** Encoded when it is first sent. */
  bytes: Buffer | undefined;
  sequence: number;
  producerId: number;
  sent: boolean;
  error: MillraceError | undefined;
}

export interface PartitionState {
  readonly topic: string;
  readonly partition: number;
  /** Not yet acknowledged, in order. The first `inFlight` are on the wire, unless `recovering`. */
  readonly queue: Batch[];
  inFlight: number;
  nextSequence: number;
  /** The producer id under which the broker has acknowledged something here. */
  knownAs: number | undefined;
  /** A batch failed: nothing new is sent until all answers are in, then everything is sent again in order. */
  recovering: boolean;
  attempt: number;
  resumeAt: number;
}

export function newPartition(topic: string, partition: number): PartitionState {
  return {
    topic,
    partition,
    queue: [],
    inFlight: 0,
    nextSequence: 0,
    knownAs: undefined,
    recovering: false,
    attempt: 0,
    resumeAt: 0,
  };
}

/** Cuts columns into batches by size. Text is counted by its length; the broker's refusal cuts what comes out too large. */
export function* slices(columns: RecordColumns, batchBytes: number): Iterable<[number, number]> {
  const { keys, values, headers } = columns;
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < values.length; i++) {
    let size = 12 + (values[i]?.length ?? 0) + (keys?.[i]?.length ?? 0);
    for (const header of headers?.[i] ?? []) size += 8 + header.key.length + (header.value?.length ?? 0);
    if (bytes + size > batchBytes && i > from) {
      yield [from, i];
      from = i;
      bytes = 0;
    }
    bytes += size;
  }
  if (values.length > from) yield [from, values.length];
}

export function newBatch(
  columns: RecordColumns,
  from: number,
  to: number,
  createdMs: number,
  resolve: () => void,
  reject: (error: Error) => void,
): Batch {
  return {
    columns,
    from,
    to,
    createdMs,
    resolve,
    reject,
    bytes: undefined,
    sequence: -1,
    producerId: -1,
    sent: false,
    error: undefined,
  };
}

/** The broker no longer knows the order of what we sent. */
export function orderLost(code: number, topic: string): MillraceError {
  return new MillraceError("KAFKA_PROTOCOL", `The Kafka broker lost the order of the records of "${topic}".`, {
    retryable: true,
    parameters: { kafkaError: errorName(code), topic },
  });
}
