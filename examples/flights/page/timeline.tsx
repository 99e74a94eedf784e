import { useSignalEffect } from "@preact/signals";
import { useRef } from "preact/hooks";
import { highest, telling, totals } from "./model/buckets.ts";
import { clockText, dayText, hourText, shortDayText } from "./model/format.ts";
import { delayColor, niceCeil } from "./model/scale.ts";
import { drawn, extent, goLive, history, mode, playback, seekTo, slow, speed, togglePlay } from "./store.ts";
import { colors } from "./theme.ts";

const SPEEDS = [
  { hours: 3, name: "3 hours a second" },
  { hours: 12, name: "12 hours a second" },
  { hours: 48, name: "2 days a second" },
];
/** Bars of the strip. */
const MOST_BARS = 240;

/** The slider over event time with the mean delay of all airports above it. */
export function Timeline() {
  const slider = useRef<HTMLInputElement>(null);
  const playing = mode.value !== "paused";
  useSignalEffect(() => {
    void drawn.value;
    const input = slider.current!;
    const until = extent.value;
    const hour = Math.round(playback.peek().at);
    input.disabled = until === null;
    if (until === null) return;
    if (input.min !== String(until.first)) input.min = String(until.first);
    if (input.max !== String(until.last)) input.max = String(until.last);
    if (input.value === String(hour)) return;
    input.value = String(hour);
    input.setAttribute("aria-valuetext", `${dayText(hour - 1)}, ${clockText(hour - 1)}`);
  });
  return (
    <section class="timeline" aria-label="Time">
      <button class="play" type="button" onClick={togglePlay} aria-label={playing ? "Pause" : "Play"}>
        <svg viewBox="0 0 24 24" aria-hidden="true">
          <path d={playing ? "M7 5h3.5v14H7zM13.5 5H17v14h-3.5z" : "M8 5.2v13.6L19 12z"} />
        </svg>
      </button>
      <div class="track">
        <Strip />
        <input
          ref={slider}
          type="range"
          step={1}
          aria-label="Time that is shown"
          onInput={(event) => seekTo(Number(event.currentTarget.value))}
          onKeyDown={(event) => {
            const days = { PageUp: 1, PageDown: -1 }[event.key];
            if (days === undefined) return;
            event.preventDefault();
            seekTo(Math.round(playback.peek().at) + 24 * days);
          }}
        />
        <Ends />
      </div>
      <label class="speed">
        <span class="for-screen-readers">Speed of playing</span>
        <select
          value={speed.value}
          onChange={(event) => {
            speed.value = Number(event.currentTarget.value);
            const now = playback.peek();
            if (now.mode === "playing") playback.value = { ...now, hoursPerSecond: speed.value };
          }}
        >
          {SPEEDS.map(({ hours, name }) => (
            <option key={hours} value={hours}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button class="live" type="button" onClick={goLive} aria-pressed={mode.value === "live"}>
        Live
      </button>
    </section>
  );
}

function Ends() {
  const until = extent.value;
  return (
    <div class="ends" aria-hidden="true">
      <span>{until === null ? "" : shortDayText(until.first - 1)}</span>
      <span>{until === null ? "" : hourText(until.last - 1)}</span>
    </div>
  );
}

/** The mean delay of all airports over the whole time; drawn anew now and then. */
function Strip() {
  void slow.value;
  const buckets = telling(totals(history, MOST_BARS));
  const scale = 40 / (niceCeil(highest(buckets, 20)) + 5);
  const stops = colors.value;
  const until = extent.peek();
  const first = (until?.first ?? 1) - 1;
  const span = (until?.last ?? 1) - first;
  return (
    <svg class="strip" viewBox="0 0 1000 40" preserveAspectRatio="none" aria-hidden="true">
      {buckets.map(({ hour, hours, delay }) => {
        if (delay === null) return null;
        const x = Math.max(((hour - first) / span) * 1000, 0);
        const right = Math.min(((hour + hours - first) / span) * 1000, 1000);
        const height = Math.min(Math.max(delay + 5, 2) * scale, 40);
        const gap = (right - x) * 0.15;
        return (
          <rect
            key={hour}
            x={x}
            width={Math.max(right - x - gap, 0.5)}
            y={40 - height}
            height={height}
            fill={delayColor(delay, stops)}
          />
        );
      })}
    </svg>
  );
}
