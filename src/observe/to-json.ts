/** Longest text that is shown of one value. */
export const SHOWN_TEXT = 2_000;
/** Elements that are shown of one array or object, and how deep. */
const SHOWN_ITEMS = 100;
const SHOWN_DEPTH = 8;

/**
 * A value of a row as JSON shows it: integers beyond 53 bits as text, times as ISO text in UTC, bytes as `[binary, n bytes]`, what is long cut off
 * with `…`.
 *
 * @example jsonValue(2n ** 60n) // "1152921504606846976"
 */
export function jsonValue(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case "bigint":
      return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : String(value);
    case "number":
      // JSON knows no negative zero
      return Number.isFinite(value) ? value + 0 : String(value);
    case "string":
      return value.length <= SHOWN_TEXT ? value : `${value.slice(0, SHOWN_TEXT)}…`;
    case "boolean":
      return value;
    case "object":
      break;
    default:
      return null;
  }
  if (value === null) return null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[binary, ${value.byteLength} bytes]`;
  if (depth >= SHOWN_DEPTH) return "…";
  const inner = (v: unknown): unknown => jsonValue(v, depth + 1);
  if (Array.isArray(value)) {
    const shown = value.slice(0, SHOWN_ITEMS).map(inner);
    return value.length > SHOWN_ITEMS ? [...shown, "…"] : shown;
  }
  const entries = value instanceof Map ? [...value].map(([k, v]) => [keyText(k), v] as const) : Object.entries(value);
  const shown = entries.slice(0, SHOWN_ITEMS).map(([k, v]) => [k, inner(v)] as const);
  return Object.fromEntries(entries.length > SHOWN_ITEMS ? [...shown, ["…", "…"]] : shown);
}

function keyText(key: unknown): string {
  const shown = jsonValue(key);
  return typeof shown === "string" ? shown : JSON.stringify(shown);
}
