import { createServer, type Server, type Socket } from "node:net";
import { publish } from "../events.ts";
import { type Backend, BackendDied, QUIET } from "./backend.ts";
import { Client, mergeTrace, type Trace } from "./client.ts";
import { greeting, negotiate, readReported } from "./greeting.ts";
import type { Limits } from "./limits.ts";
import { OutputFilter } from "./output-filter.ts";
import { errorResponse, F, MAX_MESSAGE, message, ProtocolViolation, readStartup, ready, SYNC } from "./protocol.ts";
import { SessionState } from "./session-state.ts";
import { startupSettings } from "./settings.ts";
import { traitsOfUnit, Unit } from "./unit.ts";

const CANCELED = Buffer.concat([
  errorResponse("ERROR", "57014", "canceling statement due to user request"),
  ready("I"),
]);

const PAUSE_READING = 16 * 1024 * 1024;
/** Work for quiet times does not wait longer than this when there are none. */
const OVERDUE_MS = 30_000;

/**
 * Lets many clients share one PostgreSQL session. One client at a time has the database: from its first message to the
 * end of its transaction. In between, the front puts the session into the state that the next client left it in.
 */
export class Front {
  readonly #limits: Limits;
  readonly #backend: Backend;
  readonly #server: Server;
  readonly #clients = new Map<number, Client>();
  /** Clients with something to run, in the order of their turn. */
  readonly #queue = new Set<Client>();
  /** Clients that left and whose traces are still in the session. */
  readonly #departed = new Set<Client>();
  #owner: Client | undefined;
  #running: Client | undefined;
  #pumping = false;
  #closed = false;
  #isReady = false;
  readonly #session: SessionState;
  #reported: ReadonlyMap<string, string> = new Map();
  /** The running statement waits for more data of its COPY. */
  #copyWaits = false;
  #copying = false;
  #idleTimer: NodeJS.Timeout | undefined;
  #cancelTimer: NodeJS.Timeout | undefined;
  #cancelled = false;
  #restarting: Promise<void> | undefined;
  #idleWork: { run: () => Promise<void>; since: number } | undefined;
  #drained: (() => void) | undefined;
  #lastTurn = 0;

