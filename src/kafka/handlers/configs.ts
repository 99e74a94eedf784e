import { ConfigType, configProblem, listOf, TOPIC_CONFIGS } from "../log/topic-config.ts";
import type { Topic } from "../log/topic-store.ts";
import { ErrorCode } from "../wire/error-codes.ts";
import {
  alterConfigs as alterConfigsApi,
  describeConfigs as describeConfigsApi,
  incrementalAlterConfigs as incrementalAlterConfigsApi,
} from "../wire/messages/configs.ts";
import { type Broker, NODE_ID } from "./broker.ts";
import { handler } from "./handler.ts";

const TOPIC = 2;
const BROKER = 4;

/** Where a value comes from, as DescribeConfigs numbers it. */
const Source = { topic: 1, staticBroker: 4, default: 5 } as const;

interface ConfigValue {
  readonly name: string;
  readonly value: string;
  readonly source: number;
  readonly type: number;
  readonly doc: string;
}

/** All settings of a topic, those it has not given with their defaults. */
export function topicConfigs(given: Readonly<Record<string, string>>): ConfigValue[] {
  return Object.entries(TOPIC_CONFIGS).map(([name, definition]) => {
    const own = Object.hasOwn(given, name);
    return {
      name,
      value: own ? given[name]! : definition.default,
      source: own ? Source.topic : Source.default,
      type: ConfigType[definition.type],
      doc: definition.doc,
    };
  });
}

function brokerConfigs(broker: Broker): ConfigValue[] {
  const { host, port } = broker.address;
  const own = (name: string, type: keyof typeof ConfigType, value: unknown, doc: string): ConfigValue => ({
    name,
    value: String(value),
    source: Source.staticBroker,
    type: ConfigType[type],
    doc,
  });
  return [
    own("advertised.listeners", "string", `PLAINTEXT://${host ?? ""}:${port}`, "Where clients reach this node."),
    own("auto.create.topics.enable", "boolean", broker.config.autoCreateTopics, "Asking for a topic makes it."),
    own("broker.id", "int", NODE_ID, "The number of this node."),
    own("default.replication.factor", "int", 1, "There is one node."),
    own("log.dirs", "string", broker.topics.directory, "Where everything is kept."),
    own("node.id", "int", NODE_ID, "The number of this node."),
    own("num.partitions", "int", broker.config.numPartitions, "Partitions of a topic made without saying how many."),
  ];
}

export const describeConfigs = handler(describeConfigsApi, (request, { broker }) => ({
  results: request.resources.map(({ resourceType, resourceName, configurationKeys }) => {
    const resource = { resourceType, resourceName };
    const found = describe(broker, resourceType, resourceName);
    if ("errorCode" in found) return { ...resource, ...found, configs: [] };
    return {
      ...resource,
      errorCode: ErrorCode.NONE,
      errorMessage: null,
      configs: found.configs
        .filter(({ name }) => configurationKeys === null || configurationKeys.includes(name))
        .map(({ name, value, source, type, doc }) => ({
          name,
          value,
          readOnly: resourceType === BROKER,
          configSource: source,
          isSensitive: false,
          synonyms: request.includeSynonyms ? synonyms(name, value, source) : [],
          configType: type,
          documentation: request.includeDocumentation ? doc : null,
        })),
    };
  }),
}));

function synonyms(name: string, value: string, source: number): { name: string; value: string; source: number }[] {
  const own = { name, value, source };
  if (source !== Source.topic) return [own];
  return [own, { name, value: TOPIC_CONFIGS[name]!.default, source: Source.default }];
}

function describe(
  broker: Broker,
  type: number,
  name: string,
): { configs: ConfigValue[] } | { errorCode: ErrorCode; errorMessage: string } {
  if (type === TOPIC) {
    const topic = broker.topics.get(name);
    if (topic !== undefined) return { configs: topicConfigs(topic.configs) };
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, errorMessage: `There is no topic ${name}.` };
  }
  if (type === BROKER) {
    // The empty name stands for the defaults of all nodes, of which none are set.
    if (name === "") return { configs: [] };
    if (name === String(NODE_ID)) return { configs: brokerConfigs(broker) };
    return {
      errorCode: ErrorCode.INVALID_REQUEST,
      errorMessage: `There is no node ${name}; the only one is ${NODE_ID}.`,
    };
  }
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage: `Resources of type ${type} have no settings here.` };
}

/** AlterConfigs (the old way): the settings given replace all those the topic had. */
export const alterConfigs = handler(alterConfigsApi, (request, { broker }) => ({
  responses: request.resources.map(({ resourceType, resourceName, configs }) =>
    alter(broker, resourceType, resourceName, request.validateOnly, () => configs),
  ),
}));

const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

export const incrementalAlterConfigs = handler(incrementalAlterConfigsApi, (request, { broker }) => ({
  responses: request.resources.map(({ resourceType, resourceName, configs }) =>
    alter(broker, resourceType, resourceName, request.validateOnly, (topic) => {
      const values = new Map<string, string | null>(Object.entries(topic.configs));
      for (const { name, configOperation, value } of configs) {
        const definition = Object.hasOwn(TOPIC_CONFIGS, name) ? TOPIC_CONFIGS[name] : undefined;
        if (configOperation === DELETE) {
          if (definition === undefined) return `Unknown topic config name: ${name}`;
          values.delete(name);
        } else if (configOperation === SET) {
          values.set(name, value);
        } else if (configOperation === APPEND || configOperation === SUBTRACT) {
          if (definition?.type !== "list")
            return `Can't append or subtract a value of the setting ${name}: it is no list.`;
          const changed = listOf(value ?? "");
          const now = listOf(values.get(name) ?? definition.default);
          const kept = now.filter((v) => !changed.includes(v));
          values.set(name, (configOperation === APPEND ? [...kept, ...changed] : kept).join(","));
        } else {
          return `Unknown operation ${configOperation} on the setting ${name}.`;
        }
      }
      return Array.from(values, ([name, value]) => ({ name, value }));
    }),
  ),
}));

type NewConfigs = readonly { readonly name: string; readonly value: string | null }[];

function alter(
  broker: Broker,
  resourceType: number,
  resourceName: string,
  validateOnly: boolean,
  change: (topic: Topic) => NewConfigs | string,
) {
  const answer = (errorCode: ErrorCode, errorMessage: string | null) => ({
    resourceType,
    resourceName,
    errorCode,
    errorMessage,
  });
  if (resourceType !== TOPIC) {
    return answer(
      ErrorCode.INVALID_REQUEST,
      "Only the settings of topics can be changed; those of the node are options.",
    );
  }
  const topic = broker.topics.get(resourceName);
  if (topic === undefined) {
    return answer(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `There is no topic ${resourceName}.`);
  }
  const configs = change(topic);
  if (typeof configs === "string") return answer(ErrorCode.INVALID_CONFIG, configs);
  for (const { name, value } of configs) {
    const problem = configProblem(name, value);
    if (problem !== undefined) return answer(ErrorCode.INVALID_CONFIG, problem);
  }
  if (!validateOnly) {
    try {
      broker.topics.setConfigs(topic, Object.fromEntries(configs.map(({ name, value }) => [name, value!])));
    } catch (error) {
      return answer(ErrorCode.KAFKA_STORAGE_ERROR, `The settings cannot be stored: ${(error as Error).message}`);
    }
  }
  return answer(ErrorCode.NONE, null);
}
