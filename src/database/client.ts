import { randomInt } from "node:crypto";
import type { Socket } from "node:net";
import { cstring, F, MessageReader, messages, type TransactionStatus } from "./protocol.ts";

/** A prepared statement as its client sent it, so that it can be loaded again. */
export interface Statement {
  /** The Parse message, or for one made by SQL the text of the PREPARE. */
  readonly parse: Buffer | undefined;
  readonly sql: string | undefined;
  readonly traits: Traits;
}

/** What the text of a statement says about the session state that it touches. */
export interface Traits {
  readonly settings: boolean;
  readonly names: boolean;
  readonly listen: boolean;
  readonly temporary: boolean;
  readonly advisory: boolean;
  readonly cursor: boolean;
}

export const NO_TRAITS: Traits = {
  settings: false,
  names: false,
  listen: false,
  temporary: false,
  advisory: false,
  cursor: false,
};

const ANY =
  /\b(set_config|prepare|execute|deallocate|discard|listen|unlisten|temp|temporary|pg_\w*advisory\w*|hold)\b/i;

/** Over-cautious on purpose: a word inside a string literal costs one needless look at the session, nothing more. */
export function traitsOf(sql: string): Traits {
  if (!ANY.test(sql)) return NO_TRAITS;
  return {
    settings: /\b(set_config|discard)\b/i.test(sql),
    names: /\b(prepare|execute|deallocate|discard)\b/i.test(sql),
    listen: /\b(listen|unlisten|discard)\b/i.test(sql),
    temporary: /\b(temp|temporary)\b/i.test(sql),
    advisory: /\bpg_\w*advisory/i.test(sql),
    cursor: /\bhold\b/i.test(sql),
  };
}

