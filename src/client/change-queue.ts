import { type Changed, toChange } from "./live-view.ts";
import type { LiveChange } from "./types.ts";

/** What one `for await` has not taken yet: bounded by the number of rows, as changes of the same row are folded. */
export class ChangeQueue<Row> implements AsyncIterator<LiveChange<Row>, undefined> {
  readonly #onReturn: () => void;
  #waiting: Changed<Row> | undefined;
  #takers: ((result: IteratorResult<LiveChange<Row>, undefined>) => void)[] = [];
  #ended = false;

  constructor(onReturn: () => void) {
    this.#onReturn = onReturn;
  }

  push(changed: Changed<Row>): void {
    const taker = this.#takers.shift();
    if (taker !== undefined) taker({ done: false, value: toChange(changed) });
    else if (this.#waiting === undefined) {
      this.#waiting = { kind: changed.kind, upserted: new Map(changed.upserted), removed: new Map(changed.removed) };
    } else fold(this.#waiting, changed);
  }

  end(): void {
    this.#ended = true;
    for (const taker of this.#takers.splice(0)) taker({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<LiveChange<Row>, undefined>> {
    if (this.#waiting !== undefined) {
      const value = toChange(this.#waiting);
      this.#waiting = undefined;
      return Promise.resolve({ done: false, value });
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#takers.push(resolve));
  }

  return(): Promise<IteratorResult<LiveChange<Row>, undefined>> {
    this.#waiting = undefined;
    this.end();
    this.#onReturn();
    return Promise.resolve({ done: true, value: undefined });
  }
}

function fold<Row>(into: Changed<Row>, next: Changed<Row>): void {
  if (next.kind === "state") return;
  if (next.kind === "rows") {
    into.kind = "rows";
    for (const [id, row] of into.upserted) if (!next.upserted.has(id)) into.removed.set(id, row);
    into.upserted = new Map();
  } else if (into.kind === "state") into.kind = "changes";
  for (const [id, row] of next.removed) {
    into.upserted.delete(id);
    into.removed.set(id, row);
  }
  for (const [id, row] of next.upserted) {
    into.removed.delete(id);
    into.upserted.set(id, row);
  }
}
