import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ensureWeb } from "../../scripts/web.mjs";
import { chromiumPath, type OpenOptions, open, startBrowser, type WatchedPage } from "./browser.ts";
import { dashboardTests } from "./dashboard-tests.ts";
import { type LiveFlights, runFlightsOnce, startLiveFlights } from "./live-flights.ts";
import { MapPage } from "./map-page.ts";
import { mapTests } from "./map-tests.ts";
import type { Run } from "./run.ts";

describe.skipIf(chromiumPath === undefined)("pages in Chromium, over a live run", () => {
  let directory: string;
  let flights: LiveFlights;
  let browser: Browser;
  const opened: WatchedPage[] = [];
  const go = async (url: string, options: OpenOptions = {}): Promise<WatchedPage> => {
    const watched = await open(browser, url, options);
    opened.push(watched);
    return watched;
  };
  const start = (port: number): Promise<LiveFlights> =>
    startLiveFlights([
      ...["--dir", directory, "--dashboard-port", `${port}`],
      // For twelve minutes: on a busy machine the tests take their time.
      ...["--speed", "20000"],
    ]);
  const run: Run = {
    get flights() {
      return flights;
    },
    go,
  };

  beforeAll(async () => {
    expect(ensureWeb()).toBe(true);
    directory = await mkdtemp(join(tmpdir(), "millrace-web-"));
    const starting = startBrowser();
    // Two weeks at full speed first: an airport needs a hundred hours before one can be unusual.
    await runFlightsOnce(["--dir", directory, "--limit", "220000"]);
    [flights, browser] = await Promise.all([start(0), starting]);
  }, 240_000);
  afterEach(async () => {
    for (const { context } of opened.splice(0)) await context.close();
  });
  afterAll(async () => {
    await browser?.close();
    await flights?.kill();
    await rm(directory, { recursive: true, force: true, maxRetries: 3 });
  });

  mapTests(run);
  dashboardTests(run);

  test("the process is killed and starts again: the pages go on by themselves", async () => {
    const both = [await go(flights.map), await go(flights.dashboard)] as const;
    const [map, dashboard] = [new MapPage(both[0].page), both[1].page];
    const pill = (status: string) => dashboard.locator(`.pill[data-status=${status}]`).waitFor();
    await Promise.all([map.status("Live"), pill("live")]);
    const before = await dashboard.locator("footer", { hasText: /process \d+/ }).textContent();
    for (const watched of both) watched.serverIsDown = true;
    await flights.kill();
    await Promise.all([map.status("Reconnecting"), pill("reconnecting").catch(() => pill("stale"))]);
    flights = await start(flights.port);
    await Promise.all([map.status("Live"), pill("live")]);
    for (const watched of both) watched.serverIsDown = false;
    await map.clockMoves();
    await map.airportChangesColour();
    await expect.poll(() => dashboard.locator("footer").textContent(), { timeout: 10_000 }).not.toBe(before);
    await dashboard.locator("article[data-query=delays][data-state=running]").waitFor();
    for (const { faults } of both) expect(faults).toEqual([]);
  }, 180_000);
});
