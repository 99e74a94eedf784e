import { globMatches } from "../glob.ts";
import type { Reply } from "../resp.ts";
import type { Session } from "../session.ts";
import { CommandError } from "../store.ts";
import type { CommandTable } from "./command.ts";

type Kind = "channels" | "patterns";

function subscribe(kind: Kind, word: string) {
  return (session: Session, args: string[]): Reply => {
    const pushes = args.slice(1).map((name): Reply[] => {
      session.server.pubSub.add(kind, name, session);
      return [word, name, session.channels.size + session.patterns.size];
    });
    return { pushes };
  };
}

function unsubscribe(kind: Kind, word: string) {
  return (session: Session, args: string[]): Reply => {
    const names: (string | null)[] = args.length > 1 ? args.slice(1) : [...session[kind]];
    if (names.length === 0) names.push(null);
    const pushes = names.map((name): Reply[] => {
      if (name !== null) session.server.pubSub.remove(kind, name, session);
      return [word, name, session.channels.size + session.patterns.size];
    });
    return { pushes };
  };
}

function pubsub(session: Session, args: string[]): Reply {
  const { channels, patterns } = session.server.pubSub;
  switch (args[1]!.toUpperCase()) {
    case "CHANNELS":
      return [...channels.keys()].filter((c) => args[2] === undefined || globMatches(args[2], c));
    case "NUMSUB":
      return args.slice(2).flatMap((c): Reply[] => [c, channels.get(c)?.size ?? 0]);
    case "NUMPAT":
      return patterns.size;
    default:
      throw new CommandError(`ERR unknown subcommand '${args[1]}'. Try PUBSUB HELP.`);
  }
}

export const pubSub: CommandTable = {
  SUBSCRIBE: { arity: -2, flags: ["pubsub"], run: subscribe("channels", "subscribe") },
  UNSUBSCRIBE: { arity: -1, flags: ["pubsub"], run: unsubscribe("channels", "unsubscribe") },
  PSUBSCRIBE: { arity: -2, flags: ["pubsub"], run: subscribe("patterns", "psubscribe") },
  PUNSUBSCRIBE: { arity: -1, flags: ["pubsub"], run: unsubscribe("patterns", "punsubscribe") },
  PUBLISH: { arity: 3, flags: ["fast"], run: (s, a) => s.server.pubSub.publish(a[1]!, a[2]!) },
  PUBSUB: { arity: -2, flags: [], run: pubsub },
};
