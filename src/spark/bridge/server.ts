import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { publish } from "../../events.ts";
import { listenError } from "../../listen-error.ts";
import { FrameReader, PeerGone, sendMessage } from "./frames.ts";

/** How a Python worker opens a conversation. */
export type Hello =
  | { readonly kind: "batch"; readonly batch: number }
  | { readonly kind: "rows"; readonly batch: number; readonly partition: number; readonly attempt: number };

/** A conversation whose peer has proved that it knows the token. */
export interface Conversation {
  readonly hello: Hello;
  readonly reader: FrameReader;
  say(message: unknown): void;
  /** Fires when the connection is gone. */
  readonly gone: AbortSignal;
}

/** One run of a query, as the bridge knows it. */
export interface BridgeRun {
  readonly token: string;
  /** Holds the conversation; the connection is closed when it settles. */
  converse(conversation: Conversation): Promise<void>;
}

/** The first message of a peer, which may be anybody. */
interface Opening {
  readonly millrace: 1;
  readonly run: string;
  readonly nonce: string;
}

const SMALL = 4096;
const PROOF_MS = 10_000;
const KEEP_ALIVE_MS = 15_000;

/** The port at which the Python workers of a Spark server reach this process. One port serves all queries that want the same one. */
export class BridgeServer {
  readonly #server: Server;
  readonly #runs = new Map<string, BridgeRun>();
  readonly #sockets = new Map<Socket, string | undefined>();
  readonly port: number;

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on("connection", (socket) => void this.#serve(socket));
    server.on("error", (error) => publish("server.error", { server: "bridge", error }));
  }

  /** Throws PORT_IN_USE. */
  static async listen(host: string, port: number): Promise<BridgeServer> {
    const server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    await new Promise<void>((resolve, reject) => {
      server.once("error", (error) => reject(listenError(error, host, port)));
      server.listen(port, host, () => resolve());
    });
    server.removeAllListeners("error");
    // what keeps the process alive is the query
    server.unref();
    return new BridgeServer(server, (server.address() as { port: number }).port);
  }

  get idle(): boolean {
    return this.#runs.size === 0;
  }

  /** Lets the workers of a run in. */
  open(id: string, run: BridgeRun): void {
    this.#runs.set(id, run);
  }

  /** Ends all conversations of a run and lets none in any more. */
  end(id: string): void {
    this.#runs.delete(id);
    for (const [socket, owner] of this.#sockets) if (owner === id) socket.destroy();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  async #serve(socket: Socket): Promise<void> {
    this.#sockets.set(socket, undefined);
    socket.unref();
    const gone = new AbortController();
    socket.on("close", () => {
      this.#sockets.delete(socket);
      gone.abort();
    });
    // without a listener a reset would end the process; whoever reads is told by the reader
    socket.on("error", () => undefined);
    try {
      const reader = new FrameReader(socket);
      const opened = await this.#open(socket, reader);
      if (opened === undefined) return;
      await opened.run.converse({
        hello: opened.hello,
        reader,
        say: (message) => sendMessage(socket, message),
        gone: gone.signal,
      });
      socket.end();
    } catch (error) {
      // a worker that went away is Spark's to report; what failed here was told to it
      if (!(error instanceof PeerGone)) publish("server.error", { server: "bridge", error: error as Error });
      socket.destroy();
    }
  }

  /** The peer shows that it knows the run's token, and is shown that we do. Undefined, and closed, when it does not. */
  async #open(socket: Socket, reader: FrameReader): Promise<{ run: BridgeRun; hello: Hello } | undefined> {
    const late = setTimeout(() => socket.destroy(), PROOF_MS);
    try {
      const opening = await reader.message<Opening & Hello>(SMALL);
      const run = opening.millrace === 1 ? this.#runs.get(opening.run) : undefined;
      if (run === undefined || typeof opening.nonce !== "string") {
        socket.destroy();
        return undefined;
      }
      this.#sockets.set(socket, opening.run);
      const nonce = randomBytes(16).toString("hex");
      const prove = (side: string): Buffer =>
        createHmac("sha256", run.token).update(`${side}:${opening.nonce}:${nonce}`).digest();
      sendMessage(socket, { nonce, proof: prove("bridge").toString("hex") });
      const { proof } = await reader.message<{ proof: string }>(SMALL);
      const given = Buffer.from(String(proof), "hex");
      const wanted = prove("worker");
      if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) {
        publish("warning", {
          code: "BRIDGE_REFUSED",
          message: `${socket.remoteAddress} spoke to the bridge on port ${this.port} without the query's token; it was refused.`,
        });
        socket.destroy();
        return undefined;
      }
      return { run, hello: opening };
    } finally {
      clearTimeout(late);
    }
  }
}

/** Servers by what they listen on, shared by the queries of the process. */
const shared = new Map<string, Promise<BridgeServer>>();

/** The bridge at this address and port (0: any free one); `release` closes it when no run is left. */
export async function shareBridge(host: string, port: number): Promise<BridgeServer> {
  const key = `${host}:${port}`;
  let server = shared.get(key);
  if (server === undefined) {
    server = BridgeServer.listen(host, port);
    shared.set(key, server);
    server.catch(() => shared.delete(key));
  }
  return server;
}

/** Closes a shared bridge that no run uses any more. */
export function releaseBridge(server: BridgeServer): void {
  if (!server.idle) return;
  for (const [key, promise] of shared) {
    void promise.then((other) => {
      if (other !== server || !server.idle) return;
      shared.delete(key);
      server.close();
    });
  }
}
