import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";
import { leash } from "./leash.ts";
import { fetchJars, javaProblem } from "./maven.ts";
import { once } from "./once.ts";

const KAFKA = "4.2.0";
const SLF4J = "1.7.36";
/** Kafka 4 needs it. */
const JAVA = 17;

const ARTIFACTS = [
  `org.apache.kafka:kafka_2.13:${KAFKA}`,
  `org.apache.kafka:kafka-tools:${KAFKA}`,
  `org.slf4j:slf4j-simple:${SLF4J}`,
];

/** What a program of Kafka's said. */
export interface ToolResult {
  /** Exit code; null when it was stopped because its time was over. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface KafkaTools {
  /** The folder of Kafka's jars. */
  readonly jars: string;
  /** Runs a program to its end, or for `timeoutMs` (default 60 s). */
  run(
    mainClass: string,
    args: readonly string[],
    options?: { stdin?: string; timeoutMs?: number },
  ): Promise<ToolResult>;
  /** Starts a program that stays. */
  start(mainClass: string, args: readonly string[]): ChildProcess;
}

/**
 * Apache Kafka's own command-line programs, fetched once through Maven. `{ unavailable }` says why there are none.
 *
 * ```ts
 * const tools = await kafkaTools();
 * if ("unavailable" in tools) return;
 * await tools.run("org.apache.kafka.tools.TopicCommand", ["--bootstrap-server", "127.0.0.1:9092", "--list"]);
 * ```
 */
export async function kafkaTools(): Promise<KafkaTools | { unavailable: string }> {
  const missing = await javaProblem(`Kafka ${KAFKA}`, JAVA);
  if (missing !== undefined) return { unavailable: missing };
  let folder: string;
  try {
    folder = await once("kafka", `${KAFKA} ${SLF4J}`, async (target) => void (await fetchJars(target, ARTIFACTS)));
  } catch (error) {
    return { unavailable: `Kafka's jars could not be fetched: ${(error as Error).message}` };
  }
  const jars = join(folder, "jars");
  const start = (mainClass: string, args: readonly string[], logLevel = "warn"): ChildProcess =>
    spawn(
      "java",
      [
        "-Xmx512m",
        "-XX:TieredStopAtLevel=1",
        "-XX:+UseSerialGC",
        `-Dorg.slf4j.simpleLogger.defaultLogLevel=${logLevel}`,
        "-cp",
        `${join(jars, "*")}`,
        mainClass,
        ...args,
      ],
      { stdio: ["pipe", "pipe", "pipe"] },
    );
  return {
    jars,
    start: (mainClass, args) => start(mainClass, args, "info"),
    run: (mainClass, args, { stdin = "", timeoutMs = 60_000 } = {}) =>
      new Promise((resolve, reject) => {
        const child = start(mainClass, args);
        let stdout = "";
        let stderr = "";
        child.stdout!.setEncoding("utf8").on("data", (text: string) => {
          stdout += text;
        });
        child.stderr!.setEncoding("utf8").on("data", (text: string) => {
          stderr += text;
        });
        const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
        child.on("error", reject);
        child.on("close", (code) => {
          clearTimeout(timer);
          resolve({ code, stdout, stderr });
        });
        // A program that ends before it read everything says why itself.
        child.stdin!.on("error", () => {});
        child.stdin!.end(stdin);
      }),
  };
}

export interface RealKafka {
  /** host:port for clients. */
  readonly bootstrap: string;
  readonly version: string;
  stop(): Promise<void>;
}

/**
 * A real single-node Apache Kafka (KRaft) with a folder of its own, on a free port or the given one. `{ unavailable }` says why there is
 * none.
 */
export async function startRealKafka(options: { port?: number } = {}): Promise<RealKafka | { unavailable: string }> {
  const tools = await kafkaTools();
  if ("unavailable" in tools) return tools;
  const directory = await mkdtemp(join(tmpdir(), "millrace-real-kafka-"));
  const [port, controller] = [options.port ?? (await freePort()), await freePort()];
  const config = join(directory, "server.properties");
  const listeners = `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`;
  await writeFile(
    config,
    [
      "process.roles=broker,controller",
      "node.id=1",
      `controller.quorum.bootstrap.servers=127.0.0.1:${controller}`,
      `listeners=${listeners}`,
      `advertised.listeners=${listeners}`,
      "controller.listener.names=CONTROLLER",
      "inter.broker.listener.name=PLAINTEXT",
      "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
      `log.dirs=${join(directory, "logs")}`,
      "num.partitions=4",
      "offsets.topic.replication.factor=1",
      "offsets.topic.num.partitions=1",
      "transaction.state.log.replication.factor=1",
      "transaction.state.log.num.partitions=1",
      "transaction.state.log.min.isr=1",
      "share.coordinator.state.topic.replication.factor=1",
      "share.coordinator.state.topic.min.isr=1",
      "group.initial.rebalance.delay.ms=0",
      "",
    ].join("\n"),
  );
  const clusterId = Buffer.from(`millrace-${port}`.padEnd(16, "-")).toString("base64url");
  const format = await tools.run("kafka.tools.StorageTool", ["format", "--standalone", "-t", clusterId, "-c", config]);
  if (format.code !== 0) {
    await rm(directory, { recursive: true, force: true });
    throw new Error(`Kafka's storage could not be formatted: ${format.stderr || format.stdout}`);
  }
  const broker = tools.start("kafka.Kafka", [config]);
  leash(broker);
  const exited = new Promise<void>((resolve) => broker.on("close", () => resolve()));
  const stop = async (): Promise<void> => {
    broker.kill("SIGKILL");
    await exited;
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await started(broker);
  } catch (error) {
    await stop();
    throw error;
  }
  return { bootstrap: `127.0.0.1:${port}`, version: KAFKA, stop };
}

/** Resolves when the broker says that it has started. */
function started(broker: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let said = "";
    const timer = setTimeout(
      () => reject(new Error(`Kafka did not start within a minute: ${said.slice(-2000)}`)),
      60_000,
    );
    const look = (text: string): void => {
      said = (said + text).slice(-20_000);
      if (!said.includes("Kafka Server started")) return;
      clearTimeout(timer);
      resolve();
    };
    broker.stdout!.setEncoding("utf8").on("data", look);
    broker.stderr!.setEncoding("utf8").on("data", look);
    broker.on("close", (code) => {
      clearTimeout(timer);
      reject(new Error(`Kafka ended with ${code}: ${said.slice(-2000)}`));
    });
  });
}
