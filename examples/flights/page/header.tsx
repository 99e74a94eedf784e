import { useComputed } from "@preact/signals";
import { clockText, countText, dayText, delayText } from "./model/format.ts";
import { alerts, averageHours, history, mode, playback, problem, shownHour, slow, status } from "./store.ts";

export function Header() {
  const day = useComputed(() => (shownHour.value === null ? "–" : dayText(shownHour.value)));
  const clock = useComputed(() => (shownHour.value === null ? "–" : clockText(shownHour.value)));
  const facts = useComputed(() => {
    void slow.value;
    const until = playback.peek().at;
    const { delay } = history.total(until, averageHours.value);
    return {
      flights: countText(history.total(until, 24).flights),
      delay: delayText(delay),
      alerts: countText(alerts.between(until - 168, until).length),
    };
  });
  return (
    <header>
      <div class="title">
        <h1>Flights and delays</h1>
        <p>United States, as they leave</p>
      </div>
      <p class="clock">
        <span class="day">{day}</span> <span class="time">{clock}</span>
      </p>
      <dl class="facts">
        <div>
          <dt>Flights in a day</dt>
          <dd>{facts.value.flights}</dd>
        </div>
        <div>
          <dt>On average</dt>
          <dd>{facts.value.delay}</dd>
        </div>
        <div>
          <dt>Alerts in a week</dt>
          <dd>{facts.value.alerts}</dd>
        </div>
      </dl>
      <Status />
    </header>
  );
}

const WORDS = { connecting: "Connecting", live: "Live", stale: "Reconnecting", closed: "Closed" };

/** Says whether what is shown is still true. */
function Status() {
  const paused = mode.value !== "live" && status.value === "live";
  return (
    <p class={`status ${paused ? "past" : status.value}`} role="status" title={problem.value ?? undefined}>
      <span class="dot" aria-hidden="true" />
      {paused ? "Looking back" : WORDS[status.value]}
    </p>
  );
}
