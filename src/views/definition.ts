import { MillraceError, nearest } from "../errors.ts";
import type { ViewOrder } from "../observe/api-views.ts";
import type { StructType } from "../types/data-type.ts";
import { escapeRegExp } from "../types/escape-regexp.ts";
import { type Infer, type SchemaLike, structOf } from "../types/schema.ts";

/**
 * A declared view: what `spark.view(...)` gives. Its type carries the name and the row, for `client<typeof views>()`.
 *
 * ```ts
 * import { SparkSession } from "millrace";
 * const spark = SparkSession.builder().getOrCreate();
 * export const views = { delays: spark.view("delays", { table: "delays", key: "hour,origin" }) };
 * ```
 */
export interface View<Name extends string = string, Row = any> {
  readonly name: Name;
  /** Where the rows lie, such as `table delays` or `cache airport:*`. */
  readonly source: string;
  /** Phantom: never there at run time. */
  readonly "~row": Row;
}

/** Something that has rows of a type: a DataFrame, of which only the schema is asked. */
export interface HasRows<R = any> {
  readonly "~row": R;
  schema(): Promise<StructType>;
}

/** The rows of a view by its schema and columns; a view without a schema has rows of unknown values. */
export type ViewRow<S, C extends string, K extends string> = Flat<Picked<RowsOf<S>, C> & KeyParts<K, RowsOf<S>>>;
type Flat<T> = { [P in keyof T]: T[P] };
type RowsOf<S> =
  S extends HasRows<infer R> ? R : S extends SchemaLike ? Infer<S> : { readonly [column: string]: unknown };
type Picked<R, C extends string> = string extends C ? R : { [P in Extract<keyof R, C>]: R[P] };
/** Columns that only the key of a cache entry has are text. */
type KeyParts<K extends string, R> = string extends keyof R ? {} : { [P in Exclude<Placeholders<K>, keyof R>]: string };
type Placeholders<K extends string> = K extends `${string}{${infer P}}${infer Rest}` ? P | Placeholders<Rest> : never;

/** What a view is made of. One of `table` and `cache` is given. */
export interface ViewOptions<S = undefined, C extends string = string, K extends string = string> {
  /** A table of PostgreSQL (or a view there): `delays`, `reporting.delays`, `"Mixed Case"`. */
  readonly table?: string;
  /** Keys of the cache, as `airport:*`. */
  readonly cache?: string;
  /**
   * What identifies a row. For a table its columns, as `"hour,origin"` or a list; default: its primary key. For the cache the key's form,
   * as `"airport:{origin}"`: each name in braces becomes a column. Default: `{key}` in place of the star.
   */
  readonly key?: K | readonly string[];
  /** The rows' types: a schema, or the DataFrame that is written there. Default: the table's own; for the cache every column is text. */
  readonly schema?: S;
  /** Only these columns, beside the key's. Default: all of the schema or table. */
  readonly columns?: readonly C[];
  /** Order of the rows, as `"hour desc, origin"`; nulls last. Decides which rows stay when there are more than `limit`. Default: by key. */
  readonly orderBy?: string | readonly (string | ViewOrder)[];
  /** Most rows of the view, default 10,000; what comes later in the order is left out. */
  readonly limit?: number;
  /** Which rows belong to it: for a table a condition in PostgreSQL's SQL, for the cache a function of the row. */
  readonly where?: string | ((row: ViewRow<S, C, K>) => boolean);
  /** How often a table or prefix that no query of this process writes is looked at while somebody reads, in milliseconds. Default 1,000. */
  readonly refreshMs?: number;
  /** Options of the connection, as the sinks have them: `url`, `user` or `username`, `password`, `sslmode`. Default: MILLRACE_POSTGRES, MILLRACE_REDIS. */
  readonly options?: Readonly<Record<string, string>>;
}

/** A view after its options are checked. */
export interface ViewDefinition {
  readonly name: string;
  readonly kind: "table" | "cache";
  /** As a person writes it: the table, or the pattern of keys. */
  readonly place: string;
  readonly source: string;
  /** Columns of the key, in order; undefined: the table's primary key. For the cache see `template`. */
  readonly key: readonly string[] | undefined;
  /** For the cache: texts and columns by turns, `airport:{origin}` is ["airport:", "origin", ""]. */
  readonly template: readonly string[] | undefined;
  readonly schema: StructType | HasRows | undefined;
  readonly columns: readonly string[] | undefined;
  readonly orderBy: readonly ViewOrder[];
  readonly limit: number;
  /** The limit and the order are the declarer's own: rows beyond it are no surprise. */
  readonly isCutOnPurpose: boolean;
  readonly where: string | ((row: any) => boolean) | undefined;
  readonly refreshMs: number;
  readonly options: Readonly<Record<string, string>>;
}

const CONNECTION_OPTIONS = {
  table: ["url", "user", "password", "sslmode", "sslrootcert"],
  cache: ["url", "username", "password"],
} as const;

