import type { Conf } from "../backend.ts";
import { MillraceError } from "../errors.ts";
import { confBoolean, confNumber } from "./conf.ts";

/** How a query that failed with a retryable error comes back: pauses doubling from `firstMs` to `longestMs`. */
export interface RestartPolicy {
  readonly enabled: boolean;
  readonly firstMs: number;
  readonly longestMs: number;
}

/** `millrace.restart.enabled` (true), `millrace.restart.initialDelayMs` (200), `millrace.restart.maxDelayMs` (30000). */
export function restartPolicy(conf: Conf): RestartPolicy {
  return {
    enabled: confBoolean(conf, "millrace.restart.enabled", true),
    firstMs: confNumber(conf, "millrace.restart.initialDelayMs", 200),
    longestMs: confNumber(conf, "millrace.restart.maxDelayMs", 30_000),
  };
}

/** The pause before attempt `attempt` (1 for the first), or undefined when the failure is final. */
export function restartDelay(policy: RestartPolicy, error: unknown, attempt: number): number | undefined {
  if (!policy.enabled || !(error instanceof MillraceError) || !error.retryable) return undefined;
  return Math.min(policy.longestMs, policy.firstMs * 2 ** Math.min(attempt - 1, 30));
}
