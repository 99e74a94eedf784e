import { createHash } from "node:crypto";
import { crc32 as zlibCrc32 } from "node:zlib";
import type { DataType } from "../types/data-type.ts";
import { type NativeFunction, nativeFunction } from "./define.ts";

/** Spark's hashes over values of any type: Murmur3 with 32 bits and xxHash with 64, both from 42, each value the next one's seed. */

interface Hasher<H> {
  readonly seed: H;
  int(value: number, seed: H): H;
  long(value: bigint, seed: H): H;
  bytes(value: Uint8Array, seed: H): H;
}

const utf8 = new TextEncoder();
const cell = new DataView(new ArrayBuffer(8));

function floatBits(x: number): number {
  cell.setFloat32(0, x === 0 ? 0 : x);
  return Number.isNaN(x) ? 0x7fc00000 : cell.getInt32(0);
}

function doubleBits(x: number): bigint {
  cell.setFloat64(0, x === 0 ? 0 : x);
  return Number.isNaN(x) ? 0x7ff8000000000000n : cell.getBigInt64(0);
}

/** The fewest bytes of the two's complement, the highest first, as BigInteger.toByteArray. */
function bigBytes(value: bigint): Uint8Array {
  let size = 1;
  while (BigInt.asIntN(size * 8, value) !== value) size++;
  return Buffer.from(
    BigInt.asUintN(size * 8, value)
      .toString(16)
      .padStart(size * 2, "0"),
    "hex",
  );
}

function hashValue<H>(h: Hasher<H>, value: any, type: DataType, seed: H): H {
  if (value === null || value === undefined) return seed;
  switch (type.kind) {
    case "null":
      return seed;
    case "boolean":
      return h.int(value ? 1 : 0, seed);
    case "byte":
    case "short":
    case "integer":
    case "interval_year_month":
      return h.int(value, seed);
    case "date":
      return h.int(Math.round((value as Date).getTime() / 86_400_000), seed);
    // Times come as microseconds.
    case "long":
    case "timestamp":
    case "timestamp_ntz":
    case "interval_day_time":
      return h.long(value, seed);
    case "float":
      return h.int(floatBits(value), seed);
    case "double":
      return h.long(doubleBits(value), seed);
    case "decimal": {
      const unscaled = BigInt((value as string).replace(".", ""));
      return type.precision <= 18 ? h.long(unscaled, seed) : h.bytes(bigBytes(unscaled), seed);
    }
    case "string":
      return h.bytes(utf8.encode(value), seed);
    case "binary":
      return h.bytes(value, seed);
    case "array":
      return (value as unknown[]).reduce((s: H, e) => hashValue(h, e, type.elementType, s), seed);
    case "struct":
      return type.fields.reduce((s, f) => hashValue(h, value[f.name], f.type, s), seed);
    default:
      return seed;
  }
}

const rotl = (x: number, n: number): number => (x << n) | (x >>> (32 - n));
const mixK = (k: number): number => Math.imul(rotl(Math.imul(k, 0xcc9e2d51), 15), 0x1b873593);
const mixH = (h: number, k: number): number => (Math.imul(rotl(h ^ k, 13), 5) + 0xe6546b64) | 0;
function finish(h: number, length: number): number {
  let x = h ^ length;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
}

const murmur3: Hasher<number> = {
  seed: 42,
  int: (value, seed) => finish(mixH(seed, mixK(value)), 4),
  long(value, seed) {
    const low = Number(BigInt.asIntN(32, value));
    const high = Number(BigInt.asIntN(32, value >> 32n));
    return finish(mixH(mixH(seed, mixK(low)), mixK(high)), 8);
  },
  bytes(value, seed) {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const aligned = value.length - (value.length % 4);
    let h = seed;
    for (let i = 0; i < aligned; i += 4) h = mixH(h, mixK(view.getInt32(i, true)));
    // Spark mixes what is left byte by byte.
    for (let i = aligned; i < value.length; i++) h = mixH(h, mixK(view.getInt8(i)));
    return finish(h, value.length);
  },
};

