import { resolve } from "node:path";
import type { MillraceConfig } from "../config.ts";
import type { LogLevel } from "../observe/logs.ts";
import { applyEnv, findConfig } from "./config.ts";
import type { CommonOptions } from "./output.ts";

const LOOPBACK = ["127.0.0.1", "::1", "localhost"];

/** Options of commands that start servers. */
export interface StackOptions extends CommonOptions {
  dir?: string;
  host?: string;
  kafkaPort?: number;
  postgresPort?: number;
  redisPort?: number;
  metricsPort?: number;
  dashboardHost?: string;
  allowHost?: readonly string[];
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
  /** Where the dashboard listens, who may ask for it, and what they have to know. */
  readonly dashboard: { readonly host: string; readonly allowedHosts: readonly string[]; readonly token?: string };
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
  const dashboardHost = options.dashboardHost ?? config.dashboardHost ?? "127.0.0.1";
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
    dashboard: {
      host: dashboardHost,
      allowedHosts: [...(config.allowedHosts ?? []), ...(options.allowHost ?? [])],
      // Whom the address does not keep out, the token does; an empty one is made anew.
      ...(!LOOPBACK.includes(dashboardHost) && { token: process.env.MILLRACE_TOKEN ?? "" }),
    },
    pages: config.public === undefined ? {} : { "/app/": config.public },
    typeCheck: config.typeCheck ?? true,
  };
}
