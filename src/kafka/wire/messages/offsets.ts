import { api } from "../api.ts";
import {
  array,
  bool,
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

/** OffsetCommit, key 8. */
export const offsetCommit = api({
  key: 8,
  name: "OffsetCommit",
  versions: "2-9",
  flexible: 8,
  request: struct({
    groupId: string,
    generationIdOrMemberEpoch: since("1+", int32, -1),
    memberId: string,
    groupInstanceId: since("7+", nullableString, null),
    retentionTimeMs: since("2-4", int64, -1),
    topics: array(
      struct({
        name: string,
        topicId: since("10+", uuid),
        partitions: array(
          struct({
            partitionIndex: int32,
            committedOffset: int64,
            committedLeaderEpoch: since("6+", int32, -1),
            committedMetadata: nullableString,
          }),
        ),
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: since("3+", int32),
    topics: array(
      struct({
        name: string,
        topicId: since("10+", uuid),
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
          }),
        ),
      }),
    ),
  }),
});

/** OffsetFetch, key 9. */
export const offsetFetch = api({
  key: 9,
  name: "OffsetFetch",
  versions: "1-9",
  flexible: 6,
  request: struct({
    groupId: since("0-7", string),
    topics: since(
      "0-7",
      nullableArray(
        struct({
          name: since("0-7", string),
          partitionIndexes: since("0-7", array(int32)),
        }),
      ),
    ),
    groups: since(
      "8+",
      array(
        struct({
          groupId: since("8+", string),
          memberId: since("9+", nullableString, null),
          memberEpoch: since("9+", int32, -1),
          topics: since(
            "8+",
            nullableArray(
              struct({
                name: since("8-9", string),
                topicId: since("10+", uuid),
                partitionIndexes: since("8+", array(int32)),
              }),
            ),
          ),
        }),
      ),
    ),
    requireStable: since("7+", bool, false),
  }),
  response: struct({
    throttleTimeMs: since("3+", int32),
    topics: since(
      "0-7",
      array(
        struct({
          name: since("0-7", string),
          partitions: since(
            "0-7",
            array(
              struct({
                partitionIndex: since("0-7", int32),
                committedOffset: since("0-7", int64),
                committedLeaderEpoch: since("5-7", int32, -1),
                metadata: since("0-7", nullableString),
                errorCode: since("0-7", int16),
              }),
            ),
          ),
        }),
      ),
    ),
    errorCode: since("2-7", int16, 0),
    groups: since(
      "8+",
      array(
        struct({
          groupId: since("8+", string),
          topics: since(
            "8+",
            array(
              struct({
                name: since("8-9", string),
                topicId: since("10+", uuid),
                partitions: since(
                  "8+",
                  array(
                    struct({
                      partitionIndex: since("8+", int32),
                      committedOffset: since("8+", int64),
                      committedLeaderEpoch: since("8+", int32, -1),
                      metadata: since("8+", nullableString),
                      errorCode: since("8+", int16),
                    }),
                  ),
                ),
              }),
            ),
          ),
          errorCode: since("8+", int16, 0),
        }),
      ),
    ),
  }),
});

/** OffsetDelete, key 47. */
export const offsetDelete = api({
  key: 47,
  name: "OffsetDelete",
  versions: "0-0",
  flexible: Number.POSITIVE_INFINITY,
  request: struct({
    groupId: string,
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
          }),
        ),
      }),
    ),
  }),
  response: struct({
    errorCode: int16,
    throttleTimeMs: since("0+", int32),
    topics: array(
      struct({
        name: string,
        partitions: array(
          struct({
            partitionIndex: int32,
            errorCode: int16,
          }),
        ),
      }),
    ),
  }),
});