const P1 = 0x9e3779b185ebca87n;
const P2 = 0xc2b2ae3d27d4eb4fn;
const P3 = 0x165667b19e3779f9n;
const P4 = 0x85ebca77c2b2ae63n;
const P5 = 0x27d4eb2f165667c5n;
const u64 = (x: bigint): bigint => BigInt.asUintN(64, x);
const rotl64 = (x: bigint, n: bigint): bigint => u64((x << n) | (x >> (64n - n)));
const round = (acc: bigint, input: bigint): bigint => u64(rotl64(u64(acc + u64(input * P2)), 31n) * P1);
function finish64(h: bigint): bigint {
  let x = u64((h ^ (h >> 33n)) * P2);
  x = u64((x ^ (x >> 29n)) * P3);
  return x ^ (x >> 32n);
}

const xxHash64: Hasher<bigint> = {
  seed: 42n,
  int(value, seed) {
    const h = u64(seed + P5 + 4n) ^ u64(BigInt(value >>> 0) * P1);
    return finish64(u64(rotl64(h, 23n) * P2 + P3));
  },
  long(value, seed) {
    const h = u64(seed + P5 + 8n) ^ round(0n, u64(value));
    return finish64(u64(rotl64(h, 27n) * P1 + P4));
  },
  bytes(value, seed) {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    const n = value.length;
    let i = 0;
    let h: bigint;
    if (n >= 32) {
      let [a, b, c, d] = [u64(seed + P1 + P2), u64(seed + P2), seed, u64(seed - P1)];
      for (; i <= n - 32; i += 32) {
        a = round(a, view.getBigUint64(i, true));
        b = round(b, view.getBigUint64(i + 8, true));
        c = round(c, view.getBigUint64(i + 16, true));
        d = round(d, view.getBigUint64(i + 24, true));
      }
      h = u64(rotl64(a, 1n) + rotl64(b, 7n) + rotl64(c, 12n) + rotl64(d, 18n));
      for (const v of [a, b, c, d]) h = u64((h ^ round(0n, v)) * P1 + P4);
    } else h = u64(seed + P5);
    h = u64(h + BigInt(n));
    for (; i <= n - 8; i += 8) h = u64(rotl64(h ^ round(0n, view.getBigUint64(i, true)), 27n) * P1 + P4);
    if (i <= n - 4) {
      h = u64(rotl64(h ^ u64(BigInt(view.getUint32(i, true)) * P1), 23n) * P2 + P3);
      i += 4;
    }
    for (; i < n; i++) h = u64(rotl64(h ^ u64(BigInt(view.getUint8(i)) * P5), 11n) * P1);
    return finish64(h);
  },
};

const hashers = new Map<string, NativeFunction>();

/** `hash` or `xxhash64` over arguments of these types. */
export function hasher(name: "hash" | "xxhash64", types: readonly DataType[]): NativeFunction {
  const key = `${name}:${JSON.stringify(types)}`;
  let f = hashers.get(key);
  if (f === undefined) {
    const over = <H>(h: Hasher<H>, values: unknown[]): H =>
      values.reduce((seed: H, v, i) => hashValue(h, v, types[i]!, seed), h.seed);
    f = nativeFunction(
      name,
      name === "hash"
        ? (...values: unknown[]) => over(murmur3, values)
        : (...values: unknown[]) => BigInt.asIntN(64, over(xxHash64, values)),
      { nulls: true },
    );
    if (hashers.size > 500) hashers.clear();
    hashers.set(key, f);
  }
  return f;
}

export const crc32 = nativeFunction("crc32", (b: Uint8Array) => BigInt(zlibCrc32(b)));

export const sha2 = nativeFunction("sha2", (b: Uint8Array, bits: number) =>
  [0, 224, 256, 384, 512].includes(bits)
    ? createHash(`sha${bits || 256}`)
        .update(b)
        .digest("hex")
    : null,
);
