import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { execute } from "./commands/index.ts";
import { PubSub } from "./pub-sub.ts";
import { encode, type Reply } from "./resp.ts";
import { type Server, Session, Watchers } from "./session.ts";
import { Store } from "./store.ts";

let now: number;
let log: string[][];
let sent: string[];

function make(): Server {
  const watchers = new Watchers();
  const store = new Store({
    now: () => now,
    log: (db, operation) => log.push([String(db), ...operation]),
    touched: (db, key) => watchers.touched(db, key),
  });
  return {
    store,
    watchers,
    pubSub: new PubSub(),
    sessions: new Map(),
    aof: undefined,
    info: { startedAt: 0, port: 0, commands: 0, connections: 0 },
    now: () => now,
  };
}

let server: Server;
let a: Session;
let b: Session;

beforeEach(() => {
  now = 1_000_000;
  log = [];
  sent = [];
  server = make();
  a = new Session(1, server, "a", (bytes) => sent.push(bytes));
  b = new Session(2, server, "b", (bytes) => sent.push(bytes));
});

const run = (line: string, session: Session = a): Reply => execute(session, line.split(" "));

describe("what Redis' documentation says", () => {
  // Each row: a fresh database, commands, the last one's answer.
  test.each<[string, Reply]>([
    ["SET k v; GET k", "v"],
    ["GET nothing", null],
    ["SET k v NX; SET k w NX", null],
    ["SET k v; SET k w XX GET", "v"],
    ["SET k v XX", null],
    ["SET k v EX 10; TTL k", 10],
    ["SET k v PX 1500; PTTL k", 1500],
    ["SET k v EX 10; SET k w KEEPTTL; TTL k", 10],
    ["SET k v EX 10; SET k w; TTL k", -1],
    ["SET k v EXAT 1; EXISTS k", 0],
    ["SET k v EX 0", { error: "ERR invalid expire time in 'set' command" }],
    ["SET k v EX x", { error: "ERR value is not an integer or out of range" }],
    ["SET k v NX XX", { error: "ERR syntax error" }],
    ["SET k v EX 1 KEEPTTL", { error: "ERR syntax error" }],
    ["SETNX k v; SETNX k w", 0],
    ["SETEX k 10 v; TTL k", 10],
    ["PSETEX k 0 v", { error: "ERR invalid expire time in 'psetex' command" }],
    ["SET k v; GETSET k w", "v"],
    ["SET k v; GETDEL k; EXISTS k", 0],
    ["SET k v; GETEX k EX 5; TTL k", 5],
    ["SET k v EX 5; GETEX k PERSIST; TTL k", -1],
    ["MSET a 1 b 2; HSET h f v; MGET a h b c", ["1", null, "2", null]],
    ["MSET a 1 b", { error: "ERR wrong number of arguments for 'mset' command" }],
    ["SET a 1; MSETNX a 2 b 3", 0],
    ["APPEND k ab; APPEND k cd", 4],
    ["SET k abcdef; GETRANGE k 1 -2", "bcde"],
    ["SET k abcdef; GETRANGE k -100 2", "abc"],
    ["SET k abc; GETRANGE k 5 9", ""],
    ["SETRANGE k 3 xyz; GET k", "\0\0\0xyz"],
    ["SETRANGE k -1 x", { error: "ERR offset is out of range" }],
    ["INCR k; INCR k", 2n],
    ["SET k 9223372036854775807; INCR k", { error: "ERR increment or decrement would overflow" }],
    ["SET k x; INCR k", { error: "ERR value is not an integer or out of range" }],
    ["SET k 10 EX 9; DECRBY k 3; TTL k", 9],
    ["SET k 10.5; INCRBYFLOAT k 0.1", "10.6"],
    ["SET k 5.0e3; INCRBYFLOAT k 200", "5200"],
    ["INCRBYFLOAT k 1e-7; GET k", "0.0000001"],
    ["HSET h f v g w; HGETALL h", { map: ["f", "v", "g", "w"] }],
    ["HSET h f v; HSET h f w g x", 1],
    ["HSET h f", { error: "ERR wrong number of arguments for 'hset' command" }],
    ["HSET h f v g w; HMGET h g nope f", ["w", null, "v"]],
    ["HSET h f v; HDEL h f; EXISTS h", 0],
    ["HSETNX h f v; HSETNX h f w", 0],
    ["HINCRBY h n 5; HINCRBY h n -7", -2n],
    ["HSET h n x; HINCRBY h n 1", { error: "ERR hash value is not an integer" }],
    ["HINCRBYFLOAT h n 1.5; HINCRBYFLOAT h n 1", "2.5"],
    ["HSET h f abc; HSTRLEN h f", 3],
    ["HSET h a 1 b 2; HSCAN h 0 MATCH b", ["0", ["b", "2"]]],
    ["HSET h a 1; HSCAN h 0 NOVALUES", ["0", ["a"]]],
    ["SET k v; HGET k f", { error: "WRONGTYPE Operation against a key holding the wrong kind of value" }],
    ["HSET h f v; GET h", { error: "WRONGTYPE Operation against a key holding the wrong kind of value" }],
    ["HSET h f v; SET h s; GET h", "s"],
    ["SET k v; TYPE k", { simple: "string" }],
    ["TYPE k", { simple: "none" }],
    ["SET a 1; RENAME a b; GET b", "1"],
    ["RENAME nothing b", { error: "ERR no such key" }],
    ["SET a 1 EX 9; HSET b f v; RENAME a b; TTL b", 9],
    ["SET a 1; SET b 2; RENAMENX a b", 0],
    ["SET a 1; COPY a b; GET b", "1"],
    ["SET a 1; SET b 2; COPY a b", 0],
    ["SET a 1; COPY a a DB 3; SELECT 3; GET a", "1"],
    ["SET a 1; SET b 2; DEL a b c", 2],
    ["SET a 1; EXISTS a a b", 2],
    ["SET k v; EXPIRE k 10; EXPIRE k 5 GT", 0],
    ["SET k v; EXPIRE k 10 XX", 0],
    ["SET k v; EXPIRE k 10 NX; EXPIRE k 5 LT; TTL k", 5],
    ["SET k v; EXPIRE k -1; EXISTS k", 0],
    ["SET k v; EXPIREAT k 2000; EXPIRETIME k", 2000],
    ["SET k v EX 5; PERSIST k", 1],
    ["PERSIST k", 0],
    ["TTL nothing", -2],
    ["SET a 1; SELECT 1; DBSIZE", 0],
    ["SELECT 16", { error: "ERR DB index is out of range" }],
    ["SET a 1; FLUSHALL; DBSIZE", 0],
    ["SET aa 1; SET ab 2; SET b 3; KEYS a*", ["aa", "ab"]],
    ["SET a 1; HSET h f v; SCAN 0 TYPE hash", ["0", ["h"]]],
    ["SCAN x", { error: "ERR invalid cursor" }],
    ["PING", { simple: "PONG" }],
    ["PING hi", "hi"],
    ["ECHO x", "x"],
    ["GET", { error: "ERR wrong number of arguments for 'get' command" }],
    ["LPUSH l 1 2", { error: "ERR unknown command 'LPUSH', with args beginning with: 'l' '1' '2' " }],
    ["CLIENT NOPE", { error: "ERR unknown subcommand 'NOPE'. Try CLIENT HELP." }],
    ["HELLO 4", { error: "NOPROTO unsupported protocol version" }],
    ["COMMAND GETKEYS MSET a 1 b 2", ["a", "b"]],
    ["CONFIG GET append*", { map: ["appendfsync", "no", "appendonly", "no"] }],
    ["OBJECT ENCODING none", { error: "ERR no such key" }],
  ])("%s", (script, answer) => {
    const replies = script.split("; ").map((line) => run(line));
    expect(replies.at(-1)).toEqual(answer);
  });

  test("a key is gone when its time is over, however it is looked at", () => {
    run("SET k v PX 100");
    run("HSET h f v");
    run("PEXPIRE h 100");
    now += 99;
    expect(run("PTTL k")).toBe(1);
    now += 1;
    expect([run("GET k"), run("HGETALL h"), run("DBSIZE"), run("KEYS *")]).toEqual([null, { map: [] }, 0, []]);
    run("SET x 1 PX 5");
    now += 5;
    expect(server.store.expireSome(100)).toBe(1);
    expect(log.filter((o) => o[1] === "DEL").map((o) => o[2])).toEqual(["k", "h", "x"]);
  });
});

