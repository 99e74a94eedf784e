import type { Broker } from "./broker.ts";

/** How long the offsets of a group without members are kept (Kafka's offsets.retention.minutes). */
const OFFSETS_RETENTION_MS = 7 * 86_400_000;

/**
 * Forgets what has outlived its time: empty groups that committed nothing, and those that had no member and committed nothing for a week.
 * `now` is in milliseconds.
 */
export function expireOffsets({ offsets, groups }: Pick<Broker, "offsets" | "groups">, now: number): void {
  const before = now - OFFSETS_RETENTION_MS;
  for (const { group } of [...offsets.groups()]) {
    const committed = [...offsets.offsets(group)];
    const old = committed.every((o) => o.timestamp < before);
    if (old && groups.isIdleSince(group, committed.length === 0 ? now : before)) offsets.forgetGroup(group);
  }
  groups.sweep();
}
