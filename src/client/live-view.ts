import type { ViewMessages, ViewOrder, ViewRow } from "../observe/api-views.ts";
import { ChangeQueue } from "./change-queue.ts";
import type { KeyValue, LiveChange, LiveError, LiveStatus, LiveView } from "./types.ts";
import { compareSortKeys, compareText, idOf, type Revive, reviverOf, type SortKey, sortKeyOf, toWire } from "./wire.ts";

/** How far a view has been read: what a new connection goes on from. */
export interface Position {
  readonly epoch: string;
  readonly batch: number;
}

interface Entry<Row> {
  readonly id: string;
  readonly row: Row;
  readonly sortKeys: readonly SortKey[];
}

/** Turns rows as they travel into the user's rows. */
interface Shape {
  readonly open: ViewMessages["open"];
  readonly revive: readonly (readonly [name: string, revive: NonNullable<Revive>])[];
  readonly order: readonly (ViewOrder & { readonly sortKey: (value: unknown) => SortKey })[];
}

/** What changed, by the ids of the rows. */
export interface Changed<Row> {
  kind: LiveChange<Row>["kind"];
  upserted: Map<string, Row>;
  removed: Map<string, Row>;
}

type Listener<Row> = (view: LiveView<Row>, change: LiveChange<Row>) => void;

/** A view on the side of the reader: the messages of the stream become rows. The connection hands them in. */
export class FollowedView<Row = any> implements LiveView<Row> {
  readonly name: string;
  readonly ready: Promise<void>;
  readonly #onClose: () => void;
  readonly #listeners = new Set<Listener<Row>>();
  readonly #queues = new Set<ChangeQueue<Row>>();
  readonly #settle: { resolve: () => void; reject: (error: Error) => void };
  #shape: Shape | undefined;
  #entries = new Map<string, Entry<Row>>();
  #rows: readonly Row[] | undefined = [];
  /** A snapshot of which parts are still missing. */
  #next: { shape: Shape; entries: Map<string, Entry<Row>> } | undefined;
  #position: Position | undefined;
  #status: LiveStatus = "connecting";
  #watermark: Date | null = null;
  #error: LiveError | null = null;
  #skipped = 0;
  /** When the server last spoke of this view, by the clock of `performance.now`. */
  heardAt = Number.NEGATIVE_INFINITY;

  constructor(name: string, onClose: () => void) {
    this.name = name;
    this.#onClose = onClose;
    let settle: { resolve: () => void; reject: (error: Error) => void } | undefined;
    this.ready = new Promise<void>((resolve, reject) => {
      settle = { resolve, reject };
    });
    this.#settle = settle!;
    // Whoever does not ask for it shall not hear of it.
    this.ready.catch(() => {});
  }

  get rows(): readonly Row[] {
    this.#rows ??= Object.freeze(this.#sorted());
    return this.#rows;
  }
  get(key: KeyValue | readonly KeyValue[]): Row | undefined {
    const columns = this.#shape?.open.columns ?? [];
    const names = this.#shape?.open.key ?? [];
    const values = (Array.isArray(key) ? key : [key]) as readonly KeyValue[];
    const id = idOf(
      values.map((value, i) =>
        toWire(
          value,
          columns.find((c) => c.name === names[i]),
        ),
      ),
    );
    return this.#entries.get(id)?.row;
  }
  get status(): LiveStatus {
    return this.#status;
  }
  get batch(): number | null {
    return this.#position?.batch ?? null;
  }
  get watermark(): Date | null {
    return this.#watermark;
  }
  get error(): LiveError | null {
    return this.#error;
  }
  get skipped(): number {
    return this.#skipped;
  }
  get position(): Position | undefined {
    return this.#position;
  }

