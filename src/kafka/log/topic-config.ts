import { nearest } from "../../errors.ts";

/** Types as DescribeConfigs numbers them. */
export const ConfigType = { boolean: 1, string: 2, int: 3, long: 5, double: 6, list: 7 } as const;

export interface ConfigDefinition {
  readonly type: keyof typeof ConfigType;
  readonly default: string;
  readonly min?: number;
  readonly max?: number;
  /** Allowed values, or allowed elements of a list. */
  readonly values?: readonly string[];
  readonly doc: string;
}

const LONG_MAX = "9223372036854775807";
const never = "Stored and shown; has no effect on a single node.";
const later = "Stored and shown; nothing is deleted or compacted.";

/** Kafka's topic settings, all of them, with Kafka's defaults. */
export const TOPIC_CONFIGS: Readonly<Record<string, ConfigDefinition>> = {
  "cleanup.policy": {
    type: "list",
    default: "delete",
    values: ["delete", "compact"],
    doc: `delete, compact or both. ${later}`,
  },
  "compression.gzip.level": {
    type: "int",
    default: "-1",
    min: -1,
    max: 9,
    doc: "Batches keep the producer's compression.",
  },
  "compression.lz4.level": {
    type: "int",
    default: "9",
    min: 1,
    max: 17,
    doc: "Batches keep the producer's compression.",
  },
  "compression.type": {
    type: "string",
    default: "producer",
    values: ["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"],
    doc: "Batches keep the producer's compression.",
  },
  "compression.zstd.level": {
    type: "int",
    default: "3",
    min: -131072,
    max: 22,
    doc: "Batches keep the producer's compression.",
  },
  "delete.retention.ms": { type: "long", default: "86400000", min: 0, doc: later },
  "file.delete.delay.ms": { type: "long", default: "60000", min: 0, doc: later },
  "flush.messages": {
    type: "long",
    default: LONG_MAX,
    min: 1,
    doc: "Stored and shown; the log is put on disk by an interval or with each append.",
  },
  "flush.ms": {
    type: "long",
    default: LONG_MAX,
    min: 0,
    doc: "Stored and shown; the log is put on disk by an interval or with each append.",
  },
  "follower.replication.throttled.replicas": { type: "list", default: "", doc: never },
  "index.interval.bytes": {
    type: "int",
    default: "4096",
    min: 0,
    doc: "Bytes of batches between two entries of the offset index.",
  },
  "leader.replication.throttled.replicas": { type: "list", default: "", doc: never },
  "local.retention.bytes": { type: "long", default: "-2", min: -2, doc: never },
  "local.retention.ms": { type: "long", default: "-2", min: -2, doc: never },
  "max.compaction.lag.ms": { type: "long", default: LONG_MAX, min: 1, doc: later },
  "max.message.bytes": {
    type: "int",
    default: "1048588",
    min: 0,
    doc: "The largest record batch that is taken, as it is sent.",
  },
  "message.timestamp.after.max.ms": {
    type: "long",
    default: "3600000",
    min: 0,
    doc: "How far a record's timestamp may lie in the future.",
  },
  "message.timestamp.before.max.ms": {
    type: "long",
    default: LONG_MAX,
    min: 0,
    doc: "How far a record's timestamp may lie in the past.",
  },
  "message.timestamp.type": {
    type: "string",
    default: "CreateTime",
    values: ["CreateTime", "LogAppendTime"],
    doc: "Whether records keep the producer's timestamp.",
  },
  "min.cleanable.dirty.ratio": { type: "double", default: "0.5", min: 0, max: 1, doc: later },
  "min.compaction.lag.ms": { type: "long", default: "0", min: 0, doc: later },
  "min.insync.replicas": { type: "int", default: "1", min: 1, doc: never },
  preallocate: { type: "boolean", default: "false", doc: never },
  "remote.log.copy.disable": { type: "boolean", default: "false", doc: never },
  "remote.log.delete.on.disable": { type: "boolean", default: "false", doc: never },
  "remote.storage.enable": { type: "boolean", default: "false", values: ["false"], doc: "There is no remote storage." },
  "retention.bytes": { type: "long", default: "-1", doc: later },
  "retention.ms": { type: "long", default: "604800000", min: -1, doc: later },
  "segment.bytes": {
    type: "int",
    default: "1073741824",
    min: 14,
    doc: "Size at which a log file is closed and the next one started.",
  },
  "segment.index.bytes": { type: "int", default: "10485760", min: 4, doc: never },
  "segment.jitter.ms": { type: "long", default: "0", min: 0, doc: later },
  "segment.ms": { type: "long", default: "604800000", min: 1, doc: later },
  "unclean.leader.election.enable": { type: "boolean", default: "false", doc: never },
};

