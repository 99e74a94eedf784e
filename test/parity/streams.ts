import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { StreamingQueryHandle, StreamingQueryProgress } from "../../src/backend.ts";
import { dropMemoryTable, memoryTable } from "../../src/connectors/memory.ts";
import { type DataFrame, SparkSession } from "../../src/index.ts";
import type { AnyRow, StructType } from "../../src/types/data-type.ts";
import { parseDdl } from "../../src/types/ddl.ts";
import { canonical } from "./canonical.ts";
import type { StreamBatches, StreamCase } from "./case.ts";
import { inParallel, type Verdict } from "./judge.ts";
import { columnsOf, failure, type OutcomeColumn } from "./outcome.ts";

/** What a streaming query did: per step of input its new output rows, and the batches that ran. */
interface Story {
  readonly columns: readonly OutcomeColumn[];
  /** Rows added by each step, sorted; in complete mode all rows. */
  readonly steps: readonly (readonly string[])[];
  readonly batches: readonly string[];
}

type Ending =
  | { readonly ok: true; readonly story: Story }
  | { readonly ok: false; readonly code: string; readonly crash: boolean; readonly message: string };

/** Two sessions that streams run on, as a program of a user has them. */
export class StreamSessions {
  readonly embedded = new SparkSession();
  readonly spark: SparkSession;

  constructor(url: string) {
    this.spark = new SparkSession({ remote: url });
    for (const session of [this.embedded, this.spark]) {
      session.conf.set("spark.sql.session.timeZone", "UTC");
      // One partition of state, no second checksums: each file of a checkpoint costs Spark a process of its own.
      session.conf.set("spark.sql.shuffle.partitions", 1);
      session.conf.set("spark.sql.streaming.checkpoint.fileChecksum.enabled", false);
      // Else Spark counts the rows that are left after a filter as those that came in.
      session.conf.set("spark.sql.json.filterPushdown.enabled", false);
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.embedded.stop(), this.spark.stop()]);
  }
}

export async function judgeStreams(
  sessions: StreamSessions,
  cases: readonly StreamCase[],
  jobs: number,
  done: (verdicts: readonly Verdict[]) => void,
): Promise<Verdict[]> {
  return inParallel(cases, jobs, async (c) => {
    const [embedded, spark] = await Promise.all([play(sessions.embedded, c), play(sessions.spark, c)]);
    const verdict = compare(c, spark, embedded);
    done([verdict]);
    return verdict;
  });
}

function compare(c: StreamCase, spark: Ending, embedded: Ending): Verdict {
  const { family } = c;
  const label = c.name;
  const found = differing(spark, embedded);
  if (found === undefined) {
    if (c.known === undefined) return { family, label, status: "equal" };
    return {
      family,
      label,
      status: "unexpected",
      difference: `listed as a known difference ("${c.known}"), but the engines agree`,
    };
  }
  const pair = {
    lane: "embedded" as const,
    kind: found.kind,
    difference: found.text,
    spark: short(spark),
    other: short(embedded),
  };
  if (c.known !== undefined && (embedded.ok || !embedded.crash))
    return { family, label, status: "expected", reason: c.known, ...pair };
  return { family, label, status: "unexpected", ...pair };
}

function differing(
  spark: Ending,
  other: Ending,
): { kind: "crash" | "error" | "value" | "type"; text: string } | undefined {
  if (!other.ok && other.crash) return { kind: "crash", text: other.message };
  if (!spark.ok || !other.ok) {
    if (!spark.ok && !other.ok) {
      return spark.code === other.code || REFUSALS.get(other.code)?.includes(spark.code)
        ? undefined
        : { kind: "error", text: `${spark.code} <> ${other.code}` };
    }
    return { kind: "value", text: `${short(spark)} <> ${short(other)}` };
  }
  const a = spark.story;
  const b = other.story;
  const types = [a, b].map((s) => s.columns.map((x) => `${x.name} ${x.type}`).join(", "));
  for (const [i, step] of a.steps.entries()) {
    const theirs = b.steps[i] ?? [];
    if (step.join("\n") !== theirs.join("\n")) {
      return { kind: "value", text: `output of step ${i}: ${step.join(" ; ")} <> ${theirs.join(" ; ")}` };
    }
  }
  if (types[0] !== types[1]) return { kind: "type", text: `${types[0]} <> ${types[1]}` };
  if (a.batches.join("\n") !== b.batches.join("\n")) {
    const at = a.batches.findIndex((line, i) => line !== b.batches[i]);
    const i = at < 0 ? a.batches.length : at;
    return { kind: "value", text: `batch ${i}: ${a.batches[i] ?? "(none)"} <> ${b.batches[i] ?? "(none)"}` };
  }
  return undefined;
}

/** What Spark's checker of streaming plans says by one class without a name of its own, ours says by what it is. */
const REFUSALS: ReadonlyMap<string, readonly string[]> = new Map([
  // Java's IllegalArgumentException has no class.
  ["INVALID_ARGUMENT", ["SPARK_ERROR"]],
  ["UNSUPPORTED_OPERATION", ["_LEGACY_ERROR_TEMP_3102"]],
]);

const short = (e: Ending): string =>
  e.ok ? `${e.story.batches.length} batches: ${e.story.steps.map((s) => `[${s.join(" ; ")}]`).join(" ")}` : e.code;

let number = 0;