describe("SCAN", () => {
  test("every key that stays comes exactly once, whatever else happens", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 300 }),
        fc.integer({ min: 1, max: 40 }),
        fc.array(fc.tuple(fc.constantFrom("add", "drop"), fc.nat(400)), { maxLength: 60 }),
        fc.boolean(),
        (stay, count, changes, otherScans) => {
          server = make();
          a = new Session(1, server, "a", () => {});
          for (let i = 0; i < stay; i++) run(`SET stay:${i} v`);
          for (let i = 0; i < 50; i++) run(`SET drop:${i} v`);
          const seen: string[] = [];
          let cursor = "0";
          let steps = 0;
          do {
            const [next, keys] = run(`SCAN ${cursor} COUNT ${count}`) as [string, string[]];
            seen.push(...keys);
            cursor = next;
            const change = changes[steps++];
            if (change) run(change[0] === "add" ? `SET add:${change[1]} v` : `DEL drop:${change[1] % 50}`);
            // So many that this scan's place is forgotten and found again by its cursor.
            if (otherScans) for (let i = 0; i < 80; i++) run("SCAN 0 COUNT 1");
          } while (cursor !== "0");
          const stayed = seen.filter((k) => k.startsWith("stay:"));
          expect(stayed.length).toBe(stay);
          expect(new Set(seen).size).toBe(seen.length);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe("transactions", () => {
  test("run as one, an error of one command does not stop the others", () => {
    expect(run("MULTI")).toEqual({ simple: "OK" });
    expect(run("SET a x")).toEqual({ simple: "QUEUED" });
    run("INCR a");
    run("SET b 2");
    expect(run("GET a", b)).toBe(null);
    expect(run("EXEC")).toEqual([
      { simple: "OK" },
      { error: "ERR value is not an integer or out of range" },
      { simple: "OK" },
    ]);
    expect(run("GET b")).toBe("2");
  });

  test("a command that cannot be queued spoils the whole", () => {
    run("MULTI");
    run("SET a 1");
    expect(run("NOSUCH")).toHaveProperty("error");
    expect(run("EXEC")).toEqual({ error: "EXECABORT Transaction discarded because of previous errors." });
    expect(run("GET a")).toBe(null);
    expect(run("EXEC")).toEqual({ error: "ERR EXEC without MULTI" });
  });

  test.each([
    ["SET w 2", true],
    ["DEL w", true],
    ["EXPIRE w 100", true],
    ["FLUSHALL", true],
    ["FLUSHDB", true],
    ["APPEND w x", true],
    ["RENAME other w", true],
    ["GET w", false],
    ["SET other 5", false],
    ["SETNX w 9", false],
  ])("WATCH w notices %s: %s", (change, noticed) => {
    run("SET w 1");
    run("SET other 1");
    run("WATCH w");
    run(change, b);
    run("MULTI");
    run("SET result done");
    const answer = run("EXEC");
    expect(answer).toEqual(noticed ? { nullArray: true } : [{ simple: "OK" }]);
    expect(run("GET result")).toBe(noticed ? null : "done");
  });

  test("WATCH is per database, ends with EXEC, UNWATCH and DISCARD, and notices a key whose time is over", () => {
    run("WATCH k");
    run("SELECT 1", b);
    run("SET k 1", b);
    run("MULTI");
    expect(run("EXEC")).toEqual([]);
    run("WATCH k");
    run("UNWATCH");
    run("SELECT 0", b);
    run("SET k 1", b);
    run("MULTI");
    expect(run("EXEC")).toEqual([]);
    run("PEXPIRE k 10");
    run("WATCH k");
    now += 20;
    run("MULTI");
    expect(run("EXEC")).toEqual({ nullArray: true });
    expect(run("MULTI")).toEqual({ simple: "OK" });
    expect(run("MULTI")).toEqual({ error: "ERR MULTI calls can not be nested" });
    expect(run("WATCH k")).toEqual({ error: "ERR WATCH inside MULTI is not allowed" });
    expect(run("DISCARD")).toEqual({ simple: "OK" });
    run("SET k2 1");
  });
});

describe("publish and subscribe", () => {
  test("by channel and by pattern, in both protocol versions", () => {
    run("SUBSCRIBE news");
    run("HELLO 3", b);
    run("PSUBSCRIBE n*", b);
    const publisher = new Session(3, server, "c", () => {});
    expect(run("PUBLISH news hello", publisher)).toBe(2);
    expect(sent).toEqual([
      encode(["message", "news", "hello"], 2),
      encode({ pushes: [["pmessage", "n*", "news", "hello"]] }, 3),
    ]);
    expect(run("GET k")).toHaveProperty("error");
    expect(run("GET k", b)).toBe(null);
    expect(run("UNSUBSCRIBE")).toEqual({ pushes: [["unsubscribe", "news", 0]] });
    expect(run("GET k")).toBe(null);
  });
});

describe("against a model", () => {
  const key = fc.constantFrom("a", "b", "c", "d");
  const value = fc.constantFrom("1", "2", "x", "");
  const command = fc.oneof(
    fc.tuple(fc.constant("SET"), key, value),
    fc.tuple(fc.constant("GET"), key),
    fc.tuple(fc.constant("DEL"), key),
    fc.tuple(fc.constant("HSET"), key, value, value),
    fc.tuple(fc.constant("HDEL"), key, value),
    fc.tuple(fc.constant("HGETALL"), key),
    fc.tuple(fc.constant("APPEND"), key, value),
    fc.tuple(fc.constant("RENAME"), key, key),
    fc.tuple(fc.constant("PEXPIRE"), key, fc.constantFrom("5", "50", "-1")),
    fc.tuple(fc.constant("PERSIST"), key),
    fc.tuple(fc.constant("TYPE"), key),
    fc.tuple(fc.constant("wait"), fc.constantFrom("3", "30")),
  );

  /** The same meaning, written as plainly as possible. */
  class Model {
    data = new Map<string, { value: string | Map<string, string>; at: number }>();
    run([name, k, x, y]: readonly string[]): Reply {
      for (const [key_, e] of this.data) if (e.at <= now) this.data.delete(key_);
      const e = this.data.get(k!);
      const wrong = { error: "WRONGTYPE Operation against a key holding the wrong kind of value" };
      switch (name) {
        case "SET":
          this.data.set(k!, { value: x!, at: Infinity });
          return { simple: "OK" };
        case "GET":
          return e === undefined ? null : typeof e.value === "string" ? e.value : wrong;
        case "DEL":
          return Number(this.data.delete(k!));
        case "HSET": {
          if (typeof e?.value === "string") return wrong;
          const hash = e?.value ?? new Map<string, string>();
          const added = Number(!hash.has(x!));
          hash.set(x!, y!);
          this.data.set(k!, { value: hash, at: e?.at ?? Infinity });
          return added;
        }
        case "HDEL": {
          if (typeof e?.value === "string") return wrong;
          const removed = Number(e?.value.delete(x!) ?? 0);
          if (e?.value.size === 0) this.data.delete(k!);
          return removed;
        }
        case "HGETALL":
          return typeof e?.value === "string" ? wrong : { map: [...(e?.value ?? [])].flat() };
        case "APPEND":
          if (typeof e?.value === "object") return wrong;
          this.data.set(k!, { value: (e?.value ?? "") + x!, at: e?.at ?? Infinity });
          return ((e?.value ?? "") + x!).length;
        case "RENAME":
          if (e === undefined) return { error: "ERR no such key" };
          this.data.delete(k!);
          this.data.set(x!, e);
          return { simple: "OK" };
        case "PEXPIRE":
          if (e === undefined) return 0;
          e.at = now + Number(x);
          return 1;
        case "PERSIST":
          if (e === undefined || e.at === Infinity) return 0;
          e.at = Infinity;
          return 1;
        default:
          return { simple: e === undefined ? "none" : typeof e.value === "string" ? "string" : "hash" };
      }
    }
  }

  test("answers are the same, and the log replays to the same state", () => {
    fc.assert(
      fc.property(fc.array(command, { maxLength: 60 }), fc.nat(60), (commands, snapshotAt) => {
        now = 1_000_000;
        log = [];
        server = make();
        a = new Session(1, server, "a", () => {});
        const model = new Model();
        // A snapshot taken in pieces while commands go on, then the log from its start: what a rewrite writes.
        let dump: Iterator<readonly string[]> | undefined;
        const rewritten: (readonly string[])[] = [];
        let from = 0;
        commands.forEach((c, i) => {
          if (i === snapshotAt) {
            dump = server.store.databases[0]!.dump();
            from = log.length;
          }
          const step = dump?.next();
          if (step && !step.done) rewritten.push(step.value);
          if (c[0] === "wait") now += Number(c[1]);
          else expect(execute(a, [...c])).toEqual(model.run(c));
        });
        for (let step = dump?.next(); step && !step.done; step = dump?.next()) rewritten.push(step.value);
        const replay = (operations: (readonly string[])[]): unknown => {
          const copy = make().store.databases[0]!;
          const before = log;
          log = [];
          for (const operation of operations) copy.apply(operation);
          const state = [...copy.keys()].sort().map((k) => [k, copy.copy(k)]);
          log = before;
          return state;
        };
        const live = server.store.databases[0]!;
        const state = [...live.keys()].sort().map((k) => [k, live.copy(k)]);
        const operations = log.map((o) => o.slice(1));
        expect(replay(operations)).toEqual(state);
        if (dump) expect(replay([...rewritten, ...operations.slice(from)])).toEqual(state);
      }),
      { numRuns: 500 },
    );
  });
});
