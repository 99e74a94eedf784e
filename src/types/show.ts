/** A value as a message shows it: at most 80 characters. */
export function show(value: unknown): string {
  let text: string;
  try {
    text =
      value === undefined
        ? "undefined"
        : typeof value === "bigint"
          ? `${value}n`
          : value instanceof Map
            ? `Map(${value.size})`
            : typeof value === "function"
              ? `a function${value.name === "" ? "" : ` (${value.name})`}`
              : (JSON.stringify(value, plain) ?? String(value));
  } catch {
    text = Object.prototype.toString.call(value);
  }
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function plain(_: string, value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (value instanceof Map) return [...value];
  return value instanceof Uint8Array ? [...value.slice(0, 16)] : value;
}
