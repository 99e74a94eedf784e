import { useSignal } from "@preact/signals";
import { useState } from "preact/hooks";
import { HourChart } from "./hour-chart.tsx";
import { airportBuckets } from "./model/buckets.ts";
import { clockText, countText, delayText, hourText, minutesText, shareText, shortDayText } from "./model/format.ts";
import type { Airport } from "./model/geography.ts";
import { alerts, history, latest, playback, selected, slow } from "./store.ts";

const SPANS = [
  { hours: 48, name: "2 days" },
  { hours: 168, name: "Week" },
  { hours: 720, name: "Month" },
];
const MOST_BARS = 168;
const ROWS = 24;

/** One airport: what it is like now, and its hours before. */
export function AirportPanel({ airport }: { airport: Airport }) {
  void slow.value;
  const span = useSignal(168);
  const [table, setTable] = useState(false);
  const index = history.indexOf(airport.code);
  const until = Math.ceil(playback.peek().at);
  const day = index === undefined ? undefined : history.span(index, until, 24);
  const newest = latest.get(airport.code);
  const from = until - span.value;
  const buckets = index === undefined ? [] : airportBuckets(history, index, from, until, MOST_BARS);
  const ofAirport = alerts.between(from, until).filter(({ origin }) => origin === airport.code);
  return (
    <section class="airport-panel" aria-labelledby="airport-title">
      <div class="panel-title">
        <h2 id="airport-title">
          {airport.code} <span>{airport.city}</span>
        </h2>
        <button type="button" class="close" aria-label="Close" onClick={() => (selected.value = null)}>
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M6 6l12 12M18 6L6 18" />
          </svg>
        </button>
      </div>
      <p class="note">
        {airport.name}, {airport.state}
      </p>
      <dl class="facts">
        <div>
          <dt>Last 24 hours</dt>
          <dd>{delayText(day?.delay ?? null)}</dd>
        </div>
        <div>
          <dt>Flights</dt>
          <dd>{countText(day?.flights ?? 0)}</dd>
        </div>
        <div>
          <dt>More than 15 min late</dt>
          <dd>{shareText(day?.late ?? null)}</dd>
        </div>
      </dl>
      <fieldset class="choice" aria-label="Span of the chart">
        {SPANS.map(({ hours, name }) => (
          <label key={hours}>
            <input type="radio" name="span" checked={span.value === hours} onChange={() => (span.value = hours)} />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
      <HourChart airport={airport} buckets={buckets} from={from} until={until} alerts={ofAirport} />
      {newest !== undefined && (
        <p class="note">
          Newest hour: {hourText(newest.hour)}, {countText(newest.flights)}{" "}
          {newest.flights === 1 ? "flight" : "flights"}, {delayText(newest.delay)}.
        </p>
      )}
      <details onToggle={(event) => setTable(event.currentTarget.open)}>
        <summary>Its hours as a table</summary>
        {table && index !== undefined && (
          <table>
            <thead>
              <tr>
                <th scope="col">Hour</th>
                <th scope="col">Flights</th>
                <th scope="col">Mean delay, min</th>
              </tr>
            </thead>
            <tbody>
              {history
                .series(index, until - ROWS, until)
                .reverse()
                .map(({ hour, flights, delay }) => (
                  <tr key={hour}>
                    <th scope="row">
                      {shortDayText(hour)}, {clockText(hour)}
                    </th>
                    <td>{flights}</td>
                    <td>{minutesText(delay)}</td>
                  </tr>
                ))}
            </tbody>
          </table>
        )}
      </details>
    </section>
  );
}
