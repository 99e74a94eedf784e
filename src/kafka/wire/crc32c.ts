import { createRequire } from "node:module";

const load = createRequire(import.meta.url);

/**
 * CRC-32C (Castagnoli), the checksum of Kafka's record batches, as an unsigned 32-bit number. The native implementation is used
 * where its binary exists for this platform, WebAssembly otherwise (the same result at about a third of the speed).
 *
 * ```ts
 * crc32c(Buffer.from("123456789")).toString(16); // "e3069283"
 * ```
 */
export const crc32c: (buf: Uint8Array) => number = implementation();

function implementation(): (buf: Uint8Array) => number {
  try {
    const native = load("@node-rs/crc32") as { crc32c(input: Uint8Array): number };
    return (buf) => native.crc32c(buf) >>> 0;
  } catch {
    const wasm = load("@platformatic/wasm-utils") as { crc32c(input: Uint8Array): number };
    return (buf) => wasm.crc32c(buf) >>> 0;
  }
}
