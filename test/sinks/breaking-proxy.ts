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
  close(): Promise<void>;
}

export async function breakingProxy(host: string, port: number): Promise<BreakingProxy> {
  let armed: { text: Buffer; how: "lost" | "unanswered" } | undefined;
  let broken = 0;
  const proxy = await tcpProxy(host, port, ({ client, upstream, cut }) => {
    let swallowing = false;
    client.on("data", (data) => {
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
    get broken() {
      return broken;
    },
  };
}
