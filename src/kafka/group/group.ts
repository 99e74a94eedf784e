import { ErrorCode } from "../wire/error-codes.ts";
import {
  byInstance,
  isCompatible,
  memberError,
  metadataOf,
  NO_BYTES,
  rebalanceTimeout,
  sameProtocols,
  selectProtocol,
} from "./group-questions.ts";
import type {
  Effect,
  Group,
  GroupState,
  HeartbeatInput,
  Input,
  JoinInput,
  LeaveInput,
  Member,
  SyncInput,
  Token,
} from "./group-state.ts";

/** From which states a state may be entered. */
const PREVIOUS: Readonly<Record<GroupState, readonly GroupState[]>> = {
  Empty: ["PreparingRebalance"],
  PreparingRebalance: ["Stable", "CompletingRebalance", "Empty"],
  CompletingRebalance: ["PreparingRebalance"],
  Stable: ["CompletingRebalance"],
  Dead: ["Empty", "PreparingRebalance", "CompletingRebalance", "Stable", "Dead"],
};

type InputType = Input["type"];
type InputOf<T extends InputType> = Extract<Input, { readonly type: T }>;
type Row = { readonly [T in InputType]: (g: Group, input: InputOf<T>, out: Effect[]) => void };

/** What each input does in each state; the type makes the table total. */
const TABLE: Readonly<Record<GroupState, Row>> = {
  Empty: {
    join: joinAny,
    sync: (_g, i, out) => answerSync(out, i.token, ErrorCode.UNKNOWN_MEMBER_ID),
    heartbeat: (_g, i, out) => answerHeartbeat(out, i.token, ErrorCode.UNKNOWN_MEMBER_ID),
    leave: leaveAny,
    "session-timeout": ignore,
    "pending-timeout": forgetPending,
    "rebalance-timeout": ignore,
    "sync-timeout": ignore,
    delete: die,
  },
  PreparingRebalance: {
    join: joinAny,
    sync: (g, i, out) => answerSync(out, i.token, syncError(g, i) ?? ErrorCode.REBALANCE_IN_PROGRESS),
    heartbeat: heartbeatAny,
    leave: leaveAny,
    "session-timeout": expireMember,
    "pending-timeout": forgetPending,
    "rebalance-timeout": (g, _i, out) => completeJoin(g, out),
    "sync-timeout": ignore,
    delete: die,
  },
  CompletingRebalance: {
    join: joinAny,
    sync: syncWhileCompleting,
    heartbeat: heartbeatAny,
    leave: leaveAny,
    "session-timeout": expireMember,
    "pending-timeout": forgetPending,
    "rebalance-timeout": ignore,
    "sync-timeout": dropThoseWhoOweSync,
    delete: die,
  },
  Stable: {
    join: joinAny,
    sync: syncWhileStable,
    heartbeat: heartbeatAny,
    leave: leaveAny,
    "session-timeout": expireMember,
    "pending-timeout": forgetPending,
    "rebalance-timeout": ignore,
    "sync-timeout": dropThoseWhoOweSync,
    delete: die,
  },
  Dead: {
    join: (_g, i, out) => refuseJoin(out, i.token, i.memberId, ErrorCode.COORDINATOR_NOT_AVAILABLE),
    sync: (_g, i, out) => answerSync(out, i.token, ErrorCode.COORDINATOR_NOT_AVAILABLE),
    heartbeat: (_g, i, out) => answerHeartbeat(out, i.token, ErrorCode.COORDINATOR_NOT_AVAILABLE),
    leave: (_g, i, out) =>
      out.push({ type: "leave-answer", to: i.token, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE, members: [] }),
    "session-timeout": ignore,
    "pending-timeout": ignore,
    "rebalance-timeout": ignore,
    "sync-timeout": ignore,
    delete: ignore,
  },
};

/**
 * The classic consumer group protocol as a state machine without clock, sockets or randomness: `step(group, input)` changes the group and
 * says what follows (answers to give, timers to set). The coordinator beside it owns the timers and the connections.
 * The rules are those of Kafka's GroupMetadataManager and ClassicGroup.
 */
