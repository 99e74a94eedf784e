import { api } from "../api.ts";
import { array, bool, int16, int32, int64, nullableString, records, since, string, struct, uuid } from "../codec.ts";

/** Produce, key 0. Versions 0-2 are read to be refused. */
export const produce = api({
  key: 0,
  name: "Produce",
  versions: "0-13",
  flexible: 9,
  request: struct({
    transactionalId: since("3+", nullableString, null),
    acks: int16,
    timeoutMs: int32,
    topicData: array(
      struct({
        name: since("0-12", string),
        topicId: since("13+", uuid),
        partitionData: array(
          struct({
            index: int32,
            records: records,
          }),
        ),
      }),
    ),
  }),
  response: struct({
    responses: array(
      struct({
        name: since("0-12", string),
        topicId: since("13+", uuid),
        partitionResponses: array(
          struct({
            index: int32,
            errorCode: int16,
            baseOffset: int64,
            logAppendTimeMs: since("2+", int64, -1),
            logStartOffset: since("5+", int64, -1),
            recordErrors: since(
              "8+",
              array(
                struct({
                  batchIndex: since("8+", int32),
                  batchIndexErrorMessage: since("8+", nullableString, null),
                }),
              ),
            ),
            errorMessage: since("8+", nullableString, null),
          }),
        ),
      }),
    ),
    throttleTimeMs: since("1+", int32, 0),
  }),
});

/** InitProducerId, key 22. */
export const initProducerId = api({
  key: 22,
  name: "InitProducerId",
  versions: "0-5",
  flexible: 2,
  request: struct({
    transactionalId: nullableString,
    transactionTimeoutMs: int32,
    producerId: since("3+", int64, -1),
    producerEpoch: since("3+", int16, -1),
    enable2Pc: since("6+", bool, false),
    keepPreparedTxn: since("6+", bool, false),
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    errorCode: int16,
    producerId: since("0+", int64, -1),
    producerEpoch: int16,
    ongoingTxnProducerId: since("6+", int64, -1),
    ongoingTxnProducerEpoch: since("6+", int16, -1),
  }),
});
