/** A declared view as `client<typeof views>` reads it: only its types count, so that a page needs nothing of the pipeline. */
export interface ViewType {
  readonly name: string;
  /** Phantom: never there at run time. */
  readonly "~row": unknown;
}

/** The views of a module by their declared names: `client<typeof views>()`, with `export const views = { ... }` in the pipeline. */
export type Views = { readonly [property: string]: ViewType };

/** Names of the declared views. */
export type NameOf<V extends Views> = V[keyof V]["name"];

/** The row of the view with that name. */
export type RowOf<V extends Views, N extends string> = Extract<V[keyof V], { readonly name: N }>["~row"];

/**
 * `connecting`: nothing is known yet. `live`: what is shown is not older than ten seconds. `stale`: the server has been silent for longer
 * or cannot be reached; the rows are those of before, and the client goes on trying. `closed`: `close()` was called.
 */
export type LiveStatus = "connecting" | "live" | "stale" | "closed";

/** Why a view shows nothing new; null again when it does. */
export interface LiveError {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

/** What happened to a view. Rows and state are already new when a listener is called. */
export interface LiveChange<Row> {
  /** `rows`: all are new. `changes`: some of them. `state`: status, batch, watermark or error; the rows are the same. */
  readonly kind: "rows" | "changes" | "state";
  /** New and changed rows. */
  readonly upserted: readonly Row[];
  /** Rows that are gone, as they were. */
  readonly removed: readonly Row[];
}

/** The value of a key column as it stands in a row. */
export type KeyValue = string | number | bigint | boolean | Date | null;

/** A view that follows its store. Rows are never half of a batch: each message is applied as a whole. */
export interface LiveView<Row> extends AsyncIterable<LiveChange<Row>> {
  readonly name: string;
  /** All rows, in the order of the view; a new array when something changed, the same one otherwise. Rows are frozen. */
  readonly rows: readonly Row[];
  /** The row with that key, as `get("ATL")`; of several key columns their values in order: `get([hour, "ATL"])`. */
  get(key: KeyValue | readonly KeyValue[]): Row | undefined;
  readonly status: LiveStatus;
  /** Number of the last change, counted by the server; null before the first rows. */
  readonly batch: number | null;
  /** Event time up to which the query behind the view has closed its results. */
  readonly watermark: Date | null;
  readonly error: LiveError | null;
  /** Batches that came folded into a later one, because this reader or the connection was slower. */
  readonly skipped: number;
  /** Calls `listener` after every change until the returned function is called; once at once when there are rows. */
  subscribe(listener: (view: LiveView<Row>, change: LiveChange<Row>) => void): () => void;
  /** Resolves when the first rows are there, maybe none; rejects only when the view is closed before that. */
  readonly ready: Promise<void>;
  /** Changes as they come; those that nobody took in time are folded into one. Ends with `close()`. */
  [Symbol.asyncIterator](): AsyncIterator<LiveChange<Row>, undefined>;
  /** Stops following; rows stay as they are. */
  close(): void;
}

/** Options of `client`. */
export interface ClientOptions {
  /** For servers that others reach: the token that `millrace dev` printed. A browser has it as a cookie. */
  readonly token?: string;
  /**
   * Whether a page that has been hidden for half a minute goes on following. By default it does not: it costs nobody anything and leaves its
   * connection to other tabs, of which a browser has six for each server; when it is shown, it catches up at once.
   */
  readonly followHidden?: boolean;
  /** Closes the client. */
  readonly signal?: AbortSignal;
  /** Default: the global `fetch`. */
  readonly fetch?: (url: string, init: { headers: Record<string, string>; signal: AbortSignal }) => Promise<Response>;
}

/** Follows the views of one process over one connection. */
export interface Client<V extends Views> {
  /** The view of that name; the same object each time until it is closed. */
  view<N extends NameOf<V>>(name: N): LiveView<RowOf<V, N>>;
  /** Closes all views and the connection. */
  close(): void;
}
