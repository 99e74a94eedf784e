import { HOUR_MS } from "./history.ts";

const DAY = new Intl.DateTimeFormat("en-US", {
  weekday: "short",
  day: "numeric",
  month: "short",
  year: "numeric",
  timeZone: "UTC",
});
const SHORT_DAY = new Intl.DateTimeFormat("en-US", { day: "numeric", month: "short", timeZone: "UTC" });
const COUNT = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** `Mon, Mar 5, 2001`. */
export function dayText(hour: number): string {
  return DAY.format(hour * HOUR_MS);
}

/** `Mar 5`. */
export function shortDayText(hour: number): string {
  return SHORT_DAY.format(hour * HOUR_MS);
}

/** `14:00`: the full hour that has begun. */
export function clockText(hour: number): string {
  const ofDay = Math.floor(hour) % 24;
  return `${String(ofDay < 0 ? ofDay + 24 : ofDay).padStart(2, "0")}:00`;
}

/** `Mar 5, 14:00`. */
export function hourText(hour: number): string {
  return `${shortDayText(hour)}, ${clockText(hour)}`;
}

export function countText(value: number): string {
  return COUNT.format(value);
}

/** `12 min late`, `3 min early`, `on time`. */
export function delayText(minutes: number | null): string {
  if (minutes === null) return "no flights";
  const rounded = Math.round(minutes);
  if (rounded === 0) return "on time";
  return rounded > 0 ? `${rounded} min late` : `${-rounded} min early`;
}

/** `+12`, `−3`, `0`, `–` where there is nothing: for columns of numbers. */
export function minutesText(minutes: number | null): string {
  if (minutes === null) return "–";
  const rounded = Math.round(minutes);
  if (rounded === 0) return "0";
  return rounded > 0 ? `+${rounded}` : `−${-rounded}`;
}

/** `21 %`. */
export function shareText(share: number | null): string {
  return share === null ? "–" : `${Math.round(share * 100)} %`;
}