/** Checks what was declared, without looking at any store. @throws MillraceError INVALID_ARGUMENT, UNKNOWN_OPTION, INVALID_SCHEMA */
export function defineView(name: string, options: ViewOptions<any, any, any>): ViewDefinition {
  const invalid = (message: string, hint: string): MillraceError =>
    new MillraceError("INVALID_ARGUMENT", message, { hint, parameters: { view: String(name) } });
  if (typeof name !== "string" || !/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$/.test(name)) {
    throw invalid(
      `The name of a view is ${JSON.stringify(name)}.`,
      "Use letters, digits, _, - and dots; it stands in addresses.",
    );
  }
  // It would stand where the stream of all views does.
  if (name === "stream") throw invalid("The name of a view is stream.", "Choose another one.");
  const { table, cache } = options;
  if ((table === undefined) === (cache === undefined)) {
    throw invalid(
      `The view ${name} is of ${table === undefined ? "neither a table nor the cache" : "a table and of the cache"}.`,
      'Give one of them: { table: "delays" } or { cache: "airport:*" }.',
    );
  }
  const kind = table === undefined ? "cache" : "table";
  const place = (table ?? cache)!;
  const { limit = 10_000, refreshMs = 1_000 } = options;
  if (!Number.isInteger(limit) || limit < 1 || limit > 1_000_000) {
    throw invalid(`The limit of the view ${name} is ${limit}.`, "Give a whole number of rows from 1 to 1,000,000.");
  }
  if (!(Number.isFinite(refreshMs) && refreshMs >= 10)) {
    throw invalid(`refreshMs of the view ${name} is ${refreshMs}.`, "Give milliseconds, at least 10.");
  }
  if (options.where !== undefined && typeof options.where !== (kind === "table" ? "string" : "function")) {
    throw invalid(
      `The condition of the view ${name} is a ${typeof options.where}.`,
      kind === "table"
        ? 'For a table it is SQL, as where: "delay > 15".'
        : "For the cache it is a function, as where: (row) => row.delay > 15.",
    );
  }
  const given = options.options ?? {};
  for (const option of Object.keys(given)) {
    const known: readonly string[] = CONNECTION_OPTIONS[kind];
    if (known.includes(option)) continue;
    const close = nearest(option, known);
    throw new MillraceError("UNKNOWN_OPTION", `A view of a ${kind} has no option ${JSON.stringify(option)}.`, {
      hint: close === undefined ? `Its options are ${known.join(", ")}.` : `Did you mean ${close}?`,
      parameters: { option },
    });
  }
  const template = kind === "cache" ? templateOf(name, place, options.key) : undefined;
  const { schema } = options;
  return {
    name,
    kind,
    place,
    source: `${kind} ${place}`,
    key: template?.filter((_, i) => i % 2 === 1) ?? keyOf(options.key),
    template,
    schema: schema === undefined || isDataFrame(schema) ? schema : structOf(schema),
    columns: options.columns,
    orderBy: orderOf(name, options.orderBy),
    limit,
    isCutOnPurpose: options.limit !== undefined && options.orderBy !== undefined,
    where: options.where as ViewDefinition["where"],
    refreshMs,
    options: given,
  };
}

function isDataFrame(schema: unknown): schema is HasRows {
  return typeof (schema as Partial<HasRows>).schema === "function";
}

function keyOf(key: string | readonly string[] | undefined): readonly string[] | undefined {
  const names = typeof key === "string" ? key.split(",").map((name) => name.trim()) : key;
  return names?.some((name) => name !== "") ? names.filter((name) => name !== "") : undefined;
}

/** `airport:*` and `airport:{origin}` must mean the same keys. */
function templateOf(name: string, pattern: string, key: string | readonly string[] | undefined): readonly string[] {
  const invalid = (message: string, hint: string): MillraceError =>
    new MillraceError("INVALID_ARGUMENT", message, { hint, parameters: { view: name } });
  const stars = pattern.split("*");
  const names = keyOf(typeof key === "string" && key.includes("{") ? undefined : key);
  let template: string;
  if (typeof key === "string" && key.includes("{")) template = key;
  else {
    const columns = names ?? (stars.length === 2 ? ["key"] : stars.slice(1).map((_, i) => `key${i + 1}`));
    if (columns.length !== stars.length - 1) {
      throw invalid(
        `The view ${name} has the keys ${JSON.stringify(pattern)} and the key columns ${columns.join(", ") || "(none)"}.`,
        'Name a column for each star, as cache: "airport:*", key: "airport:{origin}".',
      );
    }
    template = stars.map((text, i) => (i === 0 ? text : `{${columns[i - 1]}}${text}`)).join("");
  }
  const parts = template.split(/\{([^{}]+)\}/);
  const literal = parts.filter((_, i) => i % 2 === 0);
  if (parts.length < 3 || literal.some((text) => /[{}]/.test(text))) {
    throw invalid(
      `The key of the view ${name} is ${JSON.stringify(template)}.`,
      'Give the form of the keys, as "airport:{origin}".',
    );
  }
  // `half:*` has the keys of `half:{pair}:{side}`, and others.
  const all = new RegExp(`^${stars.map(escapeRegExp).join(".*")}$`, "s");
  if (!all.test(literal.join("\u0001"))) {
    throw invalid(
      `The view ${name} is of the keys ${JSON.stringify(pattern)}, but ${JSON.stringify(template)} means ${JSON.stringify(literal.join("*"))}.`,
      "Let both mean the same keys.",
    );
  }
  const columns = parts.filter((_, i) => i % 2 === 1);
  if (new Set(columns).size < columns.length) {
    throw invalid(`The key of the view ${name} names a column twice.`, "Give each part of the key a name of its own.");
  }
  return parts;
}

/** @throws MillraceError INVALID_ARGUMENT */
function orderOf(view: string, given: ViewOptions["orderBy"]): readonly ViewOrder[] {
  const items = typeof given === "string" ? given.split(",") : (given ?? []);
  return items.map((item) => {
    if (typeof item !== "string") return { column: item.column, descending: item.descending };
    const match = /^\s*(.+?)(?:\s+(asc|desc))?\s*$/i.exec(item);
    if (match === null) {
      throw new MillraceError("INVALID_ARGUMENT", `orderBy of the view ${view} is ${JSON.stringify(given)}.`, {
        hint: 'Name columns, as "hour desc, origin".',
        parameters: { view },
      });
    }
    return { column: match[1]!, descending: match[2]?.toLowerCase() === "desc" };
  });
}
