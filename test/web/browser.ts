import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { findChromium } from "../../services/chromium.ts";
import { given } from "../needs.ts";

const IMAGES = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const axeSource = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** What the tests of pages need; undefined where there is no Chromium. */
export const chromiumPath = given(await findChromium());

/** The same letters in every picture: what the machine calls its usual font is Inter, which comes with Debian's Chromium. */
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <match><test name="family"><string>system-ui</string></test><edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
  <match><test name="family"><string>sans-serif</string></test><edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
</fontconfig>`;

/** A Chromium that finds no name of the internet, whatever a page asks for. */
export async function startBrowser(): Promise<Browser> {
  const fonts = join(mkdtempSync(join(tmpdir(), "millrace-fonts-")), "fonts.conf");
  writeFileSync(fonts, FONTS);
  const browser = await chromium.launch({
    executablePath: chromiumPath!,
    env: { ...(process.env as Record<string, string>), FONTCONFIG_FILE: fonts },
    args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-gpu", "--hide-scrollbars"],
    // Root in a container cannot have the sandbox; what is opened here is ours.
    chromiumSandbox: false,
  });
  browser.on("disconnected", () => rmSync(dirname(fonts), { recursive: true, force: true }));
  return browser;
}

export type Look = "light" | "dark" | "phone";

const LOOKS = {
  light: { viewport: { width: 1440, height: 900 }, colorScheme: "light" },
  dark: { viewport: { width: 1440, height: 900 }, colorScheme: "dark" },
  phone: {
    viewport: { width: 390, height: 844 },
    colorScheme: "light",
    deviceScaleFactor: 2,
    hasTouch: true,
    isMobile: true,
  },
} as const;

/** A page that is watched: whatever goes wrong in it, and every request that leaves this machine, is found in `faults`. */
export interface WatchedPage {
  readonly page: Page;
  readonly context: BrowserContext;
  /** Errors on the console, uncaught errors, failed requests, requests to elsewhere. */
  readonly faults: string[];
  /** While this is true, a server that does not answer is no fault: the test has stopped it. */
  serverIsDown: boolean;
}

export interface OpenOptions {
  /** Default light. */
  readonly look?: Look;
  readonly reducedMotion?: "reduce" | "no-preference";
}

/** Opens an address as somebody with that look would, and waits until the page is loaded. */
export async function open(browser: Browser, url: string, options: OpenOptions = {}): Promise<WatchedPage> {
  const { look = "light", reducedMotion = "no-preference" } = options;
  const context = await browser.newContext({ ...LOOKS[look], reducedMotion, locale: "en-US", timezoneId: "UTC" });
  const page = await context.newPage();
  const watched: WatchedPage = { page, context, faults: [], serverIsDown: false };
  const fault = (text: string): void => {
    // The browser itself writes to the console when a server is gone.
    const isConnection = /net::ERR_|Failed to load resource|NetworkError|Failed to fetch/.test(text);
    if (!(watched.serverIsDown && isConnection)) watched.faults.push(text);
  };
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") fault(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => fault(`uncaught: ${error.stack ?? error.message}`));
  page.on("response", (response) => {
    if (response.status() >= 400) fault(`${response.status()} ${response.url()}`);
  });
  context.on("request", (request) => {
    const { protocol, hostname } = new URL(request.url());
    const isHere = hostname === "127.0.0.1" || protocol === "data:" || protocol === "blob:";
    if (!isHere) watched.faults.push(`request to ${request.url()}`);
  });
  await page.goto(url);
  return watched;
}

/** Serious and critical faults of accessibility, each in a line with the elements: https://dequeuniversity.com/rules/axe */
export async function axeFaults(page: Page): Promise<string[]> {
  await page.evaluate(`${axeSource}; void 0`);
  const violations = await page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(): Promise<{
          violations: { id: string; impact: string; help: string; nodes: { html: string; failureSummary: string }[] }[];
        }>;
      };
    };
    const result = await axe.run();
    return result.violations;
  });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, impact, help, nodes }) => {
      const where = nodes
        .slice(0, 3)
        .map(({ html, failureSummary }) => `\n    ${html.slice(0, 200)}\n      ${failureSummary}`);
      return `${impact}: ${id}: ${help} (${nodes.length})${where.join("")}`;
    });
}

/** Takes a picture of what is on the screen. It is kept in docs/images/ only when MILLRACE_SCREENSHOTS is set. */
export async function screenshot(page: Page, name: string): Promise<void> {
  const image = await page.screenshot({ animations: "allow", caret: "hide" });
  if (image.length < 10_000) throw new Error(`The picture ${name} is empty.`);
  if (!process.env.MILLRACE_SCREENSHOTS) return;
  mkdirSync(IMAGES, { recursive: true });
  writeFileSync(join(IMAGES, `${name}.png`), image);
}
