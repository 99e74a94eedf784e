import { OK, type Reply } from "../resp.ts";
import type { Session } from "../session.ts";
import { CommandError, type Hash } from "../store.ts";
import { add64, type CommandTable, float, formatFloat, int, int64, SYNTAX, wrongArity } from "./command.ts";
import { scanOptions } from "./scan.ts";

const EMPTY: Hash = new Map();

function hash(session: Session, key: string): Hash {
  return session.db.getHash(key) ?? EMPTY;
}

function set(session: Session, args: string[]): number {
  if (args.length % 2 !== 0) throw wrongArity(args[0]!);
  return session.db.setFields(args[1]!, args.slice(2));
}

function randomField(session: Session, args: string[]): Reply {
  const all = [...hash(session, args[1]!)];
  if (args.length === 2) return all.length === 0 ? null : all[Math.floor(Math.random() * all.length)]![0];
  const withValues = args[3]?.toUpperCase() === "WITHVALUES";
  if (args.length > 4 || (args.length === 4 && !withValues)) throw new CommandError(SYNTAX);
  const count = int(args[2]);
  const chosen: [string, string][] = [];
  if (count < 0) {
    if (count < -LIMIT) throw new CommandError("ERR value is out of range");
    for (let i = all.length === 0 ? 0 : -count; i > 0; i--) chosen.push(all[Math.floor(Math.random() * all.length)]!);
  } else {
    for (let i = Math.min(count, all.length); i > 0; i--) {
      const at = Math.floor(Math.random() * all.length);
      chosen.push(all[at]!);
      all[at] = all.at(-1)!;
      all.pop();
    }
  }
  if (!withValues) return chosen.map(([field]) => field);
  return session.version === 3 ? chosen : chosen.flat();
}

const LIMIT = 1_000_000;

/** All fields at once: a hash lies in one piece, so nothing is gained by more calls. */
function scan(session: Session, args: string[]): Reply {
  const { matches, extra } = scanOptions(args, 2, ["NOVALUES"]);
  const found: string[] = [];
  for (const [field, value] of hash(session, args[1]!)) {
    if (!matches(field)) continue;
    found.push(field);
    if (!extra.has("NOVALUES")) found.push(value);
  }
  return ["0", found];
}

export const hashes: CommandTable = {
  HSET: { arity: -4, flags: ["write", "denyoom", "fast"], keys: [1, 1, 1], run: set },
  HMSET: {
    arity: -4,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      set(s, a);
      return OK;
    },
  },
  HSETNX: {
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => (hash(s, a[1]!).has(a[2]!) ? 0 : s.db.setFields(a[1]!, [a[2]!, a[3]!])),
  },
  HGET: { arity: 3, flags: ["readonly", "fast"], keys: [1, 1, 1], run: (s, a) => hash(s, a[1]!).get(a[2]!) ?? null },
  HMGET: {
    arity: -3,
    flags: ["readonly", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      const h = hash(s, a[1]!);
      return a.slice(2).map((f) => h.get(f) ?? null);
    },
  },
  HGETALL: { arity: 2, flags: ["readonly"], keys: [1, 1, 1], run: (s, a) => ({ map: [...hash(s, a[1]!)].flat() }) },
  HDEL: {
    arity: -3,
    flags: ["write", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => s.db.deleteFields(a[1]!, a.slice(2)),
  },
  HEXISTS: {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => Number(hash(s, a[1]!).has(a[2]!)),
  },
  HLEN: { arity: 2, flags: ["readonly", "fast"], keys: [1, 1, 1], run: (s, a) => hash(s, a[1]!).size },
  HKEYS: { arity: 2, flags: ["readonly"], keys: [1, 1, 1], run: (s, a) => [...hash(s, a[1]!).keys()] },
  HVALS: { arity: 2, flags: ["readonly"], keys: [1, 1, 1], run: (s, a) => [...hash(s, a[1]!).values()] },
  HSTRLEN: {
    arity: 3,
    flags: ["readonly", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => (hash(s, a[1]!).get(a[2]!) ?? "").length,
  },
  HINCRBY: {
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      const by = int64(a[3]);
      const old = int64(hash(s, a[1]!).get(a[2]!) ?? "0", "ERR hash value is not an integer");
      const next = add64(old, by);
      s.db.setFields(a[1]!, [a[2]!, String(next)]);
      return next;
    },
  },
  HINCRBYFLOAT: {
    arity: 4,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      const by = float(a[3]);
      const next = formatFloat(float(hash(s, a[1]!).get(a[2]!) ?? "0", "ERR hash value is not a float") + by);
      s.db.setFields(a[1]!, [a[2]!, next]);
      return next;
    },
  },
  HRANDFIELD: { arity: -2, flags: ["readonly"], keys: [1, 1, 1], run: randomField },
  HSCAN: { arity: -3, flags: ["readonly"], keys: [1, 1, 1], run: scan },
};
