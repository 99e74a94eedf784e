/** `npm run services`: real servers for hand use, until Ctrl-C. */
import { createServer } from "node:net";
import { Argument, Command, InvalidArgumentError, Option } from "commander";
import { startRealKafka } from "./kafka.ts";
import { startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import { SPARK_VERSIONS, type SparkVersion, startSpark } from "./spark.ts";

interface Options {
  readonly kafkaPort?: number;
  readonly sparkPort?: number;
  readonly postgresPort?: number;
  readonly redisPort?: number;
  readonly sparkVersion: SparkVersion;
  readonly sparkMemory: string;
  readonly sparkConf: Record<string, string>;
}

interface Running {
  readonly title: string;
  readonly address: string;
  stop(): Promise<void>;
}

interface Service {
  /** Where it is looked for by those who are not told; taken when it is free. */
  readonly port: number;
  readonly variable: string;
  start(port: number, options: Options): Promise<Running | { readonly unavailable: string }>;
}

const SERVICES: Record<string, Service> = {
  kafka: {
    port: 9092,
    variable: "MILLRACE_KAFKA",
    async start(port) {
      const kafka = await startRealKafka({ port });
      if ("unavailable" in kafka) return kafka;
      return { title: `Kafka ${kafka.version}`, address: kafka.bootstrap, stop: kafka.stop };
    },
  },
  spark: {
    port: 15002,
    variable: "SPARK_REMOTE",
    async start(port, { sparkVersion, sparkMemory, sparkConf }) {
      const spark = await startSpark({ port, version: sparkVersion, memory: sparkMemory, conf: sparkConf });
      if ("unavailable" in spark) return spark;
      return { title: `Spark ${spark.version}`, address: spark.url, stop: () => spark.stop() };
    },
  },
  postgres: {
    port: 5432,
    variable: "MILLRACE_POSTGRES",
    async start(port) {
      const postgres = await startPostgres({ port });
      if ("unavailable" in postgres) return postgres;
      return { title: `PostgreSQL ${postgres.version}`, address: postgres.url, stop: () => postgres.stop() };
    },
  },
  redis: {
    port: 6379,
    variable: "MILLRACE_REDIS",
    async start(port) {
      const redis = await startRedis({ port });
      if ("unavailable" in redis) return redis;
      return { title: `Redis ${redis.version}`, address: redis.url, stop: () => redis.stop() };
    },
  },
};

function port(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) {
    throw new InvalidArgumentError("It must be from 0 (any free port) to 65535.");
  }
  return value;
}

function setting(text: string, before: Record<string, string>): Record<string, string> {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("It must be key=value.");
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

/** The port as it was asked for; else the usual one when nobody has it; else any. */
async function choose(asked: number | undefined, usual: number): Promise<number> {
  const tryPort = (candidate: number): Promise<number | undefined> =>
    new Promise((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(undefined));
      server.listen(candidate, "127.0.0.1", () => {
        const address = server.address();
        server.close(() => resolve(typeof address === "object" ? address?.port : undefined));
      });
    });
  if (asked !== undefined && asked !== 0) {
    if ((await tryPort(asked)) === undefined) throw new Error(`port ${asked} is taken`);
    return asked;
  }
  const free = (asked === undefined ? await tryPort(usual) : undefined) ?? (await tryPort(0));
  if (free === undefined) throw new Error("there is no free port");
  return free;
}

async function main(names: readonly string[], options: Options): Promise<void> {
  const running: Running[] = [];
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      // Asked a second time: at once. The servers end with this process; their temporary folders stay.
      if (ended.signal.aborted) process.exit(130);
      ended.abort();
    });
  }
  const stop = async (): Promise<void> => {
    await Promise.allSettled(running.splice(0).map((service) => service.stop()));
  };

  const wanted = names.length > 0 ? [...new Set(names)] : Object.keys(SERVICES);
  const log = (text: string): void => void process.stderr.write(`${text}\n`);
  log(`starting ${wanted.join(", ")}; what is missing is fetched first`);
  const exports: string[] = [];
  const starting = wanted.map(async (name) => {
    const service = SERVICES[name]!;
    try {
      const asked = (options as unknown as Record<string, number | undefined>)[`${name}Port`];
      const got = await service.start(await choose(asked, service.port), options);
      if ("unavailable" in got) return log(`${name.padEnd(16)} not available: ${got.unavailable}`);
      running.push(got);
      exports.push(`export ${service.variable}='${got.address}'`);
      log(`${got.title.padEnd(16)} ${got.address}`);
    } catch (error) {
      log(`${name.padEnd(16)} did not start: ${(error as Error).message}`);
    }
  });
  const stopped = new Promise<void>((resolve) => {
    if (ended.signal.aborted) resolve();
    ended.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await Promise.race([Promise.all(starting), stopped]);
  if (running.length === 0 && !ended.signal.aborted) {
    process.exitCode = 1;
    return;
  }
  if (!ended.signal.aborted) {
    // The exports alone on standard output: `npm run -s services > env` can be sourced.
    process.stdout.write(`${exports.sort().join("\n")}\n`);
    log("");
    log("With these set, in another terminal:");
    log("  npm start -- --once --limit 100000 --fresh   the flights example on these servers");
    log("  npm run millrace -- run pipeline.ts          a pipeline of your own");
    log("  npm run millrace -- peek flights -n 3        records of a topic");
    log("Ctrl-C ends them and removes what they stored.");
    // Holds the process; the servers are tied to it, not it to them.
    const hold = setInterval(() => {}, 1 << 30);
    await stopped;
    clearInterval(hold);
  }
  log("ending");
  await stop();
  await Promise.allSettled(starting); // one that was still starting
  await stop();
}

const program = new Command("npm run services --")
  .description("Real Kafka, Spark Connect, PostgreSQL and Redis on this machine, until Ctrl-C.")
  .addArgument(new Argument("[services...]", "which; all without").choices(Object.keys(SERVICES)))
  .addOption(
    new Option("--kafka-port <port>", "default: 9092 or, when that is taken, a free one; 0 for a free one").argParser(
      port,
    ),
  )
  .addOption(new Option("--spark-port <port>", "likewise; 15002").argParser(port))
  .addOption(new Option("--postgres-port <port>", "likewise; 5432").argParser(port))
  .addOption(new Option("--redis-port <port>", "likewise; 6379").argParser(port))
  .addOption(new Option("--spark-version <version>", "of Spark").choices(SPARK_VERSIONS).default("4.2.0"))
  .addOption(new Option("--spark-memory <size>", "the heap of Spark's JVM").default("2g"))
  .addOption(
    new Option("--spark-conf <key=value>", "a setting of Spark's; may be repeated")
      .argParser(setting)
      .default({}, "none"),
  )
  .action(async (names: string[], options: Options) => {
    await main(names, options);
    process.exit();
  });
await program.parseAsync();
