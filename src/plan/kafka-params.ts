import { MillraceError, nearest } from "../errors.ts";
import type { Expr } from "./expr.ts";
import { deserialized, type RecordPart } from "./kafka-deserializers.ts";

/** What a Kafka consumer can be told, by Kafka's names. https://kafka.apache.org/documentation/#consumerconfigs */
const CONSUMER_SETTINGS: ReadonlySet<string> = new Set(
  `allow.auto.create.topics auto.commit.interval.ms auto.include.jmx.reporter auto.offset.reset bootstrap.servers check.crcs
  client.dns.lookup client.id client.rack config.providers connections.max.idle.ms default.api.timeout.ms deserializer.encoding
  enable.auto.commit enable.metrics.push exclude.internal.topics fetch.max.bytes fetch.max.wait.ms fetch.min.bytes group.id
  group.instance.id group.protocol group.remote.assignor heartbeat.interval.ms interceptor.classes isolation.level
  key.deserializer key.deserializer.encoding max.partition.fetch.bytes max.poll.interval.ms max.poll.records metadata.max.age.ms
  metadata.recovery.rebootstrap.trigger.ms metadata.recovery.strategy metric.reporters metrics.num.samples
  metrics.recording.level metrics.sample.window.ms partition.assignment.strategy receive.buffer.bytes reconnect.backoff.max.ms
  reconnect.backoff.ms request.timeout.ms retry.backoff.max.ms retry.backoff.ms sasl.jaas.config sasl.mechanism sasl.password
  sasl.username security.protocol security.providers send.buffer.bytes session.timeout.ms
  socket.connection.setup.timeout.max.ms socket.connection.setup.timeout.ms ssl.ca.location ssl.keystore.location
  ssl.truststore.location value.deserializer value.deserializer.encoding`.split(/\s+/),
);
/** Settings of these families are many and differ between clients. */
const FAMILIES = /^(?:sasl|ssl|security)\./;
/** Options of Spark's own that have a dot in their names. */
const SPARK_DOTTED = ["kafkaConsumer.pollTimeoutMs", "fetchOffset.numRetries", "fetchOffset.retryIntervalMs"];

/** What `options` mean: those that Spark has, and what becomes of the columns `key` and `value`. */
export interface KafkaParams {
  readonly options: Readonly<Record<string, string>>;
  readonly columns: readonly { readonly name: RecordPart; readonly expr: Expr }[];
}

/**
 * Options of a Kafka source in which a consumer's own settings (`bootstrap.servers`, `key.deserializer`, `auto.offset.reset`, ...) stand
 * beside Spark's. They are given Spark's names and meaning here, in the plan, so that every engine understands them: Spark itself ignores
 * what has no `kafka.` before it.
 *
 * @throws MillraceError INVALID_OPTION where one contradicts another or how a query reads; UNKNOWN_OPTION with the nearest name
 */
export function kafkaParams(given: Readonly<Record<string, string>>, use: "stream" | "batch"): KafkaParams {
  const options: Record<string, string> = {};
  const settings: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const setting = consumerSetting(name);
    if (setting === undefined) options[name] = value;
    else settings[setting] = value;
  }
  /** Sets Spark's option; one that says something else is a contradiction, as only the author knows which was meant. */
  const set = (name: string, value: string, setting: string): void => {
    const other = Object.keys(options).find((n) => n.toLowerCase() === name.toLowerCase());
    if (other === undefined) options[name] = value;
    else if (options[other] !== value) {
      throw invalid(
        setting,
        `The options "${setting}" and "${other}" say different things.`,
        `Leave out "${setting}".`,
      );
    }
  };
  const columns: { name: RecordPart; expr: Expr }[] = [];
  for (const [setting, value] of Object.entries(settings)) {
    switch (setting) {
      case "key.deserializer":
      case "value.deserializer": {
        const name = setting === "key.deserializer" ? "key" : "value";
        const encoding = settings[`${setting}.encoding`] ?? settings["deserializer.encoding"] ?? "UTF-8";
        const expr = deserialized(name, value, encoding);
        if (expr !== undefined) columns.push({ name, expr });
        break;
      }
      case "key.deserializer.encoding":
      case "value.deserializer.encoding":
      case "deserializer.encoding":
        break;
      case "auto.offset.reset":
        set("startingOffsets", startingOffsets(value, use), setting);
        break;
      case "enable.auto.commit":
        checkAutoCommit(value);
        break;
      case "group.id": {
        // Spark's kafka.group.id gives all consumers of all queries one group, in which they disturb each other; a prefix names them only.
        const exact = Object.keys(options).find((n) => n.toLowerCase() === "kafka.group.id");
        set(exact ?? "groupIdPrefix", value, setting);
        break;
      }
      case "interceptor.classes":
        throw invalid(
          setting,
          'The option "interceptor.classes" is not supported: an interceptor could change records unseen.',
          "Say in the query what is to happen to the records.",
        );
      default:
        set(`kafka.${setting}`, value, setting);
    }
  }
  return { options, columns };
}

