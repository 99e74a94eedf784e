import type { RecordText } from "../api-explore.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Bytes as people can read them: text where they are UTF-8, else base64 with the reason; at most `maxBytes` of them. */
export function recordText(bytes: Uint8Array | null, maxBytes: number): RecordText {
  if (bytes === null) return null;
  const truncated = bytes.length > maxBytes;
  const shown = truncated ? bytes.subarray(0, wholeCharacters(bytes, maxBytes)) : bytes;
  let text: string;
  try {
    text = decoder.decode(shown);
  } catch {
    return asBase64(bytes, maxBytes, reasonOf(bytes));
  }
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)) {
    return asBase64(bytes, maxBytes, reasonOf(bytes) ?? "It has control characters, so it is hardly text.");
  }
  return { text, truncated };
}

/** Bytes of something that could not be read at all. */
export function asBase64(bytes: Uint8Array, maxBytes: number, reason: string | undefined): RecordText {
  const shown = bytes.subarray(0, maxBytes);
  return {
    base64: Buffer.from(shown).toString("base64"),
    truncated: bytes.length > maxBytes,
    reason: reason ?? "It is not UTF-8.",
  };
}

/** What the bytes look like instead. */
function reasonOf(bytes: Uint8Array): string | undefined {
  // A schema registry's serializers put a zero and the schema's number, 4 bytes, before the record.
  if (bytes.length > 5 && bytes[0] === 0) {
    const id = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1);
    if (id < 1_000_000) return `It is not text; it may be a record of a schema registry, with schema ${id}.`;
  }
  if (bytes.length === 4 || bytes.length === 8) return `It is not text; it may be a number of ${bytes.length} bytes.`;
  return undefined;
}

/** A cut in the middle of a character would make the text look broken. */
function wholeCharacters(bytes: Uint8Array, at: number): number {
  let cut = at;
  while (cut > 0 && at - cut < 4 && ((bytes[cut] ?? 0) & 0xc0) === 0x80) cut--;
  return cut;
}
