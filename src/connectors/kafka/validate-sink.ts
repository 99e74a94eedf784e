import { MillraceError } from "../../errors.ts";
import { parseKafkaOptions } from "../../kafka/client/options.ts";
import type { DataType } from "../../types/data-type.ts";
import type { SinkRequest } from "../connector.ts";
import { kafkaSettings } from "./options.ts";

/** Checks what Spark's KafkaWriter checks. Throws SINK_SCHEMA_MISMATCH, INVALID_OPTION, MISSING_OPTION. */
export function validateSink(request: SinkRequest): void {
  parseKafkaOptions(kafkaSettings(request.options, "sink"));
  const types = new Map(request.schema.fields.map((f) => [f.name, f.type]));
  const { keyColumn } = request.options;
  if (keyColumn !== undefined && (request.options.valueFormat === undefined || !types.has(keyColumn))) {
    throw new MillraceError("INVALID_OPTION", `The option "keyColumn" is "${keyColumn}".`, {
      hint: `It goes with the option "valueFormat", and names one of: ${[...types.keys()].join(", ")}.`,
      parameters: { option: "keyColumn" },
    });
  }
  if (request.options.valueFormat !== undefined) {
    require(new Map(), "topic", ["string"], request.options.topic === undefined);
    return;
  }
  require(types, "value", ["string", "binary"], true);
  require(types, "key", ["string", "binary"], false);
  require(types, "topic", ["string"], request.options.topic === undefined);
  require(types, "partition", ["integer"], false);
  const headers = types.get("headers");
  if (headers !== undefined && !isHeaders(headers)) {
    throw mismatch('The column "headers" must be array<struct<key:string,value:binary>>.');
  }
}

function require(types: ReadonlyMap<string, DataType>, name: string, kinds: readonly string[], needed: boolean): void {
  const type = types.get(name);
  if (type === undefined) {
    if (!needed) return;
    throw mismatch(
      name === "topic"
        ? 'The Kafka sink needs the option "topic" or a column "topic".'
        : `The Kafka sink needs a column "${name}"; there are: ${[...types.keys()].join(", ")}.`,
      name === "value"
        ? 'For example .select(to_json(struct("*")).as("value")), or the option valueFormat "json".'
        : undefined,
    );
  }
  if (!kinds.includes(type.kind)) {
    throw mismatch(`The column "${name}" is ${type.kind}; it must be ${kinds.join(" or ")}.`, "Cast the column.");
  }
}

function isHeaders(type: DataType): boolean {
  if (type.kind !== "array" || type.elementType.kind !== "struct") return false;
  const [key, value, ...more] = type.elementType.fields;
  return (
    more.length === 0 &&
    key?.name === "key" &&
    key.type.kind === "string" &&
    value?.name === "value" &&
    value.type.kind === "binary"
  );
}

function mismatch(message: string, hint?: string): MillraceError {
  return new MillraceError("SINK_SCHEMA_MISMATCH", message, { hint });
}
