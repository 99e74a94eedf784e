import { tcpProxy } from "../tcp-proxy.ts";

/** A TCP proxy that breaks connections at a chosen point, as a network or a dying server does. */
export interface BreakingProxy {
  readonly port: number;
  /**
   * Breaks the connection once: when the client sends `text`, either before it is passed on (`lost`), or after the server got it and
   * before its answer comes back (`unanswered`).
   */
  breakAt(text: string, how: "lost" | "unanswered"): void;
  readonly broken: number;
  /** The next connection whose client sends `text` is passed on from there only when `release` is called. */
  holdAt(text: string): { readonly held: Promise<void>; release(): void };
  close(): Promise<void>;
}

export async function breakingProxy(host: string, port: number): Promise<BreakingProxy> {
  let armed: { text: Buffer; how: "lost" | "unanswered" } | undefined;
  let broken = 0;
  let holding: { readonly text: Buffer; begin(): void; readonly released: Promise<void> } | undefined;
  const proxy = await tcpProxy(host, port, ({ client, upstream, cut }) => {
    let swallowing = false;
    client.on("data", (data) => {
      if (holding !== undefined && data.includes(holding.text)) {
        const { begin, released } = holding;
        holding = undefined;
        client.pause();
        begin();
        void released.then(() => {
          upstream.write(data);
          client.resume();
        });
        return;
      }
      if (armed !== undefined && data.includes(armed.text)) {
        const { how } = armed;
        armed = undefined;
        broken++;
        if (how === "lost") {
          cut();
          return;
        }
        swallowing = true;
      }
      upstream.write(data);
    });
    upstream.on("data", (data) => {
      // The server has answered, so what it was told is done; the answer is lost.
      if (swallowing) cut();
      else client.write(data);
    });
  });
  return {
    ...proxy,
    breakAt(text, how) {
      armed = { text: Buffer.from(text), how };
    },
    holdAt(text) {
      const [begun, released] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      holding = { text: Buffer.from(text), begin: begun.resolve, released: released.promise };
      return { held: begun.promise, release: released.resolve };
    },
    get broken() {
      return broken;
    },
  };
}
