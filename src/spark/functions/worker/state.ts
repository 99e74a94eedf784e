import type { StructType } from "../../../types/data-type.ts";
import { heldValue, noKeyAtHand, type StateDeclaration, stateIdentity } from "../../../types/state-declaration.ts";
import type { ListState, MapState, ValueState } from "../../../types/stateful.ts";
import { decodeArrowColumns, encodeColumns } from "../../arrow.ts";

/** The key that is handled, as a number within the block; -1 where there is none. */
export interface Cursor {
  readonly key: number;
}

/** Asks Spark for state of a key in the middle of the user's code. Gives an Arrow stream. */
export type ReadState = (request: StateRead, key?: Uint8Array) => Uint8Array;

export interface StateRead {
  readonly key: number;
  readonly variable: number;
  readonly what: "value" | "list" | "map" | "entry";
}

/** A change of a key's variable; its values are the next `count` of that variable. */
export type StateChange = readonly [key: number, variable: number, op: StateOp, count: number];
export type StateOp = "update" | "clear" | "put" | "append" | "set" | "remove";

/** What became of a variable in a block, for Python to carry out. */
export interface VariableChanges {
  readonly changes: StateChange[];
  readonly values: unknown[];
  readonly keys: unknown[];
}

/**
 * One state variable over the keys of a block. Values are read when they are asked for, unless they came along with the block; changes are
 * collected, and carried out when the block is done.
 */
export abstract class SparkVariable {
  readonly declaration: StateDeclaration;
  protected readonly index: number;
  protected readonly read: ReadState;
  readonly #cursor: Cursor;

  constructor(declaration: StateDeclaration, index: number, cursor: Cursor, read: ReadState) {
    this.declaration = declaration;
    this.index = index;
    this.#cursor = cursor;
    this.read = read;
  }

  abstract collect(into: VariableChanges): void;
  abstract reset(): void;

  encodeValues(values: readonly unknown[]): Uint8Array {
    return encodeColumns(schemaOf(this.declaration.name, this.declaration.type), [values]);
  }

  encodeKeys(keys: readonly unknown[]): Uint8Array {
    return encodeColumns(schemaOf(`${this.declaration.name}.key`, this.declaration.keyType!), [keys]);
  }

  protected key(): number {
    if (this.#cursor.key < 0) throw noKeyAtHand(this.declaration.name);
    return this.#cursor.key;
  }

  protected held<T>(value: T): T {
    return heldValue(this.declaration.name, value);
  }

  protected columns(what: StateRead["what"], key?: Uint8Array): unknown[][] {
    const bytes = this.read({ key: this.key(), variable: this.index, what }, key);
    const { type, keyType } = this.declaration;
    const fields = [
      ...(what === "map" ? [{ name: "key", type: keyType!, nullable: true }] : []),
      { name: "value", type, nullable: true },
    ];
    const { batches } = decodeArrowColumns(bytes, { kind: "struct", fields });
    return fields.map((_, i) => batches.flatMap(({ columns }) => columns[i]!));
  }
}

function schemaOf(name: string, type: StateDeclaration["type"]): StructType {
  return { kind: "struct", fields: [{ name, type, nullable: true }] };
}

export class SparkValue extends SparkVariable implements ValueState<any> {
  readonly #values = new Map<number, unknown>();
  readonly #changed = new Set<number>();
  /** Whether the user's code has asked for a value in this block. */
  wasRead = false;

  /** Values that came with the block, by key. */
  preload(bytes: Uint8Array): void {
    const { batches } = decodeArrowColumns(bytes, schemaOf("value", this.declaration.type));
    let key = 0;
    for (const { columns } of batches) for (const value of columns[0]!) this.#values.set(key++, value);
  }

  exists(): boolean {
    return this.get() !== null;
  }

  get(): any {
    const key = this.key();
    this.wasRead = true;
    if (!this.#values.has(key)) this.#values.set(key, this.columns("value")[0]![0] ?? null);
    return this.#values.get(key);
  }

  update(value: unknown): void {
    this.#values.set(this.key(), this.held(value));
    this.#changed.add(this.key());
  }

  clear(): void {
    this.#values.set(this.key(), null);
    this.#changed.add(this.key());
  }

  collect({ changes, values }: VariableChanges): void {
    for (const key of this.#changed) {
      const value = this.#values.get(key);
      changes.push([key, this.index, value === null ? "clear" : "update", value === null ? 0 : 1]);
      if (value !== null) values.push(value);
    }
  }

  reset(): void {
    this.#values.clear();
    this.#changed.clear();
    this.wasRead = false;
  }
}

interface ListCell {
  /** What is stored, once it was read or replaced. */
  stored: unknown[] | undefined;
  replaced: boolean;
  readonly added: unknown[];
}

export class SparkList extends SparkVariable implements ListState<any> {
  readonly #cells = new Map<number, ListCell>();