  constructor(backend: Backend, limits: Limits) {
    this.#limits = limits;
    this.#backend = backend;
    this.#session = new SessionState(backend, this.#clients);
    this.#server = createServer({ noDelay: true, keepAlive: true }, (socket) => this.#accept(socket));
    this.#backend.onDeath = (error) => {
      publish("server.error", { server: "postgres", error });
      if (this.#running === undefined) this.#restart().catch(() => {});
    };
  }

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen({ host, port, exclusive: true }, () => {
        this.#server.off("error", reject);
        this.#server.on("error", (error) => publish("server.error", { server: "postgres", error }));
        const address = this.#server.address();
        resolve(typeof address === "object" && address !== null ? address.port : port);
      });
    });
  }

  /** The database answers: those who came early are let in. */
  async started(): Promise<void> {
    this.#reported = await readReported((text) => this.#session.sql(text));
    this.#isReady = true;
    this.#pump();
  }

  /** Nobody will be served: tells those who wait. */
  failed(error: Error): void {
    this.#closed = true;
    for (const c of this.#clients.values()) {
      this.#dismiss(c, "57P03", `the database cannot start: ${error.message}`);
    }
    this.#server.close();
  }

  #accept(socket: Socket): void {
    const c = new Client(socket, this.#limits.stalledWriteMs, () => {
      // As long as nobody waits, a slow reader harms nobody.
      if (this.#queue.size === 0) return false;
      this.#left(c);
      return true;
    });
    this.#clients.set(c.pid, c);
    let early = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      try {
        c.lastActive = performance.now();
        if (c.startup.size > 0) this.#receive(c, chunk);
        else early = this.#receiveStartup(c, Buffer.concat([early, chunk]));
      } catch (error) {
        if (!(error instanceof ProtocolViolation)) throw error;
        this.#dismiss(c, "08P01", error.message);
      }
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => this.#left(c));
  }

  /** The packets before the first message; returns what is not complete yet. */
  #receiveStartup(c: Client, bytes: Buffer): Buffer<ArrayBuffer> {
    for (let rest = bytes; ; ) {
      const packet = readStartup(rest);
      if (packet === undefined) return Buffer.from(rest);
      rest = rest.subarray(packet.length);
      const { startup } = packet;
      if (startup.kind === "encryption") {
        c.socket.write("N");
        continue;
      }
      if (startup.kind === "cancel") {
        this.#cancel(startup.pid, startup.secret);
        c.socket.end();
      } else if (startup.kind === "unknown") {
        this.#dismiss(c, "0A000", `unsupported frontend protocol ${startup.code >>> 16}.${startup.code & 0xffff}`);
      } else if (!startup.parameters.has("user")) {
        this.#dismiss(c, "28000", "no PostgreSQL user name specified in startup packet");
      } else {
        c.startup = startup.parameters;
        const unknown = [...c.startup.keys()].filter((k) => k.startsWith("_pq_."));
        if (startup.minor > 0 || unknown.length > 0) c.socket.write(negotiate(unknown));
        this.#enqueue(c);
        if (rest.length > 0) this.#receive(c, rest);
      }
      return Buffer.alloc(0);
    }
  }

  #receive(c: Client, chunk: Buffer): void {
    if (c.gone) return;
    const piece = c.reader.push(chunk);
    if (piece === undefined) return;
    const copying = this.#copying && this.#running === c;
    c.add(piece, copying);
    if (copying) {
      if (this.#copyWaits) this.#feedCopy(c);
    } else if (c.runnable > 0) this.#enqueue(c);
    if (c.pendingBytes > PAUSE_READING && c.runnable > 0) c.socket.pause();
    if (c.pendingBytes > MAX_MESSAGE) this.#dismiss(c, "54000", "too many messages without a Sync");
  }

  #enqueue(c: Client): void {
    this.#queue.add(c);
    this.#pump();
    this.#watchIdle();
  }

  #left(c: Client): void {
    if (c.gone && !this.#clients.has(c.pid)) return;
    c.gone = true;
    this.#clients.delete(c.pid);
    this.#queue.delete(c);
    if (c.startup.size === 0) return;
    this.#departed.add(c);
    if (this.#running === c) {
      this.#backend.cancel();
      if (this.#copyWaits) this.#feedCopy(c);
    }
    this.#pump();
  }

  /** Ends a connection with a reason, as PostgreSQL's FATAL does. */
  #dismiss(c: Client, sqlState: string, text: string, hint?: string): void {
    if (!c.socket.destroyed) {
      c.socket.end(errorResponse("FATAL", sqlState, text, hint));
      // A client that does not read would keep the socket for ever.
      setTimeout(() => c.socket.destroy(), 1000).unref();
    }
    this.#left(c);
  }

  #pump(): void {
    if (this.#pumping || !this.#isReady) return;
    this.#pumping = true;
    this.#loop()
      .catch((error: unknown) => {
        publish("server.error", { server: "postgres", error: error as Error });
      })
      .finally(() => {
        this.#pumping = false;
        this.#drained?.();
        this.#watchIdle();
      });
  }

  async #loop(): Promise<void> {
    for (;;) {
      try {
        if (this.#restarting) await this.#restarting;
        if (this.#closed) return;
        if (this.#departed.size > 0 && (this.#owner === undefined || this.#owner.gone)) {
          await this.#sweep();
          continue;
        }
        const work = this.#idleWork;
        const overdue = work !== undefined && performance.now() - work.since > OVERDUE_MS;
        const c = overdue && this.#owner === undefined ? undefined : this.#next();
        if (c !== undefined) await this.#turn(c);
        else if (work !== undefined && this.#owner === undefined) {
          this.#idleWork = undefined;
          await work.run();
        } else return;
      } catch (error) {
        if (!(error instanceof BackendDied)) throw error;
        if (this.#closed) return;
        await this.#restart();
      }
    }
  }

  #next(): Client | undefined {
    if (this.#owner !== undefined) {
      this.#queue.delete(this.#owner);
      return this.#owner.runnable > 0 ? this.#owner : undefined;
    }
    for (const c of this.#queue) {
      // To the end of the line: whoever pipelines much gets one turn per round.
      this.#queue.delete(c);
      if (c.gone || (c.greeted && c.runnable === 0)) continue;
      return c;
    }
    return undefined;
  }

  async #turn(c: Client): Promise<void> {
    this.#running = c;
    clearTimeout(this.#idleTimer);
    try {
      if (!c.greeted) await this.#greet(c);
      else await this.#unit(c);
    } catch (error) {
      if (error instanceof BackendDied) {
        this.#interrupted(c);
        throw error;
      }
      publish("server.error", { server: "postgres", error: error as Error });
      this.#dismiss(c, "XX000", `internal error: ${(error as Error).message}`);
    } finally {
      this.#running = undefined;
      this.#copying = false;
      this.#copyWaits = false;
      clearTimeout(this.#cancelTimer);
      this.#cancelTimer = undefined;
    }
    c.lastActive = performance.now();
    this.#lastTurn = c.lastActive;
    this.#owner = c.holds ? c : undefined;
    if (c.socket.isPaused() && c.pendingBytes < PAUSE_READING) c.socket.resume();
    if (c.gone) return;
    if (this.#owner === undefined && c.runnable > 0) this.#queue.add(c);
  }

  /** The first turn: settings of the startup packet, and PostgreSQL's greeting. */
  async #greet(c: Client): Promise<void> {
    c.greeted = true;
    const wanted = startupSettings(c.startup);
    if (wanted.size > 0) {
      try {
        await this.#session.enterFirst(c, wanted);
      } catch (error) {
        if (error instanceof BackendDied) throw error;
        this.#dismiss(c, "22023", (error as Error).message);
        return;
      }
    }
    c.write(greeting(this.#reported, c.settings, c.pid, c.secret));
  }

  async #unit(c: Client): Promise<void> {
    if (!c.holds) await this.#session.enter(c);
    const unit = c.takeUnit();
    const last = unit.at(-1)!;
    if (last[0] === F.terminate) {
      c.socket.end();
      this.#left(c);
      return;
    }
    const traits = traitsOfUnit(c, unit);
    if (traits.names && !c.midSequence && c.status !== "E") await this.#session.loadOnly(c);
    const run = new Unit(c, this.#session.loaded, unit, traits);
    await this.#exec(c, run, [...run.before, ...unit]);
    c.carried = mergeTrace(c.carried, run.trace);
    if (!c.holds) {
      const trace = c.carried;
      c.carried = undefined;
      await this.#session.leave(c, trace);
    }
  }

  async #exec(c: Client, run: Unit, bytes: Buffer[]): Promise<void> {
    const filter = new OutputFilter(run, {
      copyIn: () => {
        this.#copying = true;
      },
      notification: (channel, m) => this.#notify(c, run.trace, channel, m),
    });
    await this.#backend.exec(bytes, {
      out: (chunk, taken) => {
        const piece = filter.push(chunk);
        if (piece === undefined) taken();
        else c.write(piece, taken);
      },
      need: () => {
        this.#copyWaits = true;
        this.#feedCopy(c);
      },
    });
    run.finish();
    if (filter.status !== undefined) c.status = filter.status;
    c.midSequence = filter.status === undefined;
  }

  #feedCopy(c: Client): void {
    if (c.gone) {
      this.#copyWaits = false;
      this.#backend.more([message(F.copyFail, "the client is gone")]);
      return;
    }
    if (c.pending.length === 0) {
      c.lastActive = performance.now();
      if (c.socket.isPaused()) c.socket.resume();
      this.#watchIdle();
      return;
    }
    this.#copyWaits = false;
    const given = c.takeAll();
    const end = given.findIndex((m) => m[0] === F.terminate);
    this.#backend.more(end < 0 ? given : [...given.slice(0, end), message(F.copyFail, "the client is leaving")]);
    if (end >= 0) c.socket.end();
  }

  /** The transaction of its client was lost with the thread. */
  #interrupted(c: Client): void {
    const inTransaction = c.holds;
    c.status = "I";
    c.midSequence = false;
    if (this.#owner === c) this.#owner = undefined;
    if (this.#cancelled && !inTransaction && !c.gone) {
      c.write(CANCELED);
      if (c.runnable > 0) this.#queue.add(c);
      return;
    }
    const text = this.#cancelled
      ? "terminating connection: its statement was canceled and its transaction rolled back"
      : "terminating connection because the database restarted";
    this.#dismiss(c, "57P01", text);
  }

  #restart(): Promise<void> {
    this.#restarting ??= (async () => {
      const owner = this.#owner;
      if (owner !== undefined) {
        this.#owner = undefined;
        owner.status = "I";
        owner.midSequence = false;
        if (!owner.gone) this.#dismiss(owner, "57P01", "terminating connection because the database restarted");
      }
      this.#cancelled = false;
      await this.#backend.kill();
      try {
        await this.#backend.start();
      } catch (error) {
        publish("server.error", { server: "postgres", error: error as Error });
        this.failed(error as Error);
        throw error;
      }
      await this.#session.restarted();
    })().finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  #cancel(pid: number, secret: number): void {
    const c = this.#clients.get(pid);
    if (c === undefined || c.secret !== secret) return;
    if (this.#running === c) {
      this.#backend.cancel();
      if (this.#copyWaits) {
        this.#copyWaits = false;
        this.#backend.more([message(F.copyFail, "canceling statement due to user request")]);
        return;
      }
      // Between two rows of output PostgreSQL looks at the request; a statement that puts out nothing has to be ended with its thread.
      this.#cancelTimer ??= setTimeout(() => {
        this.#cancelled = true;
        this.#backend.kill().catch(() => {});
      }, this.#limits.cancelGraceMs);
      return;
    }
    if (!this.#queue.has(c) || c.holds || !c.greeted) return;
    // It waits for its turn: nothing has run, so dropping the piece is the whole of it.
    const unit = c.takeUnit();
    const type = unit.at(-1)?.[0];
    if (type !== F.query && type !== F.sync) {
      c.pending.unshift(...unit);
      return;
    }
    this.#queue.delete(c);
    c.write(CANCELED);
    if (c.runnable > 0) this.#enqueue(c);
  }

  /** While somebody waits, whoever holds the database without using it has only so long. */
  #watchIdle(): void {
    clearTimeout(this.#idleTimer);
    const holder = this.#copyWaits ? this.#running : this.#running === undefined ? this.#owner : undefined;
    if (holder === undefined || holder.gone || this.#queue.size === 0 || (!this.#copyWaits && holder.runnable > 0))
      return;
    const left = holder.lastActive + this.#limits.idleInTransactionMs - performance.now();
    if (left > 0) {
      this.#idleTimer = setTimeout(() => this.#watchIdle(), Math.ceil(left));
      return;
    }
    this.#dismiss(
      holder,
      "25P03",
      "terminating connection due to idle-in-transaction timeout",
      "The embedded database runs one transaction at a time and others were waiting for this one.",
    );
  }

  #notify(from: Client, trace: Trace, channel: string, m: Buffer): void {
    const copy = Buffer.from(m);
    copy.writeInt32BE(from.pid, 5);
    for (const c of this.#clients.values()) {
      const listens =
        c.channels.has(channel) || (c === from && (trace.listened.has(channel) || c.carried?.listened.has(channel)));
      if (listens) c.write(copy);
    }
  }

  /** Ends what departed clients left open and removes their traces. */
  async #sweep(): Promise<void> {
    for (const c of this.#departed) {
      this.#departed.delete(c);
      if (this.#owner === c) {
        this.#owner = undefined;
        if (c.midSequence) await this.#backend.exec([SYNC], QUIET);
        if (c.holds) await this.#session.sql("ROLLBACK");
        c.status = "I";
        c.midSequence = false;
      }
      await this.#session.sweep(c);
    }
  }

  /** How long nobody has used the database. */
  get quietMs(): number {
    return performance.now() - this.#lastTurn;
  }

  /** Runs SQL of the server's own once nobody else wants the database. */
  whenIdle(work: (sql: (text: string) => Promise<(string | null)[][]>) => Promise<void>): void {
    this.#idleWork = { run: () => work((text) => this.#session.sql(text)), since: performance.now() };
    this.#pump();
  }

  /** Closes the listener, cancels what runs, and disconnects everybody. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#idleTimer);
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.#isReady = false;
    if (this.#copyWaits && this.#running) {
      this.#copyWaits = false;
      this.#backend.more([message(F.copyFail, "the server is shutting down")]);
    }
    if (this.#pumping) {
      this.#backend.cancel();
      const end = setTimeout(() => this.#backend.kill().catch(() => {}), this.#limits.cancelGraceMs);
      await new Promise<void>((resolve) => {
        this.#drained = resolve;
      });
      clearTimeout(end);
    }
    for (const c of [...this.#clients.values()]) {
      this.#dismiss(c, "57P01", "terminating connection due to administrator command");
    }
    await closed;
  }
}
