import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRealKafka } from "../../services/kafka.ts";
import { startKafkaServer } from "../../src/kafka/server.ts";

export interface TestBroker {
  readonly bootstrap: string;
  stop(): Promise<void>;
}

export async function embeddedBroker(): Promise<TestBroker> {
  const directory = await mkdtemp(join(tmpdir(), "millrace-broker-"));
  const server = await startKafkaServer({ directory, port: 0 });
  return {
    bootstrap: `${server.host}:${server.port}`,
    stop: async () => {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The brokers that the client has to work with; a real one that cannot be had is skipped with the reason. */
export const BROKERS: readonly (readonly [string, () => Promise<TestBroker | { unavailable: string }>])[] = [
  ["the embedded broker", embeddedBroker],
  ["Apache Kafka", startRealKafka],
];
