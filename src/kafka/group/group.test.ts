import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ErrorCode } from "../wire/error-codes.ts";
import { step } from "./group.ts";
import { commitError } from "./group-questions.ts";
import { type Effect, type Group, type Input, type JoinInput, newGroup, type Token } from "./group-state.ts";

/** A group with its answers collected by the name of the request. */
class Play {
  readonly group: Group = newGroup("g");
  readonly answers = new Map<string, any>();
  readonly timers = new Map<string, number>();
  readonly #names = new Map<Token, string>();
  #ids = 0;

  do(input: Input): Effect[] {
    const effects = step(this.group, input as never);
    for (const e of effects) {
      if (e.type === "start-timer") this.timers.set(e.name, e.ms);
      else if (e.type === "stop-timer") this.timers.delete(e.name);
      else {
        const name = this.#names.get(e.to)!;
        expect(this.answers.has(name), `${name} is answered once`).toBe(false);
        this.answers.set(name, "answer" in e ? e.answer : e);
      }
    }
    return effects;
  }

  token(name: string): Token {
    const token = { name };
    this.#names.set(token, name);
    return token;
  }

  join(name: string, memberId: string, more: Partial<JoinInput> = {}): any {
    this.do({
      type: "join",
      token: this.token(name),
      memberId,
      newMemberId: `m${++this.#ids}`,
      requireKnownMemberId: false,
      canSkipAssignment: true,
      instanceId: null,
      clientId: "client",
      clientHost: "/127.0.0.1",
      sessionTimeoutMs: 10_000,
      rebalanceTimeoutMs: 60_000,
      protocolType: "consumer",
      protocols: [{ name: "range", metadata: Buffer.from(name.split(":")[0]!) }],
      ...more,
    });
    return this.answers.get(name);
  }

  sync(
    name: string,
    memberId: string,
    generation: number,
    assignments: Record<string, string> = {},
    instanceId: string | null = null,
  ): any {
    this.do({
      type: "sync",
      token: this.token(name),
      memberId,
      instanceId,
      generation,
      protocolType: "consumer",
      protocolName: "range",
      assignments: Object.entries(assignments).map(([id, a]) => ({ memberId: id, assignment: Buffer.from(a) })),
    });
    return this.answers.get(name);
  }

  heartbeat(memberId: string, generation: number, instanceId: string | null = null): ErrorCode {
    const effects = this.do({
      type: "heartbeat",
      token: this.token(`heartbeat ${this.#ids++}`),
      memberId,
      instanceId,
      generation,
    });
    return (effects.find((e) => e.type === "heartbeat-answer") as { errorCode: ErrorCode }).errorCode;
  }

  leave(memberId: string, instanceId: string | null = null): ErrorCode {
    const effects = this.do({
      type: "leave",
      token: this.token(`leave ${this.#ids++}`),
      members: [{ memberId, instanceId }],
    });
    return (effects.find((e) => e.type === "leave-answer") as any).members[0].errorCode;
  }

  /** A group of two in generation 2: a leads, both have their assignment. */
  static pair(): Play {
    const p = new Play();
    p.join("a", "");
    p.sync("a sync", "m1", 1, { m1: "all" });
    p.join("b", "");
    p.join("a again", "m1");
    p.sync("b sync 2", "m2", 2);
    p.sync("a sync 2", "m1", 2, { m1: "half", m2: "other" });
    return p;
  }
}

