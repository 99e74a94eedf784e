import { globMatches } from "../glob.ts";
import { OK, type Reply } from "../resp.ts";
import type { Session } from "../session.ts";
import { CommandError } from "../store.ts";
import { type Command, type CommandTable, int64, SYNTAX, wrongArity } from "./command.ts";
import { commands } from "./index.ts";

/** The Redis version whose commands these are; clients choose features by it. */
export const SERVER_VERSION = "7.2.0";

function info(session: Session, args: string[]): string {
  const { server } = session;
  const memory = process.memoryUsage();
  const uptime = Math.floor((server.now() - server.info.startedAt) / 1000);
  const sections: Record<string, string[]> = {
    Server: [
      `redis_version:${SERVER_VERSION}`,
      "redis_mode:standalone",
      "server_name:millrace",
      `process_id:${process.pid}`,
      `tcp_port:${server.info.port}`,
      `uptime_in_seconds:${uptime}`,
    ],
    Clients: [`connected_clients:${server.sessions.size}`],
    Memory: [`used_memory:${memory.heapUsed}`, `used_memory_rss:${memory.rss}`, "maxmemory:0"],
    Persistence: [
      "loading:0",
      "rdb_bgsave_in_progress:0",
      `aof_enabled:${server.aof ? 1 : 0}`,
      `aof_rewrite_in_progress:${server.aof?.rewriting ? 1 : 0}`,
      `aof_current_size:${server.aof?.size ?? 0}`,
      `aof_base_size:${server.aof?.baseSize ?? 0}`,
    ],
    Stats: [
      `total_connections_received:${server.info.connections}`,
      `total_commands_processed:${server.info.commands}`,
      `pubsub_channels:${server.pubSub.channels.size}`,
      `pubsub_patterns:${server.pubSub.patterns.size}`,
    ],
    Replication: ["role:master", "connected_slaves:0"],
    Cluster: ["cluster_enabled:0"],
    Keyspace: server.store.databases
      .filter((db) => db.size > 0)
      .map((db) => `db${db.index}:keys=${db.size},expires=${db.expiringSize},avg_ttl=0`),
  };
  const wanted = args.slice(1).map((a) => a.toLowerCase());
  const all = wanted.length === 0 || wanted.some((w) => w === "all" || w === "everything" || w === "default");
  return Object.entries(sections)
    .filter(([name]) => all || wanted.includes(name.toLowerCase()))
    .map(([name, lines]) => `# ${name}\r\n${lines.map((l) => `${l}\r\n`).join("")}`)
    .join("\r\n");
}

/** Settings that tools ask for. Those of the append-only file are true; they are chosen when the server starts. */
function configuration(session: Session): Record<string, string> {
  return {
    appendfsync: session.server.aof?.policy ?? "no",
    appendonly: session.server.aof ? "yes" : "no",
    databases: "16",
    maxmemory: "0",
    "maxmemory-policy": "noeviction",
    port: String(session.server.info.port),
    "proto-max-bulk-len": String(512 * 1024 * 1024),
    save: "",
    timeout: "0",
  };
}

function config(session: Session, args: string[]): Reply {
  const sub = args[1]!.toUpperCase();
  if (sub === "GET") {
    if (args.length < 3) throw wrongArity("config|get");
    const all = Object.entries(configuration(session));
    return { map: all.filter(([name]) => args.slice(2).some((p) => globMatches(p.toLowerCase(), name))).flat() };
  }
  if (sub === "RESETSTAT") {
    session.server.info.commands = 0;
    session.server.info.connections = 0;
    return OK;
  }
  if (sub === "SET") throw new CommandError("ERR CONFIG SET is not available here: settings are chosen at the start");
  if (sub === "HELP") return ["CONFIG <subcommand> [<arg> ...]. Subcommands are:", "GET <pattern>", "RESETSTAT"];
  throw new CommandError(`ERR unknown subcommand '${args[1]}'. Try CONFIG HELP.`);
}

function describe(name: string, c: Command): Reply {
  const [first, last, step] = c.keys ?? [0, 0, 0];
  const flags = c.flags.filter((f) => f !== "immediate" && f !== "pubsub").map((f) => ({ simple: f }));
  return [name.toLowerCase(), c.arity, flags, first, last, step, [], [], [], []];
}

function command(_: Session, args: string[]): Reply {
  const all = Object.entries(commands);
  if (args.length === 1) return all.map(([name, c]) => describe(name, c));
  const sub = args[1]!.toUpperCase();
  switch (sub) {
    case "COUNT":
      return all.length;
    case "LIST":
      return all.map(([name]) => name.toLowerCase());
    case "INFO": {
      const names = args.length === 2 ? all.map(([name]) => name) : args.slice(2).map((n) => n.toUpperCase());
      return names.map((n) => (commands[n] ? describe(n, commands[n]) : null));
    }
    case "DOCS": {
      const names = args.length === 2 ? all.map(([name]) => name) : args.slice(2).map((n) => n.toUpperCase());
      const known = names.filter((n) => commands[n]);
      return { map: known.flatMap((n): Reply[] => [n.toLowerCase(), { map: [] }]) };
    }
    case "GETKEYS": {
      const c = commands[args[2]?.toUpperCase() ?? ""];
      if (c === undefined) throw new CommandError("ERR Invalid command specified");
      if (c.keys === undefined) throw new CommandError("ERR The command has no key arguments");
      const words = args.slice(2);
      const last = c.keys[1] < 0 ? words.length + c.keys[1] : c.keys[1];
      return words.filter((_, i) => i >= c.keys![0] && i <= last && (i - c.keys![0]) % c.keys![2] === 0);
    }
    default:
      throw new CommandError(`ERR unknown subcommand '${args[1]}'. Try COMMAND HELP.`);
  }
}

export const server: CommandTable = {
  INFO: { arity: -1, flags: ["loading"], run: info },
  CONFIG: { arity: -2, flags: ["admin", "loading"], run: config },
  COMMAND: { arity: -1, flags: ["loading"], run: command },
  TIME: {
    arity: 1,
    flags: ["fast", "loading"],
    run: (s) => {
      const now = s.server.now();
      return [String(Math.floor(now / 1000)), String(Math.floor((now % 1000) * 1000))];
    },
  },
  BGREWRITEAOF: {
    arity: 1,
    flags: ["admin"],
    run: (s) => {
      if (s.server.aof === undefined) throw new CommandError("ERR This server keeps no append only file");
      if (s.server.aof.rewriting)
        throw new CommandError("ERR Background append only file rewriting already in progress");
      s.server.aof.rewrite();
      return { simple: "Background append only file rewriting started" };
    },
  },
  WAIT: { arity: 3, flags: [], run: () => 0 },
  WAITAOF: {
    arity: 4,
    flags: [],
    run: (s, a) => {
      if (int64(a[1]) > 1n) throw new CommandError(SYNTAX);
      if (a[1] === "1") s.server.aof?.sync();
      return [s.server.aof ? 1 : 0, 0];
    },
  },
};
