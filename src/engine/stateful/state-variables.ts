import type { StructType } from "../../types/data-type.ts";
import { heldValue, noKeyAtHand, type StateDeclaration, stateIdentity } from "../../types/state-declaration.ts";
import type { ListState, MapState, ValueState } from "../../types/stateful.ts";

/** Where a variable finds the key that the processor is working on. */
export interface KeyCursor {
  /** Number of the key within the batch, -1 outside `handleInputRows` and `handleExpiredTimer`. */
  readonly key: number;
  /** The batch's clock, for TTL. */
  readonly nowMs: number;
}

export type VariableDeclaration = StateDeclaration;

/**
 * One state variable of a processor. The rows of a batch's keys are loaded together, changed in memory and written back together. Stored
 * rows are (key columns, `pos` of a list or `map_key` of a map, `value`, `expires_ms`).
 */
export abstract class Variable {
  readonly declaration: VariableDeclaration;
  protected readonly cursor: KeyCursor;

  constructor(declaration: VariableDeclaration, cursor: KeyCursor) {
    this.declaration = declaration;
    this.cursor = cursor;
  }

  /** The columns between the key and the end of a stored row. */
  get columns(): StructType {
    const { kind, type, keyType } = this.declaration;
    const fields = [
      ...(kind === "list" ? [{ name: "pos", type: { kind: "integer" } as const, nullable: false }] : []),
      ...(kind === "map" ? [{ name: "map_key", type: keyType!, nullable: true }] : []),
      { name: "value", type, nullable: true },
      { name: "expires_ms", type: { kind: "long" } as const, nullable: true },
    ];
    return { kind: "struct", fields };
  }

  /** Takes over a stored row of key number `key`; rows of a list come in order. */
  abstract load(key: number, row: readonly unknown[]): void;
  /** Keys whose stored rows are to be deleted, and the rows to insert (key number first). */
  abstract changes(): { readonly replaced: number[]; readonly rows: unknown[][] };
  /** Forgets all keys of the batch. */
  abstract reset(): void;

  protected key(): number {
    if (this.cursor.key >= 0) return this.cursor.key;
    throw noKeyAtHand(this.declaration.name);
  }

  protected expiry(): bigint | null {
    const { ttlMs } = this.declaration;
    return ttlMs === undefined ? null : BigInt(this.cursor.nowMs + ttlMs);
  }

  protected given<T>(value: T): T {
    return heldValue(this.declaration.name, value);
  }
}

interface Cell {
  value: unknown;
  expires: bigint | null;
  changed: boolean;
}

export class ValueVariable extends Variable implements ValueState<any> {
  readonly #cells = new Map<number, Cell>();

  load(key: number, [value, expires]: readonly unknown[]): void {
    this.#cells.set(key, { value, expires: expires as bigint | null, changed: false });
  }

