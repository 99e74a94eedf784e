import type { Redis } from "iovalkey";
import { addressOf, connect, type RedisAddress, translate } from "../../connectors/redis/connection.ts";
import type { CacheKeySummary, CachePage, CacheValue } from "../api-explore.ts";
import { Kept } from "./kept.ts";
import { Problem } from "./problem.ts";

/** Keys that a page has at least, if there are so many. */
const PAGE = 100;
/** Steps of SCAN for one page: a pattern that fits few keys must not walk through millions of them. */
const MAX_STEPS = 50;
const STEP = 1_000;
const MAX_ITEMS = 100;
const MAX_TEXT = 8_192;
const NAME_LENGTH = 4_096;

interface Session {
  readonly client: Redis;
  readonly address: RedisAddress;
}

/** The keys of the pipeline's cache, by commands that never block it: SCAN in pages, parts of values. */
export class CacheExplorer {
  readonly #session = new Kept<Session>({
    title: "The cache",
    deadlineMs: 6_000,
    open: async (url) => {
      const address = addressOf({ url });
      return { client: await connect(address), address };
    },
    close: ({ client }) => client.disconnect(),
  });

  page(url: string, match: string, cursor: string): Promise<CachePage> {
    if (!/^\d{1,20}$/.test(cursor)) {
      throw new Problem(400, "INVALID_ARGUMENT", "cursor is not one of a page.", "Begin with 0.");
    }
    return this.#ask(url, "list the keys", async (client) => {
      const names: string[] = [];
      let at = cursor;
      for (let step = 0; step < MAX_STEPS; step++) {
        const [next, found] = await client.scan(at, "MATCH", match, "COUNT", step === 0 ? PAGE : STEP);
        names.push(...found);
        at = next;
        if (at === "0" || names.length >= PAGE) break;
      }
      const [keys, total] = await Promise.all([summaries(client, names), client.dbsize()]);
      // keys that went away between the two questions have no type any more
      return { keys: keys.filter((k) => k.type !== "none"), cursor: at === "0" ? null : at, total };
    });
  }

  value(url: string, key: string): Promise<CacheValue> {
    return this.#ask(url, "read the key", async (client) => {
      const [summary] = await summaries(client, [key]);
      if (summary === undefined || summary.type === "none") {
        throw new Problem(
          404,
          "NOT_FOUND",
          `There is no key ${JSON.stringify(key.slice(0, 200))}.`,
          "It may have expired.",
        );
      }
      return { ...summary, ...(await partOf(client, key, summary.type)) };
    });
  }

  close(): void {
    this.#session.close();
  }

  #ask<T>(url: string, doing: string, work: (client: Redis) => Promise<T>): Promise<T> {
    return this.#session.use(url, async ({ client, address }) => {
      try {
        return await work(client);
      } catch (error) {
        throw error instanceof Problem ? error : translate(error, address, doing);
      }
    });
  }
}

async function summaries(client: Redis, names: readonly string[]): Promise<CacheKeySummary[]> {
  const pipeline = client.pipeline();
  for (const name of names) pipeline.type(name).pttl(name);
  const answers = names.length === 0 ? [] : ((await pipeline.exec()) ?? []);
  return names.map((key, i) => {
    const type = String(answers[2 * i]?.[1] ?? "none");
    const ttl = Number(answers[2 * i + 1]?.[1] ?? -1);
    return { key: key.slice(0, NAME_LENGTH), type, ttlSeconds: ttl < 0 ? null : ttl / 1_000 };
  });
}

/** The first part of a value. */
async function partOf(client: Redis, key: string, type: string): Promise<Pick<CacheValue, "value" | "truncated">> {
  let cut = false;
  const text = (value: unknown): string => {
    const whole = String(value);
    if (whole.length <= MAX_TEXT) return whole;
    cut = true;
    return `${whole.slice(0, MAX_TEXT)}…`;
  };
  switch (type) {
    case "string": {
      const length = await client.strlen(key);
      const bytes = await client.getrangeBuffer(key, 0, MAX_TEXT - 1);
      const shown = textOrSize(bytes, length);
      return { value: shown, truncated: length > bytes.length };
    }
    case "hash": {
      const [next, pairs] = await client.hscan(key, 0, "COUNT", MAX_ITEMS);
      const fields: [string, string][] = [];
      for (let i = 0; i + 1 < pairs.length && fields.length < MAX_ITEMS; i += 2) {
        fields.push([pairs[i]!.slice(0, NAME_LENGTH), text(pairs[i + 1])]);
      }
      const more = next !== "0" || pairs.length / 2 > MAX_ITEMS;
      return { value: Object.fromEntries(fields), truncated: more || cut };
    }
    case "list": {
      const items = await client.lrange(key, 0, MAX_ITEMS);
      return { value: items.slice(0, MAX_ITEMS).map(text), truncated: items.length > MAX_ITEMS || cut };
    }
    case "set": {
      const [next, members] = await client.sscan(key, 0, "COUNT", MAX_ITEMS);
      const more = next !== "0" || members.length > MAX_ITEMS;
      return { value: members.slice(0, MAX_ITEMS).map(text), truncated: more || cut };
    }
    case "zset": {
      const pairs = await client.zrange(key, 0, MAX_ITEMS, "WITHSCORES");
      const scores: [string, string][] = [];
      for (let i = 0; i + 1 < pairs.length && scores.length < MAX_ITEMS; i += 2) {
        scores.push([text(pairs[i]), pairs[i + 1]!]);
      }
      return { value: Object.fromEntries(scores), truncated: pairs.length / 2 > MAX_ITEMS || cut };
    }
    case "stream": {
      const entries = await client.xrevrange(key, "+", "-", "COUNT", MAX_ITEMS);
      return { value: entries.map(([id, fields]) => text(`${id} ${fields.join(" ")}`)), truncated: cut };
    }
    default:
      return { value: null, truncated: false };
  }
}

/** Bytes that are no text are only measured. */
function textOrSize(bytes: Buffer, length: number): string {
  const text = bytes.toString("utf8");
  const isText = !/[\x00-\x08\x0e-\x1f]/.test(text) && (!text.includes("\ufffd") || length > bytes.length);
  return isText ? text : `[binary, ${length} bytes]`;
}
