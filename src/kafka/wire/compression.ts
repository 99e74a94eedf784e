import { createRequire } from "node:module";
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { MillraceError } from "../../errors.ts";

const load = createRequire(import.meta.url);
let loaded: typeof import("@platformatic/wasm-utils") | undefined;

/** Snappy and lz4 in WebAssembly, compiled when the first batch wants it. */
function codecs(): typeof import("@platformatic/wasm-utils") {
  loaded ??= load("@platformatic/wasm-utils") as typeof import("@platformatic/wasm-utils");
  return loaded;
}

/** The codec numbers of a record batch's attributes (bits 0-2). */
export const Codec = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const;
export type CodecId = (typeof Codec)[keyof typeof Codec];
export type CodecName = keyof typeof Codec;

/** The number of a codec by Kafka's name (`compression.type`); undefined when there is none. */
export function codecByName(name: string): CodecId | undefined {
  return Object.hasOwn(Codec, name) ? Codec[name as CodecName] : undefined;
}

/** No batch may unpack to more than this many bytes; more is taken for damage or malice. */
const MAX_UNCOMPRESSED_BYTES = 1 << 30;

/** Compresses a batch's records as Java's producer does: snappy in the xerial container, lz4 and zstd as frames. */
export function compress(codec: CodecId, buf: Buffer): Buffer {
  switch (codec) {
    case 0:
      return buf;
    case 1:
      return gzipSync(buf);
    case 2:
      return xerialCompress(buf);
    case 3:
      return codecs().lz4Compress(buf);
    case 4:
      return zstdCompressSync(buf, { params: { [constants.ZSTD_c_compressionLevel]: 3 } });
  }
}

/**
 * Unpacks a batch's records. Throws KAFKA_CORRUPT_BATCH for an unknown codec and for bytes that the codec refuses.
 * Snappy is read in both forms: Java's container and the raw block that librdkafka writes.
 */
export function decompress(codec: number, buf: Buffer): Buffer {
  try {
    switch (codec) {
      case 0:
        return buf;
      case 1:
        return gunzipSync(buf, { maxOutputLength: MAX_UNCOMPRESSED_BYTES });
      case 2:
        return isXerial(buf) ? xerialDecompress(buf) : snappyBlock(buf);
      case 3:
        if (buf.length < 7 || buf.readUInt32LE(0) !== LZ4_MAGIC) throw new Error("no lz4 frame");
        return codecs().lz4Decompress(buf);
      case 4:
        return zstdDecompressSync(buf, { maxOutputLength: MAX_UNCOMPRESSED_BYTES });
      default:
        throw new Error(`unknown codec ${codec}`);
    }
  } catch (cause) {
    throw new MillraceError(
      "KAFKA_CORRUPT_BATCH",
      `A record batch of ${buf.length} compressed bytes cannot be unpacked (codec ${nameOf(codec)}): ${reason(cause)}.`,
      { cause },
    );
  }
}

function nameOf(codec: number): string {
  return Object.keys(Codec)[codec] ?? String(codec);
}

function reason(cause: unknown): string {
  // The WebAssembly codecs can only trap; the trap's own text ("unreachable") would mislead.
  if (cause instanceof Error && cause.name === "RuntimeError") return "the compressed data is damaged";
  return cause instanceof Error ? cause.message : String(cause);
}

const LZ4_MAGIC = 0x184d2204;

// Xerial's container: magic, version 1, lowest compatible version 1, then chunks of (length, raw snappy block).
const XERIAL_HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
const XERIAL_CHUNK = 32 * 1024;

function isXerial(buf: Buffer): boolean {
  return buf.length >= XERIAL_HEADER.length && buf.compare(XERIAL_HEADER, 0, 8, 0, 8) === 0;
}

function xerialCompress(buf: Buffer): Buffer {
  const parts: Buffer[] = [XERIAL_HEADER];
  for (let at = 0; at < buf.length; at += XERIAL_CHUNK) {
    const block = codecs().snappyCompress(buf.subarray(at, at + XERIAL_CHUNK));
    const length = Buffer.allocUnsafe(4);
    length.writeUInt32BE(block.length);
    parts.push(length, block);
  }
  return Buffer.concat(parts);
}

function xerialDecompress(buf: Buffer): Buffer {
  const parts: Buffer[] = [];
  let total = 0;
  let at = XERIAL_HEADER.length;
  while (at < buf.length) {
    if (at + 4 > buf.length) throw new Error("a snappy chunk is cut off");
    const length = buf.readUInt32BE(at);
    at += 4;
    if (length > buf.length - at) throw new Error("a snappy chunk is cut off");
    const part = snappyBlock(buf.subarray(at, at + length));
    total += part.length;
    if (total > MAX_UNCOMPRESSED_BYTES) throw new Error("the unpacked size is beyond the limit");
    parts.push(part);
    at += length;
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, total);
}

function snappyBlock(buf: Buffer): Buffer {
  // The block starts with its unpacked length. A copy of 3 bytes yields at most 64, so a larger claim cannot be true;
  // without this check a damaged length would make the decoder reserve gigabytes.
  let length = 0;
  let at = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = buf[at++];
    if (byte === undefined || at > 5) throw new Error("no snappy block");
    length += (byte & 0x7f) * scale;
    if (byte < 0x80) break;
  }
  if (length > buf.length * 32) throw new Error("a snappy block claims an impossible length");
  return codecs().snappyDecompress(buf);
}