const folders = new Set<string>();
/** Also where the run is ended from outside. */
process.once("exit", () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Runs a case on one session. */
async function play(session: SparkSession, c: StreamCase): Promise<Ending> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-parity-stream-"));
  folders.add(folder);
  const queryName = `parity_${process.pid}_${++number}`;
  let query: StreamingQueryHandle | undefined;
  try {
    const inputs = [new Feed(join(folder, "in"), c.schema, c.batches)];
    if (c.other) inputs.push(new Feed(join(folder, "other"), c.other.schema, c.other.batches));
    const [first, second] = inputs.map((f) => f.read(session));
    const df = c.build(first!, session, second ?? first!);
    query = await df.writeStream
      .format("memory")
      .queryName(queryName)
      .outputMode(c.outputMode)
      .option("checkpointLocation", join(folder, "checkpoint"))
      .start();
    const steps: string[][] = [];
    let before = 0;
    let schema: StructType | undefined;
    for (let i = 0; i < Math.max(...inputs.map((f) => f.batches.length)); i++) {
      for (const f of inputs) f.add(i);
      await query.processAllAvailable();
      const table = await output(session, df, queryName);
      schema = table.schema;
      const rows = table.rows.map((row) => line(row, table.schema));
      steps.push((c.outputMode === "complete" ? rows : rows.slice(before)).sort());
      before = rows.length;
    }
    // Of two streams a batch may take what one of them has before the other has its file: only what each step adds is definite.
    const story = { columns: columnsOf(schema!), steps, batches: c.other ? [] : batchLines(query) };
    return { ok: true, story };
  } catch (error) {
    const f = failure(cause(error));
    return { ok: false, code: f.code, crash: f.crash, message: f.message };
  } finally {
    await query?.stop().catch(() => undefined);
    dropMemoryTable(queryName);
    rmSync(folder, { recursive: true, force: true });
    folders.delete(folder);
  }
}

/** A failed query says STREAM_FAILED; what failed it is the finding. */
function cause(error: unknown): unknown {
  const e = error as { code?: string; cause?: unknown };
  return e?.code === "STREAM_FAILED" && e.cause !== undefined ? e.cause : error;
}

const line = (row: AnyRow, schema: StructType): string =>
  schema.fields.map((f) => canonical(row[f.name], f.type)).join(" | ");

/** The table of the memory sink. */
async function output(
  session: SparkSession,
  df: DataFrame<any>,
  name: string,
): Promise<{ schema: StructType; rows: readonly AnyRow[] }> {
  if (session.remote === undefined) {
    const table = memoryTable(name);
    return { schema: table!.schema, rows: table!.rows };
  }
  const backend = await df.session.backend();
  const plan = { kind: "named_table", name, options: {}, streaming: false } as const;
  const schema = await backend.schema(plan, df.session.confValues());
  const rows: AnyRow[] = [];
  for await (const chunk of backend.run(plan, df.session.confValues())) rows.push(...chunk);
  return { schema, rows };
}

/**
 * The batches that ran, one line each. Left out is a batch without data that neither emits nor removes anything: Spark runs one whenever
 * the watermark rises, ours only where it closes something (docs/exactly-once.md), so their ids differ too.
 */
function batchLines(query: StreamingQueryHandle): string[] {
  const byId = new Map<number, StreamingQueryProgress>();
  for (const p of query.recentProgress) if (p.durationMs.addBatch !== undefined) byId.set(p.batchId, p);
  const lines: string[] = [];
  for (const p of [...byId.values()].sort((a, b) => a.batchId - b.batchId)) {
    const data = p.sources.some((s) => JSON.stringify(s.startOffset) !== JSON.stringify(s.endOffset));
    const emitted = p.sink.numOutputRows > 0 || p.stateOperators.some((o) => o.numRowsRemoved > 0);
    if (!data && !emitted) continue;
    const state = p.stateOperators.map(
      (o) => `${o.operatorName} rows ${o.numRowsTotal} dropped ${o.numRowsDroppedByWatermark}`,
    );
    const input = data ? `${p.numInputRows} rows in` : "no data";
    lines.push([input, `watermark ${p.eventTime?.watermark ?? "-"}`, ...state].join(", "));
  }
  return lines;
}

/** A folder that gets a file of JSON lines for each step. */
class Feed {
  readonly batches: StreamBatches;
  readonly #folder: string;
  readonly #schema: string;
  readonly #names: readonly string[];

  constructor(folder: string, schema: string, batches: StreamBatches) {
    mkdirSync(join(folder, "in"), { recursive: true });
    this.#folder = folder;
    this.#schema = schema;
    this.#names = parseDdl(schema).fields.map((f) => f.name);
    this.batches = batches;
  }

  read(session: SparkSession): DataFrame<any> {
    return session.readStream
      .format("json")
      .schema(this.#schema)
      .option("maxFilesPerTrigger", 1)
      .load(join(this.#folder, "in"));
  }

  add(step: number): void {
    const rows = this.batches[step];
    if (rows === undefined) return;
    const lines = rows.map((row) => {
      const entries = this.#names.map((name, i) => [name, row[i]] as const).filter(([, value]) => value !== null);
      return `${JSON.stringify(Object.fromEntries(entries))}\n`;
    });
    const name = `step-${String(step).padStart(3, "0")}.json`;
    // Appears whole: whoever lists the folder sees no half of it.
    writeFileSync(join(this.#folder, name), lines.join(""));
    renameSync(join(this.#folder, name), join(this.#folder, "in", name));
  }
}
