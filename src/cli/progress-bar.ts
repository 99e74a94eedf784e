import { onStderr } from "./output.ts";

/** What is counted, and up to where if that is known. */
export interface ProgressOptions {
  readonly label: string;
  readonly unit: "records" | "rows" | "files" | "bytes";
  readonly total?: number;
}

/** A line on the terminal that says how far something is. */
export interface Progress {
  update(done: number): void;
  /** Takes the line away. Calling it again does nothing. */
  stop(): void;
}

/** What is over sooner needs no bar. */
const SHOWN_AFTER_MS = 2_000;
const EVERY_MS = 100;
const WIDTH = 24;

/**
 * Shows how far something is, from the second second on and only where stderr is a terminal: a bar where the total is known, else the
 * count; how fast, and how long it will take.
 */
export function startProgress(options: ProgressOptions, stream: NodeJS.WriteStream = process.stderr): Progress {
  if (!stream.isTTY) return { update() {}, stop() {} };
  const startedAt = performance.now();
  let done = 0;
  let shown = false;
  const timer = setInterval(() => {
    if (performance.now() - startedAt < SHOWN_AFTER_MS) return;
    shown = true;
    stream.write(`\r\x1b[2K${progressText(options, done, (performance.now() - startedAt) / 1000)}`);
  }, EVERY_MS);
  timer.unref();
  return {
    update(now) {
      done = now;
    },
    stop() {
      clearInterval(timer);
      if (shown) stream.write("\r\x1b[2K");
      shown = false;
    },
  };
}

/** The line itself: `replay ████████░░░░ 33 % 1,000,000 rows 120,000/s 17 s left`. */
export function progressText({ label, unit, total }: ProgressOptions, done: number, seconds: number): string {
  const speed = seconds > 0 ? done / seconds : 0;
  const parts = [label];
  if (total !== undefined && total > 0) {
    const share = Math.min(1, done / total);
    const full = Math.round(share * WIDTH);
    parts.push(onStderr("cyan", "█".repeat(full) + "░".repeat(WIDTH - full)), `${Math.floor(share * 100)} %`);
  }
  parts.push(amount(done, unit), onStderr("dim", `${amount(speed, unit === "bytes" ? unit : undefined)}/s`));
  if (total !== undefined && total > done && speed > 0)
    parts.push(onStderr("dim", `${duration((total - done) / speed)} left`));
  return parts.join(" ");
}

function amount(n: number, unit: ProgressOptions["unit"] | undefined): string {
  if (unit !== "bytes") return `${Math.round(n).toLocaleString("en-US")}${unit === undefined ? "" : ` ${unit}`}`;
  const power = n < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(n) / 3));
  return `${(n / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${["B", "kB", "MB", "GB", "TB"][power]}`;
}

function duration(seconds: number): string {
  const s = Math.ceil(seconds);
  if (s < 60) return `${s} s`;
  return s < 3600
    ? `${Math.floor(s / 60)} min ${s % 60} s`
    : `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
}
