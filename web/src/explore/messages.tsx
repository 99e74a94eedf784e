import { useEffect, useState } from "preact/hooks";
import type { MessagePage, RecordText, TopicMessage } from "../../../src/observe/api-explore.ts";
import { ask, Failure, path } from "../api.ts";
import { Term } from "../explain.tsx";
import * as f from "../format.ts";
import { generation, processNow } from "../live/store.ts";
import { Badge, Empty, Loading, Panel, Trouble } from "../ui/parts.tsx";
import { Scroll, Text } from "../ui/scroll.tsx";
import {
  extendTail,
  firstTail,
  fromOf,
  hexdump,
  idOf,
  jumpTail,
  oneLine,
  pretty,
  type Seek,
  type Tail,
} from "./tail.ts";

const POLL_MS = 1000;
const PAGE = 50;
const NEWEST: Seek = { from: "latest", at: "", partition: "", search: "" };

interface Shown {
  readonly messages: readonly TopicMessage[];
  readonly skipped: number;
  readonly scanned: number;
  /** Where a page that was asked for ends; null while the tail is followed. */
  readonly next: string | null;
  readonly end: boolean;
}

/** A topic's messages: the live end, or from any place on. */
export function Messages({ topic, partitions }: { topic: string; partitions: number }) {
  const [seek, setSeek] = useState<Seek>(NEWEST);
  const [paused, setPaused] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  const isTail = seek.from === "latest" && seek.search === "";
  const { shown, failure, loading, more } = useMessages(topic, seek, isTail && paused);
  return (
    <Panel
      title="Messages"
      aside={
        isTail && (
          <>
            {shown !== undefined && shown.skipped > 0 && (
              <Badge tone="warn">{f.count(shown.skipped)} skipped: too fast to show</Badge>
            )}
            <span role="status">{paused ? "paused" : "live, newest on top"}</span>
            <button type="button" class="button small" aria-pressed={paused} onClick={() => setPaused(!paused)}>
              {paused ? "Go on" : "Pause"}
            </button>
          </>
        )
      }
    >
      <SeekForm
        seek={seek}
        partitions={partitions}
        apply={(next) => {
          setOpen(null);
          setPaused(false);
          setSeek(next);
        }}
      />
      {failure !== undefined && <Trouble failure={failure} />}
      {shown === undefined ? (
        failure === undefined && <Loading what="messages" />
      ) : shown.messages.length === 0 ? (
        <Empty title={seek.search === "" ? "No message here" : "Nothing found"}>
          {seek.search === ""
            ? "As soon as one comes in it appears."
            : `${f.plural(shown.scanned, "message")} looked through${shown.end ? ", all there are" : ""}.`}
        </Empty>
      ) : (
        <MessageTable
          messages={shown.messages}
          open={open}
          toggle={(id) => {
            setOpen(open === id ? null : id);
            // What is read must not be carried away by what comes in.
            if (open !== id) setPaused(true);
          }}
        />
      )}
      {shown !== undefined && !isTail && (
        <p class="page-end">
          {seek.search !== "" && <span class="note">{f.plural(shown.scanned, "message")} looked through. </span>}
          {shown.next !== null && !shown.end ? (
            <button type="button" class="button" disabled={loading} onClick={more}>
              Further on
            </button>
          ) : (
            <span class="note">Nothing further.</span>
          )}
        </p>
      )}
    </Panel>
  );
}