export function step<T extends InputType>(group: Group, input: InputOf<T> & { type: T }): Effect[] {
  const out: Effect[] = [];
  TABLE[group.state][input.type](group, input as never, out);
  return out;
}

// ---------------------------------------------------------------------------------------------------------------- join

function joinAny(g: Group, i: JoinInput, out: Effect[]) {
  if (!isCompatible(g, i)) return refuseJoin(out, i.token, i.memberId, ErrorCode.INCONSISTENT_GROUP_PROTOCOL);
  if (i.memberId === "") {
    if (i.instanceId !== null) {
      const known = byInstance(g, i.instanceId);
      if (known !== undefined) return replaceStatic(g, known, i, out);
      return addMember(g, i, i.newMemberId, out);
    }
    if (!i.requireKnownMemberId) return addMember(g, i, i.newMemberId, out);
    g.pending.add(i.newMemberId);
    out.push({ type: "start-timer", name: `pending:${i.newMemberId}`, ms: i.sessionTimeoutMs });
    return refuseJoin(out, i.token, i.newMemberId, ErrorCode.MEMBER_ID_REQUIRED);
  }
  if (i.instanceId === null && g.pending.has(i.memberId)) {
    g.pending.delete(i.memberId);
    out.push({ type: "stop-timer", name: `pending:${i.memberId}` });
    return addMember(g, i, i.memberId, out);
  }
  const error = memberError(g, i.memberId, i.instanceId);
  if (error !== undefined) return refuseJoin(out, i.token, i.memberId, error);
  rejoin(g, g.members.get(i.memberId)!, i, out);
}

function rejoin(g: Group, m: Member, i: JoinInput, out: Effect[]) {
  const unchanged = sameProtocols(m.protocols, i.protocols);
  if (g.state === "CompletingRebalance" && unchanged) {
    // Its answer was lost: the same one again.
    m.owesSync = true;
    return answerJoin(g, m, i.token, out);
  }
  if (g.state === "Stable" && unchanged && g.leader !== m.id) return answerJoin(g, m, i.token, out);
  update(m, i);
  park(m, i.token, out);
  if (g.state === "PreparingRebalance") completeJoinIfAllAreThere(g, out);
  else prepareRebalance(g, out);
}

function addMember(g: Group, i: JoinInput, id: string, out: Effect[]): void {
  if (g.members.size === 0) g.protocolType = i.protocolType;
  const m: Member = {
    id,
    instanceId: i.instanceId,
    clientId: i.clientId,
    clientHost: i.clientHost,
    sessionTimeoutMs: i.sessionTimeoutMs,
    rebalanceTimeoutMs: i.rebalanceTimeoutMs,
    protocols: i.protocols,
    assignment: NO_BYTES,
    joining: undefined,
    syncing: undefined,
    owesSync: false,
  };
  g.members.set(id, m);
  g.leader ??= id;
  park(m, i.token, out);
  if (g.state === "PreparingRebalance") completeJoinIfAllAreThere(g, out);
  else prepareRebalance(g, out);
}

/** A static member that was started again: it takes the place of its former self, whose id is worth nothing from now on. */
function replaceStatic(g: Group, old: Member, i: JoinInput, out: Effect[]): void {
  const oldId = old.id;
  const wasLeader = g.leader === oldId;
  fence(old, out);
  out.push({ type: "stop-timer", name: `session:${oldId}` });
  // Members keep their order, so the map is built again.
  const members = [...g.members.values()];
  old.id = i.newMemberId;
  g.members.clear();
  for (const m of members) g.members.set(m.id, m);
  if (wasLeader) g.leader = old.id;
  update(old, i);
  if (g.state === "Stable" && selectProtocol(g) === g.protocolName) {
    // Nothing to assign anew. An older client that is told it leads would assign, so it is told of a leader that is gone.
    const leading = wasLeader && i.canSkipAssignment;
    out.push({
      type: "join-answer",
      to: i.token,
      answer: {
        errorCode: ErrorCode.NONE,
        memberId: old.id,
        generation: g.generation,
        protocolType: g.protocolType,
        protocolName: g.protocolName,
        leader: wasLeader && !i.canSkipAssignment ? oldId : g.leader!,
        skipAssignment: leading,
        members: leading ? metadataOf(g) : [],
      },
    });
    startSession(old, out);
    return;
  }
  park(old, i.token, out);
  if (g.state === "PreparingRebalance") completeJoinIfAllAreThere(g, out);
  else prepareRebalance(g, out);
}

