import { Follower } from "./follower.ts";
import type { FollowedView } from "./live-view.ts";
import type { Client, ClientOptions, Views } from "./types.ts";

/**
 * Follows the live views of a Millrace process, in a browser or in Node, over one connection. `V` is the type of an object of declared views,
 * so that names and rows are checked: `client<typeof views>("http://127.0.0.1:4040")`. Without an address it is the page's own server, in Node
 * `http://127.0.0.1:4040`. It connects with the first view, comes again by itself as often as it takes, and goes on where it was.
 *
 * ```ts
 * const airports = client().view("airports");
 * await airports.ready;
 * airports.subscribe((view) => console.log(view.status, view.rows.length));
 * ```
 * Throws TypeError for an address that is none.
 */
export function client<V extends Views = any>(url?: string, options: ClientOptions = {}): Client<V> {
  const follower = new Follower(addressOf(url), options);
  return {
    view: (name: string) => follower.view(name) as FollowedView,
    close: () => follower.close(),
  } as Client<V>;
}

function addressOf(url: string | undefined): { readonly base: string; readonly token: string | undefined } {
  const { location } = globalThis as { location?: { readonly origin: string } };
  const own = location?.origin !== undefined && location.origin !== "null" ? location.origin : "http://127.0.0.1:4040";
  const parsed = new URL(url ?? own, own);
  // The address that is printed at the start carries the token.
  const token = parsed.searchParams.get("token") ?? undefined;
  parsed.search = "";
  parsed.hash = "";
  return { base: parsed.href.replace(/\/+$/, ""), token };
}
