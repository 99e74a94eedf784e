import type { GroupCoordinator } from "../group/coordinator.ts";
import type { OffsetStore } from "../log/offset-store.ts";
import type { TopicStore } from "../log/topic-store.ts";

/** The one node's id. */
export const NODE_ID = 1;

/** What the handlers work on. */
export interface Broker {
  readonly topics: TopicStore;
  readonly offsets: OffsetStore;
  readonly groups: GroupCoordinator;
  readonly config: BrokerConfig;
  /** Where clients reach this broker; the host is undefined when it listens on every address. */
  readonly address: { readonly host: string | undefined; readonly port: number };
}

export interface BrokerConfig {
  readonly numPartitions: number;
  readonly autoCreateTopics: boolean;
  readonly fsync: boolean;
}
