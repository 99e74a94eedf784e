import type { Trigger } from "../backend.ts";

/**
 * When the trigger after one that started at `startedMs` fires, or undefined for "as soon as there is data". ProcessingTime ticks
 * lie on multiples of the interval since 1970; a batch that overran its slot is followed at once and missed ticks are not made up.
 */
export function nextTriggerTime(trigger: Trigger, startedMs: number): number | undefined {
  if (trigger.kind !== "processing_time" || trigger.intervalMs <= 0) return undefined;
  return Math.floor(startedMs / trigger.intervalMs) * trigger.intervalMs + trigger.intervalMs;
}

/** Whether the query ends by itself when it has caught up. */
export function endsByItself(trigger: Trigger): boolean {
  return trigger.kind === "available_now" || trigger.kind === "once";
}
