import { ErrorCode } from "../wire/error-codes.ts";
import { describeProducers as describeProducersApi } from "../wire/messages/log-dirs.ts";
import { initProducerId as initProducerIdApi } from "../wire/messages/produce.ts";
import { handler } from "./handler.ts";
import { findLog, findTopic } from "./topics-of.ts";

/** InitProducerId: an id of its own for every idempotent producer. There are no transactions: their ids are refused for good. */
export const initProducerId = handler(initProducerIdApi, (request, { broker }) => {
  const { transactionalId } = request;
  if (transactionalId !== null) {
    const errorCode =
      transactionalId === "" ? ErrorCode.INVALID_REQUEST : ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    return { errorCode, producerId: -1, producerEpoch: -1 };
  }
  try {
    return { errorCode: ErrorCode.NONE, producerId: broker.topics.newProducerId(), producerEpoch: 0 };
  } catch {
    // The disk takes nothing; this error makes every client try again.
    return { errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, producerId: -1, producerEpoch: -1 };
  }
});

export const describeProducers = handler(describeProducersApi, (request, { broker }) => ({
  topics: request.topics.map(({ name, partitionIndexes }) => {
    const topic = findTopic(broker, false, { topicId: "", name });
    return {
      name,
      partitions: partitionIndexes.map((partitionIndex) => {
        const log = findLog(topic, partitionIndex);
        if (typeof log === "number") return { partitionIndex, errorCode: log, activeProducers: [] };
        return {
          partitionIndex,
          errorCode: ErrorCode.NONE,
          activeProducers: Array.from(log.producers.active(), ({ producerId, epoch, lastSequence, lastTimestamp }) => ({
            producerId,
            producerEpoch: epoch,
            lastSequence,
            lastTimestamp,
            coordinatorEpoch: -1,
          })),
        };
      }),
    };
  }),
}));