/** Lets a member's JoinGroup wait. While it does, its session cannot end. */
function park(m: Member, token: Token, out: Effect[]): void {
  // A second JoinGroup on another connection: nobody waits for the first one any more.
  if (m.joining !== undefined) refuseJoin(out, m.joining, m.id, ErrorCode.REBALANCE_IN_PROGRESS);
  m.joining = token;
  out.push({ type: "stop-timer", name: `session:${m.id}` });
}

function update(m: Member, i: JoinInput): void {
  m.clientId = i.clientId;
  m.clientHost = i.clientHost;
  m.sessionTimeoutMs = i.sessionTimeoutMs;
  m.rebalanceTimeoutMs = i.rebalanceTimeoutMs;
  m.protocols = i.protocols;
}

function prepareRebalance(g: Group, out: Effect[]): void {
  for (const m of g.members.values()) {
    if (m.syncing !== undefined) {
      answerSync(out, m.syncing, ErrorCode.REBALANCE_IN_PROGRESS);
      m.syncing = undefined;
      // Who joins again meanwhile waits still, and is not watched.
      if (m.joining === undefined) startSession(m, out);
    }
    m.owesSync = false;
  }
  out.push({ type: "stop-timer", name: "sync" });
  enter(g, "PreparingRebalance");
  out.push({ type: "start-timer", name: "rebalance", ms: rebalanceTimeout(g) });
  completeJoinIfAllAreThere(g, out);
}

function completeJoinIfAllAreThere(g: Group, out: Effect[]): void {
  if (g.pending.size > 0 && g.members.size > 0) return;
  for (const m of g.members.values()) if (m.joining === undefined) return;
  completeJoin(g, out);
}

/** The next generation, of those who joined and of the static members, who may be away. */
function completeJoin(g: Group, out: Effect[]): void {
  for (const m of [...g.members.values()]) {
    if (m.joining === undefined && m.instanceId === null) removeMember(g, m, out);
  }
  const joined = [...g.members.values()].filter((m) => m.joining !== undefined);
  if (joined.length === 0 && g.members.size > 0) {
    // Static members only, all away: their sessions decide.
    out.push({ type: "start-timer", name: "rebalance", ms: rebalanceTimeout(g) });
    return;
  }
  out.push({ type: "stop-timer", name: "rebalance" });
  g.generation++;
  if (g.members.size === 0) {
    g.protocolName = null;
    g.leader = null;
    enter(g, "Empty");
    return;
  }
  if (g.leader === null || g.members.get(g.leader)?.joining === undefined) g.leader = joined[0]!.id;
  g.protocolName = selectProtocol(g);
  enter(g, "CompletingRebalance");
  for (const m of joined) {
    const token = m.joining!;
    m.joining = undefined;
    m.owesSync = true;
    answerJoin(g, m, token, out);
  }
  out.push({ type: "start-timer", name: "sync", ms: rebalanceTimeout(g) });
}

function answerJoin(g: Group, m: Member, to: Token, out: Effect[]): void {
  out.push({
    type: "join-answer",
    to,
    answer: {
      errorCode: ErrorCode.NONE,
      memberId: m.id,
      generation: g.generation,
      protocolType: g.protocolType,
      protocolName: g.protocolName,
      leader: g.leader!,
      skipAssignment: false,
      members: g.leader === m.id ? metadataOf(g) : [],
    },
  });
  startSession(m, out);
}

