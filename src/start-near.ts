import { MillraceError } from "./errors.ts";
import { publish } from "./events.ts";

/** Ports tried after the wanted one. */
const NEAR = 20;

/**
 * Starts a server on the wanted port or, where that is taken, on the next free one near, which the warning PORT_TAKEN says; 0 takes any.
 * `start` throws PORT_IN_USE, or gives undefined for a port that it knows to be taken, but for the `last` one. Throws what the last try threw.
 */
export async function startNear<S extends { readonly port: number }>(
  server: { readonly name: string; readonly title: string },
  wanted: number,
  start: (port: number, last: boolean) => Promise<S | undefined>,
): Promise<S> {
  for (let port = wanted; ; port++) {
    const last = wanted === 0 || port >= Math.min(wanted + NEAR, 65_535);
    let started: S | undefined;
    try {
      started = await start(port, last);
    } catch (error) {
      if (last || !(error instanceof MillraceError) || error.code !== "PORT_IN_USE") throw error;
    }
    if (started === undefined) continue;
    if (wanted !== 0 && started.port !== wanted) {
      publish("warning", {
        code: "PORT_TAKEN",
        message: `Port ${wanted} is taken: ${server.title} listens on ${started.port} instead.`,
        detail: { server: server.name, wanted, port: started.port },
      });
    }
    return started;
  }
}
