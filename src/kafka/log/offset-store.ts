import { Journal } from "./journal.ts";

/** A committed offset as a consumer gave it. */
export interface CommittedOffset {
  readonly offset: number;
  /** -1: not given. */
  readonly leaderEpoch: number;
  readonly metadata: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
}

export interface PartitionOffset extends CommittedOffset {
  readonly topic: string;
  readonly partition: number;
}

type Entry =
  | {
      type: "commit";
      group: string;
      offsets: [
        topic: string,
        partition: number,
        offset: number,
        leaderEpoch: number,
        metadata: string,
        timestamp: number,
      ][];
    }
  | { type: "forget"; group: string; partitions: [topic: string, partition: number][] }
  | { type: "forget-topic"; topic: string }
  | { type: "group"; group: string; protocolType: string }
  | { type: "forget-group"; group: string };

interface StoredGroup {
  protocolType: string;
  topics: Map<string, Map<number, CommittedOffset>>;
}

/** The committed offsets of all groups, in a journal: what `commit` returned from is there after a crash of the process. */
export class OffsetStore {
  readonly #groups = new Map<string, StoredGroup>();
  readonly #journal: Journal;

  constructor(path: string) {
    this.#journal = new Journal(
      path,
      (entry: Entry) => this.#apply(entry),
      () => this.#entries(),
    );
  }

  /** Groups that have offsets or had members. */
  *groups(): Iterable<{ group: string; protocolType: string }> {
    for (const [group, { protocolType }] of this.#groups) yield { group, protocolType };
  }

  protocolType(group: string): string | undefined {
    return this.#groups.get(group)?.protocolType;
  }

  has(group: string): boolean {
    return this.#groups.has(group);
  }

  get(group: string, topic: string, partition: number): CommittedOffset | undefined {
    return this.#groups.get(group)?.topics.get(topic)?.get(partition);
  }

  *offsets(group: string): Iterable<PartitionOffset> {
    for (const [topic, partitions] of this.#groups.get(group)?.topics ?? []) {
      for (const [partition, committed] of partitions) yield { topic, partition, ...committed };
    }
  }

  /** All of them or none. */
  commit(group: string, offsets: readonly PartitionOffset[]): void {
    this.#write({
      type: "commit",
      group,
      offsets: offsets.map((o) => [o.topic, o.partition, o.offset, o.leaderEpoch, o.metadata, o.timestamp]),
    });
  }

  /** Remembers that a group exists and of which kind it is. */
  noteGroup(group: string, protocolType: string): void {
    if (this.protocolType(group) !== protocolType) this.#write({ type: "group", group, protocolType });
  }

  forget(group: string, partitions: readonly { topic: string; partition: number }[]): void {
    this.#write({ type: "forget", group, partitions: partitions.map((p) => [p.topic, p.partition]) });
  }

  forgetTopic(topic: string): void {
    const known = [...this.#groups.values()].some(({ topics }) => topics.has(topic));
    if (known) this.#write({ type: "forget-topic", topic });
  }

  forgetGroup(group: string): void {
    this.#write({ type: "forget-group", group });
  }

  /** Puts everything on disk. */
  async flush(): Promise<void> {
    await this.#journal.sync();
    this.#journal.rewriteIfGrown();
  }

  sync(): Promise<void> {
    return this.#journal.sync();
  }

  close(): Promise<void> {
    return this.#journal.close();
  }

  #write(entry: Entry): void {
    this.#journal.append(entry);
    this.#apply(entry);
  }

  #apply(entry: Entry): void {
    switch (entry.type) {
      case "commit": {
        const { topics } = this.#group(entry.group);
        for (const [topic, partition, offset, leaderEpoch, metadata, timestamp] of entry.offsets) {
          let partitions = topics.get(topic);
          if (partitions === undefined) {
            partitions = new Map();
            topics.set(topic, partitions);
          }
          partitions.set(partition, { offset, leaderEpoch, metadata, timestamp });
        }
        return;
      }
      case "forget": {
        const topics = this.#groups.get(entry.group)?.topics;
        for (const [topic, partition] of entry.partitions) {
          topics?.get(topic)?.delete(partition);
          if (topics?.get(topic)?.size === 0) topics.delete(topic);
        }
        return;
      }
      case "forget-topic":
        for (const { topics } of this.#groups.values()) topics.delete(entry.topic);
        return;
      case "group":
        this.#group(entry.group).protocolType = entry.protocolType;
        return;
      case "forget-group":
        this.#groups.delete(entry.group);
    }
  }

  #group(name: string): StoredGroup {
    let group = this.#groups.get(name);
    if (group === undefined) {
      group = { protocolType: "", topics: new Map() };
      this.#groups.set(name, group);
    }
    return group;
  }

  *#entries(): Iterable<Entry> {
    for (const [group, { protocolType, topics }] of this.#groups) {
      yield { type: "group", group, protocolType };
      for (const [topic, partitions] of topics) {
        yield {
          type: "commit",
          group,
          offsets: Array.from(partitions, ([partition, o]) => [
            topic,
            partition,
            o.offset,
            o.leaderEpoch,
            o.metadata,
            o.timestamp,
          ]),
        };
      }
    }
  }
}
