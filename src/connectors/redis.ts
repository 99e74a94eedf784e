import type { Connector } from "./connector.ts";
import { openRedisSink, validateRedis, writeRedis } from "./redis/stream-sink.ts";

/**
 * Redis and Valkey. Each row becomes one hash or one JSON text under a key made from its columns. With `version` an older row never
 * overwrites a newer one, whatever the order in which they arrive.
 *
 * @example df.writeStream.format("redis").option("key", "airport:{origin}").option("version", "hour").option("ttl", "36 hours")
 */
export const redis: Connector = {
  name: "redis",
  aliases: ["valkey"],
  summary: "Keys of Redis or Valkey: the latest row per key, as a hash or as JSON.",
  options: [
    {
      name: "url",
      for: ["sink"],
      type: "string",
      required: true,
      env: "MILLRACE_REDIS",
      secret: true,
      doc: "Address, as redis://user:password@host:6379/0; rediss:// for TLS.",
    },
    {
      name: "key",
      for: ["sink"],
      type: "string",
      required: true,
      doc: "Template of the key, as airport:{origin}; or column names separated by commas, which are joined with a colon after keyPrefix.",
    },
    { name: "keyPrefix", for: ["sink"], type: "string", doc: "Text before every key." },
    {
      name: "type",
      for: ["sink"],
      type: "string",
      default: "hash",
      values: ["hash", "string"],
      doc: "hash: one field per column. string: one JSON object.",
    },
    { name: "fields", for: ["sink"], type: "string", doc: "Columns to write, separated by commas. Default: all." },
    {
      name: "ttl",
      for: ["sink"],
      type: "duration",
      doc: "How long a key lives after it was last written, as 36 hours.",
    },
    {
      name: "version",
      for: ["sink"],
      type: "string",
      doc: "Column that orders rows of one key: an older value never overwrites a newer one, an equal one does. Kept in the hash field _version, for strings in the key <key>:_version.",
    },
    { name: "batchsize", for: ["sink"], type: "int", default: "500", doc: "Keys per transaction." },
    { name: "username", for: ["sink"], type: "string", doc: "User, instead of the one in url." },
    { name: "password", for: ["sink"], type: "string", secret: true, doc: "Password, instead of the one in url." },
  ],
  sink: {
    outputModes: ["append", "update", "complete"],
    guarantee: () => "by-key",
    validate: validateRedis,
    openStream: openRedisSink,
    writeBatch: writeRedis,
  },
};
