import { api } from "../api.ts";
import {
  array,
  bool,
  int8,
  int16,
  int32,
  int64,
  nullableArray,
  nullableString,
  since,
  string,
  struct,
  uuid,
} from "../codec.ts";

/** CreateTopics, key 19. */
export const createTopics = api({
  key: 19,
  name: "CreateTopics",
  versions: "2-7",
  flexible: 5,
  request: struct({
    topics: array(
      struct({
        name: string,
        numPartitions: int32,
        replicationFactor: int16,
        assignments: array(
          struct({
            partitionIndex: int32,
            brokerIds: array(int32),
          }),
        ),
        configs: array(
          struct({
            name: string,
            value: nullableString,
          }),
        ),
      }),
    ),
    timeoutMs: since("0+", int32, 60000),
    validateOnly: since("1+", bool, false),
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    topics: array(
      struct({
        name: string,
        topicId: since("7+", uuid),
        errorCode: int16,
        errorMessage: nullableString,
        numPartitions: since("5+", int32, -1),
        replicationFactor: since("5+", int16, -1),
        configs: since(
          "5+",
          nullableArray(
            struct({
              name: since("5+", string),
              value: since("5+", nullableString),
              readOnly: since("5+", bool),
              configSource: since("5+", int8, -1),
              isSensitive: since("5+", bool),
            }),
          ),
        ),
      }),
    ),
  }),
});

/** DeleteTopics, key 20. */
export const deleteTopics = api({
  key: 20,
  name: "DeleteTopics",
  versions: "1-6",
  flexible: 4,
  request: struct({
    topics: since(
      "6+",
      array(
        struct({
          name: since("6+", nullableString, null),
          topicId: since("6+", uuid),
        }),
      ),
    ),
    topicNames: since("0-5", array(string)),
    timeoutMs: int32,
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    responses: array(
      struct({
        name: nullableString,
        topicId: since("6+", uuid),
        errorCode: int16,
        errorMessage: since("5+", nullableString, null),
      }),
    ),
  }),
});

/** CreatePartitions, key 37. */
export const createPartitions = api({
  key: 37,
  name: "CreatePartitions",
  versions: "0-3",
  flexible: 2,
  request: struct({
    topics: array(
      struct({
        name: string,
        count: int32,
        assignments: nullableArray(
          struct({
            brokerIds: array(int32),
          }),
        ),
      }),
    ),
    timeoutMs: int32,
    validateOnly: bool,
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    results: array(
      struct({
        name: string,
        errorCode: int16,
        errorMessage: since("0+", nullableString, null),
      }),
    ),
  }),
});

/** DeleteRecords, key 21. */
export const deleteRecords = api({
  key: 21,
  name: "DeleteRecords",
  versions: "0-2",
  flexible: 2,
  request: struct({
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            offset: int64,
          }),
        ),
      }),
    ),
    timeoutMs: int32,
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            lowWatermark: int64,
            errorCode: int16,
          }),
        ),
      }),
    ),
  }),
});
