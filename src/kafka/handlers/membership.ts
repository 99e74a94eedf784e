import { ErrorCode } from "../wire/error-codes.ts";
import {
  findCoordinator as findCoordinatorApi,
  heartbeat as heartbeatApi,
  joinGroup as joinGroupApi,
  leaveGroup as leaveGroupApi,
  syncGroup as syncGroupApi,
} from "../wire/messages/membership.ts";
import { NODE_ID } from "./broker.ts";
import { handler } from "./handler.ts";
import { endpoint } from "./metadata.ts";

/** Bounds of a member's session timeout (Kafka's group.min/max.session.timeout.ms). */
const MIN_SESSION_MS = 6000;
const MAX_SESSION_MS = 1_800_000;
const GROUP = 0;
const TRANSACTION = 1;

/** FindCoordinator: this node, for groups. There are no transactions. */
export const findCoordinator = handler(findCoordinatorApi, (request, call) => {
  const refusal =
    request.keyType === GROUP
      ? undefined
      : request.keyType === TRANSACTION
        ? ([ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, "This broker has no transactions."] as const)
        : ([ErrorCode.INVALID_REQUEST, `There are no coordinators of type ${request.keyType}.`] as const);
  const coordinator = (key: string) =>
    refusal === undefined
      ? { key, errorCode: ErrorCode.NONE as number, errorMessage: null, nodeId: NODE_ID, ...endpoint(call) }
      : { key, errorCode: refusal[0] as number, errorMessage: refusal[1] as string, nodeId: -1, host: "", port: -1 };
  return { ...coordinator(request.key), coordinators: request.coordinatorKeys.map(coordinator) };
});

export const joinGroup = handler(joinGroupApi, async (request, { broker, version, clientId, clientHost }) => {
  const { groupId, memberId, sessionTimeoutMs } = request;
  const refused = (errorCode: ErrorCode) => ({
    errorCode,
    protocolName: version >= 7 ? null : "",
    leader: "",
    memberId,
    members: [],
  });
  if (groupId === "") return refused(ErrorCode.INVALID_GROUP_ID);
  if (sessionTimeoutMs < MIN_SESSION_MS || sessionTimeoutMs > MAX_SESSION_MS) {
    return refused(ErrorCode.INVALID_SESSION_TIMEOUT);
  }
  const answer = await broker.groups.join(groupId, {
    memberId,
    instanceId: request.groupInstanceId,
    clientId: clientId ?? "",
    clientHost: `/${clientHost}`,
    requireKnownMemberId: version >= 4,
    canSkipAssignment: version >= 9,
    sessionTimeoutMs,
    // Version 0 has no time of its own for rebalancing.
    rebalanceTimeoutMs: request.rebalanceTimeoutMs < 0 ? sessionTimeoutMs : request.rebalanceTimeoutMs,
    protocolType: request.protocolType,
    // Copies: the request's bytes belong to a much larger buffer, and members are kept.
    protocols: request.protocols.map(({ name, metadata }) => ({ name, metadata: Buffer.from(metadata) })),
  });
  return {
    errorCode: answer.errorCode,
    generationId: answer.generation,
    protocolType: answer.protocolType,
    protocolName: answer.protocolName ?? (version >= 7 ? null : ""),
    leader: answer.leader,
    skipAssignment: answer.skipAssignment,
    memberId: answer.memberId,
    members: answer.members.map((m) => ({
      memberId: m.memberId,
      groupInstanceId: m.instanceId,
      metadata: m.metadata,
    })),
  };
});

export const syncGroup = handler(syncGroupApi, (request, { broker }) => {
  if (request.groupId === "") return { errorCode: ErrorCode.INVALID_GROUP_ID, assignment: Buffer.alloc(0) };
  return broker.groups.sync(request.groupId, {
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    generation: request.generationId,
    protocolType: request.protocolType,
    protocolName: request.protocolName,
    assignments: request.assignments.map((a) => ({ memberId: a.memberId, assignment: Buffer.from(a.assignment) })),
  });
});

export const heartbeat = handler(heartbeatApi, (request, { broker }) => {
  if (request.groupId === "") return { errorCode: ErrorCode.INVALID_GROUP_ID };
  return broker.groups.heartbeat(request.groupId, {
    memberId: request.memberId,
    instanceId: request.groupInstanceId,
    generation: request.generationId,
  });
});

export const leaveGroup = handler(leaveGroupApi, async (request, { broker, version }) => {
  if (request.groupId === "") return { errorCode: ErrorCode.INVALID_GROUP_ID, members: [] };
  const members =
    version >= 3
      ? request.members.map((m) => ({ memberId: m.memberId, instanceId: m.groupInstanceId }))
      : [{ memberId: request.memberId, instanceId: null }];
  const answer = await broker.groups.leave(request.groupId, { members });
  // Older versions speak of one member, so its error is the answer's.
  const errorCode = version >= 3 ? answer.errorCode : answer.errorCode || (answer.members[0]?.errorCode ?? 0);
  return {
    errorCode,
    members: answer.members.map((m) => ({
      memberId: m.memberId,
      groupInstanceId: m.instanceId,
      errorCode: m.errorCode,
    })),
  };
});
