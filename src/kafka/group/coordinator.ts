import { randomUUID } from "node:crypto";
import { publish } from "../../events.ts";
import type { ErrorCode } from "../wire/error-codes.ts";
import { step } from "./group.ts";
import { commitError } from "./group-questions.ts";
import {
  type Effect,
  type Group,
  type HeartbeatInput,
  type Input,
  type JoinAnswer,
  type JoinInput,
  type LeaveAnswer,
  type LeaveInput,
  newGroup,
  type SyncAnswer,
  type SyncInput,
  type TimerName,
  type Token,
} from "./group-state.ts";

/** What the coordinator keeps over restarts. */
export interface GroupStore {
  has(group: string): boolean;
  protocolType(group: string): string | undefined;
  noteGroup(group: string, protocolType: string): void;
}

interface Running {
  readonly group: Group;
  readonly timers: Map<TimerName, { timeout: NodeJS.Timeout; ms: number }>;
  /** When the last member left, in milliseconds. */
  emptySince: number;
}

type Asked<T> = Omit<T, "type" | "token">;

/** Runs the groups: gives their state machines the time, and their answers to those who wait. */
export class GroupCoordinator {
  readonly #store: GroupStore;
  readonly #groups = new Map<string, Running>();

  constructor(store: GroupStore) {
    this.#store = store;
  }

  /** The groups that have or had members since the start. */
  running(): Iterable<Group> {
    return Array.from(this.#groups.values(), (r) => r.group);
  }

  get(groupId: string): Group | undefined {
    return this.#groups.get(groupId)?.group;
  }

  join(groupId: string, input: Omit<Asked<JoinInput>, "newMemberId">): Promise<JoinAnswer> {
    const newMemberId = `${input.instanceId ?? input.clientId}-${randomUUID()}`;
    return this.#ask(this.#running(groupId), { type: "join", ...input, newMemberId });
  }

  sync(groupId: string, input: Asked<SyncInput>): Promise<SyncAnswer> {
    return this.#ask(this.#known(groupId), { type: "sync", ...input });
  }

  heartbeat(groupId: string, input: Asked<HeartbeatInput>): Promise<{ errorCode: ErrorCode }> {
    return this.#ask(this.#known(groupId), { type: "heartbeat", ...input });
  }

  leave(groupId: string, input: Asked<LeaveInput>): Promise<{ errorCode: ErrorCode; members: LeaveAnswer }> {
    return this.#ask(this.#known(groupId), { type: "leave", ...input });
  }

  /** Why an offset commit does not count; undefined when it does. It also is a sign of life of the member. */
  commitError(
    groupId: string,
    commit: { readonly memberId: string; readonly instanceId: string | null; readonly generation: number },
  ): ErrorCode | undefined {
    const running = this.#groups.get(groupId);
    const error = commitError(running?.group, commit);
    if (error === undefined) running?.timers.get(`session:${commit.memberId}`)?.timeout.refresh();
    return error;
  }

  /** Ends a group; its members are told when they speak next. */
  delete(groupId: string): void {
    const running = this.#groups.get(groupId);
    if (running === undefined) return;
    this.#step(running, { type: "delete" });
    this.#groups.delete(groupId);
  }

  /** Whether the group has had no member since `before` (milliseconds). */
  isIdleSince(groupId: string, before: number): boolean {
    const running = this.#groups.get(groupId);
    if (running === undefined) return true;
    return running.group.state === "Empty" && running.group.pending.size === 0 && running.emptySince < before;
  }

  /** Drops the groups that are empty and of which nothing is kept. */
  sweep(): void {
    for (const [id, { group }] of this.#groups) {
      if (group.state === "Empty" && group.pending.size === 0 && !this.#store.has(id)) this.#groups.delete(id);
    }
  }

  close(): void {
    for (const { timers } of this.#groups.values()) {
      for (const { timeout } of timers.values()) clearTimeout(timeout);
      timers.clear();
    }
    this.#groups.clear();
  }

  #running(groupId: string): Running {
    let running = this.#groups.get(groupId);
    if (running === undefined) {
      running = this.#known(groupId);
      this.#groups.set(groupId, running);
    }
    return running;
  }

  /** A group that nobody joined since the start is as an empty one. */
  #known(groupId: string): Running {
    return this.#groups.get(groupId) ?? { group: newGroup(groupId), timers: new Map(), emptySince: Date.now() };
  }

  #ask<T>(running: Running, input: any): Promise<T> {
    return new Promise<T>((resolve) => {
      this.#step(running, { ...input, token: { resolve } });
    });
  }

  #step(running: Running, input: Input): void {
    const { group } = running;
    const before = group.state;
    const effects = step(group, input as never);
    if (group.state !== before) {
      if (group.state === "Empty") running.emptySince = Date.now();
      if (group.state === "CompletingRebalance") this.#note(group);
    }
    for (const effect of effects) this.#do(running, effect);
  }

  /** The kind of a group is for lists only: a disk that refuses it does not stop the group. */
  #note(group: Group): void {
    try {
      this.#store.noteGroup(group.id, group.protocolType ?? "");
    } catch (error) {
      publish("server.error", { server: "kafka", error: error as Error });
    }
  }

  #do(running: Running, effect: Effect): void {
    const { timers } = running;
    switch (effect.type) {
      case "join-answer":
      case "sync-answer":
        answer(effect.to, effect.answer);
        break;
      case "heartbeat-answer":
        answer(effect.to, { errorCode: effect.errorCode });
        break;
      case "leave-answer":
        answer(effect.to, { errorCode: effect.errorCode, members: effect.members });
        break;
      case "start-timer": {
        const { name, ms } = effect;
        const known = timers.get(name);
        if (known?.ms === ms) {
          known.timeout.refresh();
          break;
        }
        if (known !== undefined) clearTimeout(known.timeout);
        const timeout = setTimeout(() => {
          timers.delete(name);
          this.#step(running, expiry(name));
        }, ms);
        // Members that are gone must not keep a process alive.
        timeout.unref();
        timers.set(name, { timeout, ms });
        break;
      }
      case "stop-timer": {
        const known = timers.get(effect.name);
        if (known !== undefined) clearTimeout(known.timeout);
        timers.delete(effect.name);
      }
    }
  }
}

function answer(token: Token, value: unknown): void {
  (token as { resolve(value: unknown): void }).resolve(value);
}

function expiry(name: TimerName): Input {
  if (name === "rebalance") return { type: "rebalance-timeout" };
  if (name === "sync") return { type: "sync-timeout" };
  const memberId = name.slice(name.indexOf(":") + 1);
  return { type: name.startsWith("session:") ? "session-timeout" : "pending-timeout", memberId };
}