/** The setting of a consumer that an option names, in Kafka's spelling; undefined for the options that Spark has. Throws UNKNOWN_OPTION. */
function consumerSetting(name: string): string | undefined {
  const lower = name.toLowerCase();
  if (!lower.includes(".") || lower.startsWith("kafka.")) return undefined;
  if (SPARK_DOTTED.some((n) => n.toLowerCase() === lower)) return undefined;
  if (CONSUMER_SETTINGS.has(lower) || FAMILIES.test(lower)) return lower;
  const near = /^(?:key|value)\.serializer$/.test(lower)
    ? undefined
    : nearest(lower, [...CONSUMER_SETTINGS, ...SPARK_DOTTED]);
  throw new MillraceError("UNKNOWN_OPTION", `Format \`kafka\` has no source option \`${name}\`.`, {
    hint:
      near !== undefined
        ? `Did you mean \`${near}\`?`
        : lower.endsWith(".serializer")
          ? `It is a producer's. A source takes \`${lower.replace("serializer", "deserializer")}\`.`
          : `If it is a setting of Kafka's client, write \`kafka.${name}\`.`,
    parameters: { option: name, format: "kafka", ...(near !== undefined && { nearest: near }) },
  });
}

function startingOffsets(value: string, use: "stream" | "batch"): string {
  const word = value.trim().toLowerCase();
  if (word === "latest" && use === "batch") {
    throw invalid(
      "auto.offset.reset",
      'The option "auto.offset.reset" is latest, and a read that ends would find nothing there.',
      "Leave it out: the topic is then read from its beginning to its end.",
    );
  }
  if (word === "earliest" || word === "latest") return word;
  if (word === "none") {
    throw invalid(
      "auto.offset.reset",
      'The option "auto.offset.reset" is none: fail where the group has committed no offset. A query commits none to Kafka, so it would never start; where it stands is in its checkpoint.',
      "Write earliest or latest: where the query starts when it has no checkpoint yet.",
    );
  }
  if (word.startsWith("by_duration:")) {
    throw invalid(
      "auto.offset.reset",
      `The option "auto.offset.reset" is ${JSON.stringify(value)}, which a query cannot keep to: it starts at an offset or at a time.`,
      'Use .option("startingTimestamp", milliseconds).',
    );
  }
  throw invalid(
    "auto.offset.reset",
    `The option "auto.offset.reset" is ${JSON.stringify(value)}.`,
    "It is earliest or latest.",
  );
}

function checkAutoCommit(value: string): void {
  const word = value.trim().toLowerCase();
  if (word === "false") return;
  if (word === "true") {
    throw invalid(
      "enable.auto.commit",
      'The option "enable.auto.commit" is true, and that contradicts exactly once: the consumer would tell Kafka that records are done while their results are not stored yet, and a crash in between would lose them. A query keeps its offsets in its checkpoint, together with its results.',
      'Set it to false or leave it out. To see the lag with Kafka\'s tools, use .option("lagReportingGroup", group).',
    );
  }
  throw invalid("enable.auto.commit", `The option "enable.auto.commit" is ${JSON.stringify(value)}.`, "It is false.");
}

function invalid(option: string, message: string, hint: string): MillraceError {
  return new MillraceError("INVALID_OPTION", message, { hint, parameters: { option } });
}
