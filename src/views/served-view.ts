import {
  LARGEST_WATCHED,
  openTargets,
  type WriteTarget,
  type WriteWatch,
  type WriteWatcher,
  type Written,
  watchWrites,
  writesEnded,
} from "../connectors/written.ts";
import { MillraceError } from "../errors.ts";
import { publish } from "../events.ts";
import { Content, type Row, type Step } from "./content.ts";
import type { ViewDefinition } from "./definition.ts";
import { storeKind, type ViewShape, type ViewStore, type ViewStoreKind } from "./store.ts";

/** Why a view cannot be read now. */
export interface ViewFault {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

/** After somebody asked for the rows once, the view follows its store for this long. */
const WARM_MS = 15_000;
/** What this process does not write itself is found by reading again, also where its own queries are followed. */
const CHECK_MS = 10_000;
/** Reading takes at most this part of the time of the store. */
const SHARE_OF_READS = 10;
const SHARE_OF_CHECKS = 100;
const LONGEST_RETRY_MS = 10_000;
/** A batch that failed is delivered again; until then a part of it may be in the cache. */
const REDELIVERY_MS = 10_000;
const HOUSEKEEPING_MS = 1_000;

/** A batch on its way to the store. */
interface Flight {
  readonly queryId: string;
  readonly store: ViewStore | undefined;
  readonly ended: Promise<void>;
}

/** Of this process alone: whoever comes with another one was served by a process before this. */
const PROCESS = `${Date.now().toString(36)}${process.pid.toString(36)}x`;
let lastEpoch = 0;
const newEpoch = (): string => `${PROCESS}${(lastEpoch++).toString(36)}`;

/** Whether this process has made that epoch. */
export function isEpochOfOurs(epoch: string): boolean {
  return epoch.startsWith(PROCESS);
}

/**
 * A view that somebody looks at: its rows in memory, first read from the store and then changed by what queries of this process write there,
 * batch by batch. What nobody here writes is found by reading again.
 *
 * A read runs beside batches. Those that ended since it began, or are on their way when it ends, may be in it, wholly or (in the cache) in part;
 * so they are applied on top of it, in their order and before anybody sees it. That leaves each row as the last batch left it.
 */
export class ServedView implements WriteWatcher {
  readonly definition: ViewDefinition;
  /** Another one when earlier changes do not lead to the present rows. */
  epoch = newEpoch();
  /** Why the present epoch began. */
  epochReason: string;
  readonly #listeners = new Set<() => void>();
  readonly #off: () => void;
  #kind: ViewStoreKind | undefined;
  #knownTarget: { readonly servers: string; readonly target: WriteTarget | undefined } | undefined;
  #store: ViewStore | undefined;
  #shape: ViewShape | undefined;
  #content: Content | undefined;
  #readers = 0;
  #warmUntil = 0;
  /** The rows are those of a moment since which every batch was seen. */
  #synced = false;
  /** Something changed that only reading tells. */
  #dirty = true;
  #fault: ViewFault | undefined;
  #failures = 0;
  #loading: Promise<void> | undefined;
  /** What batches changed while the store is read. */
  #meanwhile: Step[] | undefined;
  readonly #flights = new Set<Flight>();
  #brokenUntil = 0;
  #brokenBatches = 0;
  #lastRead = { startedAt: 0, endedAt: 0, tookMs: 0 };
  #timer: NodeJS.Timeout | undefined;
  #housekeeping: NodeJS.Timeout | undefined;
  #saidCut = false;
  #closed = false;
  /** Event times up to which the queries that write here have closed their results. */
  readonly #watermarks = new Map<string, number | null>();

  constructor(definition: ViewDefinition, epochReason: string) {
    this.definition = definition;
    this.epochReason = epochReason;
    this.#off = watchWrites(this);
  }

