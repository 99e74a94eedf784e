import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { axeFaults, screenshot } from "./browser.ts";
import type { Run } from "./run.ts";

/** Every page, what stands on it when it is complete, and the name of its picture where it has one. */
const PAGES: readonly {
  readonly hash: string;
  readonly ready: (page: Page) => Promise<unknown>;
  readonly picture?: string;
}[] = [
  {
    hash: "#/",
    ready: (page) => page.locator("article[data-query=delays] .big", { hasText: "rows/s" }).waitFor(),
    picture: "dashboard",
  },
  { hash: "#/query/delays", ready: (page) => page.locator(".flow").first().waitFor(), picture: "query" },
  { hash: "#/topics", ready: (page) => page.getByRole("link", { name: "flights", exact: true }).waitFor() },
  { hash: "#/topic/flights", ready: (page) => page.getByText('"origin"').first().waitFor(), picture: "topic" },
  { hash: "#/lake", ready: (page) => page.getByRole("link", { name: "flights" }).waitFor() },
  { hash: "#/lake/flights", ready: (page) => page.getByText("STREAMING UPDATE").first().waitFor(), picture: "lake" },
  { hash: "#/database", ready: (page) => page.getByRole("link", { name: "delays" }).waitFor() },
  {
    hash: "#/database/delays?schema=public",
    ready: (page) => page.locator("tbody tr").nth(20).waitFor(),
  },
  {
    hash: "#/cache",
    ready: (page) =>
      page
        .getByRole("link", { name: /^airport:/ })
        .first()
        .waitFor(),
  },
  { hash: "#/cache?match=airport%3A*&key=airport%3AATL", ready: (page) => page.getByText("flights").first().waitFor() },
  { hash: "#/views", ready: (page) => page.getByRole("link", { name: "airports" }).waitFor() },
  { hash: "#/views/delays", ready: (page) => page.locator("tbody tr").nth(20).waitFor() },
];

/** Goes to a page as a link would. */
const visit = (page: Page, hash: string): Promise<void> =>
  page.evaluate((to) => {
    location.hash = to;
  }, hash);

export function dashboardTests(run: Run): void {
  describe("the dashboard", () => {
    const live = (page: Page): Promise<void> => page.locator(".pill[data-status=live]").waitFor();

    test("every page: complete, without a serious fault of accessibility, light and dark; pictures", async () => {
      const { page, faults } = await run.go(run.flights.dashboard);
      await live(page);
      for (const { hash, ready, picture } of PAGES) {
        await visit(page, hash);
        await ready(page);
        for (const colorScheme of ["light", "dark"] as const) {
          await page.emulateMedia({ colorScheme });
          expect(await axeFaults(page), `${hash}, ${colorScheme}`).toEqual([]);
          if (picture !== undefined) await screenshot(page, `${picture}-${colorScheme}`);
        }
        await page.emulateMedia({ colorScheme: "light" });
        expect(await page.locator("main").textContent(), hash).not.toMatch(/NaN|undefined|\[object/);
        expect(faults, hash).toEqual([]);
      }
    }, 180_000);

    test("a phone: nothing sticks out at the side", async () => {
      const { page, faults } = await run.go(run.flights.dashboard, { look: "phone" });
      await live(page);
      for (const { hash, ready, picture } of PAGES) {
        await visit(page, hash);
        await ready(page);
        const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        expect(wide, hash).toBeLessThanOrEqual(room!);
        if (picture === "dashboard" || picture === "query") await screenshot(page, `${picture}-phone`);
      }
      expect(await axeFaults(page)).toEqual([]);
      expect(faults).toEqual([]);
    }, 180_000);

    test("numbers move by themselves: rates, batches, messages, rows of a view", async () => {
      const { page, faults } = await run.go(run.flights.dashboard);
      await live(page);
      const changes = async (what: string): Promise<void> => {
        const before = await page.locator(what).first().textContent();
        await page.waitForFunction(([selector, was]) => document.querySelector(selector!)?.textContent !== was, [
          what,
          before,
        ] as const);
      };
      await changes("article[data-query=delays] .big");
      await page.getByRole("link", { name: "delays", exact: true }).click();
      await page.getByRole("heading", { name: "delays", level: 1 }).waitFor();
      await changes(".flow text");
      const newest = page.locator(".strip .bar").last();
      const before = await newest.getAttribute("data-batch");
      await expect.poll(() => newest.getAttribute("data-batch"), { timeout: 10_000 }).not.toBe(before);
      await page.getByRole("link", { name: "Topics" }).click();
      await page.getByRole("link", { name: "flights", exact: true }).click();
      await page.getByText('"origin"').first().waitFor();
      await changes("tbody tr");
      await page.getByRole("link", { name: "Views" }).click();
      await page.getByRole("link", { name: "delays", exact: true }).click();
      await page.locator("tbody tr").nth(20).waitFor();
      await changes("tbody");
      expect(faults).toEqual([]);
    }, 180_000);

    test("one batch is held and explained, one step tells what it promises", async () => {
      const { page, faults } = await run.go(`${run.flights.dashboard}#/query/delays`);
      const bars = page.locator(".strip .bar");
      await bars.nth(3).waitFor();
      // Not one of the oldest: they leave the strip as new ones come.
      const batch = await bars.nth((await bars.count()) - 3).getAttribute("data-batch");
      await page.locator(`.strip [data-batch="${batch}"]`).click();
      await page.getByText(`Batch ${batch} is held.`).waitFor();
      await page.locator(`section[aria-label="Batch ${batch}"]`).getByText("flights").first().waitFor();
      await page.keyboard.press("ArrowRight");
      await page.getByText(`Batch ${Number(batch) + 1} is held.`).waitFor();
      await page
        .getByRole("button", { name: /database/ })
        .first()
        .click();
      await page
        .getByText(/Guarantee:/)
        .first()
        .waitFor();
      expect(faults).toEqual([]);
    }, 180_000);

    test("by keyboard alone: to the topics, into a topic, and the page says where one is", async () => {
      const { page, faults } = await run.go(run.flights.dashboard);
      await live(page);
      const focus = (): Promise<string> => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
      const tabTo = async (text: string): Promise<void> => {
        for (let i = 0; i < 60; i++) {
          await page.keyboard.press("Tab");
          if ((await focus()) === text) return;
        }
        throw new Error(`Tab never comes to ${text}.`);
      };
      await page.keyboard.press("Tab");
      expect(await focus()).toMatch(/^Skip to/);
      await tabTo("Topics");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "Topics", level: 1 }).waitFor();
      await expect.poll(focus).toBe("Topics");
      expect(await page.title()).toBe("Topics · Millrace");
      await page.getByRole("link", { name: "flights", exact: true }).waitFor();
      await tabTo("flights");
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { name: "flights", level: 1 }).waitFor();
      await page.goBack();
      await page.getByRole("heading", { name: "Topics", level: 1 }).waitFor();
      expect(faults).toEqual([]);
    }, 180_000);

    test("dark by choice stays dark", async () => {
      const { page, faults } = await run.go(run.flights.dashboard);
      await live(page);
      const ink = (): Promise<string> => page.evaluate(() => getComputedStyle(document.body).color);
      const light = await ink();
      await page.getByText("Dark", { exact: true }).click();
      await expect.poll(ink).not.toBe(light);
      const dark = await ink();
      await page.reload();
      await live(page);
      expect(await ink()).toBe(dark);
      expect(faults).toEqual([]);
    }, 180_000);
  });
}