function refuseJoin(out: Effect[], to: Token, memberId: string, errorCode: ErrorCode): void {
  out.push({
    type: "join-answer",
    to,
    answer: {
      errorCode,
      memberId,
      generation: -1,
      protocolType: null,
      protocolName: null,
      leader: "",
      skipAssignment: false,
      members: [],
    },
  });
}

// ---------------------------------------------------------------------------------------------------------------- sync

function syncError(g: Group, i: SyncInput): ErrorCode | undefined {
  const error = memberError(g, i.memberId, i.instanceId);
  if (error !== undefined) return error;
  if (i.generation !== g.generation) return ErrorCode.ILLEGAL_GENERATION;
  const differs =
    (i.protocolType !== null && i.protocolType !== g.protocolType) ||
    (i.protocolName !== null && g.protocolName !== null && i.protocolName !== g.protocolName);
  return differs ? ErrorCode.INCONSISTENT_GROUP_PROTOCOL : undefined;
}

function syncWhileCompleting(g: Group, i: SyncInput, out: Effect[]) {
  const error = syncError(g, i);
  if (error !== undefined) return answerSync(out, i.token, error);
  const m = g.members.get(i.memberId)!;
  m.owesSync = false;
  if (m.syncing !== undefined) answerSync(out, m.syncing, ErrorCode.REBALANCE_IN_PROGRESS);
  m.syncing = i.token;
  out.push({ type: "stop-timer", name: `session:${m.id}` });
  if (m.id !== g.leader) return;
  const given = new Map(i.assignments.map((a) => [a.memberId, a.assignment]));
  enter(g, "Stable");
  for (const member of g.members.values()) {
    member.assignment = given.get(member.id) ?? NO_BYTES;
    if (member.syncing === undefined) continue;
    const token = member.syncing;
    member.syncing = undefined;
    answerAssignment(g, member, token, out);
  }
  stopSyncTimerWhenDone(g, out);
}

function syncWhileStable(g: Group, i: SyncInput, out: Effect[]) {
  const error = syncError(g, i);
  if (error !== undefined) return answerSync(out, i.token, error);
  const m = g.members.get(i.memberId)!;
  m.owesSync = false;
  answerAssignment(g, m, i.token, out);
  stopSyncTimerWhenDone(g, out);
}

function stopSyncTimerWhenDone(g: Group, out: Effect[]): void {
  for (const m of g.members.values()) if (m.owesSync) return;
  out.push({ type: "stop-timer", name: "sync" });
}

function answerAssignment(g: Group, m: Member, to: Token, out: Effect[]): void {
  const { protocolType, protocolName } = g;
  const answer = { errorCode: ErrorCode.NONE, protocolType, protocolName, assignment: m.assignment };
  out.push({ type: "sync-answer", to, answer });
  startSession(m, out);
}

function answerSync(out: Effect[], to: Token, errorCode: ErrorCode): void {
  const answer = { errorCode, protocolType: null, protocolName: null, assignment: NO_BYTES };
  out.push({ type: "sync-answer", to, answer });
}

function dropThoseWhoOweSync(g: Group, _i: Input, out: Effect[]): void {
  const late = [...g.members.values()].filter((m) => m.owesSync);
  if (late.length === 0) return;
  for (const m of late) removeMember(g, m, out);
  prepareRebalance(g, out);
}

// ------------------------------------------------------------------------------------------------- heartbeat and leave

function heartbeatAny(g: Group, i: HeartbeatInput, out: Effect[]) {
  const error =
    memberError(g, i.memberId, i.instanceId) ??
    (i.generation === g.generation ? undefined : ErrorCode.ILLEGAL_GENERATION);
  if (error !== undefined) return answerHeartbeat(out, i.token, error);
  const m = g.members.get(i.memberId)!;
  if (m.joining === undefined && m.syncing === undefined) startSession(m, out);
  const rebalancing = g.state === "PreparingRebalance";
  answerHeartbeat(out, i.token, rebalancing ? ErrorCode.REBALANCE_IN_PROGRESS : ErrorCode.NONE);
}

