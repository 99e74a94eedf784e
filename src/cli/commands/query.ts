import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { DataFrame } from "../../dataframe/dataframe.ts";
import { CATALOGS, type CatalogName, listTables, type Places } from "../../query/catalogs.ts";
import { pushDown } from "../../query/push-down.ts";
import { asTexts, type PreparedQuery, placesNamed, prepareQuery, refuseCommand } from "../../query/run-query.ts";
import { SparkSession } from "../../session.ts";
import { type Stack, startStack } from "../../stack.ts";
import { findAddress, type LayerName } from "../addresses.ts";
import { findConfig } from "../config.ts";
import { type CommonOptions, EXIT, note, onStderr, onStdout, print, report, table, UsageError } from "../output.ts";
import { parseTime } from "../records/time.ts";
import { csvLine, jsonLine, rowsTable } from "../rows.ts";
import { aborted, onStop } from "../signals.ts";

export interface QueryOptions extends CommonOptions {
  dir?: string;
  limit?: number;
  csv?: boolean;
  wide?: boolean;
  watch?: number;
  since?: string;
}

const SHOWN_ROWS = 100;
const LAYERS: Readonly<Record<CatalogName, LayerName>> = { lake: "lake", database: "postgres", topics: "kafka" };

/** `millrace query [SQL]`: rows of a SELECT, or the tables that there are. */
export async function query(text: string | undefined, options: QueryOptions): Promise<number> {
  const stop = onStop(() => {});
  let stack: Pick<Stack, "stop"> | undefined;
  let spark: SparkSession | undefined;
  try {
    if (options.csv && options.json) throw new UsageError("--csv and --json exclude each other.");
    const since = options.since === undefined ? undefined : parseTime("--since", options.since, Date.now());
    const sql = text?.trim().replace(/;$/, "") ?? "";
    const isList = sql === "" || /^show\s+tables$/i.test(sql);
    const described = /^desc(?:ribe)?\s+(?:table\s+)?(\S+)$/i.exec(sql)?.[1];
    const asked = described === undefined ? sql : `SELECT * FROM ${described}`;
    if (!isList) refuseCommand(asked);
    const needed = isList ? new Set(CATALOGS) : await placesNamed(asked);
    const { places, started } = await open(needed, options);
    stack = started;
    if (isList) {
      await showTables(places, options);
      return EXIT.ok;
    }
    // Its settings are its own: SPARK_REMOTE leads elsewhere.
    spark = new SparkSession();
    for (;;) {
      const startedAt = performance.now();
      const prepared = await prepareQuery(spark, asked, places, { since });
      const work = described === undefined ? show(prepared, options, startedAt) : showColumns(prepared, options);
      await Promise.race([work, aborted(stop.signal)]);
      if (options.watch === undefined || stop.signal.aborted) break;
      await Promise.race([new Promise((r) => setTimeout(r, options.watch! * 1000)), aborted(stop.signal)]);
      if (stop.signal.aborted) break;
      if (!options.json && !options.csv) print(onStdout("dim", `\n${new Date().toISOString().slice(11, 19)}`));
    }
    return stop.signal.aborted ? stop.code() : EXIT.ok;
  } catch (error) {
    return report(error, options);
  } finally {
    stop.release();
    await spark?.stop();
    await stack?.stop();
  }
}

/** Where the places are: what is set, what runs in the folder, or what its servers have left there, which are started to be looked at. */
async function open(
  needed: ReadonlySet<CatalogName>,
  options: QueryOptions,
): Promise<{ places: Places; started: Pick<Stack, "stop"> | undefined }> {
  const found: Partial<Record<CatalogName, string>> = {};
  for (const name of needed) {
    const address = (await findAddress(LAYERS[name], options.dir))?.address;
    if (address !== undefined) found[name] = address;
  }
  const dir = resolve(options.dir ?? (await findConfig())?.config.dir ?? ".millrace");
  if (found.lake === undefined && existsSync(join(dir, "lake"))) found.lake = join(dir, "lake");
  const want = (["database", "topics"] as const)
    .filter((name) => needed.has(name) && found[name] === undefined && existsSync(join(dir, LAYERS[name])))
    .map((name) => LAYERS[name] as "postgres" | "kafka");
  let started: Stack<"postgres" | "kafka"> | undefined;
  if (want.length > 0) {
    if (!options.json) note(onStderr("dim", `starting ${want.join(" and ")} of ${dir} to look at what is there`));
    started = await startStack({ directory: dir, want, ports: { kafka: 0, postgres: 0 }, env: {} });
    await started.ready;
    for (const name of ["database", "topics"] as const) {
      const layer = LAYERS[name] as "postgres" | "kafka";
      if (want.includes(layer)) found[name] = started.addresses[layer];
    }
  }
  return { places: { lake: found.lake, database: found.database, topics: found.topics }, started };
}

