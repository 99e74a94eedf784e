import { MillraceError } from "../../errors.ts";
import { publish } from "../../events.ts";
import type { KafkaClientOptions, PartitionOffset, TopicPartition } from "../../kafka/client/index.ts";
import { parseKafkaOptions } from "../../kafka/client/options.ts";
import type { OptionSpec, Options } from "../connector.ts";
import { parseAssign, parseNumbersOption } from "./offsets.ts";

/** Where reading starts or ends. */
export type OffsetLimit =
  | { readonly kind: "earliest" | "latest" }
  | { readonly kind: "offsets"; readonly offsets: ReadonlyMap<string, PartitionOffset> }
  | { readonly kind: "timestamp"; readonly timestamp: number }
  | { readonly kind: "timestamps"; readonly timestamps: ReadonlyMap<string, PartitionOffset> };

export type Subscription =
  | { readonly kind: "assign"; readonly partitions: readonly TopicPartition[] }
  | { readonly kind: "subscribe"; readonly topics: readonly string[] }
  | { readonly kind: "pattern"; readonly pattern: RegExp; readonly text: string };

export interface KafkaSourceOptions {
  readonly client: KafkaClientOptions;
  readonly subscription: Subscription;
  readonly starting: OffsetLimit;
  readonly ending: OffsetLimit;
  readonly whenNoTimestampMatches: "error" | "latest";
  readonly failOnDataLoss: boolean;
  readonly maxOffsetsPerTrigger: number | undefined;
  readonly minOffsetsPerTrigger: number | undefined;
  readonly maxTriggerDelayMs: number;
  readonly pollTimeoutMs: number;
  readonly includeHeaders: boolean;
  readonly lagReportingGroup: string | undefined;
}

const SOURCE = ["source"] as const;
const SINK = ["sink"] as const;
const BOTH = ["source", "sink"] as const;

