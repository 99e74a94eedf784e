import { MillraceError } from "../../../errors.ts";
import type { AnyRow, StructType } from "../../../types/data-type.ts";
import { callProcessor, processorFailed, processorGaveNoRows } from "../../../types/processor-error.ts";
import type { StatefulProcessor, TimerValues } from "../../../types/stateful.ts";
import { decodeArrow } from "../../arrow.ts";
import { type BlockChanges, FRAME, type KeyBlock, type StatefulUse } from "../package.ts";
import type { Frames } from "./frames.ts";
import { SparkHandle } from "./handle.ts";
import { sorted } from "./order.ts";
import { encodeRows } from "./rows.ts";
import { SparkValue, type StateRead, type VariableChanges } from "./state.ts";

/** Output rows that are written at once. */
const CHUNK_ROWS = 10_000;

/**
 * A stateful processor beside a Python worker. Keys come in blocks, with the values of their state that the processor will ask for; what
 * else it asks for is read over the pipe while it waits. Its changes go back when a block is done.
 */
export class StatefulFunction {
  readonly #name: string;
  readonly #create: Function;
  readonly #use: StatefulUse;
  readonly #frames: Frames;
  readonly #keySchema: StructType;
  /** Of the task at hand: Spark makes a processor for each partition of a batch. */
  #running: { readonly processor: StatefulProcessor; readonly handle: SparkHandle } | undefined;
  #rows: AnyRow[] = [];

  constructor(name: string, create: Function, use: StatefulUse, frames: Frames) {
    this.#name = name;
    this.#create = create;
    this.#use = use;
    this.#frames = frames;
    this.#keySchema = { kind: "struct", fields: use.keys.map((k) => use.input.fields.find((f) => f.name === k)!) };
  }

