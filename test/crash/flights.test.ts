import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { random, runFlights, startFlights } from "./flights-process.ts";

/** `npm run test:crash` runs the long form. MILLRACE_SEED repeats a run's moments. */
const full = process.env.MILLRACE_CRASH === "full";
const plan = full
  ? { events: 3_000_000, kills: 20, speed: 400_000, longest: 4_000 }
  : { events: 200_000, kills: 3, speed: 150_000, longest: 2_500 };
const seed = Number(process.env.MILLRACE_SEED ?? Date.now() % 1_000_000);

const folder = mkdtempSync(join(tmpdir(), "millrace-crash-"));
afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));

test(
  `${plan.kills} times kill -9 at random moments during one run over ${plan.events} flights: nothing lost, nothing twice`,
  async () => {
    console.log(`seed ${seed} (MILLRACE_SEED=${seed} repeats the moments)`);
    const next = random(seed);
    const args = ["--dir", folder, "--limit", String(plan.events)];
    for (let i = 1; i <= plan.kills; i++) {
      const run = startFlights(["--once", "--speed", String(plan.speed), ...args]);
      // Every fourth during the start and the recovery, the others while events flow.
      const early = i % 4 === 0;
      const moment = Math.round(next() * (early ? 1_500 : plan.longest));
      let timer: NodeJS.Timeout | undefined;
      const arm = (): void => {
        timer ??= setTimeout(() => run.child.kill("SIGKILL"), moment);
      };
      if (early) arm();
      run.child.stderr!.on("data", (text: string) => {
        if (text.includes("Replaying")) arm();
      });
      const { code, signal, stdout, stderr } = await run.ended;
      clearTimeout(timer);
      const since = early ? "the start of the process" : "the start of the replay";
      console.log(`kill ${i}: ${moment} ms after ${since}${signal === null ? `, already ended with ${code}` : ""}`);
      // A process that was not killed must have finished well: a crash may not leave anything that stops the next start.
      if (signal === null) expect(code, `${stdout}\n${stderr}`).toBe(0);
    }
    const summary = await runFlights(["--verify", ...args]);
    expect(summary.differences).toEqual([]);
    expect(summary).toMatchObject({ events: plan.events, lakeRows: plan.events, lateRows: 0 });
    if (full) expect(summary.delaysRows).toBe(424_259);
  },
  full ? 30 * 60_000 : 5 * 60_000,
);
