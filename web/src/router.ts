import { computed, signal } from "@preact/signals";

/** Where the reader is: `#/query/delays?tab=batches` is the page `query` of `delays`. */
export interface Place {
  readonly page: string;
  /** What the page is about; may hold any character. */
  readonly name: string;
  readonly query: URLSearchParams;
}

export function parse(hash: string): Place {
  const text = hash.replace(/^#\/?/, "");
  const mark = text.indexOf("?");
  const path = mark < 0 ? text : text.slice(0, mark);
  const slash = path.indexOf("/");
  const name = slash < 0 ? "" : path.slice(slash + 1);
  return {
    page: slash < 0 ? path : path.slice(0, slash),
    name: decode(name),
    query: new URLSearchParams(mark < 0 ? "" : text.slice(mark + 1)),
  };
}

/** The address of a page. */
export function link(page: string, name = "", query: Readonly<Record<string, string | undefined>> = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined && value !== "") search.set(key, value);
  return `#/${page}${name === "" ? "" : `/${encodeURIComponent(name)}`}${search.size === 0 ? "" : `?${search}`}`;
}

const hash = signal(typeof location === "undefined" ? "" : location.hash);
export const place = computed(() => parse(hash.value));

/** Goes somewhere; `replace` leaves no step for the way back. */
export function go(to: string, options: { readonly replace?: boolean } = {}): void {
  if (options.replace) history.replaceState(null, "", to);
  else history.pushState(null, "", to);
  hash.value = to;
}

/** Follows the address bar; once a page. */
export function startRouter(): void {
  const follow = (): void => {
    hash.value = location.hash;
  };
  window.addEventListener("hashchange", follow);
  window.addEventListener("popstate", follow);
  // The token was in the address that was printed at the start; from here on the cookie has it.
  if (new URLSearchParams(location.search).has("token")) history.replaceState(null, "", `/${location.hash}`);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