function answerHeartbeat(out: Effect[], to: Token, errorCode: ErrorCode): void {
  out.push({ type: "heartbeat-answer", to, errorCode });
}

function leaveAny(g: Group, i: LeaveInput, out: Effect[]): void {
  let left = false;
  const members = i.members.map(({ memberId, instanceId }) => {
    const answer = { memberId, instanceId };
    if (instanceId === null && g.pending.delete(memberId)) {
      out.push({ type: "stop-timer", name: `pending:${memberId}` });
      if (g.state === "PreparingRebalance") left = true;
      return { ...answer, errorCode: ErrorCode.NONE };
    }
    const known = instanceId !== null ? byInstance(g, instanceId) : g.members.get(memberId);
    if (known === undefined) return { ...answer, errorCode: ErrorCode.UNKNOWN_MEMBER_ID };
    // An administrator removes a static member by its instance id alone.
    if (instanceId !== null && memberId !== "" && memberId !== known.id) {
      return { ...answer, errorCode: ErrorCode.FENCED_INSTANCE_ID };
    }
    removeMember(g, known, out);
    left = true;
    return { ...answer, errorCode: ErrorCode.NONE };
  });
  out.push({ type: "leave-answer", to: i.token, errorCode: ErrorCode.NONE, members });
  if (left) afterRemoval(g, out);
}

function expireMember(g: Group, i: InputOf<"session-timeout">, out: Effect[]): void {
  const m = g.members.get(i.memberId);
  // Those who wait for an answer are heard of.
  if (m === undefined || m.joining !== undefined || m.syncing !== undefined) return;
  removeMember(g, m, out);
  afterRemoval(g, out);
}

function forgetPending(g: Group, i: InputOf<"pending-timeout">, out: Effect[]): void {
  if (g.pending.delete(i.memberId) && g.state === "PreparingRebalance") completeJoinIfAllAreThere(g, out);
}

function afterRemoval(g: Group, out: Effect[]): void {
  if (g.state === "PreparingRebalance") completeJoinIfAllAreThere(g, out);
  else if (g.state === "Stable" || g.state === "CompletingRebalance") prepareRebalance(g, out);
}

function removeMember(g: Group, m: Member, out: Effect[]): void {
  if (m.joining !== undefined) refuseJoin(out, m.joining, m.id, ErrorCode.UNKNOWN_MEMBER_ID);
  if (m.syncing !== undefined) answerSync(out, m.syncing, ErrorCode.UNKNOWN_MEMBER_ID);
  g.members.delete(m.id);
  out.push({ type: "stop-timer", name: `session:${m.id}` });
  if (g.leader === m.id) g.leader = g.members.keys().next().value ?? null;
}

function fence(m: Member, out: Effect[]): void {
  if (m.joining !== undefined) refuseJoin(out, m.joining, m.id, ErrorCode.FENCED_INSTANCE_ID);
  if (m.syncing !== undefined) answerSync(out, m.syncing, ErrorCode.FENCED_INSTANCE_ID);
  m.joining = undefined;
  m.syncing = undefined;
}

function die(g: Group, _i: Input, out: Effect[]): void {
  for (const m of [...g.members.values()]) removeMember(g, m, out);
  for (const id of g.pending) out.push({ type: "stop-timer", name: `pending:${id}` });
  g.pending.clear();
  out.push({ type: "stop-timer", name: "rebalance" }, { type: "stop-timer", name: "sync" });
  enter(g, "Dead");
}

function ignore(): void {}

// ------------------------------------------------------------------------------------------------------------- helpers

function enter(g: Group, state: GroupState): void {
  if (!PREVIOUS[state].includes(g.state)) throw new Error(`group ${g.id} cannot go from ${g.state} to ${state}`);
  g.state = state;
}

function startSession(m: Member, out: Effect[]): void {
  out.push({ type: "start-timer", name: `session:${m.id}`, ms: m.sessionTimeoutMs });
}
