import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Api, decodeResponse, encodeRequest } from "../../src/kafka/wire/api.ts";

/** One connection that speaks the wire tables as they are: for tests, which want to see every field and to break rules. */
export class RawClient {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  readonly #waiting: ((frame: Buffer | undefined) => void)[] = [];
  #correlationId = 0;
  #closed = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      while (this.#received.length >= 4) {
        const end = 4 + this.#received.readInt32BE(0);
        if (this.#received.length < end) break;
        this.#waiting.shift()?.(this.#received.subarray(4, end));
        this.#received = this.#received.subarray(end);
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#closed = true;
      for (const give of this.#waiting.splice(0)) give(undefined);
    });
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, "127.0.0.1");
    await once(socket, "connect");
    return new RawClient(socket);
  }

  /** Sends a request and gives the answer's body. Rejects when the connection ends before it. */
  async send<Req, Res, ReqIn>(api: Api<Req, Res, ReqIn, any>, version: number, body: ReqIn): Promise<Res> {
    const id = ++this.#correlationId;
    const frame = await this.exchange(encodeRequest(api, version, id, "raw", body));
    if (frame === undefined) throw new Error("the connection was closed");
    const answer = decodeResponse(api, version, frame);
    if (answer.correlationId !== id) throw new Error(`answer ${answer.correlationId} to request ${id}`);
    return answer.body;
  }

  /** Sends bytes and gives the next frame; undefined when the connection ends. */
  exchange(bytes: Uint8Array): Promise<Buffer | undefined> {
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.socket.write(bytes);
    });
  }

  close(): void {
    this.socket.destroy();
  }
}
