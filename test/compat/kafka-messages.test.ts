import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inflateRawSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { kafkaTools } from "../../services/kafka.ts";
import { HANDLERS } from "../../src/kafka/handlers/index.ts";
import { Reader, Writer } from "../../src/kafka/wire/buffers.ts";
import { given } from "../needs.ts";

/**
 * Our message tables against Kafka's own definitions, which lie in its clients' jar as JSON: messages are made from those by an encoder
 * of this file's own, and must be the same bytes after our reading and writing.
 */
interface Field {
  name: string;
  type: string;
  versions: string;
  nullableVersions?: string;
  tag?: number;
  fields?: Field[];
}

interface Message {
  validVersions: string;
  flexibleVersions: string;
  fields: Field[];
  commonStructs?: { name: string; fields: Field[] }[];
}

const tools = given(await kafkaTools());
const definitions = tools === undefined ? new Map<string, Message>() : readDefinitions(tools.jars);

describe.skipIf(tools === undefined)("message tables agree with Kafka's definitions", () => {
  test.each(HANDLERS.map(({ api }) => [api.name, api] as const))("%s", (name, api) => {
    for (const half of ["Request", "Response"] as const) {
      const definition = definitions.get(name + half)!;
      const type = half === "Request" ? api.request : api.response;
      const isFlexible = within(definition.flexibleVersions, api.flexible);
      expect(Number.isFinite(api.flexible) ? isFlexible : !isFlexible).toBe(true);
      // Produce 0-2 lie before Kafka's present definitions, and are only read to be refused.
      for (let version = Math.max(api.min, first(definition.validVersions)); version <= api.max; version++) {
        const flexible = version >= api.flexible;
        expect(within(definition.flexibleVersions, version)).toBe(flexible);
        fc.assert(
          fc.property(fc.infiniteStream(fc.nat(0xffff)), (dice) => {
            const w = new Writer();
            write(w, definition, definition.fields, version, flexible, () => dice.next().value);
            const bytes = Buffer.concat(w.finish());
            const r = new Reader(bytes);
            const value = type.read(r, version, flexible);
            expect(r.remaining).toBe(0);
            const again = new Writer();
            type.write(again, listsOfBuffers(value), version, flexible);
            expect(Buffer.concat(again.finish())).toEqual(bytes);
          }),
          { numRuns: 20 },
        );
      }
    }
  });
});

/** Record batches are written as lists of buffers and read as one. */
function listsOfBuffers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(listsOfBuffers);
  if (value === null || typeof value !== "object" || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value).map(([k, v]) => [k, k === "records" && v instanceof Uint8Array ? [v] : listsOfBuffers(v)]),
  );
}

function write(
  w: Writer,
  message: Message,
  fields: Field[],
  version: number,
  flexible: boolean,
  roll: () => number,
): void {
  for (const field of fields) {
    if (field.tag !== undefined || !within(field.versions, version)) continue;
    const nullable = field.nullableVersions !== undefined && within(field.nullableVersions, version);
    writeValue(w, message, field, field.type, nullable, version, flexible, roll);
  }
  if (flexible) w.uvarint(0);
}

function writeValue(
  w: Writer,
  message: Message,
  field: Field,
  type: string,
  nullable: boolean,
  version: number,
  flexible: boolean,
  roll: () => number,
) {
  const length = (n: number, bits: 16 | 32): void => {
    if (flexible) w.uvarint(n + 1);
    else if (bits === 16) w.int16(n);
    else w.int32(n);
  };
  const isNull = nullable && roll() % 4 === 0;
  if (type.startsWith("[]")) {
    if (isNull) return length(-1, 32);
    const n = roll() % 3;
    length(n, 32);
    for (let i = 0; i < n; i++) writeValue(w, message, field, type.slice(2), false, version, flexible, roll);
    return;
  }
  switch (type) {
    case "bool":
      return w.int8(roll() % 2);
    case "int8":
      return w.int8((roll() % 256) - 128);
    case "int16":
      return w.int16(roll() - 32768);
    case "int32":
      return w.int32((roll() - 32768) * 65536 + roll());
    case "int64":
      w.int32((roll() % 2_000_000) - 1_000_000);
      return w.uint32(roll() * 65536 + roll());
    case "uuid":
      for (let i = 0; i < 8; i++) w.int16(roll() - 32768);
      return;
    case "string": {
      if (isNull) return length(-1, 16);
      const text = Buffer.from(["", "topic", "ähnlich", "日本", "x".repeat(200)][roll() % 5]!);
      length(text.length, 16);
      return w.bytes(text);
    }
    case "bytes":
    case "records": {
      if (isNull) return length(-1, 32);
      const bytes = Buffer.alloc(roll() % 3 === 0 ? 3000 : roll() % 40, roll() % 256);
      length(bytes.length, 32);
      return w.bytes(bytes);
    }
    default: {
      const fields = field.fields ?? message.commonStructs?.find((s) => s.name === type)?.fields;
      if (fields === undefined) throw new Error(`unknown type ${type}`);
      if (nullable && !field.type.startsWith("[]")) {
        w.int8(isNull ? -1 : 1);
        if (isNull) return;
      }
      write(w, message, fields, version, flexible, roll);
    }
  }
}

function first(versions: string): number {
  return Number.parseInt(versions, 10);
}

function within(versions: string, version: number): boolean {
  const m = /^(\d+)(?:(\+)|-(\d+))?$/.exec(versions);
  if (m === null) return false;
  return version >= Number(m[1]) && (m[2] !== undefined || version <= Number(m[3] ?? m[1]));
}

/** `common/message/*.json` of the clients' jar. */
function readDefinitions(jars: string): Map<string, Message> {
  const jar = readFileSync(join(jars, readdirSync(jars).find((f) => /^kafka-clients-[\d.]+\.jar$/.test(f))!));
  const found = new Map<string, Message>();
  let at = jar.readUInt32LE(jar.lastIndexOf(Buffer.from("PK\u0005\u0006")) + 16);
  while (jar.readUInt32LE(at) === 0x02014b50) {
    const [nameLength, extra, comment] = [28, 30, 32].map((o) => jar.readUInt16LE(at + o)) as [number, number, number];
    const path = jar.toString("utf8", at + 46, at + 46 + nameLength);
    const name = /^common\/message\/(\w+)\.json$/.exec(path)?.[1];
    if (name !== undefined) {
      const local = jar.readUInt32LE(at + 42);
      const from = local + 30 + jar.readUInt16LE(local + 26) + jar.readUInt16LE(local + 28);
      const packed = jar.subarray(from, from + jar.readUInt32LE(at + 20));
      const text = (jar.readUInt16LE(at + 10) === 0 ? packed : inflateRawSync(packed)).toString("utf8");
      found.set(name, JSON.parse(text.replace(/^\s*\/\/.*$/gm, "")) as Message);
    }
    at += 46 + nameLength + extra + comment;
  }
  return found;
}