  async call(payload: Buffer): Promise<void> {
    const { head, parts } = openParts<KeyBlock>(payload);
    try {
      const { processor, handle } = this.#begin();
      handle.info = { queryId: head.queryId, runId: head.runId, batchId: head.batchId };
      if (head.kind === "close") {
        this.#running = undefined;
        this.#userCode("close", () => processor.close?.());
        return;
      }
      head.values.forEach((index, i) => {
        (handle.variables[index] as SparkValue).preload(parts[i + 1]!);
      });
      const times = { processingTimeMs: head.processingTimeMs, watermarkMs: head.watermarkMs };
      const rows = decodeArrow(parts[0]!, head.kind === "data" ? this.#use.input : this.#keySchema, {
        modes: true,
      }).rows;
      if (head.kind === "data") await this.#data(rows, head.counts!, times);
      else await this.#timers(rows, head.due!, times);
      this.#flush();
      this.#sendChanges(handle);
      handle.reset();
    } catch (error) {
      // The task fails, and another begins anew.
      this.#running = undefined;
      this.#rows = [];
      throw error;
    }
  }

  #begin(): { readonly processor: StatefulProcessor; readonly handle: SparkHandle } {
    if (this.#running === undefined) {
      const handle = new SparkHandle(
        this.#use.timeMode,
        (request, key) => this.#ask(request, key),
        (key) => JSON.parse(Buffer.from(this.#ask({ key, variable: -1, what: "timers" })).toString()) as number[],
      );
      const processor = this.#userCode("init", () => {
        const made = this.#create() as StatefulProcessor;
        made.init(handle);
        return made;
      });
      handle.initialized();
      this.#running = { processor, handle };
    }
    return this.#running;
  }

  #ask(
    request: StateRead | { readonly key: number; readonly variable: -1; readonly what: "timers" },
    key?: Uint8Array,
  ) {
    this.#frames.write(FRAME.read, ...closeParts(request, key === undefined ? [] : [key]));
    const answer = this.#frames.read();
    if (answer === undefined) process.exit(0);
    return answer.payload;
  }

  async #data(rows: AnyRow[], counts: readonly number[], times: TimerValues): Promise<void> {
    const { processor, handle } = this.#running!;
    let at = 0;
    for (let key = 0; key < counts.length; key++) {
      const own = sorted(rows.slice(at, at + counts[key]!), this.#use.input, this.#use.orderBy);
      at += counts[key]!;
      const keyValue = this.#keyOf(own[0]!);
      handle.key = key;
      const results = this.#userCode("handleInputRows", () => processor.handleInputRows(keyValue, own, times));
      await this.#collect("handleInputRows", results);
    }
    handle.key = -1;
  }

  async #timers(keys: AnyRow[], due: NonNullable<KeyBlock["due"]>, times: TimerValues): Promise<void> {
    const { processor, handle } = this.#running!;
    for (const [key, expiryTimeMs] of due) {
      handle.key = key;
      // Gone before the call, which may register it anew.
      handle.deleteTimer(expiryTimeMs);
      const results = this.#userCode("handleExpiredTimer", () =>
        processor.handleExpiredTimer?.(this.#keyOf(keys[key]!), times, { expiryTimeMs }),
      );
      if (results !== undefined) await this.#collect("handleExpiredTimer", results);
    }
    handle.key = -1;
  }

  #keyOf(row: AnyRow): unknown {
    const { keys } = this.#use;
    if (keys.length === 1) return row[keys[0]!];
    return Object.fromEntries(keys.map((name) => [name, row[name]]));
  }

  async #collect(method: string, results: Iterable<unknown> | AsyncIterable<unknown>): Promise<void> {
    if (results === null || typeof results !== "object") {
      throw processorGaveNoRows(this.#name, method, results);
    }
    try {
      if (Symbol.asyncIterator in results) for await (const row of results) this.#add(row);
      else for (const row of results as Iterable<unknown>) this.#add(row);
    } catch (error) {
      throw processorFailed(this.#name, method, error);
    }
  }

  #add(row: unknown): void {
    if (row === null || typeof row !== "object") {
      throw new MillraceError(
        "INVALID_VALUE",
        `A stateful processor gave ${row === null ? "null" : typeof row} where a row (an object) is due.`,
      );
    }
    this.#rows.push(row as AnyRow);
    if (this.#rows.length >= CHUNK_ROWS) this.#flush();
  }

  #flush(): void {
    const rows = this.#rows;
    this.#rows = [];
    if (rows.length > 0) this.#frames.write(FRAME.rows, encodeRows(this.#name, this.#use.schema, rows));
  }

  #sendChanges(handle: SparkHandle): void {
    const all: BlockChanges["changes"][number][] = [];
    const variables: number[] = [];
    const streams: Uint8Array[] = [];
    handle.variables.forEach((variable, index) => {
      const into: VariableChanges = { changes: [], values: [], keys: [] };
      variable.collect(into);
      if (into.changes.length === 0) return;
      // Keys in the order of the block, so that Python goes through them once.
      all.push(...into.changes);
      variables.push(index);
      streams.push(variable.encodeValues(into.values));
      if (variable.declaration.kind === "map") streams.push(variable.encodeKeys(into.keys));
    });
    const timers = handle.timerChanges();
    const read = handle.variables.flatMap((v, i) => (v instanceof SparkValue && v.wasRead ? [i] : []));
    const changes: BlockChanges = { changes: all, timers, variables, parts: streams.map((s) => s.length), read };
    this.#frames.write(FRAME.changes, ...closeParts(changes, streams));
  }

  #userCode<T>(method: string, call: () => T): T {
    return callProcessor(this.#name, method, call);
  }
}

/** JSON with its length before it, then streams. */
function closeParts(head: object, streams: readonly Uint8Array[]): Uint8Array[] {
  const text = Buffer.from(JSON.stringify({ ...head, parts: streams.map((s) => s.length) }));
  const length = Buffer.alloc(4);
  length.writeUInt32LE(text.length);
  return [length, text, ...streams];
}

function openParts<T extends { readonly parts: readonly number[] }>(
  payload: Buffer,
): { readonly head: T; readonly parts: Buffer[] } {
  const length = payload.readUInt32LE(0);
  const head = JSON.parse(payload.toString("utf8", 4, 4 + length)) as T;
  let at = 4 + length;
  const parts = head.parts.map((size) => {
    at += size;
    return payload.subarray(at - size, at);
  });
  return { head, parts };
}
