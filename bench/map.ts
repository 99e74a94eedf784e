/**
 * The map of the flights in Chromium while 10,000 events/s run through the example: how evenly it draws and what it costs, alone and with
 * 200 other readers of its views. Chromium draws without a graphics card and shares the cores with the pipeline.
 */
import { get } from "node:http";
import type { Page } from "playwright-core";
import { chromiumPath, open, startBrowser } from "../test/web/browser.ts";
import { startLiveFlights } from "../test/web/live-flights.ts";
import { MapPage } from "../test/web/map-page.ts";
import { percentile, report, withFolder } from "./measurement.ts";

const SECONDS = 15;
/** Half a year of three million flights at this speed is 10,000 a second. */
const SPEED = 52_100;
const READERS = 200;

if (chromiumPath === undefined) process.exit(1); // it has said why

await withFolder(async (folder) => {
  const flights = await startLiveFlights(["--dir", folder, "--speed", `${SPEED}`, "--dashboard-port", "0"]);
  const browser = await startBrowser();
  const end = new AbortController();
  try {
    const { page, faults } = await open(browser, flights.map);
    await page.locator("header .status", { hasText: "Live" }).waitFor();
    page.setDefaultTimeout(120_000);
    await page.waitForFunction(() => document.querySelectorAll(".airport:not(.quiet)[style]").length > 100);
    // The first reading of a table that is being filled takes its time: measured is what follows.
    const map = new MapPage(page);
    for (let i = 0; i < 10; i++) await map.clockMoves();
    await measure(page, flights.dashboard, "the map at 10,000 events/s");
    for (let i = 0; i < READERS; i++)
      read(`${flights.dashboard}api/views/stream?view=delays&view=airports&view=alerts`, end.signal);
    await page.waitForFunction(async (wanted) => {
      const views = await (await fetch("/api/views")).json();
      return views.every((view: { clients: number }) => view.clients > wanted);
    }, READERS);
    await measure(page, flights.dashboard, `the map at 10,000 events/s, ${READERS} other readers`);
    if (faults.length > 0) throw new Error(faults.join("\n"));
  } finally {
    end.abort();
    await browser.close();
    await flights.kill();
  }
});

/** A reader that takes everything and does nothing with it. */
function read(url: string, signal: AbortSignal): void {
  get(url, { signal, agent: false }, (response) => response.resume().on("error", () => {})).on("error", () => {});
}

async function measure(page: Page, dashboard: string, what: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  // Time of the processor: on a busy machine a task lasts longer than it works.
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const cost = async (): Promise<Record<string, number>> =>
    Object.fromEntries((await session.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
  const rows = async (): Promise<number> => {
    const queries = (await (await fetch(`${dashboard}api/queries`)).json()) as { name: string; inputRows: number }[];
    return queries.find(({ name }) => name === "delays")!.inputRows;
  };
  const [before, rowsBefore, begun] = [await cost(), await rows(), performance.now()];
  const { frames, painted, long } = await page.evaluate(async (seconds) => {
    const frames: number[] = [];
    const long: number[] = [];
    let painted = 0;
    const tasks = new PerformanceObserver((list) => long.push(...list.getEntries().map(({ duration }) => duration)));
    tasks.observe({ type: "longtask" });
    const paints = new MutationObserver(() => painted++);
    paints.observe(document.querySelector(".airports")!, { subtree: true, attributes: true });
    const begin = performance.now();
    await new Promise<void>((resolve) => {
      let last = begin;
      requestAnimationFrame(function next(now) {
        frames.push(now - last);
        last = now;
        if (now - begin < seconds * 1000) requestAnimationFrame(next);
        else resolve();
      });
    });
    tasks.disconnect();
    paints.disconnect();
    return { frames: frames.slice(1), painted, long };
  }, SECONDS);
  const [after, rowsAfter] = [await cost(), await rows()];
  const seconds = (performance.now() - begun) / 1000;
  await session.detach();
  const share = (name: string): number => Math.round(((after[name]! - before[name]!) / seconds) * 1000) / 10;
  const sorted = [...frames].sort((a, b) => a - b);
  const detail = {
    eventsPerSecond: Math.round((rowsAfter - rowsBefore) / seconds),
    paintsPerSecond: Math.round((painted / SECONDS) * 10) / 10,
    longTasks: long.length,
    longestTaskMs: Math.round(Math.max(0, ...long)),
    mainThreadPercent: {
      all: share("TaskDuration"),
      script: share("ScriptDuration"),
      layout: share("LayoutDuration"),
      style: share("RecalcStyleDuration"),
    },
    heapMb: Math.round(after.JSHeapUsedSize! / 2 ** 20),
  };
  for (const p of [50, 95, 99]) {
    const value = Math.round(percentile(sorted, p) * 10) / 10;
    report({ benchmark: "map", what: `${what}, time between frames, p${p}`, value, unit: "ms", detail });
  }
}
