import type { ViewColumn, ViewOrder } from "../observe/api-views.ts";

/** Gives a value as TypeScript has it from the value as it travels; undefined: it is the same. */
export type Revive = ((value: any) => unknown) | undefined;

/** How the values of a column are read. */
export function reviverOf(column: ViewColumn): Revive {
  const parsed = parseType(column.type);
  return parsed && reviver(parsed, column.mode);
}

/** A type as far as reading its values needs it. */
type Shape =
  | { readonly kind: string }
  | { readonly kind: "array"; readonly element: Shape }
  | { readonly kind: "map"; readonly key: Shape; readonly value: Shape }
  | { readonly kind: "struct"; readonly fields: readonly (readonly [name: string, type: Shape])[] };

/** Spark's simple names, such as `map<string,array<bigint>>`; undefined for what is none, whose values stay as they are. */
function parseType(text: string): Shape | undefined {
  let at = 0;
  const type = (): Shape | undefined => {
    const head = /^(?:interval [a-z ]+|[a-z_]+(?:\([\d, ]*\))?)/.exec(text.slice(at))?.[0];
    if (head === undefined) return undefined;
    at += head.length;
    if (head === "struct" && text[at] === "<") {
      const fields: [string, Shape][] = [];
      do {
        at++;
        if (text[at] === ">") break;
        const colon = text.indexOf(":", at);
        if (colon < 0) return undefined;
        const name = text.slice(at, colon);
        at = colon + 1;
        const field = type();
        if (field === undefined) return undefined;
        fields.push([name, field]);
      } while (text[at] === ",");
      return text[at++] === ">" ? { kind: "struct", fields } : undefined;
    }
    if ((head === "array" || head === "map") && text[at] === "<") {
      at++;
      const first = type();
      if (first === undefined) return undefined;
      if (head === "array") return text[at++] === ">" ? { kind: "array", element: first } : undefined;
      if (text[at++] !== ",") return undefined;
      const value = type();
      if (value === undefined) return undefined;
      return text[at++] === ">" ? { kind: "map", key: first, value } : undefined;
    }
    return { kind: head };
  };
  const whole = type();
  return at === text.length ? whole : undefined;
}

const micros = (text: string): bigint => {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? "";
  const seconds = Date.parse(`${text.replace(/\.\d+/, "").replace(/Z$/, "")}Z`);
  return BigInt(seconds) * 1000n + BigInt(fraction.padEnd(6, "0").slice(0, 6));
};
const date = (text: string): Date => new Date(text.length > 10 && !text.endsWith("Z") ? `${text}Z` : text);
const bigint = (value: string): bigint => BigInt(value);
const number = (value: number | string): number => Number(value);
const bytes = (text: string): Uint8Array => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

function reviver(shape: Shape, mode: ViewColumn["mode"]): Revive {
  if (/^interval .*(?:day|hour|minute|second)$/.test(shape.kind)) return bigint; // of microseconds; months are a number
  switch (shape.kind) {
    case "bigint":
      return mode === "number" ? number : bigint;
    case "float":
    case "double":
      return number; // NaN and infinities are text
    case "timestamp":
    case "timestamp_ntz":
      return mode === "micros" ? micros : date;
    case "date":
      return date;
    case "binary":
      return bytes;
  }
  if ("element" in shape) {
    const element = reviver(shape.element, mode);
    return element && ((values: unknown[]) => values.map((value) => (value === null ? null : element(value))));
  }
  if ("fields" in shape) {
    const fields = shape.fields.map(([name, type]) => [name, reviver(type, mode)] as const);
    if (fields.every(([, revive]) => revive === undefined)) return undefined;
    return (struct: Record<string, unknown>) => {
      const out = { ...struct };
      for (const [name, revive] of fields) {
        if (revive !== undefined && out[name] !== null && out[name] !== undefined) out[name] = revive(out[name]);
      }
      return out;
    };
  }
  if ("value" in shape) {
    const key = reviver(shape.key, mode) ?? (/^(tinyint|smallint|int)$/.test(shape.key.kind) ? number : undefined);
    const value = reviver(shape.value, mode);
    return (object: Record<string, unknown>) =>
      new Map(
        Object.entries(object).map(([k, v]) => [key ? key(k) : k, v === null || value === undefined ? v : value(v)]),
      );
  }
  return undefined;
}

