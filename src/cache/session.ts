import type { Aof } from "./aof.ts";
import type { PubSub } from "./pub-sub.ts";
import { encode, type Reply } from "./resp.ts";
import type { Database, Store } from "./store.ts";

/** What all connections share. */
export interface Server {
  readonly store: Store;
  readonly pubSub: PubSub;
  readonly sessions: Map<number, Session>;
  readonly watchers: Watchers;
  readonly aof: Aof | undefined;
  readonly info: { readonly startedAt: number; readonly port: number; commands: number; connections: number };
  now(): number;
}

/** One connection's state. */
export class Session {
  readonly id: number;
  readonly server: Server;
  readonly address: string;
  readonly connectedAt: number;
  readonly #send: (bytes: string) => void;
  db: Database;
  version: 2 | 3 = 2;
  name = "";
  libName = "";
  libVersion = "";
  lastCommand = "";
  /** Commands of an open MULTI. */
  queued: string[][] | undefined;
  /** A command of the open MULTI was refused, so EXEC will be. */
  queueFailed = false;
  /** A watched key has changed. */
  dirty = false;
  readonly watched = new Set<string>();
  readonly channels = new Set<string>();
  readonly patterns = new Set<string>();
  closeAfterReply = false;
  replies: "on" | "off" | "skip" | "skip-next" = "on";

  constructor(id: number, server: Server, address: string, send: (bytes: string) => void) {
    this.id = id;
    this.server = server;
    this.address = address;
    this.connectedAt = server.now();
    this.#send = send;
    this.db = server.store.databases[0]!;
  }

  /** In RESP2 a connection that has subscribed may do nothing else. */
  get subscribed(): boolean {
    return this.channels.size + this.patterns.size > 0;
  }

  send(reply: Reply): void {
    this.#send(encode(reply, this.version));
  }

  push(items: readonly Reply[]): void {
    this.send({ pushes: [items] });
  }

  unwatch(): void {
    for (const key of this.watched) this.server.watchers.remove(key, this);
    this.watched.clear();
    this.dirty = false;
  }

  endTransaction(): void {
    this.queued = undefined;
    this.queueFailed = false;
    this.unwatch();
  }

  reset(): void {
    this.endTransaction();
    this.server.pubSub.leave(this);
    this.db = this.server.store.databases[0]!;
    this.version = 2;
    this.name = "";
    this.replies = "on";
  }
}

/** Who watches which key. */
export class Watchers {
  readonly #sessions = new Map<string, Set<Session>>();

  static id(db: number, key: string): string {
    return `${db}:${key}`;
  }

  add(id: string, session: Session): void {
    const sessions = this.#sessions.get(id);
    if (sessions === undefined) this.#sessions.set(id, new Set([session]));
    else sessions.add(session);
    session.watched.add(id);
  }

  remove(id: string, session: Session): void {
    const sessions = this.#sessions.get(id);
    sessions?.delete(session);
    if (sessions?.size === 0) this.#sessions.delete(id);
  }

  touched(db: number, key: string): void {
    if (this.#sessions.size === 0) return;
    for (const session of this.#sessions.get(Watchers.id(db, key)) ?? []) session.dirty = true;
  }
}
