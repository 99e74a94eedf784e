import { geography } from "virtual:geography";
import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { countText, delayText } from "./model/format.ts";
import type { Airport } from "./model/geography.ts";
import type { Span } from "./model/history.ts";
import { type Direction, nearest, neighbour } from "./model/neighbours.ts";
import { delayColor, niceCeil, radius } from "./model/scale.ts";
import { Rings } from "./rings.tsx";
import { largestRadius, mapWidth, mostFlights } from "./sizes.ts";
import { averageHours, drawn, history, playback, selected, wantFrame } from "./store.ts";
import { colors } from "./theme.ts";

const { width, height, airports } = geography;
const NAMED = 14;
/** How far from an airport a click or the pointer still means it, in pixels. */
const REACH = 22;

/** What the map shows of an airport now. */
export function nowAt(airport: Airport): Span & { readonly perDay: number } {
  const index = history.indexOf(airport.code);
  if (index === undefined) return { flights: 0, delay: null, late: null, worst: null, perDay: 0 };
  const until = playback.peek().at;
  return { ...history.span(index, until, averageHours.peek()), perDay: history.span(index, until, 24).flights };
}

/**
 * The map is a list box: one stop of the Tab key, arrow keys lead to the next airport in that direction, letters to the airport whose code or city
 * begins with them, Enter opens its history. The circles are painted by hand, each only when its size or colour changes.
 */
export function AirportMap() {
  const frame = useRef<HTMLDivElement>(null);
  const circles = useRef<Painted[]>([]);
  const [active, setActive] = useState<Airport | null>(null);
  const [hovered, setHovered] = useState<Airport | null>(null);

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      mapWidth.value = Math.max(entry!.contentRect.width, 1);
      wantFrame();
    });
    observer.observe(frame.current!);
    return () => observer.disconnect();
  }, []);

  useSignalEffect(() => {
    void drawn.value;
    paint(circles.current, colors.value, largestRadius.value.units);
  });

  const pick = (event: MouseEvent): Airport | undefined => {
    const box = frame.current!.getBoundingClientRect();
    const unit = width / box.width;
    return nearest(airports, (event.clientX - box.left) * unit, (event.clientY - box.top) * unit, REACH * unit);
  };
  const choose = (airport: Airport | null): void => {
    selected.value = airport === null || selected.value === airport.code ? null : airport.code;
  };
  const typed = useRef({ text: "", at: 0 });
  const onKeyDown = (event: KeyboardEvent): void => {
    const from = active ?? airports.find(({ code }) => code === selected.value) ?? airports[0]!;
    const direction = /^Arrow(Left|Right|Up|Down)$/.exec(event.key)?.[1]?.toLowerCase() as Direction | undefined;
    if (direction !== undefined) setActive(neighbour(airports, from, direction) ?? from);
    else if (event.key === "Enter" || event.key === " ") choose(from);
    else if (event.key === "Escape") choose(null);
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const { text, at } = typed.current;
      typed.current = { text: (event.timeStamp - at < 800 ? text : "") + event.key.toLowerCase(), at: event.timeStamp };
      const wanted = typed.current.text;
      const found =
        airports.find(({ code }) => code.toLowerCase().startsWith(wanted)) ??
        airports.find(({ city }) => city.toLowerCase().startsWith(wanted));
      if (found !== undefined) setActive(found);
    } else return;
    event.preventDefault();
  };
  const chosen = airports.find(({ code }) => code === selected.value);

  return (
    <div class="map-cell">
      <div class="map" ref={frame}>
        <svg class="land" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
          <path class="ground" d={geography.land} />
          <path class="borders" d={geography.borders} />
          <Inset />
        </svg>
        <div
          class="list"
          role="listbox"
          tabIndex={0}
          aria-label="Airports on the map. Arrow keys lead from airport to airport, Enter opens one. The same is in the table below."
          aria-activedescendant={active === null ? undefined : `airport-${active.code}`}
          onKeyDown={onKeyDown}
          onFocus={() => setActive((was) => was ?? chosen ?? airports[0]!)}
          onBlur={() => setActive(null)}
          onPointerMove={(event) => event.pointerType !== "touch" && setHovered(pick(event) ?? null)}
          onPointerLeave={() => setHovered(null)}
          onClick={(event) => choose(pick(event) ?? null)}
        >
          <svg class="airports" viewBox={`0 0 ${width} ${height}`} role="presentation">
            {airports.map((airport, i) => (
              <circle
                key={airport.code}
                id={`airport-${airport.code}`}
                ref={(circle) => {
                  if (circle !== null && circles.current[i]?.circle !== circle)
                    circles.current[i] = { circle, r: "", fill: "none yet" };
                }}
                class="airport"
                role="option"
                aria-label={airport === active ? spoken(airport) : `${airport.code}, ${airport.city}`}
                aria-selected={airport.code === selected.value}
                cx={airport.x}
                cy={airport.y}
              />
            ))}
          </svg>
        </div>
        <svg class="names" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
          {airports.slice(0, NAMED).map(({ code, x, y }) => (
            <text key={code} x={x} y={y}>
              {code}
            </text>
          ))}
        </svg>
        <svg class="markers" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
          {[active, hovered, chosen].map((airport, i) => {
            const kind = ["active", "hovered", "chosen"][i]!;
            return airport == null ? null : <Marker key={kind} airport={airport} kind={kind} />;
          })}
        </svg>
        <Rings />
        <Tip airport={active ?? hovered} />
      </div>
    </div>
  );
}

