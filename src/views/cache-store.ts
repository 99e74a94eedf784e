import type { Redis } from "iovalkey";
import { idOf } from "../client/wire.ts";
import { addressOf, connect, translate } from "../connectors/redis/connection.ts";
import { VERSION } from "../connectors/redis/layout.ts";
import { redis } from "../connectors/redis.ts";
import type { KeyWritten, WriteTarget, Written } from "../connectors/written.ts";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import type { StructField, StructType } from "../types/data-type.ts";
import { escapeRegExp } from "../types/escape-regexp.ts";
import { addressOptions } from "./address.ts";
import { type Change, compareRows, type Row, type Step } from "./content.ts";
import type { ViewDefinition } from "./definition.ts";
import { columnOf, nestedReader, parseExactly, textReader } from "./row-text.ts";
import { givenSchema, rowMaker, shapeOf, shownFields, typedRowMaker, type ViewShape, type ViewStore } from "./store.ts";

const SCAN_COUNT = 1_000;
const TEXT: StructField["type"] = { kind: "string" };

export function cacheTarget(definition: ViewDefinition): WriteTarget {
  const { label } = addressOf(addressOptions(redis, definition));
  return { kind: "cache", server: label, prefix: definition.template![0]! };
}

/** What lies under a key: fields of a hash, or the members of a JSON object. */
type Entry = Readonly<Record<string, unknown>>;

/** A key as it was read. `isText`: the values are text, as in a hash. */
interface RawEntry {
  readonly parts: readonly string[];
  readonly entry: Entry;
  readonly isText: boolean;
  readonly expiresAt: number | undefined;
}

/** Turns a key and what lies under it into a row. */
interface Reading {
  readonly shape: ViewShape;
  /** Undefined: the row does not belong to the view. Null: a part of its key is not what the schema says. */
  readonly row: (raw: RawEntry) => Row | undefined | null;
}

export async function openCacheStore(definition: ViewDefinition): Promise<ViewStore> {
  const address = addressOf(addressOptions(redis, definition));
  const schema = await givenSchema(definition);
  const client = await connect(address);
  return new CacheStore(definition, schema, client, address.label);
}

class CacheStore implements ViewStore {
  readonly returning = undefined;
  readonly #definition: ViewDefinition;
  readonly #schema: StructType | undefined;
  readonly #client: Redis;
  readonly #label: string;
  readonly #key: RegExp;
  /** Names of the fields that were seen, where no schema says which there are. */
  readonly #seen = new Set<string>();
  #reading: Reading;
  #saidOther = false;

  constructor(definition: ViewDefinition, schema: StructType | undefined, client: Redis, label: string) {
    this.#definition = definition;
    this.#schema = schema;
    this.#client = client;
    this.#label = label;
    this.#key = keyPattern(definition.template!);
    this.#reading = readingOf(definition, schema, this.#seen);
  }

  get shape(): ViewShape {
    return this.#reading.shape;
  }

