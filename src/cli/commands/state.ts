import { createInterface } from "node:readline/promises";
import { quoteIdentifier, sqlString } from "../../types/duckdb-types.ts";
import { kafkaAddress } from "../addresses.ts";
import { type FoundCheckpoint, findCheckpoint, findCheckpoints } from "../checkpoints/find.ts";
import { planReset, type ResetTo, reset as resetCheckpoint } from "../checkpoints/reset.ts";
import { type StateContents, type StateTable, withState } from "../checkpoints/state-tables.ts";
import { bytesText } from "../checks/check.ts";
import { type CommonOptions, EXIT, note, onStderr, onStdout, print, report, table, UsageError } from "../output.ts";
import { rawJson, rowsTable } from "../rows.ts";
import { runDirectory } from "./status.ts";

export interface StateOptions extends CommonOptions {
  dir?: string;
}

/** A checkpoint with what its state holds; null where another process has it, or there is none. */
type Looked = FoundCheckpoint & { readonly state: StateContents | null; readonly holder: string | null };

/** `millrace state`: the checkpoints of a directory. */
export async function list(options: StateOptions): Promise<number> {
  try {
    const directory = await runDirectory(options.dir);
    const found: Looked[] = [];
    for (const checkpoint of findCheckpoints(directory)) found.push(await look(checkpoint));
    if (options.json) {
      print(JSON.stringify({ directory, checkpoints: found.map(asJson) }));
    } else if (found.length === 0) note(onStderr("dim", `There are no checkpoints in ${directory}.`));
    else {
      print(
        table(
          ["query", "batch", "planned", "watermark", "state rows", "state", "sources"],
          found.map((c) => [
            c.name,
            c.batchId === null ? "-" : String(c.batchId) + (c.committedBatchId === c.batchId ? "" : " (open)"),
            timeOf(c.timestamp),
            timeOf(c.watermark),
            c.state === null ? (c.holder === null ? "-" : "running") : rowsOf(c.state).toLocaleString("en-US"),
            c.statePath === null ? "none" : bytesText(c.stateBytes),
            c.offsets.map(offsetText).join("; "),
          ]),
        ),
      );
    }
    return EXIT.ok;
  } catch (error) {
    return report(error, options);
  }
}

const rowsOf = (state: StateContents): number => state.tables.reduce((n, t) => n + t.rows, 0);

const timeOf = (ms: number | null): string => (ms === null ? "-" : new Date(ms).toISOString().replace(/\.\d+Z$/, "Z"));

