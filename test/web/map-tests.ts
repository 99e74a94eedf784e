import { describe, expect, test } from "vitest";
import { axeFaults, type Look, screenshot } from "./browser.ts";
import { MapPage } from "./map-page.ts";
import type { Run } from "./run.ts";

export function mapTests(run: Run): void {
  describe("the map", () => {
    test("numbers move, an airport changes its colour, an alert appears with a ring", async () => {
      const { page, faults } = await run.go(run.flights.map);
      const map = new MapPage(page);
      await map.status("Live");
      await map.clockMoves();
      await map.airportChangesColour();
      const before = await map.alerts();
      expect(before.length).toBeGreaterThan(0);
      const newest = await map.alertComes(before);
      expect(before).not.toContain(newest);
      expect(await page.locator(".facts dd").allTextContents()).not.toContain("NaN");
      expect(faults).toEqual([]);
    }, 180_000);

    test("time stands still, goes back, plays on and is live again", async () => {
      const { page, faults } = await run.go(run.flights.map);
      const map = new MapPage(page);
      await map.status("Live");
      await page.getByRole("button", { name: "Pause" }).click();
      await map.status("Looking back");
      const paused = await map.clock();
      // Rows go on coming, and the end of the slider moves on.
      const end = await map.slider().getAttribute("max");
      await page.waitForFunction((was) => document.querySelector<HTMLInputElement>(".track input")!.max !== was, end);
      expect(await map.clock()).toBe(paused);
      await map.slider().focus();
      await page.keyboard.press("Home");
      const first = await map.clockLeaves(paused);
      await page.keyboard.press("PageUp");
      expect((await map.clockLeaves(first)).slice(-5)).toBe(first.slice(-5)); // the same hour of the next day
      expect(await map.slider().getAttribute("aria-valuetext")).toMatch(/^\w{3}, \w{3} \d+, 2001, \d\d:00$/);
      await page.getByRole("button", { name: "Play" }).click();
      await map.clockMoves();
      await map.status("Looking back");
      await page.getByRole("button", { name: "Live", exact: true }).click();
      await map.status("Live");
      expect(faults).toEqual([]);
    }, 180_000);

    test("an airport shows its history: by click, by keyboard, by address", async () => {
      const { page, faults } = await run.go(run.flights.map);
      const map = new MapPage(page);
      await map.status("Live");
      await map.airportChangesColour();
      const atlanta = (await page.locator("#airport-ATL").boundingBox())!;
      await page.mouse.click(atlanta.x + atlanta.width / 2, atlanta.y + atlanta.height / 2);
      await page.getByRole("heading", { name: "ATL Atlanta" }).waitFor();
      expect(new URL(page.url()).hash).toBe("#ATL");
      expect(await page.locator(".plot rect:not(.flights)").count()).toBeGreaterThan(40);

      const list = page.getByRole("listbox");
      await list.focus();
      await page.keyboard.press("Escape");
      await page.getByRole("heading", { name: "ATL Atlanta" }).waitFor({ state: "detached" });
      await page.keyboard.type("ord");
      expect(await list.getAttribute("aria-activedescendant")).toBe("airport-ORD");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "ORD Chicago" }).waitFor();
      await page.keyboard.press("ArrowLeft");
      expect(await list.getAttribute("aria-activedescendant")).not.toBe("airport-ORD");
      // The chart is read bar by bar.
      const chart = page.getByRole("slider", { name: /^Delays at Chicago/ });
      await chart.focus();
      await page.keyboard.press("ArrowLeft");
      expect(await chart.getAttribute("aria-valuetext")).toMatch(/^\w{3} \d+, \d\d:00: /);
      await page.getByText("Its hours as a table").click();
      expect(await page.locator(".airport-panel tbody tr").count()).toBe(24);

      await page.reload();
      await page.getByRole("heading", { name: "ORD Chicago" }).waitFor();
      expect(faults).toEqual([]);
    }, 180_000);

    test("an alert leads to its airport and its hour", async () => {
      const { page, faults } = await run.go(run.flights.map);
      const map = new MapPage(page);
      await map.status("Live");
      const [code, hour] = (await map.alerts())[0]!.split(/ (.+)/) as [string, string];
      await page.locator(".alerts li button", { hasText: hour }).filter({ hasText: code }).click();
      await page.getByRole("heading", { name: new RegExp(`^${code} `) }).waitFor();
      await map.status("Looking back");
      const [day, time] = hour.split(", ") as [string, string];
      await page.waitForFunction(
        ([day, time]) => {
          const clock = document.querySelector(".clock")!.textContent;
          return clock.includes(day!) && clock.includes(time!);
        },
        [day, time],
      );
      expect(faults).toEqual([]);
    }, 180_000);

    test("the table has every airport of the map, sorted and found", async () => {
      const { page, faults } = await run.go(run.flights.map);
      const map = new MapPage(page);
      await map.status("Live");
      await map.airportChangesColour();
      const rows = page.locator(".table-section tbody tr");
      await rows.first().scrollIntoViewIfNeeded();
      const coloured = await page.locator(".airport:not(.quiet)[style]").count();
      expect(Math.abs((await rows.count()) - coloured)).toBeLessThan(30);
      // In one go: a locator first finds the cells and then asks each, and rows move in between.
      const flightsColumn = (): Promise<number[]> =>
        page.evaluate(() =>
          [...document.querySelectorAll(".table-section tbody td:nth-child(2)")].map((cell) =>
            Number(cell.textContent?.replace(",", "")),
          ),
        );
      const sorted = await flightsColumn();
      expect(sorted).toEqual([...sorted].sort((a, b) => b - a));
      await page.getByRole("button", { name: "Airport", exact: true }).click();
      await page.locator("th[aria-sort=ascending]", { hasText: "Airport" }).waitFor();
      await page.getByRole("searchbox").fill("denver");
      await page.locator(".table-section tbody tr", { hasText: "DEN Denver, CO" }).waitFor();
      expect(await rows.count()).toBe(1);
      await page.getByRole("button", { name: "DEN Denver, CO" }).click();
      await page.getByRole("heading", { name: "DEN Denver" }).waitFor();
      expect(faults).toEqual([]);
    }, 180_000);

    test("who wants no motion gets rings that stand still", async () => {
      const { page, faults } = await run.go(run.flights.map, { reducedMotion: "reduce" });
      await new MapPage(page).status("Live");
      const ring = page.locator(".rings span").first();
      await ring.waitFor({ timeout: 30_000 });
      expect(await ring.evaluate((span) => getComputedStyle(span).animationName)).toBe("ring-still");
      expect(faults).toEqual([]);
    }, 180_000);

    test.each(["light", "dark", "phone"] satisfies Look[])(
      "%s: no serious fault of accessibility; a picture",
      async (look) => {
        const { page, faults } = await run.go(`${run.flights.map}#ORD`, { look });
        const map = new MapPage(page);
        await map.status("Live");
        await map.airportChangesColour();
        await page.locator(".plot rect:not(.flights)").nth(40).waitFor();
        await screenshot(page, `map-${look}`);
        expect(await axeFaults(page)).toEqual([]);
        expect(faults).toEqual([]);
      },
      180_000,
    );
  });
}
