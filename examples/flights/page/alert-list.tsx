import { geography } from "virtual:geography";
import { useSignal, useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import type { Alert } from "./model/alerts.ts";
import { hourText } from "./model/format.ts";
import { delayColor } from "./model/scale.ts";
import { listed, playback, rings, selected, show } from "./store.ts";
import { colors } from "./theme.ts";

const cities = new Map(geography.airports.map(({ code, city }) => [code, city]));

export function AlertList() {
  const all = listed.value;
  return (
    <section class="alerts" aria-labelledby="alerts-title">
      <h2 id="alerts-title">Alerts</h2>
      <p class="note">
        Hours far above what is usual for the airport. They are sure a day later, when no flight of that hour can come
        any more.
      </p>
      {all.length === 0 ? (
        <p class="none">None yet. An airport needs a hundred hours before one can be unusual.</p>
      ) : (
        <ol>
          {all.map((alert) => (
            <AlertRow key={`${alert.hour} ${alert.origin}`} alert={alert} />
          ))}
        </ol>
      )}
    </section>
  );
}

function AlertRow({ alert }: { alert: Alert }) {
  const { origin, hour, delay, usual } = alert;
  return (
    <li>
      <button type="button" aria-pressed={selected.value === origin} onClick={() => show(alert)}>
        <span class="swatch" style={{ background: delayColor(delay, colors.value) }} aria-hidden="true" />
        <span class="what">
          <strong>{origin}</strong> {cities.get(origin) ?? ""}
          <small>
            {Math.round(delay)} min late, usually {Math.round(usual)}
          </small>
        </span>
        <time dateTime={new Date(hour * 3_600_000).toISOString()}>{hourText(hour)}</time>
      </button>
    </li>
  );
}

const EVERY_MS = 10_000;

/** Tells a screen reader of new alerts, at most every ten seconds and in one sentence. */
export function Announcer() {
  const text = useSignal("");
  const waiting = useRef<{ count: number; worst: Alert | null; timer: number }>({ count: 0, worst: null, timer: 0 });
  useSignalEffect(() => {
    const fresh = rings.value;
    const state = waiting.current;
    if (fresh.length === 0 || playback.peek().mode !== "live") return;
    state.count += fresh.length;
    for (const alert of fresh) if (state.worst === null || alert.delay > state.worst.delay) state.worst = alert;
    state.timer ||= window.setTimeout(() => {
      const { count, worst } = state;
      const place = cities.get(worst!.origin) ?? worst!.origin;
      const what = `${place}, ${Math.round(worst!.delay)} minutes late on average, usually ${Math.round(worst!.usual)}`;
      text.value = count === 1 ? `New alert: ${what}.` : `${count} new alerts, the worst: ${what}.`;
      waiting.current = { count: 0, worst: null, timer: 0 };
    }, EVERY_MS);
  });
  return (
    <p class="for-screen-readers" role="status">
      {text}
    </p>
  );
}