  exists(): boolean {
    return (this.#cells.get(this.key())?.value ?? null) !== null;
  }

  get(): any {
    return this.#cells.get(this.key())?.value ?? null;
  }

  update(value: unknown): void {
    this.#cells.set(this.key(), { value: this.given(value), expires: this.expiry(), changed: true });
  }

  clear(): void {
    const key = this.key();
    if (this.#cells.has(key)) this.#cells.set(key, { value: null, expires: null, changed: true });
  }

  changes(): { replaced: number[]; rows: unknown[][] } {
    const replaced: number[] = [];
    const rows: unknown[][] = [];
    for (const [key, cell] of this.#cells) {
      if (!cell.changed) continue;
      replaced.push(key);
      if (cell.value !== null) rows.push([key, cell.value, cell.expires]);
    }
    return { replaced, rows };
  }

  reset(): void {
    this.#cells.clear();
  }
}

interface ListCell {
  items: { value: unknown; expires: bigint | null }[];
  /** Items from here on are new; undefined: the stored ones are replaced. */
  stored: number | undefined;
  nextPosition: number;
}

export class ListVariable extends Variable implements ListState<any> {
  readonly #cells = new Map<number, ListCell>();

  load(key: number, [position, value, expires]: readonly unknown[]): void {
    const cell = this.#cell(key);
    cell.items.push({ value, expires: expires as bigint | null });
    cell.stored = cell.items.length;
    cell.nextPosition = Number(position) + 1;
  }

  exists(): boolean {
    return (this.#cells.get(this.key())?.items.length ?? 0) > 0;
  }

  get(): readonly any[] {
    return this.#cells.get(this.key())?.items.map((item) => item.value) ?? [];
  }

  put(values: readonly unknown[]): void {
    const expires = this.expiry();
    const cell = this.#cell(this.key());
    cell.items = values.map((value) => ({ value: this.given(value), expires }));
    cell.stored = undefined;
    cell.nextPosition = 0;
  }

  appendValue(value: unknown): void {
    this.#cell(this.key()).items.push({ value: this.given(value), expires: this.expiry() });
  }

  appendList(values: readonly unknown[]): void {
    for (const value of values) this.appendValue(value);
  }

  clear(): void {
    if (this.#cells.has(this.key())) this.put([]);
  }

  changes(): { replaced: number[]; rows: unknown[][] } {
    const replaced: number[] = [];
    const rows: unknown[][] = [];
    for (const [key, cell] of this.#cells) {
      if (cell.stored === undefined) replaced.push(key);
      const from = cell.stored ?? 0;
      cell.items.slice(from).forEach((item, i) => {
        rows.push([key, cell.nextPosition + i, item.value, item.expires]);
      });
    }
    return { replaced, rows };
  }

  reset(): void {
    this.#cells.clear();
  }

  #cell(key: number): ListCell {
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = { items: [], stored: 0, nextPosition: 0 };
      this.#cells.set(key, cell);
    }
    return cell;
  }
}

interface MapEntry {
  readonly key: unknown;
  value: unknown;
  expires: bigint | null;
}

interface MapCell {
  readonly entries: Map<string, MapEntry>;
  changed: boolean;
}

/** A changed map is written back whole. */
export class MapVariable extends Variable implements MapState<any, any> {
  readonly #cells = new Map<number, MapCell>();

  load(key: number, [mapKey, value, expires]: readonly unknown[]): void {
    this.#cell(key).entries.set(stateIdentity(mapKey), { key: mapKey, value, expires: expires as bigint | null });
  }

  exists(): boolean {
    return (this.#cells.get(this.key())?.entries.size ?? 0) > 0;
  }

  getValue(mapKey: unknown): any {
    return this.#cells.get(this.key())?.entries.get(stateIdentity(mapKey))?.value ?? null;
  }

  containsKey(mapKey: unknown): boolean {
    return this.#cells.get(this.key())?.entries.has(stateIdentity(mapKey)) ?? false;
  }

  updateValue(mapKey: unknown, value: unknown): void {
    const cell = this.#cell(this.key());
    const entry = { key: this.given(mapKey), value: this.given(value), expires: this.expiry() };
    cell.entries.set(stateIdentity(mapKey), entry);
    cell.changed = true;
  }

  *entries(): Iterable<[any, any]> {
    for (const { key, value } of this.#list()) yield [key, value];
  }

  *keys(): Iterable<any> {
    for (const { key } of this.#list()) yield key;
  }

  *values(): Iterable<any> {
    for (const { value } of this.#list()) yield value;
  }

  removeKey(mapKey: unknown): void {
    const cell = this.#cells.get(this.key());
    if (cell?.entries.delete(stateIdentity(mapKey))) cell.changed = true;
  }

  clear(): void {
    const cell = this.#cells.get(this.key());
    if (cell === undefined) return;
    cell.entries.clear();
    cell.changed = true;
  }

  changes(): { replaced: number[]; rows: unknown[][] } {
    const replaced: number[] = [];
    const rows: unknown[][] = [];
    for (const [key, cell] of this.#cells) {
      if (!cell.changed) continue;
      replaced.push(key);
      for (const entry of cell.entries.values()) rows.push([key, entry.key, entry.value, entry.expires]);
    }
    return { replaced, rows };
  }

  reset(): void {
    this.#cells.clear();
  }

  /** A copy, so that a processor may change the map while it walks it. */
  #list(): MapEntry[] {
    return [...(this.#cells.get(this.key())?.entries.values() ?? [])];
  }

  #cell(key: number): MapCell {
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = { entries: new Map(), changed: false };
      this.#cells.set(key, cell);
    }
    return cell;
  }
}