  subscribe(listener: Listener<Row>): () => void {
    const own: Listener<Row> = (view, change) => listener(view, change);
    this.#listeners.add(own);
    if (this.#position !== undefined) call(own, this, toChange(this.#everything()));
    return () => this.#listeners.delete(own);
  }

  [Symbol.asyncIterator](): AsyncIterator<LiveChange<Row>, undefined> {
    const queue = new ChangeQueue<Row>(() => this.#queues.delete(queue));
    if (this.#position !== undefined) queue.push(this.#everything());
    if (this.#status === "closed") queue.end();
    else this.#queues.add(queue);
    return queue;
  }

  close(): void {
    if (this.#status === "closed") return;
    this.#status = "closed";
    this.#tell(stateChange());
    this.#settle.reject(new Error(`The view ${this.name} was closed before its first rows came.`));
    for (const queue of this.#queues) queue.end();
    this.#queues.clear();
    this.#listeners.clear();
    this.#onClose();
  }

  /** A message of the stream. */
  take<K extends keyof ViewMessages>(event: K, message: ViewMessages[K], now: number): void {
    if (this.#status === "closed") return;
    this.heardAt = now;
    const handlers: { [E in keyof ViewMessages]: (message: ViewMessages[E]) => void } = {
      open: (m) => {
        this.#next = { shape: shapeOf(m), entries: new Map() };
      },
      snapshot: (m) => {
        if (this.#next === undefined) return;
        for (const row of m.rows) put(this.#next.entries, this.#next.shape, row);
      },
      ready: (m) => this.#ready(m),
      changes: (m) => this.#changes(m),
      beat: (m) => {
        if (this.#position !== undefined && m.batch === this.#position.batch) this.#state("live", null, m.watermark);
      },
      reset: () => {
        // The rows stay until the new ones are whole.
        this.#next = undefined;
      },
      fail: ({ code, message, hint }) => this.fail({ code, message, hint }),
    };
    handlers[event]?.(message);
  }

  /** The view cannot be read now. */
  fail(error: LiveError): void {
    this.#state(this.#position === undefined ? "connecting" : "stale", error);
  }

  /** The server has been silent for too long. */
  stale(): void {
    if (this.#status === "live") this.#state("stale", this.#error);
  }

  #ready(m: ViewMessages["ready"]): void {
    if (this.#next === undefined) return;
    const { shape, entries } = this.#next;
    this.#next = undefined;
    const removed = new Map<string, Row>();
    for (const { id, row } of this.#entries.values()) if (!entries.has(id)) removed.set(id, row);
    this.#shape = shape;
    this.#entries = entries;
    this.#applied(m, shape.open.epoch, { ...this.#everything(), removed });
  }

  #changes(m: ViewMessages["changes"]): void {
    const shape = this.#shape;
    if (shape === undefined || this.#position === undefined) return;
    const changed: Changed<Row> = { kind: "changes", upserted: new Map(), removed: new Map() };
    for (const key of m.remove) {
      const entry = this.#entries.get(idOf(key));
      if (entry === undefined) continue;
      this.#entries.delete(entry.id);
      changed.removed.set(entry.id, entry.row);
    }
    for (const wire of m.upsert) {
      const { id, row } = put<Row>(this.#entries, shape, wire);
      changed.upserted.set(id, row);
      changed.removed.delete(id);
    }
    this.#skipped += m.skipped;
    this.#applied(m, this.#position.epoch, changed);
  }

  #applied(m: { batch: number; watermark: string | null }, epoch: string, changed: Changed<Row>): void {
    this.#position = { epoch, batch: m.batch };
    this.#rows = undefined;
    this.#status = "live";
    this.#error = null;
    this.#watermark = toDate(m.watermark);
    this.#settle.resolve();
    this.#tell(changed);
  }

  #state(status: LiveStatus, error: LiveError | null, watermark?: string | null): void {
    const time = watermark === undefined ? this.#watermark : toDate(watermark);
    const same =
      status === this.#status &&
      error?.code === this.#error?.code &&
      error?.message === this.#error?.message &&
      time?.getTime() === this.#watermark?.getTime();
    if (same) return;
    this.#status = status;
    this.#error = error;
    this.#watermark = time;
    this.#tell(stateChange());
  }

  #everything(): Changed<Row> {
    const upserted = new Map<string, Row>();
    for (const { id, row } of this.#entries.values()) upserted.set(id, row);
    return { kind: "rows", upserted, removed: new Map() };
  }

  #tell(changed: Changed<Row>): void {
    for (const queue of this.#queues) queue.push(changed);
    if (this.#listeners.size === 0) return;
    const change = toChange(changed);
    for (const listener of [...this.#listeners]) call(listener, this, change);
  }

  #sorted(): Row[] {
    const order = this.#shape?.order ?? [];
    return [...this.#entries.values()]
      .sort((a, b) => compareSortKeys(a.sortKeys, b.sortKeys, order) || compareText(a.id, b.id))
      .map((entry) => entry.row);
  }
}

/** A listener that throws must not stop the others, nor the stream; the error is the program's, as one thrown in a timer. */
function call<Row>(listener: Listener<Row>, view: LiveView<Row>, change: LiveChange<Row>): void {
  try {
    listener(view, change);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

export function toChange<Row>(changed: Changed<Row>): LiveChange<Row> {
  return { kind: changed.kind, upserted: [...changed.upserted.values()], removed: [...changed.removed.values()] };
}

function stateChange<Row>(): Changed<Row> {
  return { kind: "state", upserted: new Map(), removed: new Map() };
}

function toDate(text: string | null): Date | null {
  return text === null ? null : new Date(text);
}

function shapeOf(open: ViewMessages["open"]): Shape {
  return {
    open,
    revive: open.columns.flatMap((column) => {
      const revive = reviverOf(column);
      return revive === undefined ? [] : [[column.name, revive] as const];
    }),
    order: open.orderBy.flatMap((order) => {
      const column = open.columns.find((c) => c.name === order.column);
      return column === undefined ? [] : [{ ...order, sortKey: sortKeyOf(column) }];
    }),
  };
}

function put<Row>(entries: Map<string, Entry<Row>>, shape: Shape, wire: ViewRow): Entry<Row> {
  const id = idOf(shape.open.key.map((name) => wire[name] ?? null));
  const sortKeys = shape.order.map(({ column, sortKey }) => sortKey(wire[column]));
  // What JSON.parse made is nobody else's, so the values are replaced where they stand.
  const row = wire as Record<string, unknown>;
  for (const [name, revive] of shape.revive) {
    const value = row[name];
    if (value !== null && value !== undefined) row[name] = revive(value);
  }
  const entry: Entry<Row> = { id, row: Object.freeze(row) as Row, sortKeys };
  entries.set(id, entry);
  return entry;
}
