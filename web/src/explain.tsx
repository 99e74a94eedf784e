import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Explained } from "../../src/observe/explain.ts";
import { ask } from "./api.ts";
import { generation } from "./live/store.ts";

/** One sentence for every number, by the name of the field; from the process, as it writes them into /metrics and the docs. */
const explanations = signal<Readonly<Record<string, string>>>({});
let asking = false;

/** Numbers that only this page computes. */
const OWN = {
  "page.processingRate": "Rows of a batch divided by its duration: how fast the query could read if it never waited.",
  "page.inputRate": "Rows of a batch divided by the time since the batch before it: how fast rows come in.",
  "page.busy": "Part of the time in which a batch was running; near 100 % the query cannot go faster.",
  "page.behindClock": "The time of the batch minus the watermark.",
  "page.watermark": "The watermark of each batch: where old data are replayed it runs faster than the clock.",
  "page.uptime": "How long this process has been running.",
  "page.inputTotal":
    "Rows that all running queries read each second, taken together; a topic that two queries read counts twice.",
  "page.viewRows": "Rows that the view shows at the moment.",
  "page.viewClients": "Programs and pages that follow the view at the moment.",
  "page.viewBatch": "The batch of the query that brought the rows shown.",
} as const;

export type Name = Explained | keyof typeof OWN;

export function explanation(name: Name): string {
  return name in OWN ? OWN[name as keyof typeof OWN] : (explanations.value[name] ?? "");
}

async function load(): Promise<void> {
  if (asking || Object.keys(explanations.peek()).length > 0) return;
  asking = true;
  try {
    explanations.value = await ask<Readonly<Record<string, string>>>("/api/explain");
  } catch {
    // Numbers stand without a sentence until the process is back: the next generation asks again.
  } finally {
    asking = false;
  }
}

/** Asks for the sentences; at the start and after each reconnect. */
export function useExplanations(): void {
  const turn = generation.value;
  useEffect(() => void load(), [turn]);
}

/**
 * A label with its explanation: pointed at, focused or touched it shows the sentence, and the exact value where the number is rounded.
 * Readers of the screen hear it as the button's description.
 */
export function Term({
  name,
  exact,
  children,
}: {
  name: Name;
  exact?: string | undefined;
  children: ComponentChildren;
}) {
  const id = useId();
  const [open, setOpen] = useState(false);
  const text = explanation(name);
  const tip = useRef<HTMLSpanElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => {
    if (open && tip.current && button.current) put(tip.current, button.current);
  });
  const full = [text, exact === undefined ? "" : `Exactly ${exact}.`].filter(Boolean).join(" ");
  if (full === "") return <span class="term">{children}</span>;
  return (
    <span class="term-box">
      <button
        ref={button}
        type="button"
        class="term"
        aria-describedby={id}
        onMouseEnter={() => setOpen(true)}
        onMouseLeave={() => setOpen(false)}
        onFocus={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onClick={() => setOpen(true)}
        onKeyDown={(event) => {
          if (event.key === "Escape") setOpen(false);
        }}
      >
        {children}
      </button>
      <span ref={tip} id={id} role="tooltip" class={open ? "tip open" : "tip"}>
        {full}
      </span>
    </span>
  );
}

/** Below its label, or above where there is no room; never over the window's edge. */
function put(tip: HTMLElement, at: HTMLElement): void {
  const [label, box] = [at.getBoundingClientRect(), tip.getBoundingClientRect()];
  const left = Math.max(8, Math.min(label.left, document.documentElement.clientWidth - box.width - 8));
  const below = label.bottom + 6;
  const top = below + box.height > window.innerHeight - 8 ? Math.max(8, label.top - box.height - 6) : below;
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

/** A label and its number. */
export function Stat(props: {
  name: Name;
  label: string;
  value: ComponentChildren;
  /** Every digit, where `value` is rounded. */
  exact?: string | undefined;
  /** Why there is no number. */
  none?: string | undefined;
  tone?: "good" | "warn" | "bad" | undefined;
}) {
  return (
    <div class={`stat ${props.tone ?? ""}`}>
      <dt>
        <Term name={props.name} exact={props.exact}>
          {props.label}
        </Term>
      </dt>
      <dd title={props.exact}>{props.none === undefined ? props.value : <span class="none">{props.none}</span>}</dd>
    </div>
  );
}