  get name(): string {
    return this.definition.name;
  }
  get readers(): number {
    return this.#readers;
  }
  /** Undefined before the first read. */
  get shape(): ViewShape | undefined {
    return this.#shape;
  }
  /** Undefined before the first read. */
  get content(): Content | undefined {
    return this.#content;
  }
  /** Whether the rows may be given to somebody who has none yet. */
  get isReady(): boolean {
    return this.#synced && this.#content !== undefined;
  }
  get fault(): ViewFault | undefined {
    return this.#fault;
  }
  /** ISO, or null: of several queries the one that is behind. */
  get watermark(): string | null {
    let least: number | undefined;
    for (const ms of this.#watermarks.values()) if (ms !== null && (least === undefined || ms < least)) least = ms;
    return least === undefined ? null : new Date(least).toISOString();
  }

  /** Calls `listener` when rows, epoch, fault or watermark changed, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Somebody follows the view, until the returned function is called. */
  addReader(): () => void {
    this.#readers++;
    this.#wake();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#readers--;
      this.#warmUntil = Math.max(this.#warmUntil, Date.now() + WARM_MS);
    };
  }

  /** The rows as they are now, for one who asks once. @throws MillraceError when the store cannot be read */
  async fresh(): Promise<void> {
    this.#warmUntil = Date.now() + WARM_MS;
    this.#wake();
    const isOld =
      this.#dirty || !(this.#isWritten() || Date.now() - this.#lastRead.endedAt < this.definition.refreshMs);
    if (this.#loading !== undefined || !this.isReady || (isOld && this.#mayRead())) await this.#load();
    if (this.#fault !== undefined) {
      throw new MillraceError(this.#fault.code as "INTERNAL", this.#fault.message, {
        hint: this.#fault.hint ?? undefined,
        retryable: true,
      });
    }
  }

