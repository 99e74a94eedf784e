import { ErrorCode } from "../wire/error-codes.ts";
import type { Group, JoinAnswer, JoinInput, Member, Protocol } from "./group-state.ts";

export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Whether an OffsetCommit of this member counts; undefined when it does. */
export function commitError(
  g: Group | undefined,
  commit: { readonly memberId: string; readonly instanceId: string | null; readonly generation: number },
): ErrorCode | undefined {
  const { memberId, instanceId, generation } = commit;
  if (g?.state === "Dead") return ErrorCode.COORDINATOR_NOT_AVAILABLE;
  // Offsets kept without being a member: allowed while nobody is one.
  if (generation < 0 && (g === undefined || g.state === "Empty")) return undefined;
  if (g === undefined) return ErrorCode.ILLEGAL_GENERATION;
  if (generation >= 0 || memberId !== "" || instanceId !== null) {
    const error = memberError(g, memberId, instanceId);
    if (error !== undefined) return error;
    if (generation !== g.generation) return ErrorCode.ILLEGAL_GENERATION;
  } else {
    return ErrorCode.UNKNOWN_MEMBER_ID;
  }
  return g.state === "CompletingRebalance" ? ErrorCode.REBALANCE_IN_PROGRESS : undefined;
}

export function memberError(g: Group, memberId: string, instanceId: string | null): ErrorCode | undefined {
  if (instanceId !== null) {
    const m = byInstance(g, instanceId);
    if (m === undefined) return ErrorCode.UNKNOWN_MEMBER_ID;
    return m.id === memberId ? undefined : ErrorCode.FENCED_INSTANCE_ID;
  }
  return g.members.has(memberId) ? undefined : ErrorCode.UNKNOWN_MEMBER_ID;
}

export function byInstance(g: Group, instanceId: string): Member | undefined {
  for (const m of g.members.values()) if (m.instanceId === instanceId) return m;
  return undefined;
}

export function rebalanceTimeout(g: Group): number {
  let ms = 0;
  for (const m of g.members.values()) ms = Math.max(ms, m.rebalanceTimeoutMs);
  return ms;
}

/** Whether a member can be in the group with the others: same type, and a protocol that all of them know. */
export function isCompatible(g: Group, i: JoinInput): boolean {
  if (i.protocolType === "" || i.protocols.length === 0) return false;
  const others = [...g.members.values()].filter(
    (m) => m.id !== i.memberId && (i.instanceId === null || m.instanceId !== i.instanceId),
  );
  if (others.length === 0) return g.members.size === 0 || i.protocolType === g.protocolType;
  if (i.protocolType !== g.protocolType) return false;
  return i.protocols.some(({ name }) => others.every((m) => m.protocols.some((p) => p.name === name)));
}

/** Of the protocols that all know, the one that most prefer; of equals the one the first member prefers. */
export function selectProtocol(g: Group): string {
  const members = [...g.members.values()];
  const common = members[0]!.protocols
    .map((p) => p.name)
    .filter((name) => members.every((m) => m.protocols.some((p) => p.name === name)));
  const votes = new Map(common.map((name) => [name, 0]));
  for (const m of members) {
    const vote = m.protocols.find((p) => votes.has(p.name));
    if (vote !== undefined) votes.set(vote.name, votes.get(vote.name)! + 1);
  }
  let best = common[0]!;
  for (const [name, count] of votes) if (count > votes.get(best)!) best = name;
  return best;
}

export function metadataOf(g: Group): JoinAnswer["members"] {
  return Array.from(g.members.values(), (m) => ({
    memberId: m.id,
    instanceId: m.instanceId,
    metadata: m.protocols.find((p) => p.name === g.protocolName)?.metadata ?? NO_BYTES,
  }));
}

export function sameProtocols(a: readonly Protocol[], b: readonly Protocol[]): boolean {
  return (
    a.length === b.length &&
    a.every((p, i) => p.name === b[i]!.name && Buffer.compare(p.metadata, b[i]!.metadata) === 0)
  );
}