/** Spark's options of the Kafka connector, and `lagReportingGroup`. */
export const KAFKA_OPTIONS: readonly OptionSpec[] = [
  {
    name: "kafka.bootstrap.servers",
    for: BOTH,
    type: "string",
    required: true,
    env: "MILLRACE_KAFKA",
    doc: "Addresses of brokers, host:port, separated by commas.",
  },
  {
    name: "kafka.sasl.jaas.config",
    for: BOTH,
    type: "string",
    secret: true,
    doc: "User and password for SASL in Java's form.",
  },
  { name: "kafka.sasl.password", for: BOTH, type: "string", secret: true, doc: "Password for SASL." },
  { name: "kafka.ssl.key.password", for: BOTH, type: "string", secret: true, doc: "Password of the private key." },
  { name: "kafka.ssl.keystore.key", for: BOTH, type: "string", secret: true, doc: "The private key (PEM)." },
  {
    name: "kafka.ssl.keystore.password",
    for: BOTH,
    type: "string",
    secret: true,
    doc: "Password of the key store.",
  },
  {
    name: "kafka.ssl.truststore.password",
    for: BOTH,
    type: "string",
    secret: true,
    doc: "Password of the trust store.",
  },
  { name: "subscribe", for: SOURCE, type: "string", doc: "Topics, separated by commas." },
  {
    name: "subscribePattern",
    for: SOURCE,
    type: "string",
    doc: "A regular expression; topics that match it are read.",
  },
  { name: "assign", for: SOURCE, type: "json", doc: 'Topics and partitions, such as {"flights":[0,1]}.' },
  {
    name: "startingOffsets",
    for: SOURCE,
    type: "string",
    doc: 'Where a new query starts: "earliest", "latest" (default of a stream) or JSON with -2 earliest, -1 latest.',
  },
  {
    name: "startingTimestamp",
    for: SOURCE,
    type: "int",
    doc: "Start at the first record at or after this time (milliseconds); wins over the other two.",
  },
  {
    name: "startingOffsetsByTimestamp",
    for: SOURCE,
    type: "json",
    doc: 'The same per partition: {"flights":{"0":1700000000000}}; wins over startingOffsets.',
  },
  {
    name: "startingOffsetsByTimestampStrategy",
    for: SOURCE,
    type: "string",
    default: "error",
    values: ["error", "latest"],
    doc: "What to do when no record is that young: fail, or start at the end.",
  },
  {
    name: "endingOffsets",
    for: SOURCE,
    type: "string",
    doc: 'Batch only: where reading ends: "latest" (default) or JSON with -1 latest.',
  },
  { name: "endingTimestamp", for: SOURCE, type: "int", doc: "Batch only: end before the first record at this time." },
  { name: "endingOffsetsByTimestamp", for: SOURCE, type: "json", doc: "Batch only: the same per partition." },
  {
    name: "failOnDataLoss",
    for: SOURCE,
    type: "boolean",
    default: "true",
    doc: "Fail when offsets or partitions are gone; false: warn and go on.",
  },
  {
    name: "maxOffsetsPerTrigger",
    for: SOURCE,
    type: "int",
    doc: "Most records per batch, split in proportion to each partition's backlog.",
  },
  { name: "minOffsetsPerTrigger", for: SOURCE, type: "int", doc: "Wait for so many records, or maxTriggerDelay." },
  {
    name: "maxTriggerDelay",
    for: SOURCE,
    type: "duration",
    default: "15m",
    doc: "How long minOffsetsPerTrigger may hold a batch back.",
  },
  { name: "minPartitions", for: SOURCE, type: "int", doc: "Accepted for Spark; reading is not split further here." },
  { name: "maxRecordsPerPartition", for: SOURCE, type: "int", doc: "Accepted for Spark; not needed here." },
  { name: "includeHeaders", for: SOURCE, type: "boolean", default: "false", doc: "Add the column headers." },
  {
    name: "kafkaConsumer.pollTimeoutMs",
    for: SOURCE,
    type: "int",
    default: "120000",
    doc: "Give up when no records arrive for so long although there are some.",
  },
  { name: "fetchOffset.numRetries", for: SOURCE, type: "int", doc: "Accepted for Spark; requests are retried anyway." },
  { name: "fetchOffset.retryIntervalMs", for: SOURCE, type: "int", doc: "Accepted for Spark." },
  { name: "groupIdPrefix", for: SOURCE, type: "string", doc: "Accepted for Spark; no consumer group is used." },
  {
    name: "lagReportingGroup",
    for: SOURCE,
    type: "string",
    doc: "Store processed offsets under this group, so that Kafka's tools show the lag. Never read back.",
  },
  { name: "topic", for: SINK, type: "string", doc: "The topic of all records; wins over the column topic." },
  {
    name: "valueFormat",
    for: SINK,
    type: "string",
    values: ["json"],
    doc: "json: the value of a record is one JSON object of all columns. Default: the columns value and key, as in Spark.",
  },
  { name: "keyColumn", for: SINK, type: "string", doc: "With valueFormat: the column that becomes the record's key." },
];

// Kafka settings that Spark refuses, with its advice.
const REFUSED: readonly { name: string; for: "source" | "sink" | "both"; advice: string }[] = [
  {
    name: "auto.offset.reset",
    for: "source",
    advice: 'Use the option "startingOffsets" instead, which offers more: offsets per partition, and timestamps.',
  },
  { name: "key.deserializer", for: "source", advice: "Keys are always bytes; cast the column." },
  { name: "value.deserializer", for: "source", advice: "Values are always bytes; cast the column." },
  {
    name: "enable.auto.commit",
    for: "source",
    advice: "Offsets are kept in the checkpoint, never committed to Kafka.",
  },
  { name: "interceptor.classes", for: "source", advice: "Interceptors could break the query." },
  { name: "key.serializer", for: "sink", advice: "Keys are strings or bytes; cast the column." },
  { name: "value.serializer", for: "sink", advice: "Values are strings or bytes; cast the column." },
];

