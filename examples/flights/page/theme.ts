import { signal } from "@preact/signals";
import { DELAY_COLORS } from "./model/scale.ts";

const dark = matchMedia("(prefers-color-scheme: dark)");
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** The colours of delays on this ground. */
export const colors = signal(DELAY_COLORS[dark.matches ? "dark" : "light"]);
dark.addEventListener("change", () => {
  colors.value = DELAY_COLORS[dark.matches ? "dark" : "light"];
});

/** Nothing is to move that need not. */
export const calm = signal(still.matches);
still.addEventListener("change", () => {
  calm.value = still.matches;
});