  async load(): Promise<readonly Row[]> {
    const { limit } = this.#definition;
    const pattern = this.#definition
      .template!.map((part, i) => (i % 2 === 0 ? part.replace(/[*?[\]\\]/g, "\\$&") : "*"))
      .join("");
    let raw: RawEntry[] = [];
    const rows = new Map<string, Row>();
    const seenBefore = this.#seen.size;
    try {
      let cursor = "0";
      do {
        const [next, keys] = await this.#client.scan(cursor, "MATCH", pattern, "COUNT", SCAN_COUNT);
        cursor = next;
        await this.#read(keys, raw);
        if (this.#schema === undefined) continue;
        this.#rows(raw, rows);
        raw = [];
        if (rows.size > 4 * limit) this.#keepFirst(rows, limit + 1);
      } while (cursor !== "0");
    } catch (error) {
      throw translate(
        error,
        { ...addressOf(addressOptions(redis, this.#definition)), label: this.#label },
        "read the view",
      );
    }
    if (this.#seen.size !== seenBefore) this.#reading = readingOf(this.#definition, this.#schema, this.#seen);
    this.#rows(raw, rows);
    this.#keepFirst(rows, limit + 1);
    return [...rows.values()];
  }

  changesOf(written: Written): Step | undefined {
    const changes: Change[] = [];
    const now = Date.now();
    for (const write of written.keys) {
      const parts = this.#partsOf(write.key);
      if (parts === undefined) continue;
      if (!this.#knowsAll(write)) return undefined;
      const isText = write.type === "hash";
      const entry = isText
        ? Object.fromEntries(write.fields.map((name, i) => [name, write.values[i]]))
        : asEntry(parseExactly(write.values[0] ?? ""));
      if (entry === undefined) continue;
      const expiresAt = write.ttlMs === undefined ? undefined : now + write.ttlMs;
      const row = this.#reading.row({ parts, entry, isText, expiresAt });
      if (row === undefined) changes.push({ gone: this.#idOf(parts) });
      else if (row !== null) changes.push({ row });
    }
    return { changes };
  }

  async close(): Promise<void> {
    this.#client.disconnect();
  }

  async #read(keys: readonly string[], into: RawEntry[]): Promise<void> {
    const matching = keys.flatMap((key) => {
      const parts = this.#partsOf(key);
      return parts === undefined ? [] : [{ key, parts }];
    });
    if (matching.length === 0) return;
    const pipeline = this.#client.pipeline();
    for (const { key } of matching) pipeline.hgetall(key).pttl(key);
    const replies = (await pipeline.exec())!;
    const now = Date.now();
    const texts: { key: string; parts: readonly string[]; expiresAt: number | undefined }[] = [];
    for (const [i, { key, parts }] of matching.entries()) {
      const [failure, hash] = replies[2 * i]!;
      const ttl = Number(replies[2 * i + 1]![1]);
      const expiresAt = ttl >= 0 ? now + ttl : undefined;
      if (failure !== null) {
        if (!/^WRONGTYPE/.test(failure.message)) throw failure;
        texts.push({ key, parts, expiresAt });
        continue;
      }
      const entry = hash as Record<string, string>;
      // It was gone between the two commands.
      if (Object.keys(entry).length === 0) continue;
      into.push({ parts, entry, isText: true, expiresAt });
    }
    if (texts.length > 0) await this.#readTexts(texts, into);
    if (this.#schema !== undefined) return;
    for (const { entry } of into) for (const name of Object.keys(entry)) if (name !== VERSION) this.#seen.add(name);
  }

  async #readTexts(
    keys: readonly { key: string; parts: readonly string[]; expiresAt: number | undefined }[],
    into: RawEntry[],
  ): Promise<void> {
    const pipeline = this.#client.pipeline();
    for (const { key } of keys) pipeline.get(key);
    const replies = (await pipeline.exec())!;
    for (const [i, { key, parts, expiresAt }] of keys.entries()) {
      const [failure, text] = replies[i]!;
      const entry = failure === null && typeof text === "string" ? asEntry(parseExactly(text)) : undefined;
      if (entry !== undefined) into.push({ parts, entry, isText: false, expiresAt });
      else if (failure !== null || text !== null) this.#sayOther(key);
    }
  }

  /** Once: which keys are not shown. */
  #sayOther(key: string): void {
    if (this.#saidOther) return;
    this.#saidOther = true;
    const { name, place } = this.#definition;
    publish("warning", {
      code: "VIEW_KEY_NOT_SHOWN",
      message: `The view ${name} of ${place} leaves out keys such as ${key}, which hold neither a hash nor a JSON object, or whose parts are not of the schema's types.`,
      detail: { view: name, key },
    });
  }

  #rows(raw: readonly RawEntry[], into: Map<string, Row>): void {
    for (const entry of raw) {
      const row = this.#reading.row(entry);
      if (row === null) this.#sayOther(keyOf(this.#definition.template!, entry.parts));
      else if (row !== undefined) into.set(row.id, row);
    }
  }

  #keepFirst(rows: Map<string, Row>, count: number): void {
    if (rows.size <= count) return;
    const { order } = this.shape;
    const sorted = [...rows.values()].sort((a, b) => compareRows(a, b, order));
    for (const row of sorted.slice(count)) rows.delete(row.id);
    const kept = sorted.slice(0, count);
    rows.clear();
    for (const row of kept) rows.set(row.id, row);
  }

  /** The parts of a key that became columns; undefined for other keys, and for those that hold the version of a JSON text. */
  #partsOf(key: string): readonly string[] | undefined {
    if (key.endsWith(`:${VERSION}`)) return undefined;
    return this.#key.exec(key)?.slice(1);
  }

  /** A batch that sets some fields of a hash leaves the others as they are, and only the store knows these. */
  #knowsAll({ type, fields }: KeyWritten): boolean {
    if (type === "string") return this.#schema !== undefined;
    if (this.#schema === undefined && fields.some((name) => !this.#seen.has(name))) return false;
    const { key, columns } = this.shape;
    return columns.every((column) => key.includes(column.name) || fields.includes(column.name));
  }

  #idOf(parts: readonly string[]): string {
    const { key, columns } = this.shape;
    const values = key.map((name, i) => {
      const field = this.#schema?.fields.find((f) => f.name === name);
      return columns.length === 0 || field === undefined ? parts[i]! : textReader(field)(parts[i]!);
    });
    return idOf(values);
  }
}

function asEntry(value: unknown): Entry | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Entry) : undefined;
}

/** `airport:{origin}` finds the parts of a key; the last one takes what is left. */
function keyPattern(template: readonly string[]): RegExp {
  const last = template.length - 2;
  return new RegExp(
    `^${template.map((part, i) => (i % 2 === 0 ? escapeRegExp(part) : i === last ? "(.*)" : "(.*?)")).join("")}$`,
    "s",
  );
}

function readingOf(definition: ViewDefinition, schema: StructType | undefined, seen: ReadonlySet<string>): Reading {
  const key = definition.key!;
  const names = schema === undefined ? [...seen].sort() : [];
  const all: StructType = schema ?? {
    kind: "struct",
    fields: names.map((name) => ({ name, type: TEXT, nullable: true })),
  };
  const missing = key.filter((name) => !all.fields.some((f) => f.name === name));
  const fields = [
    ...missing.map((name): StructField => ({ name, type: TEXT, nullable: false })),
    // Without a schema a column may come with the first key that has it.
    ...(schema === undefined && definition.columns !== undefined
      ? definition.columns
          .filter((name) => !missing.includes(name))
          .map((name): StructField => ({ name, type: TEXT, nullable: true }))
      : shownFields(definition, all, key)),
  ];
  const columns = fields.map(columnOf);
  const shape =
    schema === undefined && seen.size === 0
      ? { key, columns, order: key.map((column) => ({ column, descending: false })) }
      : shapeOf(definition, key, columns);
  const make = rowMaker(shape);
  const typed = typedRowMaker(columns);
  const where = definition.where as ((row: unknown) => boolean) | undefined;
  const readers = fields.map((field) => {
    const part = key.indexOf(field.name);
    const text = textReader(field);
    const nested = nestedReader(field.type, columnOf(field).mode === "number");
    return { name: field.name, part, text, nested };
  });
  return {
    shape,
    row({ parts, entry, isText, expiresAt }) {
      const values = readers.map(({ name, part, text, nested }) => {
        if (part >= 0) return text(parts[part]!);
        const value = entry[name];
        if (value === undefined || value === null) return null;
        return isText ? text(value as string) : nested(value);
      });
      if (readers.some(({ part }, i) => part >= 0 && values[i] === null)) return null;
      return where === undefined || holds(definition, where, typed(values)) ? make(values, expiresAt) : undefined;
    },
  };
}

/** The key that its parts were taken from. */
function keyOf(template: readonly string[], parts: readonly string[]): string {
  return template.map((part, i) => (i % 2 === 0 ? part : parts[(i - 1) / 2])).join("");
}

function holds(definition: ViewDefinition, where: (row: unknown) => boolean, row: unknown): boolean {
  try {
    return where(row);
  } catch (cause) {
    throw new MillraceError(
      "USER_FUNCTION_FAILED",
      `The condition of the view ${definition.name} failed: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { hint: "Mind that values may be null.", cause, parameters: { view: definition.name } },
    );
  }
}
