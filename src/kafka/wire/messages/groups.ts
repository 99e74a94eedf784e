import { api } from "../api.ts";
import { array, bool, bytes, int16, int32, nullableString, since, string, struct } from "../codec.ts";

/** DescribeGroups, key 15. */
export const describeGroups = api({
  key: 15,
  name: "DescribeGroups",
  versions: "0-6",
  flexible: 5,
  request: struct({
    groups: array(string),
    includeAuthorizedOperations: since("3+", bool),
  }),
  response: struct({
    throttleTimeMs: since("1+", int32),
    groups: array(
      struct({
        errorCode: int16,
        errorMessage: since("6+", nullableString, null),
        groupId: string,
        groupState: string,
        protocolType: string,
        protocolData: string,
        members: array(
          struct({
            memberId: string,
            groupInstanceId: since("4+", nullableString, null),
            clientId: string,
            clientHost: string,
            memberMetadata: bytes,
            memberAssignment: bytes,
          }),
        ),
        authorizedOperations: since("3+", int32, -2147483648),
      }),
    ),
  }),
});

/** ListGroups, key 16. */
export const listGroups = api({
  key: 16,
  name: "ListGroups",
  versions: "0-5",
  flexible: 3,
  request: struct({
    statesFilter: since("4+", array(string)),
    typesFilter: since("5+", array(string)),
  }),
  response: struct({
    throttleTimeMs: since("1+", int32),
    errorCode: int16,
    groups: array(
      struct({
        groupId: string,
        protocolType: string,
        groupState: since("4+", string),
        groupType: since("5+", string),
      }),
    ),
  }),
});

/** DeleteGroups, key 42. */
export const deleteGroups = api({
  key: 42,
  name: "DeleteGroups",
  versions: "0-2",
  flexible: 2,
  request: struct({
    groupsNames: array(string),
  }),
  response: struct({
    throttleTimeMs: since("0+", int32),
    results: array(
      struct({
        groupId: string,
        errorCode: int16,
      }),
    ),
  }),
});
