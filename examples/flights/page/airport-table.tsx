import { geography } from "virtual:geography";
import { useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { nowAt } from "./map.tsx";
import { clockText, countText, minutesText, shareText, shortDayText } from "./model/format.ts";
import { delayColor } from "./model/scale.ts";
import { averageHours, playback, selected, shownHour, slow } from "./store.ts";
import { colors } from "./theme.ts";

type Column = "airport" | "flights" | "delay" | "late" | "worst";

/** The map in the form of a table: whatever the map shows stands here too. It follows only while it is on the screen. */
export function AirportTable() {
  const place = useRef<HTMLElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => setSeen(entry!.isIntersecting), { rootMargin: "200px" });
    observer.observe(place.current!);
    return () => observer.disconnect();
  }, []);
  return (
    <section class="table-section" id="airports" ref={place} aria-labelledby="table-title" tabIndex={-1}>
      <h2 id="table-title">All airports</h2>
      <Rows live={seen} />
    </section>
  );
}

function Rows({ live }: { live: boolean }) {
  const order = useSignal<{ column: Column; down: boolean }>({ column: "flights", down: true });
  const find = useSignal("");
  // Off the screen it is drawn with what it showed last, but for those who read it without a screen every few seconds.
  if (live) void slow.value;
  else void shownDay();
  const wanted = find.value.trim().toLowerCase();
  const rows = geography.airports
    .filter(({ code, city, state }) => `${code} ${city} ${state}`.toLowerCase().includes(wanted))
    .map((airport) => ({ airport, now: nowAt(airport) }))
    .filter(({ now }) => now.perDay > 0 || wanted !== "");
  const { column, down } = order.value;
  rows.sort((a, b) => {
    if (column === "airport") return (a.airport.code < b.airport.code ? -1 : 1) * (down ? -1 : 1);
    const value = (row: (typeof rows)[number]): number =>
      (column === "flights" ? row.now.perDay : row.now[column]) ?? Number.NEGATIVE_INFINITY;
    return (value(b) - value(a)) * (down ? 1 : -1) || (a.airport.code < b.airport.code ? -1 : 1);
  });
  const head = (name: Column, text: string) => (
    <th scope="col" aria-sort={column === name ? (down ? "descending" : "ascending") : "none"}>
      <button
        type="button"
        onClick={() => {
          order.value = { column: name, down: column === name ? !down : name !== "airport" };
        }}
      >
        {text}
      </button>
    </th>
  );
  const hours = averageHours.value;
  return (
    <>
      <div class="table-tools">
        <label>
          Find{" "}
          <input
            type="search"
            value={find.value}
            placeholder="ATL, Denver, TX"
            onInput={(event) => (find.value = event.currentTarget.value)}
          />
        </label>
        <p class="note">
          {shownHour.value === null
            ? "No flights yet."
            : `As of ${shortDayText(playback.peek().at)}, ${clockText(playback.peek().at)}; delays over ${hours === 1 ? "one hour" : `${hours} hours`}.`}
        </p>
      </div>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              {head("airport", "Airport")}
              {head("flights", "Flights in a day")}
              {head("delay", "Mean delay, min")}
              {head("late", "Over 15 min late")}
              {head("worst", "Worst, min")}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ airport, now }) => (
              <tr
                key={airport.code}
                aria-selected={undefined}
                class={selected.value === airport.code ? "chosen" : undefined}
              >
                <th scope="row">
                  <button
                    type="button"
                    aria-pressed={selected.value === airport.code}
                    onClick={() => {
                      selected.value = selected.value === airport.code ? null : airport.code;
                    }}
                  >
                    <strong>{airport.code}</strong> {airport.city}, {airport.state}
                  </button>
                </th>
                <td>{countText(now.perDay)}</td>
                <td>
                  <span
                    class="swatch"
                    style={now.delay === null ? undefined : { background: delayColor(now.delay, colors.value) }}
                    aria-hidden="true"
                  />
                  {minutesText(now.delay)}
                </td>
                <td>{shareText(now.late)}</td>
                <td>{minutesText(now.worst)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** Changes once a day of event time. */
function shownDay(): number {
  return Math.floor((shownHour.value ?? 0) / 24);
}
