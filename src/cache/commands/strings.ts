import { OK, type Reply } from "../resp.ts";
import type { Session } from "../session.ts";
import { CommandError, type Database } from "../store.ts";
import {
  add64,
  type CommandTable,
  float,
  formatFloat,
  int,
  int64,
  NOT_INTEGER,
  SYNTAX,
  wrongArity,
} from "./command.ts";
import { expiryTime } from "./expiry.ts";

/** Redis' limit of one value. */
const MAX_STRING = 512 * 1024 * 1024;

function increment(db: Database, key: string, by: bigint): bigint {
  const next = add64(int64(db.getString(key) ?? "0"), by);
  db.updateString(key, String(next));
  return next;
}

function set(session: Session, args: string[]): Reply {
  const [, key, value] = args as [string, string, string];
  let condition: "NX" | "XX" | undefined;
  let get = false;
  let keepTtl = false;
  let expiresAt: number | undefined;
  for (let i = 3; i < args.length; i++) {
    const option = args[i]!.toUpperCase();
    if ((option === "NX" || option === "XX") && condition === undefined) condition = option;
    else if (option === "GET") get = true;
    else if (option === "KEEPTTL" && expiresAt === undefined) keepTtl = true;
    else if (/^(EX|PX|EXAT|PXAT)$/.test(option) && expiresAt === undefined && !keepTtl && i + 1 < args.length) {
      expiresAt = expiryTime(session, option, args[++i]!, "set");
    } else throw new CommandError(SYNTAX);
  }
  const { db } = session;
  const old = get ? (db.getString(key) ?? null) : null;
  if (condition !== undefined && db.has(key) !== (condition === "XX")) return get ? old : null;
  if (keepTtl) db.updateString(key, value);
  else store(session, key, value, expiresAt ?? 0);
  return get ? old : OK;
}

/** Sets a string; an expiry that is already over leaves no key. */
function store(session: Session, key: string, value: string, expiresAt: number): void {
  if (expiresAt !== 0 && expiresAt <= session.server.now()) session.db.delete(key);
  else session.db.setString(key, value, expiresAt);
}

function getex(session: Session, args: string[]): Reply {
  const { db } = session;
  const key = args[1]!;
  const option = args[2]?.toUpperCase();
  if (option === undefined) return db.getString(key) ?? null;
  if (option === "PERSIST" && args.length === 3) {
    const value = db.getString(key);
    if (value !== undefined && db.expiresAt(key) !== 0) db.expire(key, 0);
    return value ?? null;
  }
  if (!/^(EX|PX|EXAT|PXAT)$/.test(option) || args.length !== 4) throw new CommandError(SYNTAX);
  const at = expiryTime(session, option, args[3]!, "getex");
  const value = db.getString(key);
  if (value !== undefined) db.expire(key, at);
  return value ?? null;
}

function getRange(session: Session, args: string[]): Reply {
  const value = session.db.getString(args[1]!) ?? "";
  let start = int(args[2]);
  let end = int(args[3]);
  if (start < 0 && end < 0 && start > end) return "";
  if (start < 0) start = Math.max(0, value.length + start);
  if (end < 0) end = Math.max(0, value.length + end);
  return value.slice(start, Math.min(end, value.length - 1) + 1);
}

function pairs(args: string[]): [string, string][] {
  if (args.length % 2 === 0) throw wrongArity(args[0]!);
  const found: [string, string][] = [];
  for (let i = 1; i < args.length; i += 2) found.push([args[i]!, args[i + 1]!]);
  return found;
}

function withExpiry(unit: "EX" | "PX") {
  return (session: Session, [name, key, time, value]: string[]): Reply => {
    store(session, key!, value!, expiryTime(session, unit, time!, name!.toLowerCase()));
    return OK;
  };
}

export const strings: CommandTable = {
  GET: { arity: 2, flags: ["readonly", "fast"], keys: [1, 1, 1], run: (s, a) => s.db.getString(a[1]!) ?? null },
  SET: { arity: -3, flags: ["write", "denyoom"], keys: [1, 1, 1], run: set },
  SETNX: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      if (s.db.has(a[1]!)) return 0;
      s.db.setString(a[1]!, a[2]!, 0);
      return 1;
    },
  },
  SETEX: { arity: 4, flags: ["write", "denyoom"], keys: [1, 1, 1], run: withExpiry("EX") },
  PSETEX: { arity: 4, flags: ["write", "denyoom"], keys: [1, 1, 1], run: withExpiry("PX") },
  GETSET: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      const old = s.db.getString(a[1]!) ?? null;
      s.db.setString(a[1]!, a[2]!, 0);
      return old;
    },
  },
  GETDEL: {
    arity: 2,
    flags: ["write", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      const old = s.db.getString(a[1]!) ?? null;
      if (old !== null) s.db.delete(a[1]!);
      return old;
    },
  },
  GETEX: { arity: -2, flags: ["write", "fast"], keys: [1, 1, 1], run: getex },
  MGET: {
    arity: -2,
    flags: ["readonly", "fast"],
    keys: [1, -1, 1],
    run: (s, a) => a.slice(1).map((k) => (s.db.type(k) === "string" ? (s.db.getString(k) ?? null) : null)),
  },
  MSET: {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [1, -1, 2],
    run: (s, a) => {
      for (const [key, value] of pairs(a)) s.db.setString(key, value, 0);
      return OK;
    },
  },
  MSETNX: {
    arity: -3,
    flags: ["write", "denyoom"],
    keys: [1, -1, 2],
    run: (s, a) => {
      const all = pairs(a);
      if (all.some(([key]) => s.db.has(key))) return 0;
      for (const [key, value] of all) s.db.setString(key, value, 0);
      return 1;
    },
  },
  APPEND: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      const length = (s.db.getString(a[1]!) ?? "").length;
      if (length + a[2]!.length > MAX_STRING) throw new CommandError(TOO_LONG);
      return s.db.setRange(a[1]!, length, a[2]!);
    },
  },
  STRLEN: {
    arity: 2,
    flags: ["readonly", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => (s.db.getString(a[1]!) ?? "").length,
  },
  INCR: {
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => increment(s.db, a[1]!, 1n),
  },
  DECR: {
    arity: 2,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => increment(s.db, a[1]!, -1n),
  },
  INCRBY: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => increment(s.db, a[1]!, int64(a[2])),
  },
  DECRBY: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      const by = int64(a[2]);
      if (by === -(2n ** 63n)) throw new CommandError("ERR decrement would overflow");
      return increment(s.db, a[1]!, -by);
    },
  },
  INCRBYFLOAT: {
    arity: 3,
    flags: ["write", "denyoom", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      const next = formatFloat(float(s.db.getString(a[1]!) ?? "0") + float(a[2]));
      s.db.updateString(a[1]!, next);
      return next;
    },
  },
  GETRANGE: { arity: 4, flags: ["readonly"], keys: [1, 1, 1], run: getRange },
  SUBSTR: { arity: 4, flags: ["readonly"], keys: [1, 1, 1], run: getRange },
  SETRANGE: {
    arity: 4,
    flags: ["write", "denyoom"],
    keys: [1, 1, 1],
    run: (s, a) => {
      const offset = int(a[2], NOT_INTEGER);
      if (offset < 0) throw new CommandError("ERR offset is out of range");
      const old = s.db.getString(a[1]!);
      if (a[3]!.length === 0) return old?.length ?? 0;
      if (offset + a[3]!.length > MAX_STRING) throw new CommandError(TOO_LONG);
      return s.db.setRange(a[1]!, offset, a[3]!);
    },
  },
};

const TOO_LONG = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";
