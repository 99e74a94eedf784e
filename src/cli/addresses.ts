import { resolve } from "node:path";
import { applyEnv, findConfig } from "./config.ts";
import { readRunFiles } from "./run-file.ts";

/** Layers that have an address. */
export type LayerName = "kafka" | "postgres" | "redis" | "lake";

const VARIABLES: Readonly<Record<LayerName, string>> = {
  kafka: "MILLRACE_KAFKA",
  postgres: "MILLRACE_POSTGRES",
  redis: "MILLRACE_REDIS",
  lake: "MILLRACE_LAKE",
};

/** An address and who says so. */
export interface FoundAddress {
  readonly address: string;
  readonly from: "environment" | "running";
}

/**
 * Where a layer is: what the environment says, else where the `dev` or `run` that works in the folder has started it; undefined when
 * neither knows. `dir` undefined: the folder of the config file, else the usual one.
 */
export async function findAddress(layer: LayerName, dir?: string): Promise<FoundAddress | undefined> {
  const config = (await findConfig())?.config;
  applyEnv(config);
  const given = process.env[VARIABLES[layer]];
  if (given) return { address: given, from: "environment" };
  for (const run of (await readRunFiles(resolve(dir ?? config?.dir ?? ".millrace"))).reverse()) {
    const found = run.layers.find((l) => l.name === layer && l.owner === "embedded");
    if (found !== undefined) return { address: found.address, from: "running" };
  }
  return undefined;
}

/** Kafka's address for a command that looks at topics: the option, then `findAddress`, then the usual one. */
export async function kafkaAddress(option: string | undefined): Promise<string> {
  return option ?? (await findAddress("kafka"))?.address ?? "127.0.0.1:9092";
}
