import { idOf, reviverOf, sortKeyOf } from "../client/wire.ts";
import type { WriteTarget, Written } from "../connectors/written.ts";
import { MillraceError, nearest } from "../errors.ts";
import type { ViewColumn, ViewOrder } from "../observe/api-views.ts";
import type { StructField, StructType } from "../types/data-type.ts";
import type { Row, Step } from "./content.ts";
import type { HasRows, ViewDefinition } from "./definition.ts";
import { rowWriter } from "./row-text.ts";

/** What a view is read from, connected. */
export interface ViewStore {
  readonly shape: ViewShape;
  /** SQL for RETURNING that gives what `changesOf` reads; undefined where the rows are handed over by key. */
  readonly returning: string | undefined;
  /** The first rows in order: at most one more than the limit. @throws MillraceError */
  load(): Promise<readonly Row[]>;
  /** What a batch has changed; undefined when only reading tells. */
  changesOf(written: Written): Step | undefined;
  close(): Promise<void>;
}

/** How the views of a store are opened. */
export interface ViewStoreKind {
  /** Where the view's rows are written. @throws MillraceError MISSING_OPTION while there is no address */
  readonly target: (definition: ViewDefinition) => WriteTarget;
  /** @throws MillraceError */
  readonly open: (definition: ViewDefinition) => Promise<ViewStore>;
}

/** Loaded by the first view that somebody looks at, with the clients of database and cache. */
export async function storeKind(kind: ViewDefinition["kind"]): Promise<ViewStoreKind> {
  if (kind === "table") {
    const { openTableStore, tableTarget } = await import("./table-store.ts");
    return { target: tableTarget, open: openTableStore };
  }
  const { cacheTarget, openCacheStore } = await import("./cache-store.ts");
  return { target: cacheTarget, open: openCacheStore };
}

/** Names, types and order of a view's rows. */
export interface ViewShape {
  readonly key: readonly string[];
  readonly columns: readonly ViewColumn[];
  /** With the key's columns at its end, so that no two rows share a place. */
  readonly order: readonly ViewOrder[];
}

/** The shape of a view whose columns are known. @throws MillraceError INVALID_ARGUMENT */
export function shapeOf(definition: ViewDefinition, key: readonly string[], columns: readonly ViewColumn[]): ViewShape {
  const names = columns.map((column) => column.name);
  const check = (what: string, asked: readonly string[]): void => {
    const unknown = asked.find((name) => !names.includes(name));
    if (unknown === undefined) return;
    const close = nearest(unknown, names);
    throw new MillraceError(
      "INVALID_ARGUMENT",
      `${what} of the view ${definition.name} names the column ${JSON.stringify(unknown)}; its rows have ${names.join(", ")}.`,
      {
        hint: close === undefined ? "Name one of these columns." : `Did you mean ${close}?`,
        parameters: { view: definition.name, column: unknown },
      },
    );
  };
  check("The key", key);
  check(
    "orderBy",
    definition.orderBy.map((order) => order.column),
  );
  const rest = key.filter((name) => !definition.orderBy.some((order) => order.column === name));
  return { key, columns, order: [...definition.orderBy, ...rest.map((column) => ({ column, descending: false }))] };
}

/** The fields of a view's schema that it shows: all, or the key's and those of `columns`, in the schema's order. @throws MillraceError INVALID_ARGUMENT */
export function shownFields(
  definition: ViewDefinition,
  schema: StructType,
  key: readonly string[],
): readonly StructField[] {
  const { columns } = definition;
  if (columns === undefined) return schema.fields;
  const names = schema.fields.map((f) => f.name);
  const unknown = columns.find((name) => !names.includes(name) && !key.includes(name));
  if (unknown !== undefined) {
    const close = nearest(unknown, names);
    throw new MillraceError(
      "INVALID_ARGUMENT",
      `columns of the view ${definition.name} names ${JSON.stringify(unknown)}; there are ${names.join(", ")}.`,
      {
        hint: close === undefined ? "Name one of these columns." : `Did you mean ${close}?`,
        parameters: { view: definition.name, column: unknown },
      },
    );
  }
  return schema.fields.filter((f) => columns.includes(f.name) || key.includes(f.name));
}

/** The schema that the view was given. May ask the engine for that of a DataFrame. */
export async function givenSchema(definition: ViewDefinition): Promise<StructType | undefined> {
  const { schema } = definition;
  if (schema === undefined || "kind" in schema) return schema as StructType | undefined;
  return await (schema as HasRows).schema();
}

/** Makes rows of values that travel, in the order of the columns. */
export function rowMaker(shape: ViewShape): (values: readonly unknown[], expiresAt?: number) => Row {
  const write = rowWriter(shape.columns.map((column) => column.name));
  const place = (name: string): number => shape.columns.findIndex((column) => column.name === name);
  const keys = shape.key.map(place);
  const sorts = shape.order.map(({ column }) => [place(column), sortKeyOf(shape.columns[place(column)]!)] as const);
  return (values, expiresAt) => ({
    id: idOf(keys.map((i) => values[i] ?? null)),
    json: write(values),
    sortKeys: sorts.map(([i, sortKey]) => sortKey(values[i])),
    ...(expiresAt !== undefined && { expiresAt }),
  });
}

/** Makes the rows that a function of the user sees. */
export function typedRowMaker(columns: readonly ViewColumn[]): (values: readonly unknown[]) => Record<string, unknown> {
  const revivers = columns.map((column) => [column.name, reviverOf(column)] as const);
  return (values) =>
    Object.fromEntries(
      revivers.map(([name, revive], i) => {
        const value = values[i] ?? null;
        return [name, value === null || revive === undefined ? value : revive(value)];
      }),
    );
}