async function showTables(places: Places, options: QueryOptions): Promise<void> {
  const tables = (await listTables(places)).filter((t) => !t.internal);
  if (options.json) {
    for (const { catalog, name, rows, detail } of tables) {
      print(JSON.stringify({ table: `${catalog}.${name}`, rows, detail }));
    }
  } else if (tables.length === 0) {
    note(onStderr("dim", "There are no tables and no topics here."));
  } else {
    const rows = tables.map((t) => [`${t.catalog}.${t.name}`, t.rows === null ? "-" : number(t), t.detail]);
    print(table(["table", "rows", ""], rows));
  }
}

function number({ catalog, rows }: { catalog: CatalogName; rows: number | null }): string {
  return `${catalog === "lake" ? "" : "≈ "}${rows!.toLocaleString("en-US")}`;
}

async function showColumns({ schema }: PreparedQuery, options: QueryOptions): Promise<void> {
  const { typeText } = await import("../rows.ts");
  if (options.json) {
    for (const f of schema.fields)
      print(JSON.stringify({ name: f.name, type: typeText(f.type), nullable: f.nullable }));
  } else {
    print(
      table(
        ["column", "type", "nullable"],
        schema.fields.map((f) => [f.name, typeText(f.type), f.nullable ? "yes" : "no"]),
      ),
    );
  }
}

async function show(prepared: PreparedQuery, options: QueryOptions, startedAt: number): Promise<void> {
  const { schema } = prepared;
  // Nobody wants half of a file without having asked for it.
  const wanted = options.limit ?? (options.json || options.csv ? 0 : SHOWN_ROWS);
  const limited = (df: DataFrame): DataFrame => (wanted === 0 ? df : df.limit(wanted + 1));
  const read = async (df: DataFrame) => {
    const { df: pushed, told } = await pushDown(limited(df));
    if (options.verbose && told !== undefined) note(onStderr("dim", told));
    return pushed.toLocalIterator();
  };
  let count = 0;
  const names = schema.fields.map((f) => f.name);
  if (options.json) {
    for await (const row of await read(asPlaces(prepared))) {
      if (wanted > 0 && count === wanted) return more(wanted);
      count++;
      print(jsonLine(schema, row));
    }
    return;
  }
  const texts = await read(asTexts(prepared));
  const cells = (row: Record<string, string | null>): (string | null)[] => names.map((_, i) => row[`c${i}`] ?? null);
  if (options.csv) {
    print(csvLine(names));
    for await (const row of texts) {
      if (wanted > 0 && count === wanted) return more(wanted);
      count++;
      print(csvLine(cells(row)));
    }
    return;
  }
  const rows: (string | null)[][] = [];
  for await (const row of texts) rows.push(cells(row));
  const isMore = wanted > 0 && rows.length > wanted;
  if (isMore) rows.length = wanted;
  print(rowsTable(schema, rows, options.wide === true));
  if (isMore) more(wanted);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(2);
  const total = `${rows.length.toLocaleString("en-US")} ${rows.length === 1 ? "row" : "rows"}`;
  note(onStderr("dim", `${total} in ${seconds} s`));
}

/** Columns by their place: two may have the same name. */
function asPlaces({ df, schema }: PreparedQuery): DataFrame {
  return df.toDF(...schema.fields.map((_, i) => `c${i}`));
}

function more(shown: number): void {
  note(onStderr("dim", `… more than ${shown.toLocaleString("en-US")} rows; --limit 0 shows all`));
}
