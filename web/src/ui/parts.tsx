import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import type { Failure } from "../api.ts";
import type { Tone } from "../words.ts";
import { Scroll } from "./scroll.tsx";

const WORDS: Readonly<Record<Tone, string>> = { good: "good", warn: "attention", bad: "trouble", calm: "" };

/** Colour and shape of a state; the word is for those who see neither. */
export function Mark({ tone }: { tone: Tone }) {
  return (
    <span class={`mark ${tone}`}>
      <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
        {tone === "good" && <path d="M3.500 8.500l3 3 6-6.500" />}
        {tone === "warn" && <path d="M8 3.500v5.500M8 12.300v.2" />}
        {tone === "bad" && <path d="M4.500 4.500l7 7M11.500 4.500l-7 7" />}
        {tone === "calm" && <path d="M5 8h6" />}
      </svg>
      {tone !== "calm" && <span class="sr">{WORDS[tone]}</span>}
    </span>
  );
}

export function Panel(props: {
  title: string;
  id?: string;
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}) {
  const id = props.id ?? slug(props.title);
  return (
    <section class={`panel ${props.class ?? ""}`} aria-labelledby={id}>
      <header>
        <h2 id={id}>{props.title}</h2>
        {props.aside !== undefined && <div class="aside">{props.aside}</div>}
      </header>
      {props.children}
    </section>
  );
}

export function slug(text: string): string {
  return `s-${text.toLowerCase().replace(/[^a-z0-9]+/g, "-")}`;
}

/** Nothing to show, and why. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <p class="empty-title">{title}</p>
      {children !== undefined && <p>{children}</p>}
    </div>
  );
}

/** Something failed: what, and the next move. */
export function Trouble({
  failure,
  retry,
}: {
  failure: Pick<Failure, "code" | "message" | "hint">;
  retry?: () => void;
}) {
  // A pipeline without a lake lacks nothing.
  if (failure.code === "NOT_CONFIGURED") return <Empty title={failure.message}>{failure.hint}</Empty>;
  return (
    <div class="trouble" role="alert">
      <p>
        <strong>{failure.message}</strong> <code class="code">{failure.code}</code>
      </p>
      {failure.hint !== null && <p>{failure.hint}</p>}
      {retry !== undefined && (
        <button type="button" class="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <p class="loading" role="status">
      Reading {what} …
    </p>
  );
}

/** A field that narrows a list while one writes. */
export function SearchByName({ value, change }: { value: string; change: (value: string) => void }) {
  return (
    <label class="field search">
      Search by name
      <input type="search" value={value} onInput={(event) => change(event.currentTarget.value)} />
    </label>
  );
}

export function Badge({ children, tone }: { children: ComponentChildren; tone?: Tone | "accent" }) {
  return <span class={`badge ${tone ?? ""}`}>{children}</span>;
}

/** Text to take away, with a button that copies it. */
export function Snippet({ code, label }: { code: string; label: string }) {
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(code);
      setCopied(true);
    } catch {
      setCopied(false); // not allowed on this page: the text can be selected
    }
  };
  return (
    <figure class="snippet" aria-label={label}>
      <Scroll label={`${label}, as text`} class="snippet-text">
        <pre>
          <code>{code}</code>
        </pre>
      </Scroll>
      <button type="button" class="button small" onClick={copy}>
        {copied === true ? "Copied" : "Copy"}
      </button>
      <span class="sr" role="status">
        {copied === true ? "Copied." : copied === false ? "Copying is not allowed here; select the text." : ""}
      </span>
    </figure>
  );
}

/** A group of buttons of which one is pressed. */
export function Choice<T extends string>(props: {
  label: string;
  value: T;
  options: readonly (readonly [value: T, text: string])[];
  onChange: (value: T) => void;
}) {
  return (
    <fieldset class="choice">
      <legend class="sr">{props.label}</legend>
      {props.options.map(([value, text]) => (
        <button key={value} type="button" aria-pressed={props.value === value} onClick={() => props.onChange(value)}>
          {text}
        </button>
      ))}
    </fieldset>
  );
}
