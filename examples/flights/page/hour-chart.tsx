import { useState } from "preact/hooks";
import type { Alert } from "./model/alerts.ts";
import { type Bucket, highest } from "./model/buckets.ts";
import { countText, delayText, hourText, shortDayText } from "./model/format.ts";
import type { Airport } from "./model/geography.ts";
import { delayColor, niceCeil } from "./model/scale.ts";
import { colors } from "./theme.ts";

const WIDTH = 320;
const DELAYS = 92;
const FLIGHTS = 26;
const GAP = 8;
const HEIGHT = DELAYS + GAP + FLIGHTS;

interface Props {
  readonly airport: Airport;
  readonly buckets: readonly Bucket[];
  /** Hours since 1970. */
  readonly from: number;
  readonly until: number;
  readonly alerts: readonly Alert[];
}

/** Mean delays as bars, flights below them. Arrow keys or the pointer lead from bar to bar. */
export function HourChart({ airport, buckets, from, until, alerts }: Props) {
  const [at, setAt] = useState<number | null>(null);
  const stops = colors.value;
  const most = niceCeil(highest(buckets, 30));
  const least = -Math.min(Math.max(...buckets.map(({ delay }) => -(delay ?? 0)), 5), most / 3);
  const busiest = niceCeil(buckets.reduce((max, { flights }) => Math.max(max, flights), 5));
  const x = (hour: number): number => Math.min(Math.max(((hour - from) / (until - from)) * WIDTH, 0), WIDTH);
  const y = (minutes: number): number => ((most - Math.min(Math.max(minutes, least), most)) / (most - least)) * DELAYS;
  const shown = at === null ? undefined : buckets[Math.min(at, buckets.length - 1)];
  const summary = useSummary(airport, buckets, alerts);
  const move = (step: number): void =>
    setAt((was) => Math.min(Math.max((was ?? buckets.length) + step, 0), buckets.length - 1));

  return (
    <figure class="chart">
      <div
        class="plot"
        role="slider"
        tabIndex={0}
        aria-label={summary}
        aria-valuemin={0}
        aria-valuemax={Math.max(buckets.length - 1, 0)}
        aria-valuenow={Math.min(at ?? buckets.length - 1, Math.max(buckets.length - 1, 0))}
        aria-valuetext={shown === undefined ? "Arrow keys read it" : bucketText(shown)}
        onKeyDown={(event) => {
          const step = { ArrowLeft: -1, ArrowRight: 1, Home: Number.NEGATIVE_INFINITY, End: Number.POSITIVE_INFINITY }[
            event.key
          ];
          if (step === undefined) return;
          event.preventDefault();
          move(step);
        }}
        onBlur={() => setAt(null)}
        onPointerMove={(event) => {
          const box = event.currentTarget.getBoundingClientRect();
          const hour = from + ((event.clientX - box.left) / box.width) * (until - from);
          const found = buckets.findIndex((bucket) => hour < bucket.hour + bucket.hours);
          setAt(found < 0 ? null : found);
        }}
        onPointerLeave={() => setAt(null)}
      >
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {[most, most / 2].map((minutes) => (
            <line key={minutes} class="grid" x1={0} x2={WIDTH} y1={y(minutes)} y2={y(minutes)} />
          ))}
          {buckets.map((bucket) => {
            const left = x(bucket.hour);
            const wide = Math.max((x(bucket.hour + bucket.hours) - left) * 0.86, 0.5);
            const high = (bucket.flights / busiest) * FLIGHTS;
            const zero = y(0);
            const end = y(bucket.delay ?? 0);
            return (
              <g key={bucket.hour} class={bucket === shown ? "shown" : undefined}>
                <rect class="flights" x={left} width={wide} y={HEIGHT - high} height={high} />
                {bucket.delay !== null && (
                  <rect
                    x={left}
                    width={wide}
                    y={Math.min(zero, end) - 0.5}
                    height={Math.abs(end - zero) + 1}
                    fill={delayColor(bucket.delay, stops)}
                  />
                )}
              </g>
            );
          })}
          <line class="zero" x1={0} x2={WIDTH} y1={y(0)} y2={y(0)} />
          {shown !== undefined && (
            <line
              class="cursor"
              x1={x(shown.hour + shown.hours / 2)}
              x2={x(shown.hour + shown.hours / 2)}
              y1={0}
              y2={HEIGHT}
            />
          )}
        </svg>
        {alerts.map(({ hour }) => (
          <i key={hour} class="alert-mark" style={{ left: `${(x(hour + 0.5) / WIDTH) * 100}%` }} aria-hidden="true" />
        ))}
        <span class="axis" style={{ top: 0 }} aria-hidden="true">
          {most} min
        </span>
      </div>
      <figcaption>
        {shown === undefined ? (
          <>
            <span>{shortDayText(from)}</span>
            <span>mean delay, flights below</span>
            <span>{shortDayText(until - 1)}</span>
          </>
        ) : (
          <span>{bucketText(shown)}</span>
        )}
      </figcaption>
    </figure>
  );
}

function bucketText({ hour, hours, flights, delay }: Bucket): string {
  const span = hours === 1 ? "" : ` and ${hours - 1} more hours`;
  return `${hourText(hour)}${span}: ${delayText(delay)}${flights > 0 ? `, ${countText(flights)} flights` : ""}`;
}

/** The chart in a sentence. */
function useSummary(airport: Airport, buckets: readonly Bucket[], alerts: readonly Alert[]): string {
  const worst = buckets.reduce<Bucket | undefined>(
    (most, bucket) =>
      bucket.delay !== null && bucket.delay > (most?.delay ?? Number.NEGATIVE_INFINITY) ? bucket : most,
    undefined,
  );
  if (worst === undefined) return `Delays at ${airport.city}: no flights in this span`;
  const count = alerts.length === 0 ? "no alerts" : alerts.length === 1 ? "one alert" : `${alerts.length} alerts`;
  return `Delays at ${airport.city}: the worst, ${delayText(worst.delay)}, at ${hourText(worst.hour)}; ${count}`;
}