/** Asks for what is to be shown, and again each second while the end is followed. */
function useMessages(topic: string, seek: Seek, paused: boolean) {
  const [shown, setShown] = useState<Shown>();
  const [failure, setFailure] = useState<Failure>();
  const [loading, setLoading] = useState(false);
  const turn = generation.value;
  const isTail = seek.from === "latest" && seek.search === "";
  const request = async (from: string, signal?: AbortSignal, limit = PAGE): Promise<MessagePage> =>
    ask(
      path(`/api/topics/${encodeURIComponent(topic)}/messages`, {
        from,
        limit,
        partition: seek.partition,
        search: seek.search,
      }),
      signal,
    );
  const fail = (error: unknown): void =>
    setFailure(error instanceof Failure ? error : new Failure("FAILED", String(error), null));

  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let tail: Tail | undefined;
    const follow = async (): Promise<void> => {
      try {
        if (document.visibilityState === "visible") tail = await step(tail);
        if (stop.signal.aborted || tail === undefined) return;
        setFailure(undefined);
        setShown({ messages: tail.messages, skipped: tail.skipped, scanned: 0, next: null, end: true });
      } catch (error) {
        if (stop.signal.aborted) return;
        fail(error);
      }
      timer = setTimeout(follow, POLL_MS);
    };
    const step = async (before: Tail | undefined): Promise<Tail> => {
      if (before === undefined) return firstTail(await request("latest", stop.signal));
      const page = await request(before.next, stop.signal, 2 * PAGE);
      const after = extendTail(before, page);
      return page.end ? after : jumpTail(after, await request("latest", stop.signal));
    };
    const once = async (): Promise<void> => {
      const from = fromOf(seek);
      if ("problem" in from) {
        setFailure(new Failure("INVALID_ARGUMENT", from.problem, null));
        return;
      }
      setLoading(true);
      try {
        const page = await request(from.from, stop.signal);
        setFailure(undefined);
        // Of the newest nothing lies further on: the page goes backwards.
        setShown({ ...page, skipped: 0, next: seek.from === "latest" ? null : page.next });
      } catch (error) {
        if (!stop.signal.aborted) fail(error);
      } finally {
        if (!stop.signal.aborted) setLoading(false);
      }
    };
    if (paused) return;
    if (isTail) void follow();
    else {
      setShown(undefined);
      void once();
    }
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [topic, seek, paused, turn]);

  const more = async (): Promise<void> => {
    if (shown?.next == null) return;
    setLoading(true);
    try {
      const page = await request(shown.next);
      setFailure(undefined);
      setShown({
        ...page,
        skipped: 0,
        scanned: shown.scanned + page.scanned,
        messages: [...shown.messages, ...page.messages].slice(-500),
      });
    } catch (error) {
      fail(error);
    } finally {
      setLoading(false);
    }
  };
  return { shown, failure, loading, more };
}

function SeekForm({ seek, partitions, apply }: { seek: Seek; partitions: number; apply: (seek: Seek) => void }) {
  const [form, setForm] = useState(seek);
  const set = (part: Partial<Seek>): Seek => {
    const next = { ...form, ...part };
    setForm(next);
    return next;
  };
  return (
    <form
      class="tools"
      aria-label="Which messages"
      onSubmit={(event) => {
        event.preventDefault();
        apply(form);
      }}
    >
      <div class="field">
        <label for="from">From</label>
        <select
          id="from"
          value={form.from}
          onChange={(event) => {
            const next = set({ from: event.currentTarget.value as Seek["from"], at: "" });
            if (next.from === "latest" || next.from === "earliest") apply(next);
          }}
        >
          <option value="latest">newest</option>
          <option value="earliest">oldest</option>
          <option value="offset">an offset</option>
          <option value="time">a time</option>
        </select>
      </div>
      {form.from === "offset" && (
        <label class="field">
          Offset
          <input
            inputMode="numeric"
            size={10}
            value={form.at}
            onInput={(event) => set({ at: event.currentTarget.value })}
          />
        </label>
      )}
      {form.from === "time" && (
        <label class="field">
          Time (yours)
          <input
            type="datetime-local"
            step={1}
            value={form.at}
            onInput={(event) => set({ at: event.currentTarget.value })}
          />
        </label>
      )}
      <div class="field">
        <label for="partition">Partition</label>
        <select
          id="partition"
          value={form.partition}
          onChange={(event) => apply(set({ partition: event.currentTarget.value }))}
        >
          <option value="">all</option>
          {Array.from({ length: partitions }, (_, i) => (
            <option key={i} value={String(i)}>
              {i}
            </option>
          ))}
        </select>
      </div>
      <label class="field search">
        Search in key and value
        <input type="search" value={form.search} onInput={(event) => set({ search: event.currentTarget.value })} />
      </label>
      <button type="submit" class="button primary">
        Show
      </button>
      {seek !== NEWEST && (
        <button
          type="button"
          class="button"
          onClick={() => {
            setForm(NEWEST);
            apply(NEWEST);
          }}
        >
          Back to live
        </button>
      )}
    </form>
  );
}

