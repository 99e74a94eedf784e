import { geography } from "virtual:geography";
import { useSignal, useSignalEffect } from "@preact/signals";
import { rings } from "./store.ts";

const { width, height, airports } = geography;
const places = new Map(airports.map((airport) => [airport.code, airport]));
const MOST = 12;

/** A ring around an airport that has just had an alert. The browser moves it by itself; without motion it stands still for a moment. */
export function Rings() {
  const shown = useSignal<readonly { key: number; code: string }[]>([]);
  useSignalEffect(() => {
    const fresh = rings.value.filter(({ origin }) => places.has(origin));
    if (fresh.length === 0) return;
    const begun = fresh.map(({ origin }) => ({ key: nextKey++, code: origin }));
    shown.value = [...shown.peek(), ...begun].slice(-MOST);
  });
  return (
    <div class="rings" aria-hidden="true">
      {shown.value.map(({ key, code }) => {
        const { x, y } = places.get(code)!;
        return (
          <span
            key={key}
            data-airport={code}
            style={{ left: `${(x / width) * 100}%`, top: `${(y / height) * 100}%` }}
            onAnimationEnd={() => {
              shown.value = shown.peek().filter((ring) => ring.key !== key);
            }}
          />
        );
      })}
    </div>
  );
}

let nextKey = 0;
