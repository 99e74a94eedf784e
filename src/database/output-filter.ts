import { B, cstring, MessageReader, messages, type TransactionStatus } from "./protocol.ts";
import type { Unit } from "./unit.ts";

/** What the filter tells while output passes. */
export interface OutputEvents {
  /** A COPY FROM STDIN begins. */
  copyIn(): void;
  /** A NOTIFY for one of the channels. */
  notification(channel: string, m: Buffer): void;
}

/**
 * The output of one unit on its way to its client: takes out what the client must not see (answers to the messages put before the
 * unit, notifications, which have their own way) and notes what the unit did.
 */
export class OutputFilter {
  readonly #unit: Unit;
  readonly #events: OutputEvents;
  readonly #reader = new MessageReader();
  #swallow: number;
  /** From the last ReadyForQuery, if there was one. */
  status: TransactionStatus | undefined;

  constructor(unit: Unit, events: OutputEvents) {
    this.#unit = unit;
    this.#events = events;
    this.#swallow = unit.before.length;
  }

  /** Returns the messages for the client, whole ones only; undefined when there are none yet. */
  push(chunk: Buffer): Buffer | undefined {
    const piece = this.#reader.push(chunk);
    if (piece === undefined) return undefined;
    const keep: Buffer[] = [];
    let from = 0;
    let at = 0;
    for (const m of messages(piece)) {
      if (!this.#passes(m)) {
        if (at > from) keep.push(piece.subarray(from, at));
        from = at + m.length;
      }
      at += m.length;
    }
    if (from === 0) return piece;
    if (at > from) keep.push(piece.subarray(from, at));
    return keep.length > 0 ? Buffer.concat(keep) : undefined;
  }

  #passes(m: Buffer): boolean {
    switch (m[0]) {
      case B.parseComplete:
      case B.closeComplete:
        if (this.#swallow > 0) {
          this.#swallow--;
          return false;
        }
        this.#unit.effect(m[0]);
        return true;
      case B.error:
        if (this.#swallow > 0) this.#unit.abandoned(this.#unit.before.length - this.#swallow);
        this.#swallow = 0;
        return true;
      case B.commandComplete:
        this.#unit.tag(m);
        return true;
      case B.copyIn:
        this.#events.copyIn();
        return true;
      case B.notification:
        this.#events.notification(cstring(m, 9).text, m);
        return false;
      case B.ready:
        this.status = String.fromCharCode(m[5]!) as TransactionStatus;
        return true;
      default:
        return true;
    }
  }
}
