import { globMatches } from "../glob.ts";
import { OK, type Reply } from "../resp.ts";
import type { Session } from "../session.ts";
import { CommandError, type Database } from "../store.ts";
import { type CommandTable, int, SYNTAX } from "./command.ts";
import { scanOptions } from "./scan.ts";

/** The database of that number. */
export function database(session: Session, text: string | undefined): Database {
  const db = session.server.store.databases[int(text, "ERR invalid DB index")];
  if (db === undefined) throw new CommandError("ERR DB index is out of range");
  return db;
}

function scan(session: Session, args: string[]): Reply {
  const options = scanOptions(args, 1);
  const { cursor, keys } = session.db.scan(options.cursor, options.count);
  const found = keys.filter(
    (k) => options.matches(k) && (options.type === undefined || session.db.type(k) === options.type),
  );
  return [String(cursor), found];
}

function rename(session: Session, args: string[], onlyNew: boolean): boolean {
  if (!session.db.has(args[1]!)) throw new CommandError("ERR no such key");
  if (onlyNew && session.db.has(args[2]!)) return false;
  return session.db.rename(args[1]!, args[2]!);
}

function copy(session: Session, args: string[]): number {
  let target = session.db;
  let replace = false;
  for (let i = 3; i < args.length; i++) {
    const word = args[i]!.toUpperCase();
    if (word === "REPLACE") replace = true;
    else if (word === "DB" && i + 1 < args.length) target = database(session, args[++i]);
    else throw new CommandError(SYNTAX);
  }
  if (target === session.db && args[1] === args[2]) {
    throw new CommandError("ERR source and destination objects are the same");
  }
  const value = session.db.copy(args[1]!);
  if (value === undefined || (target.has(args[2]!) && !replace)) return 0;
  target.restore(args[2]!, value.value, value.expiresAt);
  return 1;
}

function count(args: string[], test: (key: string) => boolean): number {
  return args.slice(1).filter(test).length;
}

function object(session: Session, args: string[]): Reply {
  const sub = args[1]!.toUpperCase();
  if (sub === "HELP") return ["OBJECT <subcommand> [<arg> ...]. Subcommands are:", "ENCODING <key>", "REFCOUNT <key>"];
  if (args.length !== 3 || (sub !== "ENCODING" && sub !== "REFCOUNT")) {
    throw new CommandError(`ERR unknown subcommand '${args[1]}'. Try OBJECT HELP.`);
  }
  const type = session.db.type(args[2]!);
  if (type === "none") throw new CommandError("ERR no such key");
  if (sub === "REFCOUNT") return 1;
  return type === "hash" ? "hashtable" : "raw";
}

const del = {
  arity: -2,
  flags: ["write"],
  keys: [1, -1, 1],
  run: (s, a) => count(a, (k) => s.db.delete(k)),
} as const satisfies CommandTable[string];

const exists = {
  arity: -2,
  flags: ["readonly", "fast"],
  keys: [1, -1, 1],
  run: (s, a) => count(a, (k) => s.db.has(k)),
} as const satisfies CommandTable[string];

export const keys: CommandTable = {
  DEL: del,
  UNLINK: del,
  EXISTS: exists,
  TOUCH: exists,
  TYPE: { arity: 2, flags: ["readonly", "fast"], keys: [1, 1, 1], run: (s, a) => ({ simple: s.db.type(a[1]!) }) },
  RENAME: {
    arity: 3,
    flags: ["write"],
    keys: [1, 2, 1],
    run: (s, a) => {
      rename(s, a, false);
      return OK;
    },
  },
  RENAMENX: { arity: 3, flags: ["write", "fast"], keys: [1, 2, 1], run: (s, a) => Number(rename(s, a, true)) },
  COPY: { arity: -3, flags: ["write"], keys: [1, 2, 1], run: copy },
  KEYS: {
    arity: 2,
    flags: ["readonly"],
    run: (s, a) => [...s.db.keys()].filter((k) => globMatches(a[1]!, k)),
  },
  SCAN: { arity: -2, flags: ["readonly"], run: scan },
  RANDOMKEY: { arity: 1, flags: ["readonly"], run: (s) => s.db.randomKey() ?? null },
  DBSIZE: { arity: 1, flags: ["readonly", "fast"], run: (s) => s.db.size },
  OBJECT: { arity: -2, flags: ["readonly"], run: object },
  FLUSHDB: {
    arity: -1,
    flags: ["write"],
    run: (s, a) => {
      flushMode(a);
      s.db.flush();
      return OK;
    },
  },
  FLUSHALL: {
    arity: -1,
    flags: ["write"],
    run: (s, a) => {
      flushMode(a);
      s.server.store.flushAll();
      return OK;
    },
  },
};

function flushMode(args: string[]): void {
  if (args.length > 2 || (args.length === 2 && !/^(A?SYNC)$/i.test(args[1]!))) throw new CommandError(SYNTAX);
}
