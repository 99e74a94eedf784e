/** How long something is kept open after its last use. */
const IDLE_MS = 30_000;

/**
 * Something that is opened when it is asked for and closed when nobody has asked for a while: pages come in bursts. Another address, or a
 * failure that `isBroken` recognises, opens it anew.
 */
export class Kept<T> {
  readonly #open: (address: string) => Promise<T>;
  readonly #close: (it: T) => unknown;
  readonly #isBroken: (error: unknown) => boolean;
  #now: { readonly address: string; readonly it: Promise<T> } | undefined;
  #users = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    open: (address: string) => Promise<T>,
    close: (it: T) => unknown,
    isBroken: (error: unknown) => boolean = () => true,
  ) {
    this.#open = open;
    this.#close = close;
    this.#isBroken = isBroken;
  }

  async use<R>(address: string, work: (it: T) => Promise<R>): Promise<R> {
    if (this.#now?.address !== address) this.#drop();
    clearTimeout(this.#timer);
    this.#users++;
    this.#now ??= { address, it: this.#open(address) };
    const now = this.#now;
    try {
      return await work(await now.it);
    } catch (error) {
      if (this.#now === now && this.#isBroken(error)) this.#drop();
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
    now?.it.then(this.#close).catch(() => undefined);
  }
}
