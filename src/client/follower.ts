import type { ViewInfo, ViewMessages } from "../observe/api-views.ts";
import { readEvents } from "./event-reader.ts";
import { FollowedView } from "./live-view.ts";
import type { ClientOptions, LiveError } from "./types.ts";

/** The server beats this often; two missed ones and what is shown is of the past. */
const BEAT_MS = 5_000;
const SILENCE_MS = 2 * BEAT_MS + 500;
const WATCH_MS = 1_000;
/** A page hidden for so long lets go of its connection. */
const HIDDEN_MS = 30_000;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;
const LONGEST_TIMER_MS = 2 ** 31 - 1;

const EVENTS = new Set<string>(["open", "snapshot", "ready", "changes", "beat", "reset", "fail"]);

/** A fault of the connection, as views show it. */
class ConnectionFault extends Error {
  readonly error: LiveError;
  constructor(error: LiveError) {
    super(error.message);
    this.error = error;
  }
}

/** The one connection of a client: opens it, reads it, and opens it again, until it is closed. */
export class Follower {
  readonly #base: string;
  readonly #options: ClientOptions;
  readonly #token: string | undefined;
  readonly #views = new Map<string, FollowedView>();
  readonly #closing = new AbortController();
  readonly #off: (() => void)[] = [];
  /** Names that the server does not know (yet). */
  #unknown = new Set<string>();
  /** The connection there is; aborted when the set of views changes or nothing comes. */
  #connection: AbortController | undefined;
  #connected = false;
  #heardAt = 0;
  #running = false;
  #planned = false;
  /** The connection was ended here, to begin the next one without a pause. */
  #renewed = false;
  #looks = 0;
  /** The page is hidden; nothing is followed until it is shown. */
  #resting = false;
  #wake: (() => void) | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(address: { readonly base: string; readonly token: string | undefined }, options: ClientOptions) {
    this.#base = address.base;
    this.#options = options;
    this.#token = options.token ?? address.token;
    if (options.signal?.aborted) this.close();
    else options.signal?.addEventListener("abort", () => this.close(), { once: true });
    this.#watchPage();
  }

  view(name: string): FollowedView {
    const known = this.#views.get(name);
    if (known !== undefined) return known;
    const view = new FollowedView(name, () => {
      if (this.#views.get(name) !== view) return;
      this.#views.delete(name);
      this.#unknown.delete(name);
      this.#changed();
    });
    if (this.#closing.signal.aborted) view.close();
    else {
      this.#views.set(name, view);
      this.#changed();
    }
    return view;
  }

  close(): void {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    for (const off of this.#off) off();
    clearInterval(this.#watch);
    for (const view of [...this.#views.values()]) view.close();
    this.#connection?.abort();
    this.#wake?.();
  }

  /** The set of views is another one: the connection is made anew, once for all that change in the same moment. */
  #changed(): void {
    if (this.#planned || this.#closing.signal.aborted) return;
    this.#planned = true;
    queueMicrotask(() => {
      this.#planned = false;
      if (this.#closing.signal.aborted) return;
      this.#again();
      if (!this.#running && this.#views.size > 0) void this.#run();
    });
  }

  /** Connects anew, now. */
  #again(): void {
    this.#renewed = true;
    this.#connection?.abort();
    this.#wake?.();
  }

  async #run(): Promise<void> {
    this.#running = true;
    this.#watch = setInterval(() => this.#check(), WATCH_MS);
    (this.#watch as { unref?: () => void }).unref?.();
    let failures = 0;
    while (!this.#closing.signal.aborted && this.#views.size > 0) {
      if (this.#resting) {
        await this.#sleep(LONGEST_TIMER_MS);
        continue;
      }
      const connection = new AbortController();
      this.#connection = connection;
      this.#renewed = false;
      try {
        await this.#follow(connection.signal, () => {
          failures = 0;
        });
      } catch (error) {
        if (!connection.signal.aborted) this.#failed(error);
      } finally {
        this.#connected = false;
        connection.abort();
      }
      if (this.#closing.signal.aborted || this.#views.size === 0) break;
      if (this.#renewed) continue;
      const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** failures++);
      // Spread, so that two hundred pages do not come back in the same moment.
      await this.#sleep(delay * (0.5 + Math.random() / 2));
    }
    clearInterval(this.#watch);
    this.#running = false;
  }

  async #follow(signal: AbortSignal, onEvent: () => void): Promise<void> {
    const names = [...this.#views.keys()].filter((name) => !this.#unknown.has(name));
    if (names.length === 0) {
      if (await this.#lookForUnknown(signal)) this.#renewed = true;
      return;
    }
    const positions = names.flatMap((name) => {
      const position = this.#views.get(name)?.position;
      return position === undefined ? [] : [`${name}=${position.epoch}.${position.batch}`];
    });
    const query = names.map((name) => `view=${encodeURIComponent(name)}`).join("&");
    const response = await this.#get(`/api/views/stream?${query}`, signal, {
      accept: "text/event-stream",
      ...(positions.length > 0 && { "last-event-id": positions.join(",") }),
    });
    if (response.status === 404) {
      const fault = await faultOf(response);
      if (!(await this.#lookForUnknown(signal))) throw fault;
      this.#renewed = true;
      return;
    }
    if (!response.ok) throw await faultOf(response);
    const type = response.headers.get("content-type") ?? "";
    if (!type.startsWith("text/event-stream") || response.body === null) {
      await response.body?.cancel();
      throw new ConnectionFault({
        code: "NO_STREAM",
        message: `${this.#base} answered with ${type || "nothing"} instead of a stream.`,
        hint: "Check the address; between here and there something answers in the server's place.",
      });
    }
    this.#connected = true;
    this.#heardAt = performance.now();
    for await (const { event, data } of readEvents(response.body)) {
      if (signal.aborted) return;
      this.#heardAt = performance.now();
      onEvent();
      if (!EVENTS.has(event)) continue;
      const message = JSON.parse(data) as ViewMessages["beat"];
      this.#views.get(message.view)?.take(event as "beat", message, this.#heardAt);
    }
  }

  /** One unknown name must not keep the others waiting: asks which there are. True when that is news. */
  async #lookForUnknown(signal: AbortSignal): Promise<boolean> {
    const response = await this.#get("/api/views", signal, { accept: "application/json" });
    if (!response.ok) throw await faultOf(response);
    const there = ((await response.json()) as readonly ViewInfo[]).map((info) => info.name);
    const before = this.#unknown;
    this.#unknown = new Set([...this.#views.keys()].filter((name) => !there.includes(name)));
    for (const name of this.#unknown) {
      this.#views.get(name)?.fail({
        code: "NOT_FOUND",
        message: `There is no view ${name}.`,
        hint: there.length === 0 ? "The pipeline declares none yet." : `There are: ${there.join(", ")}.`,
      });
    }
    return this.#unknown.size !== before.size || [...this.#unknown].some((name) => !before.has(name));
  }

  async #get(path: string, signal: AbortSignal, headers: Record<string, string>): Promise<Response> {
    const all = { ...headers, ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }) };
    const get = this.#options.fetch ?? (globalThis.fetch as NonNullable<ClientOptions["fetch"]>);
    return await get(`${this.#base}${path}`, { headers: all, signal });
  }

  #failed(error: unknown): void {
    const known =
      error instanceof ConnectionFault
        ? error.error
        : {
            code: "UNREACHABLE",
            message: `${this.#base} cannot be reached.`,
            hint: "It is tried again by itself.",
          };
    for (const view of this.#views.values()) if (!this.#unknown.has(view.name)) view.fail(known);
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
    });
  }

  /** Every second: who has heard nothing? */
  #check(): void {
    const now = performance.now();
    for (const view of this.#views.values()) if (now - view.heardAt > SILENCE_MS) view.stale();
    if (this.#connected && now - this.#heardAt > SILENCE_MS) this.#again();
    if (this.#unknown.size > 0 && this.#connected && ++this.#looks % 3 === 0) {
      this.#lookForUnknown(this.#closing.signal).then(
        (news) => news && this.#again(),
        () => {}, // the stream tells when the server is gone
      );
    }
  }

  /** A hidden page is frozen, a machine sleeps: when it is back, what was heard before counts for nothing. */
  #watchPage(): void {
    const page = globalThis as {
      document?: EventTarget & { readonly visibilityState: string };
      addEventListener?: EventTarget["addEventListener"];
      removeEventListener?: EventTarget["removeEventListener"];
    };
    let hiding: ReturnType<typeof setTimeout> | undefined;
    const back = (): void => {
      clearTimeout(hiding);
      if (page.document?.visibilityState !== "visible") {
        if (this.#options.followHidden) return;
        hiding = setTimeout(() => {
          this.#resting = true;
          this.#again();
        }, HIDDEN_MS);
        return;
      }
      if (this.#resting) {
        this.#resting = false;
        this.#again();
      }
      if (!this.#connected || performance.now() - this.#heardAt > BEAT_MS + WATCH_MS) this.#again();
      this.#check();
    };
    if (page.document === undefined) return;
    page.document.addEventListener("visibilitychange", back);
    page.addEventListener?.("online", back);
    page.addEventListener?.("pageshow", back);
    this.#off.push(() => {
      clearTimeout(hiding);
      page.document?.removeEventListener("visibilitychange", back);
      page.removeEventListener?.("online", back);
      page.removeEventListener?.("pageshow", back);
    });
  }
}

async function faultOf(response: Response): Promise<ConnectionFault> {
  const body = (await response.json().catch(() => undefined)) as { error?: Partial<LiveError> } | undefined;
  return new ConnectionFault({
    code: body?.error?.code ?? `HTTP_${response.status}`,
    message: body?.error?.message ?? `The server answered ${response.status}.`,
    hint: body?.error?.hint ?? null,
  });
}
