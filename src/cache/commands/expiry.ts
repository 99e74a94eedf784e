import type { Session } from "../session.ts";
import { CommandError } from "../store.ts";
import { type CommandTable, int64, NOT_INTEGER } from "./command.ts";

/** The moment that `EX 10`, `PX 10`, `EXAT t` or `PXAT t` means, in milliseconds since 1970. */
export function expiryTime(session: Session, option: string, text: string, command: string): number {
  const n = int64(text, NOT_INTEGER);
  if (n <= 0n) throw new CommandError(`ERR invalid expire time in '${command}' command`);
  return moment(session, option, n, command);
}

function moment(session: Session, option: string, n: bigint, command: string): number {
  const ms = option.startsWith("EX") ? n * 1000n : n;
  const at = option.endsWith("AT") ? ms : ms + BigInt(Math.floor(session.server.now()));
  if (at > BigInt(Number.MAX_SAFE_INTEGER) || at < -BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new CommandError(`ERR invalid expire time in '${command}' command`);
  }
  return Number(at);
}

function expire(option: "EX" | "PX" | "EXAT" | "PXAT") {
  return (session: Session, args: string[]): number => {
    const [name, key, time, ...conditions] = args as [string, string, string, ...string[]];
    const flags = new Set(conditions.map((c) => c.toUpperCase()));
    for (const flag of flags) {
      if (!/^(NX|XX|GT|LT)$/.test(flag)) throw new CommandError(`ERR Unsupported option ${flag}`);
    }
    if (flags.has("NX") && flags.size > 1) {
      throw new CommandError("ERR NX and XX, GT or LT options at the same time are not compatible");
    }
    if (flags.has("GT") && flags.has("LT")) {
      throw new CommandError("ERR GT and LT options at the same time are not compatible");
    }
    const at = moment(session, option, int64(time), name.toLowerCase());
    const current = session.db.expiresAt(key);
    if (current === undefined) return 0;
    const now = current === 0 ? Infinity : current;
    if (flags.has("NX") && current !== 0) return 0;
    if (flags.has("XX") && current === 0) return 0;
    if (flags.has("GT") && at <= now) return 0;
    if (flags.has("LT") && at >= now) return 0;
    // 0 would mean "never" to the store.
    session.db.expire(key, at === 0 ? -1 : at);
    return 1;
  };
}

function remaining(convert: (ms: number) => number, absolute: boolean) {
  return (session: Session, args: string[]): number => {
    const at = session.db.expiresAt(args[1]!);
    if (at === undefined) return -2;
    if (at === 0) return -1;
    return convert(absolute ? at : Math.max(0, at - session.server.now()));
  };
}

const seconds = (ms: number): number => Math.floor((ms + 500) / 1000);

export const expiry: CommandTable = {
  EXPIRE: { arity: -3, flags: ["write", "fast"], keys: [1, 1, 1], run: expire("EX") },
  PEXPIRE: { arity: -3, flags: ["write", "fast"], keys: [1, 1, 1], run: expire("PX") },
  EXPIREAT: { arity: -3, flags: ["write", "fast"], keys: [1, 1, 1], run: expire("EXAT") },
  PEXPIREAT: { arity: -3, flags: ["write", "fast"], keys: [1, 1, 1], run: expire("PXAT") },
  TTL: { arity: 2, flags: ["readonly", "fast"], keys: [1, 1, 1], run: remaining(seconds, false) },
  PTTL: { arity: 2, flags: ["readonly", "fast"], keys: [1, 1, 1], run: remaining(Math.ceil, false) },
  EXPIRETIME: { arity: 2, flags: ["readonly", "fast"], keys: [1, 1, 1], run: remaining(seconds, true) },
  PEXPIRETIME: { arity: 2, flags: ["readonly", "fast"], keys: [1, 1, 1], run: remaining(Math.ceil, true) },
  PERSIST: {
    arity: 2,
    flags: ["write", "fast"],
    keys: [1, 1, 1],
    run: (s, a) => {
      const at = s.db.expiresAt(a[1]!);
      if (at === undefined || at === 0) return 0;
      s.db.expire(a[1]!, 0);
      return 1;
    },
  },
};
