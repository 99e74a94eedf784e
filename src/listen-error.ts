import { MillraceError } from "./errors.ts";

/** What the failure of a server to listen means: `PORT_IN_USE`, or the error as it is. */
export function listenError(error: unknown, host: string, port: number): Error {
  if ((error as NodeJS.ErrnoException).code !== "EADDRINUSE") return error as Error;
  return new MillraceError("PORT_IN_USE", `Port ${port} of ${host} is taken.`, {
    hint: "Stop what listens there, or choose another port (0 takes any free one).",
    cause: error,
    parameters: { host, port: String(port) },
  });
}
