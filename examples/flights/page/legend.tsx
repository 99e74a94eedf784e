import { gradient, radius } from "./model/scale.ts";
import { largestRadius, mostFlights } from "./sizes.ts";
import { averageHours, wantFrame } from "./store.ts";
import { colors } from "./theme.ts";

const AVERAGES = [1, 6, 24];

export function Legend() {
  const stops = colors.value;
  const most = mostFlights.value;
  return (
    <div class="legend">
      <div class="scale">
        <span id="scale-title">Minutes late, mean of</span>
        <fieldset class="choice" aria-label="Mean of the last hours">
          {AVERAGES.map((hours) => (
            <label key={hours}>
              <input
                type="radio"
                name="average"
                checked={averageHours.value === hours}
                onChange={() => {
                  averageHours.value = hours;
                  wantFrame();
                }}
              />
              <span>{hours} h</span>
            </label>
          ))}
        </fieldset>
        <div class="bar" style={{ background: gradient(stops) }} aria-hidden="true" />
        <ol class="ticks">
          {stops.map(({ minutes }, i) => (
            <li key={minutes} style={{ left: `${(minutes / stops.at(-1)!.minutes) * 100}%` }}>
              {i === 0 ? "≤ 0" : i === stops.length - 1 ? `${minutes} +` : minutes}
            </li>
          ))}
        </ol>
      </div>
      <div class="sizes">
        <span>Flights in a day</span>
        <ul>
          {[most, most / 5, most / 20].map((flights) => {
            const r = radius(flights, most, largestRadius.value.pixels);
            return (
              <li key={flights}>
                <svg width={2 * r + 2} height={2 * r + 2} aria-hidden="true">
                  <circle cx={r + 1} cy={r + 1} r={r} />
                </svg>
                {Math.round(flights)}
              </li>
            );
          })}
        </ul>
      </div>
    </div>
  );
}
