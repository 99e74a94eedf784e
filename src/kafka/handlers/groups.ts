import type { Group } from "../group/group-state.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import {
  deleteGroups as deleteGroupsApi,
  describeGroups as describeGroupsApi,
  listGroups as listGroupsApi,
} from "../wire/messages/groups.ts";
import type { Broker } from "./broker.ts";
import { handler } from "./handler.ts";

const NONE = new Uint8Array(0);

export const describeGroups = handler(describeGroupsApi, (request, { broker, version }) => ({
  groups: request.groups.map((groupId) => {
    const group = broker.groups.get(groupId);
    if (group !== undefined) return describe(group, broker);
    const known = broker.offsets.has(groupId);
    return {
      // A group that nobody knows is "Dead"; newer clients are told that it is not there.
      errorCode: known || version < 6 ? ErrorCode.NONE : ErrorCode.GROUP_ID_NOT_FOUND,
      errorMessage: known || version < 6 ? null : `Group ${groupId} not found.`,
      groupId,
      groupState: known ? "Empty" : "Dead",
      protocolType: broker.offsets.protocolType(groupId) ?? "",
      protocolData: "",
      members: [],
    };
  }),
}));

function describe(group: Group, broker: Broker) {
  const chosen = group.state === "Stable" ? group.protocolName : null;
  return {
    errorCode: ErrorCode.NONE as number,
    errorMessage: null as string | null,
    groupId: group.id,
    groupState: group.state as string,
    protocolType: group.protocolType ?? broker.offsets.protocolType(group.id) ?? "",
    protocolData: chosen ?? "",
    members: Array.from(group.members.values(), (m) => ({
      memberId: m.id,
      groupInstanceId: m.instanceId,
      clientId: m.clientId,
      clientHost: m.clientHost,
      memberMetadata: m.protocols.find((p) => p.name === chosen)?.metadata ?? NONE,
      memberAssignment: chosen === null ? NONE : m.assignment,
    })),
  };
}

export const listGroups = handler(listGroupsApi, (request, { broker }) => {
  const groups = new Map<string, { groupId: string; protocolType: string; groupState: string; groupType: string }>();
  for (const { group: groupId, protocolType } of broker.offsets.groups()) {
    groups.set(groupId, { groupId, protocolType, groupState: "Empty", groupType: "classic" });
  }
  for (const group of broker.groups.running()) {
    const known = groups.get(group.id);
    const protocolType = group.protocolType ?? known?.protocolType ?? "";
    groups.set(group.id, { groupId: group.id, protocolType, groupState: group.state, groupType: "classic" });
  }
  const matches = (filter: readonly string[], value: string): boolean =>
    filter.length === 0 || filter.some((f) => f.toLowerCase() === value.toLowerCase());
  return {
    errorCode: ErrorCode.NONE,
    groups: [...groups.values()].filter(
      (g) => matches(request.statesFilter, g.groupState) && matches(request.typesFilter, g.groupType),
    ),
  };
});

export const deleteGroups = handler(deleteGroupsApi, (request, { broker }) => ({
  results: request.groupsNames.map((groupId) => {
    const group = broker.groups.get(groupId);
    if (group === undefined && !broker.offsets.has(groupId)) {
      return { groupId, errorCode: groupId === "" ? ErrorCode.INVALID_GROUP_ID : ErrorCode.GROUP_ID_NOT_FOUND };
    }
    if (group !== undefined && group.state !== "Empty") return { groupId, errorCode: ErrorCode.NON_EMPTY_GROUP };
    try {
      broker.offsets.forgetGroup(groupId);
    } catch {
      return { groupId, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
    }
    broker.groups.delete(groupId);
    return { groupId, errorCode: ErrorCode.NONE };
  }),
}));
