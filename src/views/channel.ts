import { beatOf, changesOf, type Message, snapshotOf } from "./frames.ts";
import { onServed, servedView } from "./hall.ts";
import { isEpochOfOurs, type ServedView } from "./served-view.ts";

/**
 * Between two messages to the same reader: nobody reads faster. Many readers and large messages make it longer, as each write takes about 25
 * microseconds of the process and each megabyte about one millisecond: so readers take a few hundredths of its time at most.
 */
const EVERY_MS = 100;
const EVERY_MS_PER_READER = 1;
const BYTES_PER_MS = 25_000;
const LONGEST_EVERY_MS = 1_000;
const BEAT_MS = 5_000;
/** A reader that takes nothing for so long is gone, or would have to begin anew anyway. */
const STUCK_MS = 30_000;
/** A watermark that moved alone is told this often. */
const WATERMARK_MS = 1_000;

/** Somebody who follows views over a connection. */
export interface FrameReader {
  /** False while what was written before has not left. */
  readonly isWritable: boolean;
  write(frame: Buffer): void;
  close(): void;
}

/** What a reader has been told of a view. */
interface Told {
  readonly position: { readonly epoch: string; readonly batch: number } | undefined;
  readonly watermark: string | null;
  /** The fault that it was told of; `new` for one who came again and waits to hear that it is up to date. */
  readonly fault: string | undefined;
}

/** What has been told of all views: the same object for all readers that were told the same. */
interface State {
  readonly told: ReadonlyMap<string, Told>;
  readonly key: string;
}

interface Member {
  readonly reader: FrameReader;
  state: State;
  stuckSince: number | undefined;
}

/** What leads from a state to the present, as bytes for everybody in that state. */
interface Way {
  readonly frame: Buffer | undefined;
  readonly next: State;
  readonly resets: readonly string[];
}

const channels = new Map<string, Channel>();
const resets = new Map<string, number>();

/** How many follow that view now. */
export function clientsOf(name: string): number {
  let count = 0;
  for (const channel of channels.values()) if (channel.names.includes(name)) count += channel.size;
  return count;
}

/** How often readers had to begin anew since the process began, by reason. */
export function resetTotals(): ReadonlyMap<string, number> {
  return resets;
}

/** A reader that follows views. */
export interface Following {
  /** The reader takes more. */
  drained(): void;
  leave(): void;
}

/**
 * Lets a reader follow declared views, from where it was (`lastEventId`, such as `delays=k3f.17,airports=k3f.9`) or from the beginning.
 * A reader that is slower than its views gets later what changed meanwhile as one message: nothing is kept for it.
 */
export function follow(names: readonly string[], lastEventId: string, reader: FrameReader): Following {
  const sorted = [...new Set(names)].sort();
  const key = sorted.join(",");
  let channel = channels.get(key);
  if (channel === undefined) {
    channel = new Channel(sorted, () => channels.delete(key));
    channels.set(key, channel);
  }
  return channel.join(lastEventId, reader);
}

/** All readers of the same views. */
class Channel {
  readonly names: readonly string[];
  readonly #onEmpty: () => void;
  readonly #members = new Set<Member>();
  readonly #watched = new Map<string, { readonly view: ServedView; readonly off: () => void }>();
  readonly #off: () => void;
  readonly #beat: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #lastTick = 0;
  /** Written at the last tick, to all. */
  #lastBytes = 0;
  #lastWatermarks = 0;

