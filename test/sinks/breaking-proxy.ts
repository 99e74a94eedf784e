import { createServer, connect as dial, type Socket } from "node:net";

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
  const sockets = new Set<Socket>();
  let armed: { text: Buffer; how: "lost" | "unanswered" } | undefined;
  let broken = 0;
  const server = createServer((client) => {
    const upstream = dial(port, host);
    sockets.add(client).add(upstream);
    let swallowing = false;
    const cut = (): void => {
      client.resetAndDestroy();
      upstream.destroy();
    };
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
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      socket.on("close", () => {
        sockets.delete(socket);
        other.destroy();
      });
      socket.on("error", () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    breakAt(text, how) {
      armed = { text: Buffer.from(text), how };
    },
    get broken() {
      return broken;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
