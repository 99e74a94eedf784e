import { OK, type Reply } from "../resp.ts";
import { Watchers } from "../session.ts";
import { CommandError } from "../store.ts";
import type { CommandTable } from "./command.ts";
import { call } from "./index.ts";

export const transactions: CommandTable = {
  MULTI: {
    arity: 1,
    flags: ["fast", "immediate"],
    run: (s) => {
      if (s.queued !== undefined) throw new CommandError("ERR MULTI calls can not be nested");
      s.queued = [];
      return OK;
    },
  },
  EXEC: {
    arity: 1,
    flags: ["immediate"],
    run: (s) => {
      if (s.queued === undefined) throw new CommandError("ERR EXEC without MULTI");
      const { queued, queueFailed, dirty } = s;
      // Watched keys whose time is over count as changed; asking for them removes them, which marks the session.
      for (const id of s.watched) {
        const colon = id.indexOf(":");
        s.server.store.databases[Number(id.slice(0, colon))]!.has(id.slice(colon + 1));
      }
      const changed = dirty || s.dirty;
      s.endTransaction();
      if (queueFailed) throw new CommandError("EXECABORT Transaction discarded because of previous errors.");
      if (changed) return { nullArray: true };
      const { aof } = s.server;
      aof?.begin();
      try {
        return queued.map((args): Reply => call(s, args));
      } finally {
        aof?.commit();
      }
    },
  },
  DISCARD: {
    arity: 1,
    flags: ["fast", "immediate"],
    run: (s) => {
      if (s.queued === undefined) throw new CommandError("ERR DISCARD without MULTI");
      s.endTransaction();
      return OK;
    },
  },
  WATCH: {
    arity: -2,
    flags: ["fast", "immediate"],
    keys: [1, -1, 1],
    run: (s, a) => {
      if (s.queued !== undefined) throw new CommandError("ERR WATCH inside MULTI is not allowed");
      for (const key of a.slice(1)) {
        s.db.has(key);
        s.server.watchers.add(Watchers.id(s.db.index, key), s);
      }
      return OK;
    },
  },
  UNWATCH: {
    arity: 1,
    flags: ["fast"],
    run: (s) => {
      s.unwatch();
      return OK;
    },
  },
};