  constructor(names: readonly string[], onEmpty: () => void) {
    this.names = names;
    this.#onEmpty = onEmpty;
    this.#off = onServed((name) => {
      if (!names.includes(name)) return;
      this.#watch();
      this.#plan();
    });
    this.#beat = setInterval(() => this.#sendBeats(), BEAT_MS).unref();
  }

  get size(): number {
    return this.#members.size;
  }

  join(lastEventId: string, reader: FrameReader): Following {
    const member: Member = { reader, state: stateOf(this.names, lastEventId), stuckSince: undefined };
    this.#members.add(member);
    this.#watch();
    this.#advance(member, new Map());
    return {
      drained: () => {
        member.stuckSince = undefined;
        this.#plan();
      },
      leave: () => {
        this.#members.delete(member);
        if (this.#members.size === 0) this.#close();
      },
    };
  }

  #close(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#beat);
    this.#off();
    for (const { off } of this.#watched.values()) off();
    this.#watched.clear();
    this.#onEmpty();
  }

  /** Follows the views that the names stand for now. */
  #watch(): void {
    for (const name of this.names) {
      const view = servedView(name);
      const before = this.#watched.get(name);
      if (before?.view === view) continue;
      before?.off();
      this.#watched.delete(name);
      if (view === undefined) continue;
      const stopTelling = view.onChange(() => this.#plan());
      const leave = view.addReader();
      const off = (): void => {
        stopTelling();
        leave();
      };
      this.#watched.set(name, { view, off });
    }
  }

  #plan(): void {
    if (this.#timer !== undefined || this.#members.size === 0) return;
    const every = Math.min(
      LONGEST_EVERY_MS,
      Math.max(EVERY_MS, EVERY_MS_PER_READER * this.#members.size, this.#lastBytes / BYTES_PER_MS),
    );
    const wait = Math.max(0, this.#lastTick + every - performance.now());
    this.#timer = setTimeout(() => this.#tick(), wait).unref();
  }

  #tick(): void {
    this.#timer = undefined;
    this.#lastTick = performance.now();
    this.#lastBytes = 0;
    const ways = new Map<string, Way>();
    for (const member of this.#members) this.#advance(member, ways);
    if (this.#lastTick - this.#lastWatermarks >= WATERMARK_MS) this.#lastWatermarks = this.#lastTick;
  }

  /** Tells a reader what is new to it. */
  #advance(member: Member, ways: Map<string, Way>): void {
    if (!member.reader.isWritable) {
      member.stuckSince ??= performance.now();
      return;
    }
    let way = ways.get(member.state.key);
    if (way === undefined) {
      way = this.#wayFrom(member.state);
      ways.set(member.state.key, way);
    }
    if (way.frame !== undefined) {
      member.reader.write(way.frame);
      this.#lastBytes += way.frame.length;
    }
    for (const reason of way.resets) resets.set(reason, (resets.get(reason) ?? 0) + 1);
    member.state = way.next;
  }

  #wayFrom(state: State): Way {
    const told = new Map(state.told);
    const reasons: string[] = [];
    let text = "";
    const say = ({ event, data }: Message): void => {
      const id = event === "ready" || event === "changes" || event === "beat" ? `id: ${idOf(told)}\n` : "";
      text += `event: ${event}\n${id}data: ${data}\n\n`;
    };
    for (const name of this.names) {
      const view = servedView(name);
      const before = told.get(name)!;
      if (view === undefined) {
        if (before.fault === GONE) continue;
        told.set(name, { ...before, fault: GONE });
        say({ event: "fail", data: JSON.stringify({ view: name, ...goneFault(name) }) });
        continue;
      }
      if (view.isReady) this.#tellRows(view, told, say, reasons);
      const now = told.get(name)!;
      const fault = view.fault && `${view.fault.code} ${view.fault.message}`;
      if (fault !== undefined) {
        if (now.fault === fault && now.position === before.position) continue;
        told.set(name, { ...now, fault });
        say(beatOf(view, 0));
      } else if (view.isReady && now.position !== undefined) {
        const isMoved = now.watermark !== view.watermark && this.#lastTick - this.#lastWatermarks >= WATERMARK_MS;
        if (now.fault === undefined && !isMoved) continue;
        told.set(name, { ...now, fault: undefined, watermark: view.watermark });
        say(beatOf(view, now.position.batch));
      }
    }
    return {
      frame: text === "" ? undefined : Buffer.from(text),
      next: text === "" ? state : withKey(told),
      resets: reasons,
    };
  }

  /** Rows that a reader does not have yet: changes where they lead to the present, else all. */
  #tellRows(view: ServedView, told: Map<string, Told>, say: (message: Message) => void, reasons: string[]): void {
    const { name, epoch, watermark } = view;
    const content = view.content!;
    let { position } = told.get(name)!;
    const to = (batch: number): void => {
      position = { epoch, batch };
      told.set(name, { position, watermark, fault: undefined });
    };
    if (position?.epoch !== epoch || !content.remembers(position.batch)) {
      if (position !== undefined) {
        const reason =
          position.epoch === epoch ? "behind" : isEpochOfOurs(position.epoch) ? view.epochReason : "restarted";
        reasons.push(reason);
        say({ event: "reset", data: JSON.stringify({ view: name, reason }) });
      }
      const snapshot = snapshotOf(view);
      to(snapshot.batch);
      for (const message of snapshot.messages) say(message);
    }
    if (position!.batch < content.batch) {
      const message = changesOf(view, position!.batch);
      to(content.batch);
      say(message);
    }
  }

  /** That the views are alive, for those who know everything else. */
  #sendBeats(): void {
    const ways = new Map<string, Way>();
    const beats = new Map<State, Buffer | undefined>();
    const now = performance.now();
    for (const member of this.#members) {
      this.#advance(member, ways);
      const { reader, stuckSince, state } = member;
      if (!reader.isWritable) {
        if (stuckSince !== undefined && now - stuckSince > STUCK_MS) reader.close();
        continue;
      }
      if (!beats.has(state)) beats.set(state, this.#beatsFor(state));
      const frame = beats.get(state);
      if (frame !== undefined) reader.write(frame);
    }
  }

  #beatsFor(state: State): Buffer {
    let text = "";
    for (const name of this.names) {
      const view = servedView(name);
      const { position } = state.told.get(name)!;
      if (view === undefined) text += `event: fail\ndata: ${JSON.stringify({ view: name, ...goneFault(name) })}\n\n`;
      else if (view.fault === undefined && (position === undefined || !view.isReady)) continue;
      else {
        const { event, data } = beatOf(view, position?.batch ?? 0);
        text += `event: ${event}\n${event === "beat" ? `id: ${idOf(state.told)}\n` : ""}data: ${data}\n\n`;
      }
    }
    // A view that is still read has nothing to say, and yet the connection is alive.
    return Buffer.from(text === "" ? ": alive\n\n" : text);
  }
}

