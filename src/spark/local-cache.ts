import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Relation } from "../plan/relation.ts";
import { relationInputs, relationSubqueries } from "../plan/walk.ts";
import type { SparkConnectClient } from "./client/client.ts";
import { type CachedRows, encodeLocal } from "./encode.ts";
import * as pb from "./proto/spark-connect_pb.ts";

type Local = Extract<Relation, { kind: "local" }>;

/** Local data of this many bytes and more travels as an artifact, once for all plans that read it. */
const THRESHOLD_BYTES = 1 << 20;
/** So many rows tell how large the others are. */
const SAMPLE_ROWS = 256;
/** About so many bytes are one chunk, which Spark reads as a whole. */
const CHUNK_BYTES = 4 << 20;

/** Local data as Arrow, encoded once; large data is sent before the first plan that reads it, and known from then on. */
export class LocalCache {
  readonly #client: SparkConnectClient;
  readonly #known = new WeakMap<Relation, CachedRows>();

  constructor(client: SparkConnectClient) {
    this.#client = client;
  }

  get(local: Relation): CachedRows | undefined {
    return this.#known.get(local);
  }

  /** Encodes the local data of a plan and sends what is large and not there yet. Throws INVALID_VALUE for a row that does not fit. */
  async prepare(plan: Relation): Promise<void> {
    const pending: Relation[] = [plan];
    while (pending.length > 0) {
      const node = pending.pop()!;
      if (node.kind === "local") {
        if (node.schema.fields.length > 0 && !this.#known.has(node)) this.#known.set(node, await this.#encode(node));
      } else pending.push(...relationInputs(node));
      pending.push(...relationSubqueries(node));
    }
  }

  async #encode(local: Local): Promise<CachedRows> {
    const { rows } = local;
    const sample = encodeLocal(local, rows.slice(0, SAMPLE_ROWS));
    const rowBytes = sample.data.length / Math.max(1, Math.min(rows.length, SAMPLE_ROWS));
    if (rowBytes * rows.length < THRESHOLD_BYTES) {
      const whole = rows.length <= SAMPLE_ROWS ? sample : encodeLocal(local);
      if (whole.data.length < THRESHOLD_BYTES) return { kind: "inline", ...whole };
    }
    // Before 4.1 there is one artifact, which holds the whole message.
    if (!this.#client.isAtLeast(4, 1)) {
      const message = create(pb.LocalRelationSchema, encodeLocal(local));
      return { kind: "whole", hash: await this.#artifact(toBinary(pb.LocalRelationSchema, message)) };
    }
    const step = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes));
    const dataHashes: string[] = [];
    const send = async (start: number, end: number): Promise<void> => {
      const { data } = encodeLocal(local, rows.slice(start, end));
      if (data.length > 4 * CHUNK_BYTES && end - start > 1) {
        // The first rows were smaller than these.
        const middle = (start + end) >> 1;
        await send(start, middle);
        await send(middle, end);
      } else dataHashes.push(await this.#artifact(data));
    };
    for (let start = 0; start < rows.length; start += step) await send(start, Math.min(rows.length, start + step));
    return { kind: "chunked", dataHashes, schemaHash: await this.#artifact(new TextEncoder().encode(sample.schema)) };
  }

  async #artifact(bytes: Uint8Array): Promise<string> {
    const hash = createHash("sha256").update(bytes).digest("hex");
    await this.#client.addArtifact(`cache/${hash}`, bytes);
    return hash;
  }
}
