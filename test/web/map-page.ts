import type { Page } from "playwright-core";

/** The map as its readers see it. */
export class MapPage {
  readonly page: Page;

  constructor(page: Page) {
    this.page = page;
  }

  status(text: string): Promise<void> {
    return this.page.locator("header .status", { hasText: text }).waitFor();
  }

  async clock(): Promise<string> {
    return (await this.page.locator(".clock").textContent()) ?? "";
  }

  /** Waits until the clock shows something else; gives it. */
  async clockMoves(): Promise<string> {
    const before = await this.clock();
    return await this.clockLeaves(before);
  }

  /** Waits until the clock does not show this any more. */
  async clockLeaves(before: string): Promise<string> {
    await this.page.waitForFunction((was) => document.querySelector(".clock")?.textContent !== was, before);
    return await this.clock();
  }

  /** Waits until some airport that had a colour has another; gives its code. */
  async airportChangesColour(): Promise<string> {
    await this.page.waitForFunction(() => document.querySelector(".airport:not(.quiet)[style]") !== null);
    const found = await this.page.evaluateHandle(() => {
      const fills = new Map<string, string>();
      for (const circle of document.querySelectorAll<SVGCircleElement>(".airport"))
        fills.set(circle.id, circle.style.fill);
      return fills;
    });
    const changed = await this.page.waitForFunction((before) => {
      for (const circle of document.querySelectorAll<SVGCircleElement>(".airport")) {
        const was = before.get(circle.id);
        if (was && circle.style.fill !== "" && circle.style.fill !== was) return circle.id;
      }
      return false;
    }, found);
    return String(await changed.jsonValue()).slice("airport-".length);
  }

  /** The alerts of the list as `ATL Jan 12, 23:00`, newest first. */
  alerts(): Promise<string[]> {
    return this.page
      .locator(".alerts li")
      .evaluateAll((items) =>
        items.map((item) => `${item.querySelector("strong")?.textContent} ${item.querySelector("time")?.textContent}`),
      );
  }

  /** Waits until an alert that was not among these is the newest, with a ring on the map; gives it. */
  async alertComes(before: readonly string[]): Promise<string> {
    const found = await this.page.waitForFunction(
      (known) => {
        const item = document.querySelector(".alerts li");
        const newest = `${item?.querySelector("strong")?.textContent} ${item?.querySelector("time")?.textContent}`;
        return item !== null && document.querySelector(".rings span") !== null && !known.includes(newest) && newest;
      },
      before,
      { timeout: 60_000 },
    );
    return String(await found.jsonValue());
  }

  slider() {
    return this.page.getByRole("slider", { name: "Time that is shown" });
  }
}