/** Why a setting cannot be taken, or undefined. */
export function configProblem(name: string, value: string | null): string | undefined {
  const definition = Object.hasOwn(TOPIC_CONFIGS, name) ? TOPIC_CONFIGS[name] : undefined;
  if (definition === undefined) {
    const near = nearest(name, Object.keys(TOPIC_CONFIGS));
    return `Unknown topic config name: ${name}${near === undefined ? "" : `; did you mean ${near}?`}`;
  }
  if (value === null) return `Null value not supported for topic configs: ${name}`;
  const invalid = `Invalid value ${value} for configuration ${name}`;
  switch (definition.type) {
    case "boolean":
      if (value !== "true" && value !== "false") return `${invalid}: Expected value to be either true or false`;
      break;
    case "int":
    case "long": {
      if (!/^[+-]?\d{1,19}$/.test(value)) return `${invalid}: Not a number of type ${definition.type.toUpperCase()}`;
      const n = BigInt(value);
      if (n !== BigInt.asIntN(definition.type === "int" ? 32 : 64, n)) {
        return `${invalid}: Not a number of type ${definition.type.toUpperCase()}`;
      }
      return outOfRange(invalid, Number(value), definition);
    }
    case "double":
      if (!Number.isFinite(Number(value)) || value.trim() === "") return `${invalid}: Not a number of type DOUBLE`;
      return outOfRange(invalid, Number(value), definition);
  }
  if (definition.values !== undefined) {
    const given = definition.type === "list" ? listOf(value) : [value];
    const wrong = given.find((v) => !definition.values!.includes(v));
    if (wrong !== undefined || given.length === 0) {
      return `${invalid}: String must be one of: ${definition.values.join(", ")}`;
    }
  }
  return undefined;
}

function outOfRange(invalid: string, value: number, { min, max }: ConfigDefinition): string | undefined {
  if (min !== undefined && value < min) return `${invalid}: Value must be at least ${min}`;
  if (max !== undefined && value > max) return `${invalid}: Value must be no more than ${max}`;
  return undefined;
}

export function listOf(value: string): string[] {
  return value
    .split(",")
    .map((v) => v.trim())
    .filter((v) => v !== "");
}

/** What a topic's settings come to, for the code that acts on them. */
export interface TopicSettings {
  readonly segmentBytes: number;
  readonly indexIntervalBytes: number;
  readonly maxMessageBytes: number;
  readonly logAppendTime: boolean;
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  readonly compacted: boolean;
}

/** `configs` are the topic's own settings, all of them valid. */
export function settingsOf(configs: Readonly<Record<string, string>>): TopicSettings {
  const text = (name: string): string => configs[name] ?? TOPIC_CONFIGS[name]!.default;
  return {
    segmentBytes: Number(text("segment.bytes")),
    indexIntervalBytes: Number(text("index.interval.bytes")),
    maxMessageBytes: Number(text("max.message.bytes")),
    logAppendTime: text("message.timestamp.type") === "LogAppendTime",
    timestampBeforeMaxMs: Number(text("message.timestamp.before.max.ms")),
    timestampAfterMaxMs: Number(text("message.timestamp.after.max.ms")),
    compacted: listOf(text("cleanup.policy")).includes("compact"),
  };
}
