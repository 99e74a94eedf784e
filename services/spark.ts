import { type ChildProcess, execFile, spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { SparkConnectClient } from "../src/spark/client/client.ts";
import { freePort } from "./free-port.ts";
import { leash } from "./leash.ts";
import { fetchJars, javaProblem } from "./maven.ts";
import { once } from "./once.ts";

const exec = promisify(execFile);

/** Spark 4 needs it. */
const JAVA = 17;

/** What goes with each Spark: its Delta, and the packages of its Python workers (pandas 3 is too new for all of them). */
const VERSIONS = {
  "4.2.0": {
    delta: "4.3.0",
    python: ["pandas==2.3.3", "pyarrow==26.0.1", "grpcio==1.85.1", "grpcio-status==1.85.1", "zstandard==0.25.0"],
  },
  "4.1.1": {
    delta: "4.1.0",
    python: ["pandas==2.3.3", "pyarrow==26.0.1", "grpcio==1.76.0", "grpcio-status==1.76.0", "zstandard==0.25.0"],
  },
  "4.0.0": {
    delta: "4.0.0",
    python: ["pandas==2.3.3", "pyarrow==26.0.1", "grpcio==1.67.0", "grpcio-status==1.67.0"],
  },
} as const;

export type SparkVersion = keyof typeof VERSIONS;

export const SPARK_VERSIONS = Object.keys(VERSIONS) as SparkVersion[];

export interface SparkOptions {
  /** Default 4.2.0. */
  readonly version?: SparkVersion;
  /** Spark's settings, in addition to ours or instead of them. */
  readonly conf?: Readonly<Record<string, string>>;
  /** The JVM's heap, as Spark writes it. Default "1g". */
  readonly memory?: string;
  /** Clients must give it: `spark.connect.authenticate.token`. */
  readonly token?: string;
  /** Default: a free one. */
  readonly port?: number;
  /** Its working folder: warehouse, scratch files. Default: a temporary one, removed at `stop`. */
  readonly dir?: string;
  /** Cores; default 2. */
  readonly cores?: number;
  /**
   * A JVM for short lives: a third less processor time for the start and the first queries, a third less memory, slower in the long run. For tests, not for
   * measurements.
   */
  readonly brief?: boolean;
}

export interface RunningSpark {
  /** For `SparkSession.builder().remote(url)`; holds the token if there is one. */
  readonly url: string;
  readonly port: number;
  readonly version: string;
  /** Of the server as it runs now. */
  readonly pid: number;
  /** The interpreter of its Python workers. */
  readonly python: string;
  readonly dir: string;
  /** What it has printed, over all starts. */
  log(): string;
  /** Sends a signal, by default SIGKILL, and waits until the process is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port, after `kill` or instead of it. */
  restart(): Promise<void>;
  /** Ends it and removes its temporary folder. */
  stop(): Promise<void>;
}

/** A Spark installation: where it is, and with which interpreter its workers run. */
export interface SparkHome {
  readonly home: string;
  readonly python: string;
  /** Of the Kafka and Delta packages. */
  readonly jars: readonly string[];
}

/** Fetches Spark with its Kafka and Delta packages, once. `{ unavailable }` says why there is none. */
export async function sparkHome(version: SparkVersion = "4.2.0"): Promise<SparkHome | { unavailable: string }> {
  const missing = await javaProblem(`Spark ${version}`, JAVA);
  if (missing !== undefined) return { unavailable: missing };
  const { delta, python: requirements } = VERSIONS[version];
  const packages = [`pyspark==${version}`, ...requirements];
  let folder: string;
  try {
    folder = await once(`spark-${version}`, [...packages, `delta ${delta}`].join(" "), async (target) => {
      const pip = async (): Promise<void> => {
        await exec("python3", ["-m", "venv", join(target, "python")], { timeout: 120_000 });
        await exec(join(target, "python/bin/python"), ["-m", "pip", "install", "-q", ...packages], {
          timeout: 1_200_000,
        });
      };
      const artifacts = [`org.apache.spark:spark-sql-kafka-0-10_2.13:${version}`, `io.delta:delta-spark_2.13:${delta}`];
      await Promise.all([pip(), fetchJars(target, artifacts)]);
    });
  } catch (error) {
    return { unavailable: `Spark ${version} could not be fetched: ${(error as Error).message}` };
  }
  const library = join(folder, "python/lib");
  const site = (await readdir(library)).find((name) => name.startsWith("python3"));
  if (site === undefined) return { unavailable: `${library} has no Python` };
  const home = join(library, site, "site-packages/pyspark");
  // What Spark has itself, in whichever version, must not come a second time.
  const own = new Set((await readdir(join(home, "jars"))).map(artifactOf));
  const jars = (await readdir(join(folder, "jars"))).filter((jar) => !own.has(artifactOf(jar))).sort();
  return { home, python: join(folder, "python/bin/python"), jars: jars.map((jar) => join(folder, "jars", jar)) };
}

/** `snappy-java-1.1.10.5.jar` -> `snappy-java`. */
const artifactOf = (jar: string): string => jar.replace(/-\d[\w.-]*\.jar$/, "");

/**
 * A real Spark Connect server with the Kafka and Delta packages, session time zone UTC. It ends with this process, however that ends.
 * `{ unavailable }` says why there is none.
 *
 * ```ts
 * const spark = await startSpark({ memory: "1g" });
 * if ("unavailable" in spark) return;
 * await run(spark.url);
 * await spark.stop();
 * ```
 */
export async function startSpark(options: SparkOptions = {}): Promise<RunningSpark | { unavailable: string }> {
  const version = options.version ?? "4.2.0";
  const installed = await sparkHome(version);
  if ("unavailable" in installed) return installed;
  const port = options.port ?? (await freePort());
  const temporary = options.dir === undefined;
  const dir = resolve(options.dir ?? (await mkdtemp(join(tmpdir(), "millrace-spark-"))));
  await mkdir(dir, { recursive: true });
  const url = `sc://localhost:${port}${options.token === undefined ? "" : `/;token=${encodeURIComponent(options.token)}`}`;
  const conf: Record<string, string> = {
    "spark.connect.grpc.binding.port": `${port}`,
    "spark.connect.grpc.binding.address": "127.0.0.1",
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.sql.warehouse.dir": join(dir, "warehouse"),
    "spark.local.dir": join(dir, "local"),
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    ...(options.brief && { "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC" }),
    ...(options.token !== undefined && { "spark.connect.authenticate.token": options.token }),
    ...options.conf,
  };
  const args = [
    "--class",
    "org.apache.spark.sql.connect.service.SparkConnectServer",
    "--master",
    `local[${options.cores ?? 2}]`,
    "--driver-memory",
    options.memory ?? "1g",
    "--jars",
    installed.jars.join(","),
    ...Object.entries(conf).flatMap(([key, value]) => ["--conf", `${key}=${value}`]),
    "spark-internal",
  ];
  let said = "";
  const launch = (): Server => {
    const child = spawn(join(installed.home, "bin/spark-submit"), args, {
      cwd: dir,
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        ...environment(),
        SPARK_HOME: installed.home,
        PYSPARK_PYTHON: installed.python,
        PYSPARK_DRIVER_PYTHON: installed.python,
        SPARK_LOCAL_IP: "127.0.0.1",
      },
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said = (said + text).slice(-4_000_000);
      });
    }
    return new Server(child);
  };
  const start = async (): Promise<Server> => {
    const before = said.length;
    const server = launch();
    try {
      await answering(server, url, () => said.slice(before));
      return server;
    } catch (error) {
      await server.end("SIGKILL");
      throw error;
    }
  };
  let server: Server;
  try {
    server = await start();
  } catch (error) {
    if (temporary) await rm(dir, { recursive: true, force: true });
    throw error;
  }
  return {
    url,
    port,
    version,
    python: installed.python,
    dir,
    get pid() {
      return server.pid;
    },
    log: () => said,
    kill: async (signal = "SIGKILL") => await server.end(signal),
    async restart() {
      await server.end("SIGKILL");
      server = await start();
    },
    async stop() {
      await server.end("SIGTERM");
      if (temporary) await rm(dir, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/** Ours, without what belongs to another Spark or to a client of one. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(PY)?SPARK_/.test(name)));
}

/** One run of the server, with the Python workers that it starts. */
class Server {
  readonly pid: number;
  readonly #ended: Promise<void>;
  #gone = false;

  constructor(child: ChildProcess) {
    if (child.pid === undefined) throw new Error(`${child.spawnfile} could not be started`);
    this.pid = child.pid;
    leash(child);
    child.unref();
    this.#ended = new Promise((resolve) => {
      child.once("exit", () => {
        this.#gone = true;
        resolve();
      });
    });
  }

  get gone(): boolean {
    return this.#gone;
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (!this.#gone) {
      process.kill(this.pid, signal);
      const force = setTimeout(() => process.kill(-this.pid, "SIGKILL"), 10_000);
      await this.#ended;
      clearTimeout(force);
    }
    try {
      process.kill(-this.pid, "SIGKILL"); // its workers
    } catch {
      // There are none left.
    }
  }
}

/** Waits until the server answers a client. */
async function answering(server: Server, url: string, log: () => string): Promise<void> {
  const deadline = Date.now() + 120_000;
  for (;;) {
    if (server.gone) throw new Error(`Spark ended at its start: ${log().slice(-4000)}`);
    if (Date.now() > deadline) throw new Error(`Spark did not answer within two minutes: ${log().slice(-4000)}`);
    try {
      const client = await SparkConnectClient.connect(url, { connectTimeoutMs: 1_000, keepAliveMs: 0 });
      await client.close();
      return;
    } catch {
      // not yet: `connect` has waited
    }
  }
}