/** Text of a key, as JSON: what identifies a row, on both sides. */
export function idOf(key: readonly unknown[]): string {
  return JSON.stringify(key);
}

/** A value of a key column, as the user has it, as it travels. */
export function toWire(value: unknown, column: ViewColumn | undefined): unknown {
  if (value instanceof Date) {
    const text = value.toISOString().replace(/\.?0*Z$/, "");
    if (column?.type === "date") return text.slice(0, 10);
    return column?.type === "timestamp_ntz" ? text : `${text}Z`;
  }
  if (typeof value === "bigint") {
    if (column?.mode === "micros") {
      const rest = ((value % 1_000_000n) + 1_000_000n) % 1_000_000n;
      const text = toWire(new Date(Number((value - rest) / 1000n)), column) as string;
      const fraction = `${rest}`.padStart(6, "0").replace(/0+$/, "");
      return fraction === "" ? text : text.replace(/(Z?)$/, `.${fraction}$1`);
    }
    return String(value);
  }
  if (typeof value === "number" && (column?.type === "bigint" ? column.mode !== "number" : !Number.isFinite(value))) {
    return String(value);
  }
  return value;
}

/** A value by which rows are sorted: compared with `<`, but for text. */
export type SortKey = string | number | bigint | null;

/** Gives the sort key of a value of a column as it travels. */
export function sortKeyOf(column: ViewColumn): (value: any) => SortKey {
  const { type } = column;
  const notNull = ((): ((value: any) => SortKey) => {
    if (type === "bigint" || /^interval .*(?:day|hour|minute|second)$/.test(type))
      return (value) => (typeof value === "number" ? value : BigInt(value));
    if (type === "float" || type === "double") {
      // As in Spark and PostgreSQL NaN is larger than every other value; nothing else is larger than infinity, so they share a place.
      return (value) => (value === "NaN" ? Number.POSITIVE_INFINITY : Number(value));
    }
    if (type === "timestamp" || type === "timestamp_ntz" || type === "date") {
      return (value: string) => (/^\d{5}/.test(value) ? ":" : "") + value.replace(/Z$/, "");
    }
    const decimal = /^decimal\(\d+, ?(\d+)\)$/.exec(type);
    if (decimal !== null) {
      const scale = Number(decimal[1]);
      return (value) => {
        if (value === "NaN") return 10n ** 80n; // larger than every other, as in PostgreSQL
        const [whole, fraction = ""] = String(value).split(".");
        return /^-?\d+$/.test(whole!) ? BigInt(whole + fraction.padEnd(scale, "0").slice(0, scale)) : null;
      };
    }
    if (type === "boolean") return Number;
    if (/^(tinyint|smallint|int|string|interval .*)$/.test(type)) return (value) => value;
    return (value) => (typeof value === "string" ? value : JSON.stringify(value));
  })();
  return (value) => (value === null || value === undefined ? null : notNull(value));
}

/** Compares the sort keys of two rows; nulls are last in both directions. */
export function compareSortKeys(a: readonly SortKey[], b: readonly SortKey[], order: readonly ViewOrder[]): number {
  for (let i = 0; i < order.length; i++) {
    const [x, y] = [a[i] ?? null, b[i] ?? null];
    if (x === y) continue;
    if (x === null) return 1;
    if (y === null) return -1;
    const sign = typeof x === "string" && typeof y === "string" ? compareText(x, y) : x < y ? -1 : x > y ? 1 : 0;
    if (sign !== 0) return order[i]!.descending ? -sign : sign;
  }
  return 0;
}

/** By code points, which is the order of UTF-8 and of PostgreSQL's collation "C"; `<` would compare halves of surrogate pairs. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const end = Math.min(a.length, b.length);
  for (let i = 0; i < end; i++) {
    let [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    if (x >= 0xd800 && y >= 0xd800) {
      // Above the surrogates lie characters below U+10000: they come before what a surrogate begins.
      x = x >= 0xe000 ? x - 0x800 : x + 0x2000;
      y = y >= 0xe000 ? y - 0x800 : y + 0x2000;
    }
    return x < y ? -1 : 1;
  }
  return a.length - b.length;
}
