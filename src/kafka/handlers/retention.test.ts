import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { GroupCoordinator } from "../group/coordinator.ts";
import { OffsetStore } from "../log/offset-store.ts";
import { expireOffsets } from "./retention.ts";

const DAY = 86_400_000;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "millrace-retention-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("groups go a week after their last member and their last commit; those with members stay", async () => {
  const offsets = new OffsetStore(join(directory, "offsets.journal"));
  const groups = new GroupCoordinator(offsets);
  const now = Date.now();
  const commit = (group: string, timestamp: number): void =>
    offsets.commit(group, [{ topic: "t", partition: 0, offset: 1, leaderEpoch: -1, metadata: "", timestamp }]);
  commit("old", now - 8 * DAY);
  commit("young", now - 6 * DAY);
  commit("read", now - 8 * DAY);
  offsets.noteGroup("never committed", "consumer");
  await groups.join("read", {
    memberId: "",
    requireKnownMemberId: false,
    canSkipAssignment: true,
    instanceId: null,
    clientId: "c",
    clientHost: "/127.0.0.1",
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 10_000,
    protocolType: "consumer",
    protocols: [{ name: "range", metadata: Buffer.alloc(0) }],
  });
  expireOffsets({ offsets, groups }, now);
  expect([...offsets.groups()].map((g) => g.group).sort()).toEqual(["read", "young"]);
  groups.close();
  await offsets.close();
});
