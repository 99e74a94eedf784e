import { createHash } from "node:crypto";
import { create, toBinary } from "@bufbuild/protobuf";
import type { Relation } from "../plan/relation.ts";
import { relationInputs, relationSubqueries } from "../plan/walk.ts";
import { toSparkJson } from "../types/struct-json.ts";
import type { SparkConnectClient } from "./client/client.ts";
import { type CachedRows, encodeLocal } from "./encode.ts";
import * as pb from "./proto/spark-connect_pb.ts";

type Local = Extract<Relation, { kind: "local" }>;

/** Local data of this many bytes and more travels as an artifact, once for all plans that read it. */
const THRESHOLD_BYTES = 1 << 20;
/** Rows below this number are encoded within the plan without looking at their size first. */
const FEW_ROWS = 256;
/** Rows of the first chunk, which tells how many rows go into the others. */
const FIRST_ROWS = 10_000;
/** About so many bytes are one chunk, which Spark reads as a whole. */
const CHUNK_BYTES = 4 << 20;

/** Large local data on the server: sent before the first plan that reads it, and known from then on. */
export class LocalCache {
  readonly #client: SparkConnectClient;
  readonly #sent = new WeakMap<Relation, CachedRows | "small">();

  constructor(client: SparkConnectClient) {
    this.#client = client;
  }

  get(local: Relation): CachedRows | undefined {
    const sent = this.#sent.get(local);
    return sent === "small" ? undefined : sent;
  }

  /** Sends the large local data of a plan that the server does not have yet. Throws INVALID_VALUE for a row that does not fit. */
  async prepare(plan: Relation): Promise<void> {
    const pending: Relation[] = [plan];
    while (pending.length > 0) {
      const node = pending.pop()!;
      if (node.kind === "local") {
        if (!this.#sent.has(node)) this.#sent.set(node, await this.#send(node));
      } else pending.push(...relationInputs(node));
      pending.push(...relationSubqueries(node));
    }
  }

  async #send(local: Local): Promise<CachedRows | "small"> {
    if (local.schema.fields.length === 0 || local.rows.length < FEW_ROWS) return "small";
    const first = encodeLocal(local, local.rows.slice(0, FIRST_ROWS));
    if (local.rows.length <= FIRST_ROWS && first.data.length < THRESHOLD_BYTES) return "small";
    // Before 4.1 there is one artifact, which holds the whole message.
    if (!this.#client.isAtLeast(4, 1)) {
      const message = create(pb.LocalRelationSchema, encodeLocal(local));
      return { kind: "whole", hash: await this.#artifact(toBinary(pb.LocalRelationSchema, message)) };
    }
    const dataHashes = [await this.#artifact(first.data)];
    const step = Math.max(1, Math.floor((FIRST_ROWS * CHUNK_BYTES) / first.data.length));
    for (let start = FIRST_ROWS; start < local.rows.length; start += step) {
      const chunk = encodeLocal(local, local.rows.slice(start, start + step));
      dataHashes.push(await this.#artifact(chunk.data));
    }
    const schema = new TextEncoder().encode(JSON.stringify(toSparkJson(local.schema)));
    return { kind: "chunked", dataHashes, schemaHash: await this.#artifact(schema) };
  }

  async #artifact(bytes: Uint8Array): Promise<string> {
    const hash = createHash("sha256").update(bytes).digest("hex");
    await this.#client.addArtifact(`cache/${hash}`, bytes);
    return hash;
  }
}