function MessageTable(props: { messages: readonly TopicMessage[]; open: string | null; toggle: (id: string) => void }) {
  return (
    <Scroll label="Messages" class="table-box tall">
      <table class="messages">
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col" class="num">
              Partition
            </th>
            <th scope="col" class="num">
              Offset
            </th>
            <th scope="col">Key</th>
            <th scope="col">Value</th>
            <th scope="col" class="num">
              <Term name="message.size">Size</Term>
            </th>
          </tr>
        </thead>
        <tbody>
          {props.messages.map((m) => (
            <MessageRow key={idOf(m)} message={m} open={props.open === idOf(m)} toggle={() => props.toggle(idOf(m))} />
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function MessageRow({ message: m, open, toggle }: { message: TopicMessage; open: boolean; toggle: () => void }) {
  const detail = `message-${m.partition}-${m.offset}`;
  return (
    <>
      <tr class={open ? "open" : ""}>
        <td class="nowrap">
          <button
            type="button"
            class="row-button"
            aria-expanded={open}
            aria-controls={open ? detail : undefined}
            title={f.moment(m.timestamp)}
            onClick={toggle}
          >
            {f.shortMoment(m.timestamp, processNow.value)}
            <span class="sr">
              , message {m.offset} of partition {m.partition}
            </span>
          </button>
        </td>
        <td class="num">{m.partition}</td>
        <td class="num">{m.offset}</td>
        <td class={m.key === null ? "cell-null" : "mono"}>{oneLine(m.key, 32)}</td>
        <td class={m.value === null ? "cell-null" : "mono value"}>{oneLine(m.value)}</td>
        <td class="num">{f.bytes(m.size)}</td>
      </tr>
      {open && (
        <tr class="detail" id={detail}>
          <td colSpan={6}>
            <MessageDetail message={m} />
          </td>
        </tr>
      )}
    </>
  );
}

function MessageDetail({ message: m }: { message: TopicMessage }) {
  return (
    <div class="message">
      <p class="note">
        {f.moment(m.timestamp)} · partition {m.partition} · offset {m.offset} · {f.exact(m.size)} bytes
      </p>
      <Content title="Key" text={m.key} />
      <Content title="Value" text={m.value} none="null: in a compacted topic this deletes the key" />
      {m.headers.length === 0 ? (
        <p class="note">No headers.</p>
      ) : (
        <>
          <h3>Headers</h3>
          <dl class="headers">
            {m.headers.map((h, i) => (
              <div key={`${i} ${h.key}`}>
                <dt>{h.key}</dt>
                <dd class="mono">{oneLine(h.value, 400)}</dd>
              </div>
            ))}
          </dl>
        </>
      )}
    </div>
  );
}

/** Decoded where it can be, else its bytes and the reason. */
function Content({ title, text, none = "null" }: { title: string; text: RecordText; none?: string }) {
  const [raw, setRaw] = useState(false);
  if (text === null) {
    return (
      <p>
        <strong>{title}</strong> <span class="cell-null">{none}</span>
      </p>
    );
  }
  const isText = "text" in text;
  const nice = isText ? pretty(text.text) : "";
  return (
    <div>
      <div class="title-line">
        <h3>{title}</h3>
        {isText && nice !== text.text && (
          <button type="button" class="button small" aria-pressed={raw} onClick={() => setRaw(!raw)}>
            As it came
          </button>
        )}
        {text.truncated && <Badge>cut: longer than what is shown</Badge>}
      </div>
      {!isText && <p class="note">{text.reason}</p>}
      <Text label={title}>{isText ? (raw ? text.text : nice) : hexdump(text.base64)}</Text>
    </div>
  );
}
