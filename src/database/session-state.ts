import { type Backend, BackendDied, QUIET } from "./backend.ts";
import { type Client, type Trace, traitsOf } from "./client.ts";
import { F, message, SYNC } from "./protocol.ts";
import { identifier, literal, RESET_SESSION, setAll } from "./settings.ts";

/**
 * What clients leave in the one session: settings, prepared statements, channels, temporary tables. Before a client's turn the
 * session is put into the state that this client left it in; after it, what the client changed is remembered.
 */
export class SessionState {
  readonly #backend: Backend;
  /** The clients that are connected. */
  readonly #clients: ReadonlyMap<number, Client>;
  /** Statements that the session knows, by name, and whose they are; "" is the unnamed one. */
  readonly loaded = new Map<string, Client>();
  #settingsOf: Client | undefined;

  constructor(backend: Backend, clients: ReadonlyMap<number, Client>) {
    this.#backend = backend;
    this.#clients = clients;
  }

  /** Runs SQL of the server's own. */
  sql(text: string): Promise<(string | null)[][]> {
    // A simple query drops the unnamed statement.
    this.loaded.delete("");
    return this.#backend.sql(text);
  }

  /** Puts the session's settings into the state of `c`. */
  async enter(c: Client): Promise<void> {
    const before = this.#settingsOf;
    if (before === c) return;
    if ((before === undefined || before.settings.size === 0) && c.settings.size === 0) {
      this.#settingsOf = c;
      return;
    }
    try {
      await this.sql(`${RESET_SESSION}${setAll(c.settings)}`);
    } catch (error) {
      if (error instanceof BackendDied) throw error;
      // One of them is no longer valid (a role that was dropped), which undid the reset too: the others still count.
      await this.sql(RESET_SESSION);
      for (const [name, value] of [...c.settings]) {
        try {
          await this.sql(setAll(new Map([[name, value]])));
        } catch (fault) {
          if (fault instanceof BackendDied) throw fault;
          c.settings.delete(name);
        }
      }
    }
    this.#settingsOf = c;
  }

  /** Applies the settings that a new client asks for; throws PostgreSQL's complaint and changes nothing then. */
  async enterFirst(c: Client, wanted: Map<string, string>): Promise<void> {
    await this.sql(`${RESET_SESSION}${setAll(wanted)}`);
    await this.#captureSettings(c);
  }

  /** After the end of a transaction: remembers what it changed. */
  async leave(c: Client, run: Trace): Promise<void> {
    c.usesTemporary ||= run.traits.temporary;
    c.usesAdvisory ||= run.traits.advisory;
    c.usesCursor ||= run.traits.cursor;
    if (run.traits.settings || intersects(run.tags, ["SET", "RESET"])) await this.#captureSettings(c);
    if (run.traits.names && intersects(run.tags, ["PREPARE", "DEALLOCATE", "DEALLOCATE ALL", "DISCARD ALL"])) {
      await this.#captureStatements(c);
    }
    if (run.traits.listen && intersects(run.tags, ["LISTEN", "UNLISTEN", "DISCARD ALL"])) {
      await this.#captureChannels(c, run);
    }
  }

  async #captureSettings(c: Client): Promise<void> {
    const custom = [...c.customSettings].map(
      (n) => ` UNION ALL SELECT ${literal(n)}, current_setting(${literal(n)}, true)`,
    );
    const rows = await this.sql(
      "SELECT name, setting FROM pg_settings WHERE source = 'session' " +
        "UNION ALL SELECT 'role', current_setting('role') WHERE current_setting('role') <> 'none' " +
        `UNION ALL SELECT 'session_authorization', session_user WHERE session_user <> 'postgres'${custom.join("")}`,
    );
    c.settings = new Map(rows.filter((r) => r[1] !== null).map((r) => [r[0]!, r[1]!]));
    this.#settingsOf = c;
  }

  /** SQL's PREPARE and DEALLOCATE, which do not show in the protocol. */
  async #captureStatements(c: Client): Promise<void> {
    const rows = await this.sql("SELECT name, from_sql, statement FROM pg_prepared_statements");
    const present = new Set(rows.map((r) => r[0]!));
    for (const [name, owner] of this.loaded) {
      if (present.has(name)) continue;
      this.loaded.delete(name);
      if (owner === c) c.statements.delete(name);
    }
    for (const [name, fromSql, statement] of rows) {
      if (fromSql !== "t" || this.loaded.has(name!)) continue;
      c.statements.set(name!, { parse: undefined, sql: statement!, traits: traitsOf(statement!) });
      this.loaded.set(name!, c);
    }
  }

  async #captureChannels(c: Client, run: Trace): Promise<void> {
    const active = new Set((await this.sql("SELECT pg_listening_channels()")).map((r) => r[0]!));
    if (intersects(run.tags, ["UNLISTEN", "DISCARD ALL"])) {
      for (const channel of [...c.channels]) if (!active.has(channel)) c.channels.delete(channel);
      // Its UNLISTEN took the others' channels too.
      for (const other of this.#clients.values()) {
        for (const channel of other.channels) if (!active.has(channel)) await this.#listen(channel);
      }
    }
    for (const channel of run.listened) if (active.has(channel)) c.channels.add(channel);
  }

  async #listen(channel: string): Promise<void> {
    await this.sql(`LISTEN ${identifier(channel)}`);
  }

  /** Makes the session know the statements of `c` and no others, before SQL that names statements. */
  async loadOnly(c: Client): Promise<void> {
    const named = [...c.statements].filter(([name]) => name !== "");
    const isLoaded = named.every(([name]) => this.loaded.get(name) === c);
    if (isLoaded && [...this.loaded].every(([name, owner]) => name === "" || owner === c)) return;
    await this.sql("DEALLOCATE ALL");
    this.loaded.clear();
    for (const [name, s] of named) {
      try {
        if (s.sql !== undefined) await this.sql(s.sql);
        else await this.#backend.exec([s.parse!, SYNC], QUIET);
        this.loaded.set(name, c);
      } catch (error) {
        if (error instanceof BackendDied) throw error;
        // What it names is gone; PostgreSQL will say that there is no such statement.
        c.statements.delete(name);
      }
    }
  }

  /** Removes what a client that has left put into the session. */
  async sweep(c: Client): Promise<void> {
    const closes: Buffer[] = [];
    for (const [name, owner] of this.loaded) {
      if (owner !== c) continue;
      this.loaded.delete(name);
      closes.push(message(F.close, Buffer.from("S"), name));
    }
    if (closes.length > 0) await this.#backend.exec([...closes, SYNC], QUIET);
    const others = [...this.#clients.values()];
    if (c.usesCursor && !others.some((o) => o.usesCursor)) await this.sql("CLOSE ALL");
    if (c.usesTemporary && !others.some((o) => o.usesTemporary)) await this.sql("DISCARD TEMP");
    if (c.usesAdvisory && !others.some((o) => o.usesAdvisory)) await this.sql("SELECT pg_advisory_unlock_all()");
    for (const channel of c.channels) {
      if (!others.some((o) => o.channels.has(channel))) await this.sql(`UNLISTEN ${identifier(channel)}`);
    }
  }

  /** The thread was restarted: the session is a new one. */
  async restarted(): Promise<void> {
    this.loaded.clear();
    this.#settingsOf = undefined;
    const channels = new Set([...this.#clients.values()].flatMap((c) => [...c.channels]));
    for (const channel of channels) await this.#listen(channel);
  }
}

function intersects(set: ReadonlySet<string>, names: readonly string[]): boolean {
  return names.some((n) => set.has(n));
}
