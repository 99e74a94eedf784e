import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { crc32 } from "node:zlib";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { MillraceError } from "../../errors.ts";
import type { AddArtifactsRequestSchema } from "../proto/spark-connect_pb.ts";
import type { Channel } from "./channel.ts";

/** Bytes, or a file that holds them. */
export type ArtifactData = Uint8Array | { readonly path: string };

/** Spark's size of a chunk: small enough for any limit of a message. */
const CHUNK = 32 << 10;

/** Where an artifact goes is said by the beginning of its name. */
const PLACES = ["jars/", "classes/", "files/", "archives/", "pyfiles/", "cache/"];

type Payload = NonNullable<MessageInitShape<typeof AddArtifactsRequestSchema>["payload"]>;

/** Sends files to a session, each once. */
export class Artifacts {
  readonly #channel: Channel;
  /** What was sent: the SHA-256 of each name's content, or the sending under way. */
  readonly #sent = new Map<string, { readonly hash: string; readonly done: Promise<void> }>();

  constructor(channel: Channel) {
    this.#channel = channel;
  }

  async add(name: string, data: ArtifactData): Promise<void> {
    const place = PLACES.find((p) => name.startsWith(p) && name.length > p.length);
    if (place === undefined || name.includes("..") || name.includes("\\")) {
      throw new MillraceError("INVALID_ARGUMENT", `An artifact cannot be named "${name}".`, {
        hint: `Its name begins with one of ${PLACES.join(", ")} and has no "..".`,
      });
    }
    const hash = await sha256(data);
    const before = this.#sent.get(name);
    if (before?.hash === hash) return await before.done;
    if (before !== undefined) {
      throw new MillraceError("INVALID_ARGUMENT", `The artifact "${name}" is there already, with other content.`, {
        hint: "A session cannot replace an artifact: use another name, for example one with a hash of the content.",
      });
    }
    const done = this.#send(name, data);
    this.#sent.set(name, { hash, done });
    try {
      await done;
    } catch (error) {
      this.#sent.delete(name);
      throw error;
    }
  }

  async #send(name: string, data: ArtifactData): Promise<void> {
    // Only of cached data does the server say whether it has them; they outlive the client's own memory of them.
    if (name.startsWith("cache/") && (await this.exist([name])).get(name)) return;
    const response = await this.#channel.unary((head, signal) => {
      const requests = async function* () {
        for await (const payload of payloads(name, data)) yield { ...head, payload };
      };
      return this.#channel.stub.addArtifacts(requests(), { ...(signal && { signal }) });
    });
    const summary = response.artifacts.find((a) => a.name === name);
    if (summary?.isCrcSuccessful === false) {
      throw new MillraceError("SPARK_ERROR", `The artifact "${name}" arrived damaged.`, {
        hint: "Send it again.",
        retryable: true,
      });
    }
  }

  /** Which of these the session has. The server answers for `cache/` only; for others the answer is whether this client sent them. */
  async exist(names: readonly string[]): Promise<Map<string, boolean>> {
    const asked = names.filter((name) => name.startsWith("cache/"));
    const result = new Map(names.map((name) => [name, this.#sent.has(name)]));
    if (asked.length === 0) return result;
    const { statuses } = await this.#channel.unary((head, signal) =>
      this.#channel.stub.artifactStatus({ ...head, names: asked }, { ...(signal && { signal }) }),
    );
    for (const name of asked) result.set(name, statuses[name]?.exists ?? false);
    return result;
  }
}

async function* payloads(name: string, data: ArtifactData): AsyncGenerator<Payload> {
  const size = data instanceof Uint8Array ? data.byteLength : await sizeOf(data.path);
  const chunks = chunksOf(data, size);
  const first = await chunks.next();
  const initial = chunk(first.done ? new Uint8Array() : first.value);
  if (size <= CHUNK) {
    yield { case: "batch", value: { artifacts: [{ name, data: initial }] } };
    return;
  }
  const count = Math.ceil(size / CHUNK);
  yield {
    case: "beginChunk",
    value: { name, totalBytes: BigInt(size), numChunks: BigInt(count), initialChunk: initial },
  };
  for await (const bytes of chunks) yield { case: "chunk", value: chunk(bytes) };
}

const chunk = (data: Uint8Array) => ({ data: data as Uint8Array<ArrayBuffer>, crc: BigInt(crc32(data)) });

/** Exactly `size` bytes, all chunks but the last one full. */
async function* chunksOf(data: ArtifactData, size: number): AsyncGenerator<Uint8Array> {
  if (data instanceof Uint8Array) {
    for (let at = 0; at < size; at += CHUNK) yield data.subarray(at, at + CHUNK);
    return;
  }
  const file = await openArtifact(data.path);
  try {
    for (let at = 0; at < size; ) {
      const buffer = Buffer.alloc(Math.min(CHUNK, size - at));
      let filled = 0;
      while (filled < buffer.length) {
        const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, at + filled);
        if (bytesRead === 0) {
          throw new MillraceError("INVALID_ARGUMENT", `${data.path} became shorter while it was sent.`, {
            hint: "Write it whole before it is added.",
          });
        }
        filled += bytesRead;
      }
      at += filled;
      yield buffer;
    }
  } finally {
    await file.close();
  }
}

async function sizeOf(path: string): Promise<number> {
  const file = await openArtifact(path);
  try {
    return (await file.stat()).size;
  } finally {
    await file.close();
  }
}

async function sha256(data: ArtifactData): Promise<string> {
  const hash = createHash("sha256");
  if (data instanceof Uint8Array) return hash.update(data).digest("hex");
  for await (const bytes of chunksOf(data, await sizeOf(data.path))) hash.update(bytes);
  return hash.digest("hex");
}

async function openArtifact(path: string) {
  try {
    return await open(path, "r");
  } catch (error) {
    throw new MillraceError("PATH_NOT_FOUND", `The artifact ${path} cannot be read: ${(error as Error).message}.`, {
      cause: error,
      hint: "Check the path.",
    });
  }
}
