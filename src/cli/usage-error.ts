import type { Place } from "./modules/place.ts";

/** A wrong command line or config file. */
export class UsageError extends Error {
  readonly code = "USAGE";
  readonly hint: string | undefined;
  /** Where in the config file. */
  readonly place: Place | undefined;
  constructor(message: string, hint?: string, place?: Place) {
    super(message);
    this.hint = hint;
    this.place = place;
  }
}