  /** A query that writes here has ended a batch. */
  progressed(queryId: string, watermarkMs: number | null): void {
    if (!this.#watermarks.has(queryId) || this.#watermarks.get(queryId) === watermarkMs) return;
    this.#watermarks.set(queryId, watermarkMs);
    this.#tell();
  }

  close(): void {
    this.#closed = true;
    this.#off();
    this.#rest();
    this.#listeners.clear();
  }

  // ------------------------------------------------------------------------------------------- what queries write

  matches(target: WriteTarget): boolean {
    const own = this.#target();
    if (own === undefined || own.kind !== target.kind || !sameServer(own.server, target.server)) return false;
    if (own.kind === "cache" || target.kind === "cache") {
      const [a, b] = [own, target] as { prefix: string }[];
      return a!.prefix.startsWith(b!.prefix) || b!.prefix.startsWith(a!.prefix);
    }
    return own.table === target.table && (own.schema ?? "public") === (target.schema ?? "public");
  }

  begin({ queryId }: { readonly queryId: string }): WriteWatch {
    if (!this.#watermarks.has(queryId)) this.#watermarks.set(queryId, null);
    if (!this.#isLookedAt()) {
      this.#synced = false;
      this.#dirty = true;
    }
    let end = (): void => {};
    const store = this.#store;
    const flight: Flight = {
      queryId,
      store,
      ended: new Promise((resolve) => {
        end = resolve;
      }),
    };
    this.#flights.add(flight);
    const ended = (): void => {
      this.#flights.delete(flight);
      end();
    };
    return {
      returning: store?.returning,
      wants: (rowCount) => this.#isLookedAt() && store !== undefined && rowCount <= LARGEST_WATCHED,
      done: (written) => {
        this.#take(flight, written);
        ended();
        // What kept the view from reading may be over: a batch is whole again, the table is there.
        if (this.#brokenUntil === 0 && this.#failures === 0) return;
        this.#brokenUntil = 0;
        this.#failures = Math.min(1, this.#failures);
        this.#plan();
      },
      failed: () => {
        if (this.definition.kind === "cache") {
          this.#brokenUntil = Date.now() + REDELIVERY_MS;
          this.#brokenBatches++;
        }
        this.#missed();
        ended();
      },
    };
  }

  wrote(): void {
    this.#missed();
  }

  #take(flight: Flight, written: Written | undefined): void {
    if (!this.#isLookedAt()) {
      this.#missed();
      return;
    }
    let step: Step | undefined;
    try {
      if (written !== undefined && flight.store === this.#store) step = this.#store?.changesOf(written);
    } catch {
      // Reading finds the same fault, and tells it.
    }
    if (step === undefined) {
      this.#missed();
      return;
    }
    if (this.#meanwhile !== undefined) this.#meanwhile.push(step);
    else if (!this.#dirty) this.#apply([step]);
  }

  #missed(): void {
    this.#dirty = true;
    if (!this.#isLookedAt()) this.#synced = false;
    else this.#plan();
  }

  #apply(steps: readonly Step[]): void {
    const result = this.#content!.take(steps);
    if (result === "unsure") this.#missed();
    this.#sayCut();
    if (result !== "same") this.#tell();
  }

  // ------------------------------------------------------------------------------------------------------- reading

  #isLookedAt(): boolean {
    return this.#readers > 0 || Date.now() < this.#warmUntil;
  }

  /** Somebody begins to look. */
  #wake(): void {
    if (this.#closed) return;
    this.#housekeeping ??= setInterval(() => this.#housekeep(), HOUSEKEEPING_MS).unref();
    // Of many who come while the store is down, one asks it.
    if (!this.isReady && (this.#failures === 0 || Date.now() - this.#lastRead.endedAt > 200)) void this.#load();
    else this.#plan();
  }

  #housekeep(): void {
    if (!this.#isLookedAt()) {
      this.#rest();
      return;
    }
    if (this.#content?.hasExpiry && this.#meanwhile === undefined) {
      const gone = this.#content.expired(Date.now());
      if (gone.length > 0) this.#apply([{ changes: gone }]);
    }
  }

  /** Nobody looks any more: what was read stays, as those who come again may go on from it. */
  #rest(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#housekeeping);
    this.#housekeeping = undefined;
    this.#synced = false;
    this.#dirty = true;
    this.#closeStore();
  }

  #closeStore(): void {
    const store = this.#store;
    this.#store = undefined;
    void store?.close();
  }

  /** Where the view's rows are written; found anew when the environment names other servers. */
  #target(): WriteTarget | undefined {
    if (this.#kind === undefined) return undefined;
    const servers = `${process.env.MILLRACE_POSTGRES} ${process.env.MILLRACE_REDIS}`;
    if (this.#knownTarget?.servers === servers) return this.#knownTarget.target;
    let target: WriteTarget | undefined;
    try {
      target = this.#kind.target(this.definition);
    } catch {
      // No address yet.
    }
    this.#knownTarget = { servers, target };
    return target;
  }

  /** Whether queries of this process write here, so that changes come by themselves. */
  #isWritten(): boolean {
    for (const target of openTargets()) if (this.matches(target)) return true;
    return false;
  }

  /** When the store is to be read next, in milliseconds since 1970. */
  #due(): number {
    const { endedAt, tookMs } = this.#lastRead;
    const { refreshMs } = this.definition;
    if (this.#failures > 0) return endedAt + Math.min(LONGEST_RETRY_MS, refreshMs * 2 ** (this.#failures - 1));
    const soonest = endedAt + (SHARE_OF_READS - 1) * tookMs;
    if (this.#dirty) return Math.max(soonest, this.#brokenUntil);
    if (!this.#isWritten()) return Math.max(soonest, endedAt + refreshMs);
    return endedAt + Math.max(CHECK_MS, SHARE_OF_CHECKS * tookMs);
  }

  #mayRead(): boolean {
    return Date.now() >= this.#lastRead.endedAt + (SHARE_OF_READS - 1) * this.#lastRead.tookMs;
  }

  #plan(): void {
    clearTimeout(this.#timer);
    if (this.#closed || this.#loading !== undefined || !this.#isLookedAt()) return;
    this.#timer = setTimeout(
      () => {
        if (this.#isLookedAt()) void this.#load();
      },
      Math.max(0, this.#due() - Date.now()),
    ).unref();
  }

  /** Reads the store; those who ask meanwhile get the same read. Never rejects: what fails is the view's fault. */
  #load(): Promise<void> {
    this.#loading ??= this.#read().finally(() => {
      this.#loading = undefined;
      this.#plan();
    });
    return this.#loading;
  }

  async #read(): Promise<void> {
    clearTimeout(this.#timer);
    const startedAt = Date.now();
    let tookMs = 0;
    try {
      if (this.#kind === undefined) {
        this.#kind = await storeKind(this.definition.kind);
        // Of batches that began before this nothing is heard.
        await patiently(writesEnded((target) => this.matches(target)));
      }
      let store: ViewStore;
      let rows: readonly Row[];
      let meanwhile: Step[];
      let broken: number;
      // What a batch that failed beside the read left in the cache may be in the rows.
      do {
        await this.#redelivery();
        this.#store ??= await this.#kind.open(this.definition);
        store = this.#store;
        const begun = Date.now();
        broken = this.#brokenBatches;
        this.#dirty = false;
        this.#meanwhile = meanwhile = [];
        rows = await store.load();
        tookMs = Date.now() - begun;
        await this.#landed();
      } while (broken !== this.#brokenBatches && !this.#closed);
      this.#meanwhile = undefined;
      if (this.#closed) return;
      this.#reshape(store.shape);
      const wasWell = this.#synced && this.#fault === undefined;
      this.#failures = 0;
      this.#fault = undefined;
      this.#synced = true;
      const result = this.#content!.take([{ all: rows }, ...meanwhile]);
      if (result === "unsure") this.#dirty = true;
      this.#sayCut();
      if (result !== "same" || !wasWell) this.#tell();
    } catch (error) {
      this.#meanwhile = undefined;
      this.#dirty = true;
      if (this.#closed) return;
      this.#failures++;
      this.#closeStore();
      this.#failed(error);
    } finally {
      this.#lastRead = { startedAt, endedAt: Date.now(), tookMs };
    }
  }

  #failed(error: unknown): void {
    const known = error instanceof MillraceError ? error : undefined;
    const fault: ViewFault = {
      code: known?.code ?? "INTERNAL",
      message: known?.reason ?? (error instanceof Error ? error.message : String(error)),
      hint: known?.hint ?? null,
    };
    const isNews = this.#fault?.code !== fault.code || this.#fault.message !== fault.message;
    this.#fault = fault;
    if (isNews) this.#tell();
  }

  /** Waits while a batch that failed half-way may lie in the cache. */
  async #redelivery(): Promise<void> {
    while (!this.#closed && Date.now() < this.#brokenUntil) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits for the batches on their way, where what was read can only be told together with them. */
  async #landed(): Promise<void> {
    const flights = [...this.#flights];
    const isWhole = this.definition.kind === "table" && this.#meanwhile!.length === 0 && flights.length <= 1;
    if (flights.length === 0 || isWhole) return;
    await patiently(Promise.all(flights.map((flight) => flight.ended)));
  }

  /** Other columns are another view. */
  #reshape(shape: ViewShape): void {
    if (this.#shape !== undefined && JSON.stringify(this.#shape) === JSON.stringify(shape)) return;
    if (this.#shape !== undefined) {
      this.epoch = newEpoch();
      this.epochReason = "columns";
    }
    this.#shape = shape;
    this.#content = new Content(shape.order, this.definition.limit);
  }

  /** Once: rows are left out. */
  #sayCut(): void {
    if (this.#saidCut || this.definition.isCutOnPurpose || !this.#content?.isCut) return;
    this.#saidCut = true;
    const { name, source, limit, orderBy } = this.definition;
    publish("warning", {
      code: "VIEW_CUT",
      message: `The view ${name} shows the first ${limit.toLocaleString("en-US")} rows of the ${source}${
        orderBy.length === 0 ? " by key; orderBy says which, limit how many" : ""
      }.`,
      detail: { view: name, limit },
    });
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** `localhost` and 127.0.0.1 are the same place. */
function sameServer(a: string, b: string): boolean {
  const plain = (server: string): string => server.replace(/^(localhost|::1)(?=:)/, "127.0.0.1");
  return plain(a) === plain(b);
}

/** Waits for batches, but not for ever: one may be very large. */
async function patiently(batches: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, REDELIVERY_MS);
  });
  await Promise.race([batches, patience]);
  clearTimeout(timer);
}