/** Names of an extension's or application's own settings (`app.user`) that a text sets: PostgreSQL lists all others. */
export function customSettingsIn(sql: string): string[] {
  const found: string[] = [];
  const pattern = /\bset\s+(?:session\s+)?(\w+\.[\w.]+)|\bset_config\s*\(\s*'(\w+\.[\w.]+)'/gi;
  for (const m of sql.matchAll(pattern)) found.push((m[1] ?? m[2])!.toLowerCase());
  return found;
}

/** What was seen of session state since the last end of a transaction. */
export interface Trace {
  traits: Traits;
  /** The tags of completed commands that change session state. */
  tags: Set<string>;
  /** Channels named by LISTEN. */
  listened: Set<string>;
}

export function mergeTraits(a: Traits, b: Traits): Traits {
  if (a === NO_TRAITS) return b;
  if (b === NO_TRAITS) return a;
  return {
    settings: a.settings || b.settings,
    names: a.names || b.names,
    listen: a.listen || b.listen,
    temporary: a.temporary || b.temporary,
    advisory: a.advisory || b.advisory,
    cursor: a.cursor || b.cursor,
  };
}

export function mergeTrace(a: Trace | undefined, b: Trace): Trace {
  if (a === undefined) return b;
  return {
    traits: mergeTraits(a.traits, b.traits),
    tags: a.tags.union(b.tags),
    listened: a.listened.union(b.listened),
  };
}

/** The channels that a text of LISTEN commands names, folded as PostgreSQL folds identifiers. */
export function channelsIn(sql: string): string[] {
  const found: string[] = [];
  for (const m of sql.matchAll(/\blisten\s+("(?:[^"]|"")+"|[\p{L}_][\p{L}\p{N}_$]*)/giu)) {
    const name = m[1]!;
    found.push(name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name.toLowerCase());
  }
  return found;
}

/** Output that a client has not read before the statement behind it is slowed down. */
const MAX_UNREAD = 1024 * 1024;

/** One connection, and what is kept of its session while another has the database. */
export class Client {
  static #nextPid = 1000;

  readonly pid = Client.#nextPid++;
  readonly secret = randomInt(0, 0x7fffffff);
  readonly socket: Socket;
  readonly reader = new MessageReader();
  /** Messages not yet given to the database. */
  pending: Buffer[] = [];
  pendingBytes = 0;
  /** How many of `pending` end a piece that can be run. */
  runnable = 0;
  greeted = false;
  /** The connection is closed; what still runs for it runs unheard. */
  gone = false;
  status: TransactionStatus = "I";
  /** Messages were run whose Sync has not come. */
  midSequence = false;
  /** What the units of the open transaction did to the session. */
  carried: Trace | undefined;
  lastActive = 0;

  startup = new Map<string, string>();
  /** Settings that differ from the server's. */
  settings = new Map<string, string>();
  /** Of its settings those that PostgreSQL does not list. */
  readonly customSettings = new Set<string>();
  readonly statements = new Map<string, Statement>();
  readonly channels = new Set<string>();
  usesTemporary = false;
  usesAdvisory = false;
  usesCursor = false;

  readonly #stalledMs: number;
  readonly #onStalled: () => boolean;

  /** `onStalled` is asked when the client has not read for `stalledMs`; true gives it up. */
  constructor(socket: Socket, stalledMs: number, onStalled: () => boolean) {
    this.socket = socket;
    this.#stalledMs = stalledMs;
    this.#onStalled = onStalled;
  }

  /** Sends whole messages; `taken` is called once they do not wait in memory because of a slow reader. */
  write(bytes: Buffer, taken?: () => void): void {
    if (this.gone || this.socket.destroyed) {
      taken?.();
      return;
    }
    if (this.socket.writableLength < MAX_UNREAD) {
      this.socket.write(bytes);
      taken?.();
      return;
    }
    const stalled = setTimeout(() => {
      if (this.#onStalled()) this.socket.destroy();
      else stalled.refresh();
    }, this.#stalledMs);
    stalled.unref();
    this.socket.write(bytes, () => {
      clearTimeout(stalled);
      taken?.();
    });
  }

  /** It has a transaction or an unfinished sequence of messages, so nobody else may run. */
  get holds(): boolean {
    return this.status !== "I" || this.midSequence;
  }

  /** Adds whole messages. Data of a COPY that has failed is dropped, as PostgreSQL does. */
  add(piece: Buffer, copying: boolean): void {
    for (const m of messages(piece)) {
      const type = m[0]!;
      if (!copying && (type === F.copyData || type === F.copyDone || type === F.copyFail || type === F.password))
        continue;
      this.pending.push(m);
      this.pendingBytes += m.length;
      if (ends(type)) this.runnable++;
    }
  }

  /** The messages up to the next one that asks for an answer. */
  takeUnit(): Buffer[] {
    const end = this.pending.findIndex((m) => ends(m[0]!)) + 1;
    return this.#take(end);
  }

  takeAll(): Buffer[] {
    return this.#take(this.pending.length);
  }

  #take(count: number): Buffer[] {
    const taken = this.pending.splice(0, count);
    for (const m of taken) {
      this.pendingBytes -= m.length;
      if (ends(m[0]!)) this.runnable--;
    }
    return taken;
  }
}

function ends(type: number): boolean {
  return type === F.query || type === F.sync || type === F.flush || type === F.functionCall || type === F.terminate;
}

/** What Parse, Bind, Describe and Close name. */
export function statementName(m: Buffer): string | undefined {
  switch (m[0]) {
    case F.parse:
      return cstring(m, 5).text;
    case F.bind:
      return cstring(m, cstring(m, 5).next).text;
    case F.describe:
    case F.close:
      return m[5] === 0x53 ? cstring(m, 6).text : undefined;
    default:
      return undefined;
  }
}

/** The SQL of a Query or Parse message. */
export function sqlOf(m: Buffer): string {
  return m[0] === F.query ? cstring(m, 5).text : cstring(m, cstring(m, 5).next).text;
}
