import { computed, signal } from "@preact/signals";

/** The width of the map in pixels. */
export const mapWidth = signal(975);
/** The flights a day that the largest circle stands for. */
export const mostFlights = signal(200);

/** The radius of the largest circle, in units of the map and in pixels: on a small map circles are larger, or nobody could hit them. */
export const largestRadius = computed(() => {
  const pixels = Math.min(Math.max(5 + mapWidth.value / 75, 8), 22);
  return { pixels, units: (pixels * 975) / mapWidth.value };
});
