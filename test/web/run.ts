import type { OpenOptions, WatchedPage } from "./browser.ts";
import type { LiveFlights } from "./live-flights.ts";

/** The live run that the tests of all pages look at. */
export interface Run {
  /** The process; another one after a restart. */
  readonly flights: LiveFlights;
  /** Opens an address; the page is closed after the test. */
  go(url: string, options?: OpenOptions): Promise<WatchedPage>;
}