/** Kafka's own settings among the options, without `kafka.`; refuses those that Spark refuses. */
export function kafkaSettings(options: Options, use: "source" | "sink"): Record<string, string> {
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(options)) {
    if (!name.toLowerCase().startsWith("kafka.")) continue;
    const setting = name.slice("kafka.".length).toLowerCase();
    const refused = REFUSED.find((r) => r.name === setting && r.for === use);
    if (refused !== undefined) {
      throw new MillraceError("INVALID_OPTION", `The option "kafka.${setting}" is not supported.`, {
        hint: refused.advice,
      });
    }
    settings[setting] = value;
  }
  settings["bootstrap.servers"] ??= process.env.MILLRACE_KAFKA ?? "";
  return settings;
}

/** Checks and parses the options of a source as Spark does. Throws INVALID_OPTION and MISSING_OPTION. */
export function parseSourceOptions(options: Options, kind: "stream" | "batch"): KafkaSourceOptions {
  const settings = kafkaSettings(options, "source");
  if (settings["group.id"] !== undefined) {
    publish("warning", {
      code: "KAFKA_GROUP_ID_UNUSED",
      message: 'The option "kafka.group.id" has no effect: no consumer group is used.',
    });
  }
  const stream = kind === "stream";
  if (stream) {
    for (const name of ["endingOffsets", "endingOffsetsByTimestamp", "endingTimestamp"]) {
      if (options[name] !== undefined) {
        throw invalid(`The option "${name}" is not valid in a streaming query.`);
      }
    }
  } else {
    for (const name of ["maxOffsetsPerTrigger", "minOffsetsPerTrigger"]) {
      if (options[name] !== undefined) {
        publish("warning", {
          code: "KAFKA_OPTION_UNUSED",
          message: `The option "${name}" has no effect in a batch query.`,
        });
      }
    }
  }
  const starting = limitOf(options, "starting", stream ? "latest" : "earliest");
  const ending = limitOf(options, "ending", "latest");
  if (!stream) {
    if (starting.kind === "latest" || hasOffset(starting, -1)) {
      throw invalid("The starting offset of a batch query cannot be latest.");
    }
    if (ending.kind === "earliest" || hasOffset(ending, -2)) {
      throw invalid("The ending offset of a batch query cannot be earliest.");
    }
  }
  const maxOffsets = count(options, "maxOffsetsPerTrigger");
  const minOffsets = count(options, "minOffsetsPerTrigger");
  if (maxOffsets !== undefined && minOffsets !== undefined && minOffsets > maxOffsets) {
    throw invalid(
      `"minOffsetsPerTrigger" (${minOffsets}) must not be greater than "maxOffsetsPerTrigger" (${maxOffsets}).`,
    );
  }
  for (const name of ["minPartitions", "maxRecordsPerPartition"]) count(options, name);
  const strategy = options.startingOffsetsByTimestampStrategy?.toLowerCase() ?? "error";
  if (strategy !== "error" && strategy !== "latest") {
    throw invalid(`"startingOffsetsByTimestampStrategy" must be "error" or "latest"; given: "${strategy}".`);
  }
  return {
    client: parseKafkaOptions(settings),
    subscription: subscriptionOf(options),
    starting,
    ending,
    whenNoTimestampMatches: strategy,
    failOnDataLoss: flag(options, "failOnDataLoss", true),
    maxOffsetsPerTrigger: maxOffsets,
    minOffsetsPerTrigger: minOffsets,
    maxTriggerDelayMs: durationMs("maxTriggerDelay", options.maxTriggerDelay ?? "15m"),
    pollTimeoutMs: count(options, "kafkaConsumer.pollTimeoutMs") ?? 120_000,
    includeHeaders: flag(options, "includeHeaders", false),
    lagReportingGroup: options.lagReportingGroup,
  };
}

