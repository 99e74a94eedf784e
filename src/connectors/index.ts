import { MillraceError, nearest } from "../errors.ts";
import type { Connector } from "./connector.ts";
import { consoleConnector } from "./console.ts";
import { delta } from "./delta.ts";
import { csv, json, parquet } from "./file.ts";
import { kafka } from "./kafka.ts";
import { memory } from "./memory.ts";
import { memoryStream } from "./memory-stream.ts";
import { noop } from "./noop.ts";
import { postgres } from "./postgres.ts";
import { rate, rateMicroBatch } from "./rate.ts";
import { redis } from "./redis.ts";

/** Every format there is. To add one: write its file, import it, add its line. */
export const connectors: readonly Connector[] = [
  consoleConnector,
  csv,
  delta,
  json,
  kafka,
  memory,
  memoryStream,
  noop,
  parquet,
  postgres,
  rate,
  rateMicroBatch,
  redis,
];

const byName = new Map<string, Connector>();
for (const c of connectors) for (const name of [c.name, ...(c.aliases ?? [])]) byName.set(name.toLowerCase(), c);

/** The connector named in `format(...)`, in any case, or undefined. */
export function lookupConnector(format: string): Connector | undefined {
  return byName.get(format.toLowerCase());
}

/**
 * The connector named in `format(...)`.
 *
 * @throws MillraceError DATA_SOURCE_NOT_FOUND, with the nearest name
 */
export function connectorFor(format: string): Connector {
  const connector = lookupConnector(format);
  if (connector !== undefined) return connector;
  const near = nearest(format, byName.keys());
  throw new MillraceError("DATA_SOURCE_NOT_FOUND", `Failed to find the data source: \`${format}\`.`, {
    hint: near === undefined ? `There are ${connectors.map((c) => c.name).join(", ")}.` : `Did you mean \`${near}\`?`,
    parameters: { provider: format },
  });
}

export { memoryTable } from "./memory.ts";
export { redactOptions, resolveOptions } from "./options.ts";
