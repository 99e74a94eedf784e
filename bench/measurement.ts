import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One line of a benchmark. */
export interface Measurement {
  readonly benchmark: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly goal?: string;
  readonly peakMemoryMb?: number;
  readonly detail?: Record<string, unknown>;
}

export function report(measurement: Measurement): void {
  console.log(JSON.stringify({ ...measurement, peakMemoryMb: measurement.peakMemoryMb ?? peakMemoryMb() }));
}

/** The most memory that this process has held, as the kernel counts it (resident set). */
export function peakMemoryMb(): number {
  return process.resourceUsage().maxRSS / 1024;
}

/** A folder that is gone after `use`. */
export async function withFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "millrace-bench-"));
  try {
    return await use(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}

export function percentile(sorted: readonly number[], p: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil((p / 100) * sorted.length) - 1)] ?? Number.NaN;
}
