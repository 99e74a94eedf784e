import {
  type Client,
  channelsIn,
  customSettingsIn,
  mergeTraits,
  NO_TRAITS,
  type Statement,
  sqlOf,
  statementName,
  type Trace,
  type Traits,
  traitsOf,
} from "./client.ts";
import { B, cstring, F, message } from "./protocol.ts";

/**
 * A few messages of one client that run together, and what they do to the names of prepared statements. The session has
 * one table of names for all clients. A client's statement is loaded again when another client has taken its name since.
 */
export class Unit {
  /** Messages to run first; each is answered by ParseComplete or CloseComplete, which the client must not see. */
  readonly before: Buffer[] = [];
  readonly trace: Trace;
  readonly #client: Client;
  readonly #loaded: Map<string, Client>;
  /** Parse and Close of the client in order; the answers tell how far they got. */
  readonly #effects: { type: number; name: string; statement: Statement | undefined }[] = [];
  #answered = 0;
  readonly #dropsUnnamed: boolean;

  constructor(client: Client, loaded: Map<string, Client>, unit: readonly Buffer[], traits: Traits) {
    this.#client = client;
    this.#loaded = loaded;
    this.trace = { traits, tags: new Set(), listened: new Set() };
    this.#dropsUnnamed = unit.some((m) => m[0] === F.query);
    const own = new Set<string>();
    for (const m of unit) {
      if (traits.listen && (m[0] === F.query || m[0] === F.parse)) this.#listens(sqlOf(m));
      const name = statementName(m);
      if (name === undefined) continue;
      if (m[0] === F.bind && traits.listen) this.#listens(client.statements.get(name)?.sql ?? "");
      if (m[0] === F.parse) {
        // Under its own name PostgreSQL must find the client's own older statement, and complain.
        if (name !== "" && !own.has(name)) this.#need(name);
        own.add(name);
        this.#effects.push({
          type: B.parseComplete,
          name,
          statement: { parse: m, sql: undefined, traits: traitsOf(sqlOf(m)) },
        });
      } else if (m[0] === F.close) {
        if (!own.has(name) && loaded.get(name) !== client) loaded.delete(name);
        this.#effects.push({ type: B.closeComplete, name, statement: undefined });
      } else if (!own.has(name)) this.#need(name);
    }
  }

  #listens(sql: string): void {
    for (const channel of channelsIn(sql)) this.trace.listened.add(channel);
  }

  /** Sees to it that `name` means this client's statement, or nothing when the client has none of that name. */
  #need(name: string): void {
    const owner = this.#loaded.get(name);
    if (owner === this.#client) return;
    if (owner !== undefined) {
      this.before.push(message(F.close, Buffer.from("S"), name));
      this.#loaded.delete(name);
    }
    const statement = this.#client.statements.get(name);
    if (statement?.parse === undefined) return;
    this.before.push(statement.parse);
    this.#loaded.set(name, this.#client);
  }

  /** A ParseComplete or CloseComplete for the client's own message. */
  effect(type: number): void {
    const done = this.#effects[this.#answered++];
    if (done === undefined || done.type !== type) return;
    if (done.statement !== undefined) {
      this.#client.statements.set(done.name, done.statement);
      this.#loaded.set(done.name, this.#client);
    } else {
      this.#client.statements.delete(done.name);
      this.#loaded.delete(done.name);
    }
  }

  /** The messages of `before` failed from the given one on: their names are not loaded. */
  abandoned(from: number): void {
    for (const m of this.before.slice(from)) {
      const name = statementName(m);
      if (name !== undefined && m[0] === F.parse) this.#loaded.delete(name);
    }
  }

  /** A CommandComplete. */
  tag(m: Buffer): void {
    const tag = cstring(m, 5).text;
    if (TAGS.has(tag)) this.trace.tags.add(tag);
  }

  finish(): void {
    if (!this.#dropsUnnamed) return;
    this.#client.statements.delete("");
    this.#loaded.delete("");
  }
}

const TAGS = new Set(["SET", "RESET", "LISTEN", "UNLISTEN", "PREPARE", "DEALLOCATE", "DEALLOCATE ALL", "DISCARD ALL"]);

/** What the texts in a unit, or of the statements that it binds, say about session state. */
export function traitsOfUnit(c: Client, unit: Buffer[]): Traits {
  let traits = NO_TRAITS;
  for (const m of unit) {
    if (m[0] === F.query || m[0] === F.parse) {
      const sql = sqlOf(m);
      traits = mergeTraits(traits, traitsOf(sql));
      for (const name of customSettingsIn(sql)) c.customSettings.add(name);
    } else if (m[0] === F.bind) traits = mergeTraits(traits, c.statements.get(statementName(m)!)?.traits ?? NO_TRAITS);
  }
  return traits;
}
