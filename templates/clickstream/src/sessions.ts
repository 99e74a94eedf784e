import type { DataFrame, StatefulProcessor, StatefulProcessorHandle, TimerValues, ValueState } from "millrace";
import { type Click, Session } from "./click.ts";

/** A session ends when its visitor has not clicked for so long. */
const PAUSE_MS = 20_000;

/** The sessions of all visitors, each when it is over. */
export function sessionsOf(clicks: DataFrame<Click>) {
  return clicks
    .withWatermark("ts", "5 seconds")
    .groupByKey("visitor")
    .transformWithState(Sessions, { schema: Session, timeMode: "eventTime", orderBy: "ts" });
}

/** Keeps the open session of each visitor; a timer of event time closes it. */
class Sessions implements StatefulProcessor<string, Click, Session> {
  #handle!: StatefulProcessorHandle;
  #open!: ValueState<Session>;

  init(handle: StatefulProcessorHandle) {
    this.#handle = handle;
    this.#open = handle.getValueState("open", Session);
  }

  *handleInputRows(visitor: string, clicks: Iterable<Click>) {
    let session = this.#open.get();
    for (const { ts, page } of clicks) {
      if (session !== null && ts.getTime() > endOf(session)) {
        yield session;
        session = null;
      }
      session ??= { visitor, started: ts, seconds: 0, clicks: 0, pages: [] };
      const { started, clicks, pages } = session;
      const seconds = (ts.getTime() - started.getTime()) / 1000;
      session = { visitor, started, seconds, clicks: clicks + 1, pages: [...pages, page] };
    }
    if (session === null) return;
    this.#open.update(session);
    for (const timer of this.#handle.listTimers()) this.#handle.deleteTimer(timer);
    this.#handle.registerTimer(endOf(session));
  }

  *handleExpiredTimer(_visitor: string, _timers: TimerValues) {
    const session = this.#open.get();
    if (session !== null) yield session;
    this.#open.clear();
  }
}

function endOf({ started, seconds }: Session): number {
  return started.getTime() + seconds * 1000 + PAUSE_MS;
}