/** `flights 12,345` of Kafka's offsets; others as they are. */
function offsetText(offset: unknown): string {
  if (typeof offset === "object" && offset !== null && !Array.isArray(offset)) {
    const topics = Object.entries(offset as Record<string, unknown>);
    if (topics.every(([, p]) => typeof p === "object" && p !== null && Object.values(p).every(Number.isInteger))) {
      return topics
        .map(([topic, p]) => {
          const read = Object.values(p as Record<string, number>).reduce((n, o) => n + o, 0);
          return `${topic} ${read.toLocaleString("en-US")}`;
        })
        .join(", ");
    }
  }
  const text = JSON.stringify(offset);
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

function asJson({ statePath, stateBytes, state, holder, ...rest }: Looked): object {
  const operators = state?.tables.map(({ columns, ...t }) => ({ ...t, columns: columns.map((c) => c.label) }));
  return {
    ...rest,
    running: holder !== null,
    state:
      statePath === null ? null : { bytes: stateBytes, rows: state && rowsOf(state), operators: operators ?? null },
  };
}

async function look(checkpoint: FoundCheckpoint): Promise<Looked> {
  const release = await take(checkpoint);
  if (typeof release === "string") return { ...checkpoint, state: null, holder: release };
  try {
    const state = checkpoint.statePath === null ? null : await withState(checkpoint, async (_, contents) => contents);
    return { ...checkpoint, state, holder: null };
  } finally {
    await release();
  }
}

/** Keeps the checkpoint from being run meanwhile; the reason when somebody runs it. */
async function take(checkpoint: FoundCheckpoint): Promise<(() => Promise<void>) | string> {
  const { lockCheckpoint } = await import("../../streaming/checkpoint.ts");
  const { Checkpoint } = await import("../../engine/checkpoint.ts");
  const { MillraceError } = await import("../../errors.ts");
  try {
    const lock = await lockCheckpoint(new Checkpoint(checkpoint.path).privatePath, checkpoint.path);
    return () => lock.release();
  } catch (error) {
    if (error instanceof MillraceError && error.code === "CHECKPOINT_IN_USE") return error.reason;
    throw error;
  }
}

async function takeOrThrow(checkpoint: FoundCheckpoint): Promise<() => Promise<void>> {
  const release = await take(checkpoint);
  if (typeof release !== "string") return release;
  throw new UsageError(
    `The query ${checkpoint.name} runs: ${release.replace(/\.$/, "")}.`,
    "End it with `millrace stop`; what it does meanwhile shows `millrace status`.",
  );
}

export interface ShowOptions extends StateOptions {
  key?: string;
  operator?: string;
  limit: number;
  wide?: boolean;
}

/** `millrace state show QUERY`: rows of its state. */
export async function show(query: string, options: ShowOptions): Promise<number> {
  try {
    const checkpoint = findCheckpoint(query, await runDirectory(options.dir));
    const release = await takeOrThrow(checkpoint);
    try {
      if (checkpoint.statePath === null) {
        throw new UsageError(`The query ${checkpoint.name} keeps no state.`, "Only aggregates, joins and the like do.");
      }
      await withState(checkpoint, async (connection, { tables, batchId }) => {
        const chosen = tables.filter(
          (t) => options.operator === undefined || `${t.operator}` === options.operator || t.part === options.operator,
        );
        if (chosen.length === 0) {
          const known = tables.map((t) => `${t.operator}`);
          throw new UsageError(
            options.operator === undefined
              ? `The query ${checkpoint.name} keeps no state.`
              : `${checkpoint.name} has no operator ${options.operator}.`,
            known.length === 0 ? undefined : `There are ${[...new Set(known)].join(", ")}.`,
          );
        }
        for (const [i, one] of chosen.entries()) {
          const { rows, all } = await rowsIn(connection, one, options);
          if (options.json) {
            for (const row of rows) {
              const values = Object.fromEntries(
                one.columns.map((c, k) => [c.label, cellOf(row[k] ?? null, c.isNumber)]),
              );
              print(JSON.stringify({ operator: one.operator, part: one.part, ...values }));
            }
            continue;
          }
          if (i > 0) print("");
          print(onStdout("dim", `operator ${one.operator}, ${one.part}: ${one.description} (after batch ${batchId})`));
          print(rowsTable(textSchema(one), rows, options.wide === true));
          const more = all > rows.length ? `, ${rows.length.toLocaleString("en-US")} shown; --limit 0 shows all` : "";
          note(onStderr("dim", `${all.toLocaleString("en-US")} ${all === 1 ? "row" : "rows"}${more}`));
        }
      });
    } finally {
      await release();
    }
    return EXIT.ok;
  } catch (error) {
    return report(error, options);
  }
}

function textSchema({ columns }: StateTable): Parameters<typeof rowsTable>[0] {
  const fields = columns.map((c) => {
    const type = c.isNumber ? ({ kind: "double" } as const) : ({ kind: "string" } as const);
    return { name: c.label, type, nullable: true };
  });
  return { kind: "struct", fields };
}

/** Numbers with all their digits; what JSON has no number for stays text. */
function cellOf(text: string | null, isNumber: boolean): unknown {
  return text !== null && isNumber && /^-?\d/.test(text) ? rawJson(text) : text;
}

/** Rows as texts, those of the key only where one is given: one of its columns is that text. */
async function rowsIn(
  connection: { query(sql: string): Promise<{ rows: readonly Record<string, unknown>[] }> },
  { table: name, columns }: StateTable,
  { key, limit }: ShowOptions,
): Promise<{ rows: (string | null)[][]; all: number }> {
  const keys = columns
    .filter((c) => c.isKey)
    .map((c) => `CAST(${quoteIdentifier(c.name)} AS VARCHAR) = ${sqlString(key ?? "")}`);
  const where = key === undefined ? "" : ` WHERE ${keys.length === 0 ? "false" : keys.join(" OR ")}`;
  const from = `FROM ${quoteIdentifier(name)}${where}`;
  const count = await connection.query(`SELECT count(*) AS n ${from}`);
  const list = columns.map((c, i) => `CAST(${quoteIdentifier(c.name)} AS VARCHAR) AS c${i}`).join(", ");
  const { rows } = await connection.query(`SELECT ${list} ${from} ORDER BY ALL${limit === 0 ? "" : ` LIMIT ${limit}`}`);
  return {
    all: Number(count.rows[0]!.n),
    rows: rows.map((row) => columns.map((_, i) => (row[`c${i}`] as string | null) ?? null)),
  };
}

export interface ResetOptions extends StateOptions {
  to?: readonly string[];
  yes?: boolean;
  kafka?: string;
}

/** `millrace state reset QUERY`: where a query that does not run goes on the next time. */
export async function reset(query: string, options: ResetOptions): Promise<number> {
  try {
    const to = targetOf(options.to);
    const checkpoint = findCheckpoint(query, await runDirectory(options.dir));
    const release = await takeOrThrow(checkpoint);
    let removed: string;
    try {
      const plan = await planReset(checkpoint, to, () => kafkaAddress(options.kafka));
      if (!(await agreed(plan.means, options))) return EXIT.interrupted;
      removed = await resetCheckpoint(plan);
    } finally {
      await release();
    }
    if (options.json) print(JSON.stringify({ query: checkpoint.name, to: to.kind, before: removed }));
    else note(`reset ${checkpoint.name}; as it was before it lies in ${removed}`);
    return EXIT.ok;
  } catch (error) {
    return report(error, options);
  }
}

function targetOf(given: readonly string[] | undefined): ResetTo {
  const [kind, number] = given ?? [];
  if (kind === undefined) return { kind: "anew" };
  if (number === undefined && (kind === "earliest" || kind === "latest")) return { kind };
  if (kind === "batch" && number !== undefined && /^\d+$/.test(number)) return { kind, batchId: Number(number) };
  throw new UsageError(`--to cannot be "${given!.join(" ")}".`, "Give earliest, latest, or batch N.");
}

async function agreed(means: string, options: ResetOptions): Promise<boolean> {
  if (options.yes) return true;
  if (!process.stdin.isTTY || !process.stderr.isTTY || options.json) {
    throw new UsageError(means, "Nothing was done: say --yes when you want that.");
  }
  const prompt = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await prompt.question(`${means} Do it? (y/N) `)).trim());
  } finally {
    prompt.close();
  }
}