  exists(): boolean {
    const cell = this.#cell();
    return cell.added.length > 0 || this.#stored(cell).length > 0;
  }

  get(): readonly any[] {
    const cell = this.#cell();
    return [...this.#stored(cell), ...cell.added];
  }

  put(values: readonly unknown[]): void {
    const cell = this.#cell();
    const items = values.map((value) => this.held(value));
    cell.stored = [];
    cell.replaced = true;
    cell.added.length = 0;
    cell.added.push(...items);
  }

  appendValue(value: unknown): void {
    this.#cell().added.push(this.held(value));
  }

  appendList(values: readonly unknown[]): void {
    for (const value of values) this.appendValue(value);
  }

  clear(): void {
    this.put([]);
  }

  collect({ changes, values }: VariableChanges): void {
    for (const [key, { replaced, added }] of this.#cells) {
      if (!replaced && added.length === 0) continue;
      const op = !replaced ? "append" : added.length === 0 ? "clear" : "put";
      changes.push([key, this.index, op, added.length]);
      for (const value of added) values.push(value);
    }
  }

  reset(): void {
    this.#cells.clear();
  }

  #stored(cell: ListCell): unknown[] {
    cell.stored ??= this.columns("list")[0]!;
    return cell.stored;
  }

  #cell(): ListCell {
    const key = this.key();
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = { stored: undefined, replaced: false, added: [] };
      this.#cells.set(key, cell);
    }
    return cell;
  }
}

interface MapCell {
  /** Entries that are known; a value of null: there is none. */
  readonly entries: Map<string, { readonly key: unknown; readonly value: unknown }>;
  readonly changed: Set<string>;
  /** All entries are known. */
  whole: boolean;
  cleared: boolean;
}

export class SparkMap extends SparkVariable implements MapState<any, any> {
  readonly #cells = new Map<number, MapCell>();

  exists(): boolean {
    return this.#list().length > 0;
  }

  getValue(mapKey: unknown): any {
    const cell = this.#cell();
    const id = stateIdentity(mapKey);
    let entry = cell.entries.get(id);
    if (entry === undefined) {
      const value = cell.whole ? null : (this.columns("entry", this.encodeKeys([this.held(mapKey)]))[0]![0] ?? null);
      entry = { key: mapKey, value };
      cell.entries.set(id, entry);
    }
    return entry.value;
  }

  containsKey(mapKey: unknown): boolean {
    return this.getValue(mapKey) !== null;
  }

  updateValue(mapKey: unknown, value: unknown): void {
    const cell = this.#cell();
    const id = stateIdentity(this.held(mapKey));
    cell.entries.set(id, { key: mapKey, value: this.held(value) });
    cell.changed.add(id);
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
    const cell = this.#cell();
    const id = stateIdentity(mapKey);
    cell.entries.set(id, { key: mapKey, value: null });
    cell.changed.add(id);
  }

  clear(): void {
    const cell = this.#cell();
    cell.entries.clear();
    cell.changed.clear();
    cell.whole = true;
    cell.cleared = true;
  }

  collect({ changes, values, keys }: VariableChanges): void {
    for (const [key, cell] of this.#cells) {
      if (cell.cleared) changes.push([key, this.index, "clear", 0]);
      for (const id of cell.changed) {
        const entry = cell.entries.get(id)!;
        if (entry.value === null && cell.cleared) continue;
        changes.push([key, this.index, entry.value === null ? "remove" : "set", 1]);
        keys.push(entry.key);
        if (entry.value !== null) values.push(entry.value);
      }
    }
  }

  reset(): void {
    this.#cells.clear();
  }

  #list(): { readonly key: unknown; readonly value: unknown }[] {
    const cell = this.#cell();
    if (!cell.whole) {
      const [keys, values] = this.columns("map");
      keys!.forEach((key, i) => {
        const id = stateIdentity(key);
        if (!cell.changed.has(id)) cell.entries.set(id, { key, value: values![i] });
      });
      cell.whole = true;
    }
    return [...cell.entries.values()].filter(({ value }) => value !== null);
  }

  #cell(): MapCell {
    const key = this.key();
    let cell = this.#cells.get(key);
    if (cell === undefined) {
      cell = { entries: new Map(), changed: new Set(), whole: false, cleared: false };
      this.#cells.set(key, cell);
    }
    return cell;
  }
}
