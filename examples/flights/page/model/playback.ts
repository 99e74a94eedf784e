/** What time the page shows, in hours since 1970, and how it moves on. */
export type Playback =
  | { readonly mode: "live"; readonly at: number }
  | { readonly mode: "playing"; readonly at: number; readonly hoursPerSecond: number }
  | { readonly mode: "paused"; readonly at: number };

/** The span of time that can be shown. */
export interface Extent {
  readonly first: number;
  readonly last: number;
}

/** Half of what is missing is made up in this time. */
const HALF_LIFE_SECONDS = 0.25;
/** Further behind than this, live jumps instead of gliding. */
const JUMP_HOURS = 24 * 7;

/**
 * The state `seconds` later. Live glides after the newest hour; playing goes on at its pace and becomes live where it meets the end; paused
 * stays, but never outside of what there is.
 */
export function advance(playback: Playback, seconds: number, extent: Extent): Playback {
  const { first, last } = extent;
  if (playback.mode === "paused") {
    const at = Math.min(Math.max(playback.at, first), last);
    return at === playback.at ? playback : { ...playback, at };
  }
  if (playback.mode === "playing") {
    const at = Math.max(playback.at, first) + playback.hoursPerSecond * seconds;
    return at >= last ? { mode: "live", at: last } : { ...playback, at };
  }
  const missing = last - playback.at;
  if (missing === 0) return playback;
  if (missing < 0 || missing > JUMP_HOURS) return { mode: "live", at: last };
  const left = missing * 0.5 ** (seconds / HALF_LIFE_SECONDS);
  return { mode: "live", at: left < 0.01 ? last : last - left };
}

/** What the play button does: live stops where it is, pause goes on, from the beginning when it stood at the end. */
export function toggle(playback: Playback, hoursPerSecond: number, extent: Extent): Playback {
  // A time shows the hour before it, so the hour that is shown stays.
  if (playback.mode !== "paused") return { mode: "paused", at: Math.ceil(playback.at) };
  const atEnd = playback.at >= extent.last - 0.5;
  return { mode: "playing", at: atEnd ? extent.first : playback.at, hoursPerSecond };
}

/** The slider was moved. At its end it is live again. */
export function seek(at: number, extent: Extent): Playback {
  if (at >= extent.last) return { mode: "live", at: extent.last };
  return { mode: "paused", at: Math.max(at, extent.first) };
}
