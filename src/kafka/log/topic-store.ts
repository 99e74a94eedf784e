import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { MillraceError } from "../../errors.ts";
import { replaceFile } from "./files.ts";
import { PartitionLog } from "./partition-log.ts";
import { settingsOf, type TopicSettings } from "./topic-config.ts";

/** A topic with the logs of its partitions. */
export interface Topic {
  readonly name: string;
  /** Stays the same over restarts; a topic made again under the same name gets another one. */
  readonly id: string;
  /** By partition number. */
  readonly partitions: PartitionLog[];
  /** The settings given for this topic. */
  configs: Readonly<Record<string, string>>;
  settings: TopicSettings;
}

interface StoredTopic {
  name: string;
  id: string;
  partitions: number;
  configs: Record<string, string>;
}

interface Stored {
  version: 1;
  clusterId: string;
  /** Producer ids below were handed out, or may have been. */
  nextProducerId: number;
  topics: StoredTopic[];
}

/** Producer ids are reserved on disk in runs of this length, so that handing one out writes nothing. */
const PRODUCER_ID_BLOCK = 1000;

/**
 * The topics in a directory: `broker.json` says which there are, `logs/<topic id>/<partition>/` holds their logs. Every change is on
 * disk when the call returns.
 */
export class TopicStore {
  readonly directory: string;
  readonly clusterId: string;
  readonly #byName = new Map<string, Topic>();
  readonly #byId = new Map<string, Topic>();
  readonly #syncEachAppend: boolean;
  #nextProducerId: number;
  #reservedProducerIds: number;
  #removals: Promise<unknown> = Promise.resolve();

  constructor(directory: string, options: { syncEachAppend?: boolean } = {}) {
    this.directory = directory;
    this.#syncEachAppend = options.syncEachAppend ?? false;
    mkdirSync(join(directory, LOGS), { recursive: true });
    const stored = readStored(directory);
    this.clusterId = stored?.clusterId ?? randomBytes(16).toString("base64url");
    this.#nextProducerId = stored?.nextProducerId ?? 0;
    this.#reservedProducerIds = this.#nextProducerId;
    for (const topic of stored?.topics ?? []) this.#open(topic);
    if (stored === undefined) this.#store();
    // Logs of topics whose deletion was cut short.
    for (const name of readdirSync(join(directory, LOGS))) {
      if (!this.#byId.has(name)) rmSync(join(directory, LOGS, name), { recursive: true, force: true });
    }
  }

  get(name: string): Topic | undefined {
    return this.#byName.get(name);
  }

  getById(id: string): Topic | undefined {
    return this.#byId.get(id);
  }

  /** By name. */
  all(): Topic[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  create(name: string, partitions: number, configs: Readonly<Record<string, string>> = {}): Topic {
    const topic = this.#open({ name, id: newTopicId(), partitions, configs: { ...configs } });
    try {
      this.#store();
    } catch (error) {
      this.#drop(topic);
      throw error;
    }
    return topic;
  }

  delete(topic: Topic): void {
    this.#byName.delete(topic.name);
    this.#byId.delete(topic.id);
    try {
      this.#store();
    } catch (error) {
      this.#byName.set(topic.name, topic);
      this.#byId.set(topic.id, topic);
      throw error;
    }
    this.#drop(topic);
  }

  addPartitions(topic: Topic, count: number): void {
    const before = topic.partitions.length;
    for (let i = before; i < count; i++) topic.partitions.push(this.#openLog(topic, i));
    try {
      this.#store();
    } catch (error) {
      for (const log of topic.partitions.splice(before)) log.abandon();
      throw error;
    }
  }

  setConfigs(topic: Topic, configs: Readonly<Record<string, string>>): void {
    const before = topic.configs;
    topic.configs = { ...configs };
    try {
      this.#store();
    } catch (error) {
      topic.configs = before;
      throw error;
    }
    topic.settings = settingsOf(configs);
    for (const log of topic.partitions) log.config = topic.settings;
  }

  /** An id that was never handed out in this directory. */
  newProducerId(): number {
    if (this.#nextProducerId === this.#reservedProducerIds) {
      const before = this.#reservedProducerIds;
      this.#reservedProducerIds += PRODUCER_ID_BLOCK;
      try {
        this.#store();
      } catch (error) {
        this.#reservedProducerIds = before;
        throw error;
      }
    }
    return this.#nextProducerId++;
  }

  /** Puts every log on disk. One that fails does not keep the others from it; its error is thrown at the end. */
  async flush(): Promise<void> {
    const errors: unknown[] = [];
    for (const topic of [...this.#byName.values()]) {
      for (const log of topic.partitions) await log.flush().catch((error: unknown) => errors.push(error));
    }
    if (errors.length > 0) throw errors[0];
  }

  async close(): Promise<void> {
    const results = await Promise.allSettled(
      [...this.#byName.values()].flatMap((topic) => topic.partitions.map((log) => log.close())),
    );
    await this.#removals;
    for (const r of results) if (r.status === "rejected") throw r.reason;
  }

  #open(stored: StoredTopic): Topic {
    const topic: Topic = {
      name: stored.name,
      id: stored.id,
      partitions: [],
      configs: stored.configs,
      settings: settingsOf(stored.configs),
    };
    try {
      for (let i = 0; i < stored.partitions; i++) topic.partitions.push(this.#openLog(topic, i));
    } catch (error) {
      for (const log of topic.partitions) log.abandon();
      throw error;
    }
    this.#byName.set(topic.name, topic);
    this.#byId.set(topic.id, topic);
    return topic;
  }

  #openLog(topic: Topic, partition: number): PartitionLog {
    const directory = join(this.directory, LOGS, topic.id, String(partition));
    return PartitionLog.open(directory, `${topic.name}-${partition}`, topic.settings, this.#syncEachAppend);
  }

  #drop(topic: Topic): void {
    this.#byName.delete(topic.name);
    this.#byId.delete(topic.id);
    for (const log of topic.partitions) log.abandon();
    const removal = rm(join(this.directory, LOGS, topic.id), { recursive: true, force: true });
    // What cannot be removed now is removed at the next start.
    this.#removals = Promise.all([this.#removals, removal.catch(() => {})]);
  }

  #store(): void {
    const stored: Stored = {
      version: 1,
      clusterId: this.clusterId,
      nextProducerId: this.#reservedProducerIds,
      topics: this.all().map(({ name, id, partitions, configs }) => ({
        name,
        id,
        partitions: partitions.length,
        configs: { ...configs },
      })),
    };
    replaceFile(join(this.directory, META), `${JSON.stringify(stored, null, 2)}\n`);
  }
}

const META = "broker.json";
const LOGS = "logs";

function readStored(directory: string): Stored | undefined {
  const path = join(directory, META);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    const stored = JSON.parse(text) as Stored;
    if (stored.version === 1 && Array.isArray(stored.topics)) return stored;
  } catch (cause) {
    throw corrupt(path, cause);
  }
  throw corrupt(path);
}

function corrupt(path: string, cause?: unknown): MillraceError {
  return new MillraceError("KAFKA_LOG_CORRUPT", `The list of topics ${path} cannot be read.`, {
    hint: "Restore the file from a copy; the logs beside it are of no use without it.",
    cause,
  });
}

function newTopicId(): string {
  for (;;) {
    const id = randomBytes(16).toString("base64url");
    // A leading dash is awkward on command lines; Kafka avoids it too.
    if (!id.startsWith("-")) return id;
  }
}