const GONE = "gone";

function goneFault(name: string): { code: string; message: string; hint: string } {
  return {
    code: "NOT_FOUND",
    message: `The view ${name} is not declared any more.`,
    hint: "It comes back by itself when a pipeline declares it again.",
  };
}

/** `delays=k3f.17,airports=k3f.9` */
function idOf(told: ReadonlyMap<string, Told>): string {
  const parts: string[] = [];
  for (const [name, { position }] of told) {
    if (position !== undefined) parts.push(`${name}=${position.epoch}.${position.batch}`);
  }
  return parts.join(",");
}

function withKey(told: ReadonlyMap<string, Told>): State {
  const faults = [...told].map(([name, { position, watermark, fault }]) =>
    position === undefined ? `${name} ${fault}` : `${watermark} ${fault}`,
  );
  return { told, key: `${idOf(told)} ${faults.join(" ")}` };
}

/** What the id of the last message says that a reader has; of what cannot be read it has nothing. */
function stateOf(names: readonly string[], lastEventId: string): State {
  const positions = new Map<string, Told["position"]>();
  for (const part of lastEventId.split(",")) {
    const match = /^\s*([^=]+)=([a-z0-9]+)\.(\d{1,15})\s*$/.exec(part);
    if (match !== null) positions.set(match[1]!, { epoch: match[2]!, batch: Number(match[3]) });
  }
  return withKey(
    new Map(
      names.map((name): [string, Told] => {
        const position = positions.get(name);
        return [name, { position, watermark: null, fault: position === undefined ? undefined : "new" }];
      }),
    ),
  );
}