function subscriptionOf(options: Options): Subscription {
  const given = ["assign", "subscribe", "subscribePattern"].filter((name) => options[name] !== undefined);
  if (given.length !== 1) {
    throw new MillraceError(
      given.length === 0 ? "MISSING_OPTION" : "INVALID_OPTION",
      given.length === 0
        ? 'One of the options "subscribe", "subscribePattern" and "assign" is needed.'
        : `Only one of the options ${given.map((n) => `"${n}"`).join(" and ")} may be given.`,
      { hint: 'For example .option("subscribe", "flights").' },
    );
  }
  const name = given[0]!;
  const text = options[name]!.trim();
  if (text === "") throw invalid(`The option "${name}" is empty.`);
  if (name === "assign") return { kind: "assign", partitions: parseAssign(text) };
  if (name === "subscribe") {
    const topics = [...new Set(text.split(",").map((t) => t.trim()))].filter((t) => t !== "");
    if (topics.length === 0) throw invalid('The option "subscribe" names no topic.');
    return { kind: "subscribe", topics };
  }
  try {
    // Java's Pattern.matches: the whole name.
    return { kind: "pattern", pattern: new RegExp(`^(?:${text})$`, "u"), text };
  } catch {
    throw invalid(`The option "subscribePattern" is not a regular expression: ${text}.`);
  }
}

/** One time for all wins over times per partition, which win over offsets. */
function limitOf(options: Options, side: "starting" | "ending", otherwise: "earliest" | "latest"): OffsetLimit {
  const timestamp = options[`${side}Timestamp`];
  if (timestamp !== undefined) {
    const value = Number(timestamp);
    if (!Number.isSafeInteger(value) || value < 0 || timestamp.trim() === "") {
      throw invalid(`The option "${side}Timestamp" must be milliseconds since 1970; given: "${timestamp}".`);
    }
    return { kind: "timestamp", timestamp: value };
  }
  const byTimestamp = options[`${side}OffsetsByTimestamp`];
  if (byTimestamp !== undefined) {
    return { kind: "timestamps", timestamps: parseNumbersOption(`${side}OffsetsByTimestamp`, byTimestamp) };
  }
  const offsets = options[`${side}Offsets`]?.trim();
  if (offsets === undefined) return { kind: otherwise };
  const word = offsets.toLowerCase();
  if (word === "earliest" || word === "latest") return { kind: word };
  return { kind: "offsets", offsets: parseNumbersOption(`${side}Offsets`, offsets) };
}

function hasOffset(limit: OffsetLimit, offset: number): boolean {
  return limit.kind === "offsets" && [...limit.offsets.values()].some((p) => p.offset === offset);
}

function count(options: Options, name: string): number | undefined {
  const text = options[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value <= 0) {
    throw invalid(`The option "${name}" must be a whole number above zero; given: "${text}".`);
  }
  return value;
}

function flag(options: Options, name: string, otherwise: boolean): boolean {
  const text = options[name]?.toLowerCase();
  if (text === undefined) return otherwise;
  if (text !== "true" && text !== "false") {
    throw invalid(`The option "${name}" must be true or false; given: "${text}".`);
  }
  return text === "true";
}

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  millisecond: 1,
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

function durationMs(name: string, text: string): number {
  const match = /^(\d+)\s*(ms|s|m|min|h|d|milliseconds?|seconds?|minutes?|hours?|days?)?$/.exec(
    text.trim().toLowerCase(),
  );
  if (match === null) throw invalid(`The option "${name}" must be a duration such as 15m; given: "${text}".`);
  const word = match[2] ?? "ms";
  const unit = word.length > 3 && word.endsWith("s") ? word.slice(0, -1) : word;
  return Number(match[1]) * UNITS[unit]!;
}

function invalid(message: string): MillraceError {
  return new MillraceError("INVALID_OPTION", message);
}
