import { mkdirSync, renameSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Backend, Conf, StreamingQueryHandle } from "../../src/backend.ts";
import type { Connector } from "../../src/connectors/connector.ts";
import { lookupConnector } from "../../src/connectors/index.ts";
import type { SessionContext } from "../../src/dataframe/context.ts";
import type { DataFrame } from "../../src/dataframe/dataframe.ts";
import { DataFrameReader, DataStreamReader } from "../../src/dataframe/reader.ts";
import type { Relation } from "../../src/plan/relation.ts";
import { createSparkBackend, type SparkBackend } from "../../src/spark/backend.ts";
import { startStream } from "../../src/spark/streaming/start.ts";
import { ledger } from "../../src/testing/ledger.ts";

/** A session on a Spark server that also knows formats of tests, the ledger among them. */
export class QuerySession implements SessionContext {
  readonly queries: StreamingQueryHandle[] = [];
  readonly #url: string;
  readonly #conf: Conf;
  readonly #formats: readonly Connector[];
  #spark: Promise<SparkBackend> | undefined;

  constructor(url: string, conf: Conf = {}, formats: readonly Connector[] = []) {
    this.#url = url;
    this.#conf = { "millrace.engine.threads": "1", "millrace.engine.memoryLimit": "256MiB", ...conf };
    this.#formats = [...formats, ledger];
  }

  readonly views = new Map<string, Relation>();
  readonly owner = this;

  async command<T>(run: (engine: Backend) => Promise<T>): Promise<T> {
    return run(await this.backend());
  }

  get read(): DataFrameReader {
    return new DataFrameReader(this);
  }

  get readStream(): DataStreamReader {
    return new DataStreamReader(this);
  }

  spark(): Promise<SparkBackend> {
    this.#spark ??= createSparkBackend({ url: this.#url });
    return this.#spark;
  }

  async backend(): Promise<Backend> {
    const spark = await this.spark();
    const lookup = (format: string): Connector | undefined =>
      this.#formats.find(({ name }) => name === format) ?? lookupConnector(format);
    return new Proxy<Backend>(spark, {
      get: (target, name) => {
        if (name === "stream") {
          return (...[plan, to, conf]: Parameters<Backend["stream"]>) => startStream(spark, plan, to, conf, lookup);
        }
        const value = Reflect.get(target, name, target) as unknown;
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
  }

  confValues(): Conf {
    return this.#conf;
  }

  register(query: StreamingQueryHandle): void {
    this.queries.push(query);
  }

  /** A stream of JSON files, one file a batch, in the order of their numbers. */
  files(folder: string, ddl: string): DataFrame<any> {
    mkdirSync(folder, { recursive: true });
    return this.readStream.format("json").schema(ddl).option("maxFilesPerTrigger", "1").load(folder);
  }

  async close(): Promise<void> {
    for (const query of this.queries.splice(0)) await query.stop();
    await (await this.#spark)?.close();
  }
}

/** Puts a file of rows into the folder of a stream, whole at once. Spark takes files in the order of their times. */
export function addFile(folder: string, number: number, rows: readonly object[]): void {
  mkdirSync(folder, { recursive: true });
  const temporary = join(dirname(folder), `.${number}.json.tmp`);
  writeFileSync(temporary, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  const time = new Date(Date.UTC(2020, 0, 1, 0, 0, number));
  utimesSync(temporary, time, time);
  renameSync(temporary, join(folder, `${String(number).padStart(6, "0")}.json`));
}
