import { deadline, Problem } from "./problem.ts";

/** How long something is kept open after its last use. */
const IDLE_MS = 30_000;

export interface KeptOptions<T> {
  /** Names it in messages. */
  readonly title: string;
  /** What a use may take, opening included; then it is given up and opened anew the next time. */
  readonly deadlineMs: number;
  open(address: string): Promise<T>;
  close(it: T): unknown;
  /** Whether it has to be opened anew after a failure; default: after every one that is not the asker's fault. */
  isBroken?(error: unknown): boolean;
}

/** Something that is opened when it is asked for and closed when nobody has asked for a while: pages come in bursts. */
export class Kept<T> {
  readonly #options: KeptOptions<T>;
  #now: { readonly address: string; readonly it: Promise<T> } | undefined;
  #users = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: KeptOptions<T>) {
    this.#options = options;
  }

  /** Throws TIMEOUT, what `open` throws, and what `work` throws. */
  async use<R>(address: string, work: (it: T) => Promise<R>): Promise<R> {
    const { title, deadlineMs, open, isBroken } = this.#options;
    if (this.#now?.address !== address) this.#drop();
    clearTimeout(this.#timer);
    this.#users++;
    this.#now ??= { address, it: open(address) };
    const now = this.#now;
    try {
      return await deadline(now.it.then(work), deadlineMs, title);
    } catch (error) {
      const problem = error instanceof Problem ? error : undefined;
      const broken = problem?.code === "TIMEOUT" || (problem === undefined && (isBroken?.(error) ?? true));
      if (this.#now === now && broken) this.#drop();
      throw error;
    } finally {
      this.#users--;
      if (this.#closed) this.#drop();
      else if (this.#users === 0) this.#timer = setTimeout(() => this.#drop(), IDLE_MS).unref();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#drop();
  }

  #drop(): void {
    const now = this.#now;
    this.#now = undefined;
    now?.it.then(this.#options.close).catch(() => undefined);
  }
}