function Inset() {
  const [left, top, right, bottom] = geography.inset.box;
  return (
    <g>
      <rect class="inset" x={left} y={top} width={right - left} height={bottom - top} rx={6} />
      <path class="ground" d={geography.inset.land} />
    </g>
  );
}

/** A circle and what it was painted with: asking the document each time would cost more than painting. */
interface Painted {
  readonly circle: SVGCircleElement;
  r: string;
  fill: string;
}

/** Paints what changed. An airport without flights in the last day is a small dot. */
function paint(circles: readonly Painted[], stops: typeof colors.value, largest: number): void {
  const now = airports.map(nowAt);
  const most = niceCeil(now.reduce((max, { perDay }) => Math.max(max, perDay), 20));
  if (most !== mostFlights.peek()) mostFlights.value = most;
  circles.forEach((painted, i) => {
    const { perDay, delay } = now[i]!;
    const r = String(perDay > 0 ? radius(perDay, most, largest, largest / 8) : largest / 10);
    const fill = delay === null ? "" : delayColor(delay, stops);
    if (painted.r !== r) {
      painted.r = r;
      painted.circle.setAttribute("r", r);
    }
    if (painted.fill !== fill) {
      painted.fill = fill;
      painted.circle.style.fill = fill;
      painted.circle.classList.toggle("quiet", fill === "");
    }
  });
}

function Marker({ airport, kind }: { airport: Airport; kind: string }) {
  void drawn.value;
  const r =
    radius(nowAt(airport).perDay, mostFlights.value, largestRadius.value.units) + 0.35 * largestRadius.value.units;
  return <circle class={`marker ${kind}`} cx={airport.x} cy={airport.y} r={r} />;
}

/** What a screen reader says of an airport to which the keyboard led. */
function spoken(airport: Airport): string {
  const { delay, perDay } = nowAt(airport);
  return `${airport.code}, ${airport.city}: ${delayText(delay)}, ${countText(perDay)} flights in a day`;
}

/** The same beside the airport, for those who see it. */
function Tip({ airport }: { airport: Airport | null }) {
  void drawn.value;
  if (airport === null) return null;
  const { delay, perDay } = nowAt(airport);
  const side = airport.x > width / 2 ? "left" : "right";
  return (
    <div
      class={`tip ${side}`}
      style={{ left: `${(airport.x / width) * 100}%`, top: `${(airport.y / height) * 100}%` }}
      aria-hidden="true"
    >
      <strong>{airport.code}</strong> {airport.city}
      <br />
      {delayText(delay)} · {countText(perDay)} flights in a day
    </div>
  );
}