describe("joining", () => {
  test("one member leads a generation of its own at once and gets what it assigns", () => {
    const p = new Play();
    expect(p.join("a", "")).toMatchObject({
      errorCode: 0,
      generation: 1,
      leader: "m1",
      memberId: "m1",
      protocolName: "range",
    });
    expect(p.answers.get("a").members).toEqual([{ memberId: "m1", instanceId: null, metadata: Buffer.from("a") }]);
    expect(p.group.state).toBe("CompletingRebalance");
    expect(p.sync("s", "m1", 1, { m1: "all" })).toMatchObject({ errorCode: 0, assignment: Buffer.from("all") });
    expect(p.group.state).toBe("Stable");
    expect([...p.timers]).toEqual([["session:m1", 10_000]]);
  });

  test("newer clients get an id first, and the group waits for them to come back", () => {
    const p = new Play();
    expect(p.join("a", "", { requireKnownMemberId: true })).toMatchObject({
      errorCode: ErrorCode.MEMBER_ID_REQUIRED,
      memberId: "m1",
    });
    expect(p.timers).toEqual(new Map([["pending:m1", 10_000]]));
    expect(p.group.members.size).toBe(0);
    expect(p.join("b", "")).toBeUndefined();
    expect(p.join("a:2", "m1", { requireKnownMemberId: true })).toMatchObject({ errorCode: 0, generation: 1 });
    expect(p.answers.get("b")).toMatchObject({ generation: 1, leader: "m2" });
  });

  test("those who do not come back in time are forgotten", () => {
    const p = new Play();
    p.join("a", "", { requireKnownMemberId: true });
    p.join("b", "");
    p.do({ type: "pending-timeout", memberId: "m1" });
    expect(p.answers.get("b")).toMatchObject({ errorCode: 0, generation: 1 });
    expect(p.join("a:2", "m1")).toMatchObject({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID });
  });

  test("a second member makes the first one join again; the leader stays", () => {
    const p = Play.pair();
    expect(p.answers.get("b")).toMatchObject({ generation: 2, leader: "m1", members: [] });
    expect(p.answers.get("a again").members).toHaveLength(2);
    expect(p.answers.get("b sync 2")).toMatchObject({ errorCode: 0, assignment: Buffer.from("other") });
    expect(p.group.state).toBe("Stable");
  });

  test("members that do not join in time are out", () => {
    const p = Play.pair();
    p.join("c", "");
    expect(p.heartbeat("m1", 2)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    p.join("a third", "m1");
    p.do({ type: "rebalance-timeout" });
    expect(p.answers.get("c")).toMatchObject({ errorCode: 0, generation: 3 });
    expect(p.heartbeat("m2", 3)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
  });

  test("a follower that asks again gets the present generation, a leader or a changed one starts a rebalance", () => {
    const p = Play.pair();
    expect(p.join("b:again", "m2", { protocols: [{ name: "range", metadata: Buffer.from("b") }] })).toMatchObject({
      generation: 2,
    });
    expect(p.group.state).toBe("Stable");
    expect(p.join("b:changed", "m2", { protocols: [{ name: "range", metadata: Buffer.from("x") }] })).toBeUndefined();
    expect(p.group.state).toBe("PreparingRebalance");
    expect(p.join("a:x", "m1")).toMatchObject({ generation: 3 });
  });

  test("types and protocols must agree; the one most prefer is taken", () => {
    const p = new Play();
    const range = { name: "range", metadata: Buffer.from("r") };
    const sticky = { name: "sticky", metadata: Buffer.from("s") };
    p.join("a", "", { protocols: [range, sticky] });
    expect(p.join("x", "", { protocolType: "connect" })).toMatchObject({
      errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    });
    expect(p.join("x2", "", { protocols: [{ name: "other", metadata: range.metadata }] })).toMatchObject({
      errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL,
    });
    expect(p.join("x3", "", { protocols: [] })).toMatchObject({ errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL });
    p.join("b", "", { protocols: [sticky, range] });
    p.join("c", "", { protocols: [sticky, range] });
    p.join("a2", "m1", { protocols: [range, sticky] });
    expect(p.answers.get("b")).toMatchObject({ protocolName: "sticky" });
  });
});

describe("members in a generation", () => {
  test("heartbeats and commits are checked", () => {
    const p = Play.pair();
    expect(p.heartbeat("m1", 2)).toBe(ErrorCode.NONE);
    expect(p.heartbeat("m1", 1)).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect(p.heartbeat("stranger", 2)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    const commit = (memberId: string, generation: number) =>
      commitError(p.group, { memberId, instanceId: null, generation });
    expect(commit("m1", 2)).toBeUndefined();
    expect(commit("m1", 1)).toBe(ErrorCode.ILLEGAL_GENERATION);
    expect(commit("stranger", 2)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(commit("", -1)).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    p.join("c", "");
    expect(commit("m1", 2)).toBeUndefined();
    p.join("a3", "m1");
    p.join("b3", "m2");
    expect(commit("m1", 3)).toBe(ErrorCode.REBALANCE_IN_PROGRESS);
    expect(commitError(undefined, { memberId: "", instanceId: null, generation: -1 })).toBeUndefined();
    expect(commitError(undefined, { memberId: "m1", instanceId: null, generation: 3 })).toBe(
      ErrorCode.ILLEGAL_GENERATION,
    );
  });

  test("a silent member is out and the others share anew", () => {
    const p = Play.pair();
    p.do({ type: "session-timeout", memberId: "m1" });
    expect(p.group.state).toBe("PreparingRebalance");
    expect(p.join("b:3", "m2")).toMatchObject({ generation: 3, leader: "m2" });
  });

  test("those who leave are gone at once; the last one leaves an empty group", () => {
    const p = Play.pair();
    expect(p.leave("m1")).toBe(ErrorCode.NONE);
    expect(p.leave("m1")).toBe(ErrorCode.UNKNOWN_MEMBER_ID);
    expect(p.leave("m2")).toBe(ErrorCode.NONE);
    expect(p.group.state).toBe("Empty");
    expect(p.timers.size).toBe(0);
    expect(p.join("c", "")).toMatchObject({ errorCode: 0, generation: 4 });
  });

  test("a leader that never assigns is out after its time", () => {
    const p = new Play();
    p.join("a", "");
    p.join("b", "");
    p.join("a again", "m1");
    p.sync("b sync", "m2", 2);
    p.do({ type: "sync-timeout" });
    expect(p.answers.get("b sync")).toMatchObject({ errorCode: ErrorCode.REBALANCE_IN_PROGRESS });
    expect(p.join("b:3", "m2")).toMatchObject({ generation: 3, leader: "m2" });
  });

  test("members of other protocols, generations or names do not sync", () => {
    const p = Play.pair();
    expect(p.sync("s1", "m1", 1)).toMatchObject({ errorCode: ErrorCode.ILLEGAL_GENERATION });
    expect(p.sync("s2", "x", 2)).toMatchObject({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID });
    p.do({
      type: "sync",
      token: p.token("s3"),
      memberId: "m1",
      instanceId: null,
      generation: 2,
      protocolType: "consumer",
      protocolName: "sticky",
      assignments: [],
    });
    expect(p.answers.get("s3")).toMatchObject({ errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL });
    expect(p.sync("s4", "m2", 2)).toMatchObject({ errorCode: 0, assignment: Buffer.from("other") });
  });
});

describe("static members", () => {
  const pair = (): Play => {
    const p = new Play();
    p.join("a", "", { instanceId: "A" });
    p.sync("a sync", "m1", 1, { m1: "all" }, "A");
    p.join("b", "", { instanceId: "B" });
    p.join("a2", "m1", { instanceId: "A" });
    p.sync("b sync", "m2", 2, {}, "B");
    p.sync("a sync 2", "m1", 2, { m1: "half", m2: "other" }, "A");
    return p;
  };

  test("one that starts again keeps its assignment without a rebalance, and its former self is fenced", () => {
    const p = pair();
    expect(p.join("b:new", "", { instanceId: "B" })).toMatchObject({
      errorCode: 0,
      generation: 2,
      leader: "m1",
      memberId: "m4",
    });
    expect(p.group.state).toBe("Stable");
    expect(p.sync("b sync again", "m4", 2, {}, "B")).toMatchObject({ assignment: Buffer.from("other") });
    expect(p.heartbeat("m2", 2, "B")).toBe(ErrorCode.FENCED_INSTANCE_ID);
    expect(commitError(p.group, { memberId: "m2", instanceId: "B", generation: 2 })).toBe(ErrorCode.FENCED_INSTANCE_ID);
  });

  test("a leader that starts again is told to leave the assignment alone", () => {
    const p = pair();
    expect(p.join("a:new", "", { instanceId: "A" })).toMatchObject({
      leader: "m4",
      skipAssignment: true,
      memberId: "m4",
    });
    const old = pair();
    expect(old.join("a:new", "", { instanceId: "A", canSkipAssignment: false })).toMatchObject({
      leader: "m1",
      memberId: "m4",
      members: [],
    });
  });

  test("an administrator removes one by its instance id", () => {
    const p = pair();
    expect(p.leave("m9", "B")).toBe(ErrorCode.FENCED_INSTANCE_ID);
    expect(p.leave("", "B")).toBe(ErrorCode.NONE);
    expect(p.group.state).toBe("PreparingRebalance");
  });

  test("one that is away stays a member until its session ends", () => {
    const p = pair();
    p.join("c", "");
    p.join("a3", "m1", { instanceId: "A" });
    p.do({ type: "rebalance-timeout" });
    expect(p.answers.get("c")).toMatchObject({ errorCode: 0, generation: 3 });
    expect(p.group.members.has("m2")).toBe(true);
    p.do({ type: "session-timeout", memberId: "m2" });
    expect(p.group.members.has("m2")).toBe(false);
  });
});

test("a deleted group answers everybody and nothing any more", () => {
  const p = Play.pair();
  p.join("c", "");
  p.do({ type: "delete" });
  expect(p.answers.get("c")).toMatchObject({ errorCode: ErrorCode.UNKNOWN_MEMBER_ID });
  expect(p.join("d", "")).toMatchObject({ errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE });
  expect(p.timers.size).toBe(0);
});

test("whatever comes in whatever order: every waiting request is a member's, timers match the state, generations only grow", () => {
  const action = fc.record({
    kind: fc.constantFrom(
      "join",
      "rejoin",
      "sync",
      "heartbeat",
      "leave",
      "session",
      "pending",
      "rebalance",
      "sync-timeout",
    ),
    who: fc.nat(5),
    instance: fc.constantFrom(null, null, "A", "B"),
    known: fc.boolean(),
    late: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(action, { maxLength: 60 }), (actions) => {
      const p = new Play();
      const waiting = new Set<string>();
      let generation = 0;
      for (const [n, a] of actions.entries()) {
        const ids = [...p.group.members.keys(), ...p.group.pending, "stranger"];
        const memberId = ids[a.who % ids.length]!;
        const instanceId = p.group.members.get(memberId)?.instanceId ?? null;
        const name = `${n}`;
        const at = p.group.generation - (a.late ? 1 : 0);
        switch (a.kind) {
          case "join":
            waiting.add(name);
            p.join(name, "", { instanceId: a.instance, requireKnownMemberId: a.known });
            break;
          case "rejoin":
            waiting.add(name);
            p.join(name, memberId, { instanceId });
            break;
          case "sync":
            waiting.add(name);
            p.sync(name, memberId, at, Object.fromEntries(ids.map((id) => [id, `for ${id}`])), instanceId);
            break;
          case "heartbeat":
            p.heartbeat(memberId, at, instanceId);
            break;
          case "leave":
            p.leave(memberId, instanceId);
            break;
          case "session":
            if (p.timers.delete(`session:${memberId}`)) p.do({ type: "session-timeout", memberId });
            break;
          case "pending":
            if (p.timers.delete(`pending:${memberId}`)) p.do({ type: "pending-timeout", memberId });
            break;
          case "rebalance":
            if (p.timers.delete("rebalance")) p.do({ type: "rebalance-timeout" });
            break;
          case "sync-timeout":
            if (p.timers.delete("sync")) p.do({ type: "sync-timeout" });
            break;
        }
        const { group } = p;
        const members = [...group.members.values()];
        const parked = members.flatMap((m) => [m.joining, m.syncing].filter((t) => t !== undefined)).length;
        const open = [...waiting].filter((w) => !p.answers.has(w)).length;
        expect(open).toBe(parked);
        // Whoever does not wait is watched, and only members are.
        for (const m of members) {
          const waits = m.joining !== undefined || m.syncing !== undefined;
          expect(p.timers.has(`session:${m.id}`)).toBe(!waits);
        }
        for (const timer of p.timers.keys()) {
          const [kind, id] = [timer.split(":")[0], timer.slice(timer.indexOf(":") + 1)];
          if (kind === "session") expect(group.members.has(id)).toBe(true);
          if (kind === "pending") expect(group.pending.has(id)).toBe(true);
        }
        expect(p.timers.has("rebalance")).toBe(group.state === "PreparingRebalance");
        expect(group.members.size === 0).toBe(group.state === "Empty");
        if (members.length > 0) expect(group.members.has(group.leader!)).toBe(true);
        expect(group.generation).toBeGreaterThanOrEqual(generation);
        generation = group.generation;
      }
    }),
    { numRuns: 2000 },
  );
});

test("a member that joins again while its sync waits is not watched until its join is answered", () => {
  const p = new Play();
  p.join("1", "", { instanceId: "A", requireKnownMemberId: false });
  p.join("2", "", { requireKnownMemberId: false });
  if (p.timers.delete("rebalance")) p.do({ type: "rebalance-timeout" });
  const [first] = [...p.group.members.keys()] as [string];
  const { instanceId } = p.group.members.get(first)!;
  p.sync("3", first, p.group.generation, {}, instanceId);
  p.join("4", first, { instanceId });
  const member = p.group.members.get(first)!;
  expect([member.joining !== undefined, p.timers.has(`session:${first}`)]).toEqual([true, false]);
});
