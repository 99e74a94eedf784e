import { resolve } from "node:path";
import type { MillraceConfig } from "../config.ts";
import type { LogLevel } from "../observe/logs.ts";
import { applyEnv, findConfig } from "./config.ts";
import type { CommonOptions } from "./output.ts";

/** Options of commands that start servers. */
export interface StackOptions extends CommonOptions {
  dir?: string;
  host?: string;
  kafkaPort?: number;
  postgresPort?: number;
  redisPort?: number;
  metricsPort?: number;
  otlp?: string;
  logFormat?: "text" | "json";
  logLevel?: LogLevel;
}

/** What options, config file and defaults come to, in this order. */
export interface Settings {
  /** The config file, where there is one. */
  readonly file: string | undefined;
  readonly pipeline: string | undefined;
  /** Absolute. */
  readonly dir: string;
  readonly host: string;
  readonly ports: NonNullable<MillraceConfig["ports"]>;
  /** Folders served beside the dashboard, by their path there. */
  readonly pages: Readonly<Record<string, string>>;
  readonly typeCheck: boolean;
}

/** Reads the config file, sets its variables of the environment. Throws UsageError. */
export async function settle(pipeline: string | undefined, options: StackOptions): Promise<Settings> {
  const found = await findConfig();
  const config: MillraceConfig = found?.config ?? {};
  applyEnv(config);
  const { kafkaPort, postgresPort, redisPort, metricsPort } = options;
  return {
    file: found?.file,
    pipeline: pipeline ?? config.pipeline,
    dir: resolve(options.dir ?? config.dir ?? ".millrace"),
    host: options.host ?? config.host ?? "127.0.0.1",
    ports: {
      ...config.ports,
      ...(kafkaPort !== undefined && { kafka: kafkaPort }),
      ...(postgresPort !== undefined && { postgres: postgresPort }),
      ...(redisPort !== undefined && { redis: redisPort }),
      ...(metricsPort !== undefined && { dashboard: metricsPort }),
    },
    pages: config.public === undefined ? {} : { "/app/": config.public },
    typeCheck: config.typeCheck ?? true,
  };
}
