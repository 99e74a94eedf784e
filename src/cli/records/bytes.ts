/** Bytes as JSON and people see them. */
export type Readable = { readonly text: string } | { readonly json: string } | { readonly hex: string } | null;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Bytes as text where they are valid UTF-8 without control characters, as JSON where a JSON line can hold them as they are, otherwise in
 * hex. Nothing is lost: text is what it was byte by byte. So JSON with line breaks or blanks around it is text, and JSON strings and
 * `null` are too, as nobody could tell them from plain text and from records without a value.
 */
export function readable(bytes: Uint8Array | null): Readable {
  if (bytes === null) return null;
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch {
    return { hex: Buffer.from(bytes).toString("hex") };
  }
  if (/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)) return { hex: Buffer.from(bytes).toString("hex") };
  if (!/^[[{\-\dtf].*\S$|^\d$/.test(text)) return { text };
  try {
    JSON.parse(text);
    return { json: text };
  } catch {
    return { text };
  }
}
