import { globMatches } from "./glob.ts";
import type { Session } from "./session.ts";

/** Channels and patterns, and who listens. */
export class PubSub {
  readonly channels = new Map<string, Set<Session>>();
  readonly patterns = new Map<string, Set<Session>>();

  /** Returns how many got the message. */
  publish(channel: string, payload: string): number {
    let count = 0;
    for (const session of this.channels.get(channel) ?? []) {
      session.push(["message", channel, payload]);
      count++;
    }
    for (const [pattern, sessions] of this.patterns) {
      if (!globMatches(pattern, channel)) continue;
      for (const session of sessions) {
        session.push(["pmessage", pattern, channel, payload]);
        count++;
      }
    }
    return count;
  }

  add(kind: "channels" | "patterns", name: string, session: Session): void {
    const sessions = this[kind].get(name);
    if (sessions === undefined) this[kind].set(name, new Set([session]));
    else sessions.add(session);
    session[kind].add(name);
  }

  remove(kind: "channels" | "patterns", name: string, session: Session): void {
    const sessions = this[kind].get(name);
    sessions?.delete(session);
    if (sessions?.size === 0) this[kind].delete(name);
    session[kind].delete(name);
  }

  leave(session: Session): void {
    for (const name of [...session.channels]) this.remove("channels", name, session);
    for (const name of [...session.patterns]) this.remove("patterns", name, session);
  }
}
