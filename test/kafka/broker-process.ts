import { startKafkaServer } from "../../src/kafka/server.ts";

/** A broker in a process of its own, to be killed: directory, port, flush interval. Prints its port when it listens. */
const [directory, port, flushIntervalMs] = process.argv.slice(2);
const kafka = await startKafkaServer({
  directory: directory!,
  port: Number(port),
  flushIntervalMs: Number(flushIntervalMs),
});
console.log(kafka.port);
