import type { Group } from "../group/group-state.ts";
import { Reader } from "../wire/buffers.ts";

/**
 * The topics that the members of a consumer group subscribe to, read from their metadata (ConsumerProtocolSubscription: version, topics, ...);
 * undefined when it cannot be read.
 */
export function subscribedTopics(group: Group): Set<string> | undefined {
  const topics = new Set<string>();
  try {
    for (const { protocols } of group.members.values()) {
      const metadata = protocols.find((p) => p.name === group.protocolName)?.metadata ?? protocols[0]?.metadata;
      if (metadata === undefined) return undefined;
      const r = new Reader(Buffer.from(metadata));
      r.int16();
      for (let n = r.int32(); n > 0; n--) topics.add(r.utf8(r.int16()));
    }
  } catch {
    return undefined;
  }
  return topics;
}
