import { access, constants } from "node:fs/promises";
import { hidePasswords } from "../../types/secrets.ts";
import type { Check, CheckContext, Finding } from "./check.ts";
import { firstLine } from "./machine.ts";

/** So long a server may take to answer. */
const PATIENCE_MS = 5_000;

/** A server whose address is set: it answers, and how old it is. What is not set is embedded and needs no answer. */
function addressCheck(
  name: string,
  variable: string,
  embedded: string,
  ask: (address: string) => Promise<string>,
  fix: string,
): Check {
  return {
    name,
    required: true,
    async run({ env }: CheckContext): Promise<Finding> {
      const address = env[variable];
      if (!address) return { state: "ok", found: embedded };
      const shown = hidePasswords(address);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error(`no answer in ${PATIENCE_MS / 1000} s`)), PATIENCE_MS);
      });
      try {
        return { state: "ok", found: `${await Promise.race([ask(address), late])} at ${shown}` };
      } catch (error) {
        return {
          state: "failed",
          found: `${shown} (${variable}): ${firstLine(error)}`,
          fix: fix.replaceAll("$", variable),
        };
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

export const kafka = addressCheck(
  "Kafka",
  "MILLRACE_KAFKA",
  "embedded (MILLRACE_KAFKA is not set)",
  async (address) => {
    const { KafkaClient } = await import("../../kafka/client/index.ts");
    const client = KafkaClient.connect({
      "bootstrap.servers": address,
      "client.id": "millrace-doctor",
      "default.api.timeout.ms": String(PATIENCE_MS - 1000),
    });
    try {
      const { brokers, topics } = await client.metadata(null);
      return `${brokers.length} ${brokers.length === 1 ? "broker" : "brokers"}, ${topics.size} topics`;
    } finally {
      client.close();
    }
  },
  "Start the broker, or `unset $` to take the embedded one.",
);

export const postgres = addressCheck(
  "PostgreSQL",
  "MILLRACE_POSTGRES",
  "embedded (MILLRACE_POSTGRES is not set)",
  async (address) => {
    const { addressOf, connect } = await import("../../connectors/postgres/connection.ts");
    const { config, label } = addressOf({ url: address });
    const client = await connect({ label, config: { ...config, connectionTimeoutMillis: PATIENCE_MS - 1000 } });
    try {
      const { rows } = await client.query("SHOW server_version");
      return `version ${rows[0].server_version}`;
    } finally {
      await client.end();
    }
  },
  "Start it, check user and password, or `unset $` to take the embedded one.",
);

export const redis = addressCheck(
  "Redis",
  "MILLRACE_REDIS",
  "embedded (MILLRACE_REDIS is not set)",
  async (address) => {
    const { addressOf, connect } = await import("../../connectors/redis/connection.ts");
    const client = await connect(addressOf({ url: address }));
    try {
      const info = String(await client.call("INFO", "server"));
      return `version ${/^(?:valkey|redis)_version:(\S+)/m.exec(info)?.[1] ?? "unknown"}`;
    } finally {
      client.disconnect();
    }
  },
  "Start it, check user and password, or `unset $` to take the embedded one.",
);

export const spark = addressCheck(
  "Spark",
  "SPARK_REMOTE",
  "not used (SPARK_REMOTE is not set): pipelines run in this process",
  async (address) => {
    const { SparkSession } = await import("../../session.ts");
    const session = new SparkSession({ remote: address });
    try {
      await session.range(1).count();
      return `version ${session.version}`;
    } finally {
      // What does not answer is not waited for.
      session.stop().catch(() => {});
    }
  },
  "Start the Spark Connect server, or `unset $` to run in this process.",
);

export const lake: Check = {
  name: "lake",
  required: true,
  async run({ env, directory }) {
    const address = env.MILLRACE_LAKE;
    if (!address) return { state: "ok", found: `${directory}/lake (MILLRACE_LAKE is not set)` };
    const shown = hidePasswords(address);
    if (/^[a-z][a-z0-9+.-]+:\/\//i.test(address) && !address.startsWith("file:")) {
      return { state: "skipped", found: `${shown}: only Spark writes there` };
    }
    const folder = address.replace(/^file:(\/\/)?/, "");
    try {
      await access(folder, constants.R_OK | constants.W_OK);
      return { state: "ok", found: shown };
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT") return { state: "warning", found: `${shown} is not there yet`, fix: `mkdir -p ${folder}` };
      return { state: "failed", found: `${shown} cannot be written (${code})`, fix: `sudo chown -R "$USER" ${folder}` };
    }
  },
};
