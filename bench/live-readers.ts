/**
 * Holds connections to the streams of live views, as open browser pages do: node bench/live-readers.ts HOST:PORT PATH. Messages of the parent:
 * `{ open: 200 }`, `{ close: true }`, `{ stats: true }`. What comes is counted and thrown away, so that this process costs the machine little.
 */
import { connect, type Socket } from "node:net";

const [address, path] = process.argv.slice(2) as [string, string];
const [host, port] = address.split(":") as [string, string];
let sockets: Socket[] = [];
let bytes = 0;
let writes = 0;

const END_OF_MESSAGE = Buffer.from("\n\n");

async function open(count: number): Promise<void> {
  const opened = Array.from({ length: count }, () => {
    const socket = connect(Number(port), host);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${address}\r\nAccept: text/event-stream\r\n\r\n`);
    // A page is there when it has its first rows.
    return new Promise<void>((resolve, reject) => {
      let tail = "";
      const first = (chunk: Buffer): void => {
        const text = tail + chunk.toString("latin1");
        tail = text.slice(-64);
        if (!/event: ready/.test(text)) return;
        socket.off("data", first);
        resolve();
      };
      socket.on("data", first);
      socket.on("data", (chunk) => {
        bytes += chunk.length;
        if (chunk.indexOf(END_OF_MESSAGE) >= 0) writes++;
      });
      socket.on("error", reject);
      sockets.push(socket);
    });
  });
  await Promise.all(opened);
}

process.on("message", async (message: { open?: number; close?: true; stats?: true }) => {
  if (message.open !== undefined) {
    await open(message.open);
    process.send!({ opened: sockets.length });
  } else if (message.close) {
    for (const socket of sockets) socket.destroy();
    sockets = [];
    process.send!({ closed: true });
  } else if (message.stats) {
    process.send!({ bytes, writes });
    bytes = 0;
    writes = 0;
  }
});
process.on("disconnect", () => process.exit());
process.send!({ started: true });
