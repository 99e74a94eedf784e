import type { Socket } from "node:net";

/** The peer has gone in the middle of a conversation. */
export class PeerGone extends Error {
  override readonly name = "PeerGone";
}

/** Reads frames, each a length of four bytes and as many bytes, from a socket; never more than is asked for is held. */
export class FrameReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #buffer: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** A frame of JSON of at most `limit` bytes. */
  async message<T>(limit: number): Promise<T> {
    const length = await this.#length();
    if (length > limit) throw new PeerGone(`A message of ${length} bytes, where at most ${limit} are expected.`);
    const bytes: Buffer[] = [];
    for await (const piece of this.#pieces(length)) bytes.push(piece);
    try {
      return JSON.parse(Buffer.concat(bytes).toString("utf8")) as T;
    } catch (error) {
      throw new PeerGone("A message that is no JSON.", { cause: error });
    }
  }

  /** The bytes of all frames up to an empty one. */
  async *data(): AsyncGenerator<Buffer, void, undefined> {
    for (let length = await this.#length(); length > 0; length = await this.#length()) yield* this.#pieces(length);
  }

  async #length(): Promise<number> {
    while (this.#buffer.length < 4) this.#buffer = Buffer.concat([this.#buffer, await this.#more()]);
    const length = this.#buffer.readUInt32BE(0);
    this.#buffer = this.#buffer.subarray(4);
    return length;
  }

  async *#pieces(length: number): AsyncGenerator<Buffer, void, undefined> {
    for (let left = length; left > 0; ) {
      const chunk = this.#buffer.length > 0 ? this.#buffer : await this.#more();
      this.#buffer = chunk.subarray(left);
      const piece = chunk.subarray(0, left);
      left -= piece.length;
      yield piece;
    }
  }

  async #more(): Promise<Buffer> {
    let next: IteratorResult<Buffer>;
    try {
      next = await this.#chunks.next();
    } catch (error) {
      throw new PeerGone("The connection broke.", { cause: error });
    }
    if (next.done) throw new PeerGone("The connection was closed.");
    return next.value;
  }
}

/** Writes a message as a frame. Nobody waits for it: what is lost, the peer's silence says. */
export function sendMessage(socket: Socket, message: unknown): void {
  if (socket.destroyed || !socket.writable) return;
  const text = Buffer.from(JSON.stringify(message), "utf8");
  const frame = Buffer.allocUnsafe(4 + text.length);
  frame.writeUInt32BE(text.length, 0);
  text.copy(frame, 4);
  socket.write(frame);
}
