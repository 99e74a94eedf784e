import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { useExplanations } from "./explain.tsx";
import * as f from "./format.ts";
import { connection, live, now, processNow, queries, status } from "./live/store.ts";
import { Cache } from "./pages/cache.tsx";
import { Database } from "./pages/database.tsx";
import { Lake } from "./pages/lake.tsx";
import { Overview } from "./pages/overview.tsx";
import { Query } from "./pages/query.tsx";
import { Topic } from "./pages/topic.tsx";
import { Topics } from "./pages/topics.tsx";
import { Views } from "./pages/views.tsx";
import { link, place } from "./router.ts";
import { type Theme, theme } from "./theme.ts";
import { Boundary } from "./ui/boundary.tsx";
import { Choice, Empty, Mark } from "./ui/parts.tsx";
import { headline } from "./words.ts";

const SECTIONS = [
  ["", "Overview"],
  ["topics", "Topics"],
  ["lake", "Lake"],
  ["database", "Database"],
  ["cache", "Cache"],
  ["views", "Views"],
] as const;

export function App() {
  useExplanations();
  const main = useRef<HTMLElement>(null);
  const { page, name } = place.value;
  const section = page === "query" ? "" : page === "topic" ? "topics" : page;
  const isFirst = useRef(true);
  useEffect(() => {
    const title = main.current?.querySelector("h1");
    document.title = `${title?.textContent ?? "Dashboard"} · Millrace`;
    if (isFirst.current) isFirst.current = false;
    else {
      // Whoever cannot see that the page changed hears its title.
      title?.setAttribute("tabindex", "-1");
      title?.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
  }, [page, name]);
  const isStale = status.value.kind === "stale";
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <header class="top">
        <a class="brand" href={link("")}>
          <Logo />
          Millrace
        </a>
        <nav aria-label="Sections">
          {SECTIONS.map(([to, title]) => (
            <a key={to} href={link(to)} aria-current={to === section ? "page" : undefined}>
              {title}
              {to === "" && <Alarm />}
            </a>
          ))}
        </nav>
        <div class="top-end">
          <StatusPill />
          <Announcer />
          <ThemeSwitch />
        </div>
      </header>
      <StaleBanner />
      <main ref={main} tabIndex={-1} class={isStale ? "past" : ""} aria-busy={status.value.kind === "connecting"}>
        <Boundary place={`${page}/${name}`}>{pageOf(page, name)}</Boundary>
      </main>
      <Foot />
    </>
  );
}

function pageOf(page: string, name: string): ComponentChildren {
  switch (page) {
    case "":
      return <Overview />;
    case "query":
      return <Query key={name} name={name} />;
    case "topics":
      return <Topics />;
    case "topic":
      return <Topic key={name} name={name} />;
    case "lake":
      return <Lake key={name} name={name} />;
    case "database":
      return <Database key={name} name={name} />;
    case "cache":
      return <Cache />;
    case "views":
      return <Views key={name} name={name} />;
    default:
      return (
        <>
          <h1>Nothing here</h1>
          <Empty title={`There is no page ${page}.`}>
            <a href={link("")}>Go to the overview.</a>
          </Empty>
        </>
      );
  }
}

/** Whether what the page shows is of now; always in sight. */
function StatusPill() {
  const { kind, text } = status.value;
  return (
    <>
      <span class={`pill ${kind}`} data-status={kind}>
        <span class="dot" aria-hidden="true" />
        {text}
      </span>
      <span class="sr" role="status" aria-live="polite">
        {kind === "live"
          ? "Connected: the page is live."
          : kind === "stale"
            ? "The page is stale: the process does not answer."
            : kind === "reconnecting"
              ? "Reconnecting."
              : ""}
      </span>
    </>
  );
}

/** What is wrong with a query, in a sentence; null when nothing is, or when nothing is known. */
function trouble() {
  const { tone, text } = headline(queries.value, processNow.value);
  return status.value.kind === "live" && (tone === "bad" || tone === "warn") ? { tone, text } : null;
}

/** Trouble with a query is seen on every page, */
function Alarm() {
  const found = trouble();
  if (found === null) return null;
  return (
    <span class="alarm" title={found.text}>
      {" "}
      <Mark tone={found.tone} />
    </span>
  );
}

/** and heard. */
function Announcer() {
  return (
    <span class="sr" role="status">
      {trouble()?.text ?? ""}
    </span>
  );
}

function StaleBanner() {
  const { problem, lastMessageAt } = connection.value;
  const { kind } = status.value;
  if (kind !== "stale" && problem === null) return null;
  return (
    <div class="stale-banner" role="note">
      {problem ??
        `The process does not answer. What you see is of ${f.clock(lastMessageAt)}; it becomes live again by itself as soon as the process is back.`}
    </div>
  );
}

const THEMES = [
  ["system", "Auto"],
  ["light", "Light"],
  ["dark", "Dark"],
] as const satisfies readonly (readonly [Theme, string])[];

function ThemeSwitch() {
  return (
    <Choice
      label="Colours"
      value={theme.value}
      options={THEMES}
      onChange={(value) => {
        theme.value = value;
      }}
    />
  );
}

function Foot() {
  const { process } = live.value;
  if (process === null) return <footer class="foot" />;
  return (
    <footer class="foot">
      <span>Millrace {process.version}</span>
      <span>Node {process.node}</span>
      <span>process {process.pid}</span>
      <span>started {f.moment(process.startedAt)}</span>
      <span>
        your clock {f.clock(now.value)}
        {Math.abs(live.value.skew) > 2000 &&
          `, the process's is ${f.duration(Math.abs(live.value.skew))} ${live.value.skew > 0 ? "ahead" : "behind"}`}
      </span>
      <a href="/metrics">Metrics</a>
      <a href="/third-party-licenses.txt">Licences</a>
    </footer>
  );
}

function Logo() {
  return (
    <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" class="logo">
      <rect width="32" height="32" rx="8" />
      <path d="M6 11c3.300-3 6.700-3 10 0s6.700 3 10 0" />
      <path d="M6 17c3.300-3 6.700-3 10 0s6.700 3 10 0" opacity=".75" />
      <path d="M6 23c3.300-3 6.700-3 10 0s6.700 3 10 0" opacity=".45" />
    </svg>
  );
}
