import type { ErrorCode } from "../wire/error-codes.ts";

/** The phases of a classic group, by Kafka's names. */
export type GroupState = "Empty" | "PreparingRebalance" | "CompletingRebalance" | "Stable" | "Dead";

/** A request that waits for its answer; the coordinator knows which. */
export type Token = object;

export interface Protocol {
  readonly name: string;
  readonly metadata: Uint8Array;
}

export interface Member {
  id: string;
  readonly instanceId: string | null;
  clientId: string;
  clientHost: string;
  sessionTimeoutMs: number;
  rebalanceTimeoutMs: number;
  protocols: readonly Protocol[];
  assignment: Uint8Array;
  /** Its JoinGroup that waits for the others. */
  joining: Token | undefined;
  /** Its SyncGroup that waits for the leader. */
  syncing: Token | undefined;
  /** Has the answer to its JoinGroup and has not yet sent SyncGroup. */
  owesSync: boolean;
}

export interface Group {
  readonly id: string;
  state: GroupState;
  generation: number;
  protocolType: string | null;
  protocolName: string | null;
  leader: string | null;
  /** In order of arrival. */
  readonly members: Map<string, Member>;
  /** Ids given out by MEMBER_ID_REQUIRED whose owners have not come back yet. */
  readonly pending: Set<string>;
}

export interface JoinInput {
  readonly type: "join";
  readonly token: Token;
  readonly memberId: string;
  /** The id to give when the member has none. */
  readonly newMemberId: string;
  /** JoinGroup v4+: a member without an id gets one and must come again. */
  readonly requireKnownMemberId: boolean;
  /** JoinGroup v9+. */
  readonly canSkipAssignment: boolean;
  readonly instanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly protocolType: string;
  readonly protocols: readonly Protocol[];
}

export interface SyncInput {
  readonly type: "sync";
  readonly token: Token;
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
  /** Null: not given. */
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[];
}

export interface HeartbeatInput {
  readonly type: "heartbeat";
  readonly token: Token;
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly generation: number;
}

export interface LeaveInput {
  readonly type: "leave";
  readonly token: Token;
  readonly members: readonly { readonly memberId: string; readonly instanceId: string | null }[];
}

export type Input =
  | JoinInput
  | SyncInput
  | HeartbeatInput
  | LeaveInput
  /** Nothing was heard of a member for its session timeout. */
  | { readonly type: "session-timeout"; readonly memberId: string }
  /** A member that was given an id did not come back. */
  | { readonly type: "pending-timeout"; readonly memberId: string }
  /** The members had their time to join. */
  | { readonly type: "rebalance-timeout" }
  /** The members had their time to send SyncGroup. */
  | { readonly type: "sync-timeout" }
  /** The group is deleted. */
  | { readonly type: "delete" };

export interface JoinAnswer {
  readonly errorCode: ErrorCode;
  readonly memberId: string;
  readonly generation: number;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly leader: string;
  readonly skipAssignment: boolean;
  readonly members: readonly {
    readonly memberId: string;
    readonly instanceId: string | null;
    readonly metadata: Uint8Array;
  }[];
}

export interface SyncAnswer {
  readonly errorCode: ErrorCode;
  readonly protocolType: string | null;
  readonly protocolName: string | null;
  readonly assignment: Uint8Array;
}

export type LeaveAnswer = readonly {
  readonly memberId: string;
  readonly instanceId: string | null;
  readonly errorCode: ErrorCode;
}[];

/** `session:<member>`, `pending:<member>`, `rebalance` or `sync`. */
export type TimerName = `session:${string}` | `pending:${string}` | "rebalance" | "sync";

export type Effect =
  | { readonly type: "join-answer"; readonly to: Token; readonly answer: JoinAnswer }
  | { readonly type: "sync-answer"; readonly to: Token; readonly answer: SyncAnswer }
  | { readonly type: "heartbeat-answer"; readonly to: Token; readonly errorCode: ErrorCode }
  | { readonly type: "leave-answer"; readonly to: Token; readonly errorCode: ErrorCode; readonly members: LeaveAnswer }
  | { readonly type: "start-timer"; readonly name: TimerName; readonly ms: number }
  | { readonly type: "stop-timer"; readonly name: TimerName };

export function newGroup(id: string): Group {
  return {
    id,
    state: "Empty",
    generation: 0,
    protocolType: null,
    protocolName: null,
    leader: null,
    members: new Map(),
    pending: new Set(),
  };
}
