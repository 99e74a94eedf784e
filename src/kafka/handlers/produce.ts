import type { PartitionLog } from "../log/partition-log.ts";
import type { TopicSettings } from "../log/topic-config.ts";
import { isProblem, validateBatch } from "../log/validate-batch.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import { produce as api } from "../wire/messages/produce.ts";
import { handler, NO_RESPONSE } from "./handler.ts";
import { findLog, findTopic } from "./topics-of.ts";

interface PartitionAnswer {
  index: number;
  errorCode: number;
  baseOffset: number;
  logAppendTimeMs?: number;
  logStartOffset?: number;
  errorMessage?: string | null;
  recordErrors?: { batchIndex: number; batchIndexErrorMessage: string | null }[];
}

/** The first version that carries record batches of format 2, the only format there is since Kafka 4.0. */
const OLDEST_VERSION = 3;

/**
 * Produce: one batch per partition to the end of its log, stored as it came. Versions 0-2 are refused, but shown by ApiVersions as
 * Kafka does: older librdkafka turns compression off otherwise (KAFKA-18659).
 */
export const produce = handler(api, async (request, { broker, version }) => {
  const now = Date.now();
  const { acks } = request;
  const refusal = refuse(version, acks, request.transactionalId);
  const appended: PartitionLog[] = [];
  const responses = request.topicData.map(({ name, topicId, partitionData }) => {
    const topic = findTopic(broker, version >= 13, { topicId, name });
    return {
      name,
      topicId,
      partitionResponses: partitionData.map(({ index, records }): PartitionAnswer => {
        const log = refusal ?? findLog(topic, index);
        if (typeof log === "number" || typeof topic === "number") {
          return failed(index, typeof log === "number" ? log : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
        }
        appended.push(log);
        return append(log, topic.settings, index, records, version, now);
      }),
    };
  });
  // Only a broker that syncs each append has anything to wait for here.
  for (const log of appended) {
    const pending = log.acknowledged();
    if (pending !== undefined) await pending;
  }
  if (acks === 0) return NO_RESPONSE;
  return { responses };
});

function refuse(version: number, acks: number, transactionalId: string | null): ErrorCode | undefined {
  if (version < OLDEST_VERSION) return ErrorCode.UNSUPPORTED_VERSION;
  if (acks !== 0 && acks !== 1 && acks !== -1) return ErrorCode.INVALID_REQUIRED_ACKS;
  return transactionalId === null ? undefined : ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
}

function append(
  log: PartitionLog,
  settings: TopicSettings,
  index: number,
  records: Buffer | null,
  version: number,
  now: number,
): PartitionAnswer {
  const header = validateBatch(records, settings, version, now);
  if (isProblem(header)) {
    return {
      ...failed(index, header.error, header.message),
      recordErrors: header.records?.map((batchIndex) => ({ batchIndex, batchIndexErrorMessage: null })) ?? [],
    };
  }
  if (header.producerId >= 0) {
    const check = log.producers.check(header);
    if (check !== undefined && "error" in check) return failed(index, check.error, check.message);
    if (check !== undefined) {
      return { index, errorCode: ErrorCode.NONE, baseOffset: check.duplicateOf, logStartOffset: log.logStartOffset };
    }
  }
  let baseOffset: number;
  try {
    baseOffset = log.append(records!, header, now);
  } catch (error) {
    log.noteDisk(error as Error);
    return failed(
      index,
      ErrorCode.KAFKA_STORAGE_ERROR,
      `The record batch cannot be stored: ${(error as Error).message}`,
    );
  }
  log.noteDisk(undefined);
  return {
    index,
    errorCode: ErrorCode.NONE,
    baseOffset,
    logAppendTimeMs: header.timestampType === 1 ? now : -1,
    logStartOffset: log.logStartOffset,
  };
}

function failed(index: number, errorCode: number, errorMessage: string | null = null): PartitionAnswer {
  return { index, errorCode, baseOffset: -1, errorMessage };
}
