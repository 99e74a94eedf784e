import { createServer, connect as dial, type Socket } from "node:net";

/** A connection through a proxy. */
export interface Proxied {
  readonly client: Socket;
  readonly upstream: Socket;
  /** Breaks it, as a network or a dying server does. */
  cut(): void;
}

/** A TCP proxy on a free port. `connected` wires each connection: nothing is passed on by itself. */
export async function tcpProxy(
  host: string,
  port: number,
  connected: (connection: Proxied) => void,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = dial(port, host);
    sockets.add(client).add(upstream);
    connected({
      client,
      upstream,
      cut() {
        client.resetAndDestroy();
        upstream.destroy();
      },
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
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
