import type { Api } from "../wire/api.ts";
import type { Broker } from "./broker.ts";

/** One request as a handler sees it. */
export interface Call {
  readonly broker: Broker;
  readonly version: number;
  readonly clientId: string | null;
  /** The client's address. */
  readonly clientHost: string;
  /** The address at which the client reached this broker. */
  readonly localHost: string;
  /** Calls `listener` when the connection ends, until the returned function is called. */
  onClose(listener: () => void): () => void;
}

/** What a handler gives when the client wants no answer. */
export const NO_RESPONSE: unique symbol = Symbol("no response");

/** One API with the code that answers it. */
export interface Handler {
  readonly api: Api;
  readonly handle: (request: any, call: Call) => unknown;
}

type Answer<T> = T | typeof NO_RESPONSE;

export function handler<Req, ResIn>(
  api: Api<Req, any, any, ResIn>,
  handle: (request: Req, call: Call) => Answer<ResIn> | Promise<Answer<ResIn>>,
): Handler {
  return { api, handle };
}
