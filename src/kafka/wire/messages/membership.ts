import { api } from "../api.ts";
import { array, bool, bytes, int8, int16, int32, nullableString, since, string, struct } from "../codec.ts";

/** FindCoordinator, key 10. */
export const findCoordinator = api({
  key: 10,
  name: "FindCoordinator",
  versions: "0-6",
  flexible: 3,
  request: struct({
    key: since("0-3", string),
    keyType: since("1+", int8, 0),
    coordinatorKeys: since("4+", array(string)),
  }),
  response: struct({
    throttleTimeMs: since("1+", int32),
    errorCode: since("0-3", int16),
    errorMessage: since("1-3", nullableString),
    nodeId: since("0-3", int32),
    host: since("0-3", string),
    port: since("0-3", int32),
    coordinators: since(
      "4+",
      array(
        struct({
          key: since("4+", string),
          nodeId: since("4+", int32),
          host: since("4+", string),
          port: since("4+", int32),
          errorCode: since("4+", int16),
          errorMessage: since("4+", nullableString),
        }),
      ),
    ),
  }),
});

/** JoinGroup, key 11. */
export const joinGroup = api({
  key: 11,
  name: "JoinGroup",
  versions: "0-9",
  flexible: 6,
  request: struct({
    groupId: string,
    sessionTimeoutMs: int32,
    rebalanceTimeoutMs: since("1+", int32, -1),
    memberId: string,
    groupInstanceId: since("5+", nullableString, null),
    protocolType: string,
    protocols: array(
      struct({
        name: string,
        metadata: bytes,
      }),
    ),
    reason: since("8+", nullableString, null),
  }),
  response: struct({
    throttleTimeMs: since("2+", int32),
    errorCode: int16,
    generationId: since("0+", int32, -1),
    protocolType: since("7+", nullableString, null),
    protocolName: nullableString,
    leader: string,
    skipAssignment: since("9+", bool, false),
    memberId: string,
    members: array(
      struct({
        memberId: string,
        groupInstanceId: since("5+", nullableString, null),
        metadata: bytes,
      }),
    ),
  }),
});

/** SyncGroup, key 14. */
export const syncGroup = api({
  key: 14,
  name: "SyncGroup",
  versions: "0-5",
  flexible: 4,
  request: struct({
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: since("3+", nullableString, null),
    protocolType: since("5+", nullableString, null),
    protocolName: since("5+", nullableString, null),
    assignments: array(
      struct({
        memberId: string,
        assignment: bytes,
      }),
    ),
  }),
  response: struct({
    throttleTimeMs: since("1+", int32),
    errorCode: int16,
    protocolType: since("5+", nullableString, null),
    protocolName: since("5+", nullableString, null),
    assignment: bytes,
  }),
});

/** Heartbeat, key 12. */
export const heartbeat = api({
  key: 12,
  name: "Heartbeat",
  versions: "0-4",
  flexible: 4,
  request: struct({
    groupId: string,
    generationId: int32,
    memberId: string,
    groupInstanceId: since("3+", nullableString, null),
  }),
  response: struct({
    throttleTimeMs: since("1+", int32),
    errorCode: int16,
  }),
});

/** LeaveGroup, key 13. */
export const leaveGroup = api({
  key: 13,
  name: "LeaveGroup",
  versions: "0-5",
  flexible: 4,
  request: struct({
    groupId: string,
    memberId: since("0-2", string),
    members: since(
      "3+",
      array(
        struct({
          memberId: since("3+", string),
          groupInstanceId: since("3+", nullableString, null),
          reason: since("5+", nullableString, null),
        }),
      ),
    ),
  }),
  response: struct({
    throttleTimeMs: since("1+", int32),
    errorCode: int16,
    members: since(
      "3+",
      array(
        struct({
          memberId: since("3+", string),
          groupInstanceId: since("3+", nullableString),
          errorCode: since("3+", int16),
        }),
      ),
    ),
  }),
});
