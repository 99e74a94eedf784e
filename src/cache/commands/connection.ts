import { OK, type Reply, SILENT } from "../resp.ts";
import type { Session } from "../session.ts";
import { CommandError } from "../store.ts";
import { type CommandTable, SYNTAX, wrongArity } from "./command.ts";
import { database } from "./keys.ts";
import { SERVER_VERSION } from "./server.ts";

function hello(session: Session, args: string[]): Reply {
  let at = 1;
  if (args[1] !== undefined) {
    const version = args[1];
    if (!/^\d+$/.test(version)) throw new CommandError("ERR Protocol version is not an integer or out of range");
    if (version !== "2" && version !== "3") throw new CommandError("NOPROTO unsupported protocol version");
    for (at = 2; at < args.length; at++) {
      const option = args[at]!.toUpperCase();
      // There is no password here; whatever is given is right.
      if (option === "AUTH" && at + 2 < args.length) at += 2;
      else if (option === "SETNAME" && at + 1 < args.length) setName(session, args[++at]!);
      else throw new CommandError(`ERR Syntax error in HELLO option '${args[at]}'`);
    }
    session.version = version === "3" ? 3 : 2;
  }
  return {
    map: [
      "server",
      "redis",
      "version",
      SERVER_VERSION,
      "proto",
      session.version,
      "id",
      session.id,
      "mode",
      "standalone",
      "role",
      "master",
      "modules",
      [],
    ],
  };
}

function setName(session: Session, name: string): void {
  if (/[^!-~]/.test(name)) {
    throw new CommandError("ERR Client names cannot contain spaces, newlines or special characters.");
  }
  session.name = name;
}

function describe(s: Session): string {
  const now = s.server.now();
  return [
    `id=${s.id}`,
    `addr=${s.address}`,
    `name=${s.name}`,
    `age=${Math.floor((now - s.connectedAt) / 1000)}`,
    `flags=${s.subscribed ? "P" : s.queued ? "x" : "N"}`,
    `db=${s.db.index}`,
    `sub=${s.channels.size}`,
    `psub=${s.patterns.size}`,
    `multi=${s.queued?.length ?? -1}`,
    `watch=${s.watched.size}`,
    `cmd=${s.lastCommand.toLowerCase()}`,
    "user=default",
    `lib-name=${s.libName}`,
    `lib-ver=${s.libVersion}`,
    `resp=${s.version}`,
  ].join(" ");
}

function client(session: Session, args: string[]): Reply {
  const sub = args[1]!.toUpperCase();
  const need = (count: number): void => {
    if (args.length !== count) throw wrongArity(`client|${sub}`);
  };
  switch (sub) {
    case "ID":
      need(2);
      return session.id;
    case "GETNAME":
      need(2);
      return session.name === "" ? null : session.name;
    case "SETNAME":
      need(3);
      setName(session, args[2]!);
      return OK;
    case "SETINFO": {
      need(4);
      const what = args[2]!.toLowerCase();
      if (what === "lib-name") session.libName = args[3]!;
      else if (what === "lib-ver") session.libVersion = args[3]!;
      else throw new CommandError(`ERR Unrecognized option '${args[2]}'`);
      return OK;
    }
    case "INFO":
      need(2);
      return `${describe(session)}\n`;
    case "LIST":
      return [...session.server.sessions.values()].map((s) => `${describe(s)}\n`).join("");
    case "NO-EVICT":
    case "NO-TOUCH":
      need(3);
      return OK;
    case "REPLY": {
      need(3);
      const mode = args[2]!.toUpperCase();
      if (mode === "ON") {
        session.replies = "on";
        return OK;
      }
      if (mode === "OFF") session.replies = "off";
      else if (mode === "SKIP") session.replies = session.replies === "off" ? "off" : "skip-next";
      else throw new CommandError(SYNTAX);
      return SILENT;
    }
    case "HELP":
      return ["CLIENT <subcommand> [<arg> ...]. Subcommands are:", "ID, GETNAME, SETNAME, SETINFO, INFO, LIST, REPLY"];
    default:
      throw new CommandError(`ERR unknown subcommand '${args[1]}'. Try CLIENT HELP.`);
  }
}

export const connection: CommandTable = {
  PING: {
    arity: -1,
    flags: ["fast", "pubsub"],
    run: (s, a) => {
      if (a.length > 2) throw wrongArity("ping");
      if (s.subscribed && s.version === 2) return ["pong", a[1] ?? ""];
      return a[1] ?? { simple: "PONG" };
    },
  },
  ECHO: { arity: 2, flags: ["fast"], run: (_, a) => a[1]! },
  SELECT: {
    arity: 2,
    flags: ["fast"],
    run: (s, a) => {
      s.db = database(s, a[1]);
      return OK;
    },
  },
  QUIT: {
    arity: -1,
    flags: ["fast", "pubsub", "immediate"],
    run: (s) => {
      s.closeAfterReply = true;
      return OK;
    },
  },
  RESET: {
    arity: 1,
    flags: ["fast", "pubsub", "immediate"],
    run: (s) => {
      s.reset();
      return { simple: "RESET" };
    },
  },
  AUTH: {
    arity: -2,
    flags: ["fast"],
    run: (_, a) => {
      if (a.length > 3) throw new CommandError(SYNTAX);
      if (a.length === 3) return OK;
      throw new CommandError(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?",
      );
    },
  },
  HELLO: { arity: -1, flags: ["fast"], run: hello },
  CLIENT: { arity: -2, flags: ["admin"], run: client },
};
