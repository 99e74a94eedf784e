/**
 * Where in the user's program a relation was made, so that an error of analysis, which comes when a query starts, can point there. Costs
 * a stack of few frames for each step of a plan and is off until somebody wants it, as the command line does.
 */
let noting = false;
const sites = new WeakMap<object, { stack?: string }>();
const faults = new WeakMap<object, { stack?: string }>();

/** From here on relations remember where they were made. */
export function noteSites(on = true): void {
  noting = on;
}

/** Called where a relation is made for the user. */
export function noteSite(relation: object): void {
  if (!noting) return;
  const site: { stack?: string } = {};
  Error.captureStackTrace(site, noteSite);
  sites.set(relation, site);
}

/** The error comes of this relation, unless it came of one inside it. */
export function blame(error: unknown, relation: object): void {
  if (!noting || typeof error !== "object" || error === null || faults.has(error)) return;
  const site = sites.get(relation);
  if (site !== undefined) faults.set(error, site);
}

/** The stack of the call that made what the error comes of. */
export function faultStack(error: object): string | undefined {
  return faults.get(error)?.stack;
}

/** Does what the user called for: an error that comes of it later still points to the call. */
export async function fromCall<T>(run: () => Promise<T>): Promise<T> {
  const call = {};
  noteSite(call);
  try {
    return await run();
  } catch (error) {
    blame(error, call);
    throw error;
  }
}
