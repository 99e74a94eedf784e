import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Observer, startObserver } from "../server.ts";
import { pageRoutes } from "./pages.ts";

let folder: string;
let observer: Observer | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "millrace-pages-"));
  const put = (name: string, text: string): void => {
    mkdirSync(join(folder, name, ".."), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  put("secret.txt", "secret");
  put("map/index.html", "<title>Map</title>");
  put("map/a b.js", "export {};");
  put("map/assets/index-AbCd1234.css", "p{}");
  put("map/.env", "secret");
  put("map/deep/index.html", "deep");
  put("built/index.html", "<title>Dashboard</title>");
  put("built/assets/index-AbCd1234.js", "1;");
  put("built/millrace/client.js", "export {};");
});
afterEach(async () => {
  await observer?.close();
  observer = undefined;
  rmSync(folder, { recursive: true, force: true });
});

/** A request whose path is sent as it is written, which fetch does not do. */
function raw(port: number, path: string, accept = "*/*"): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    request({ host: "127.0.0.1", port, path, headers: { accept } }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode!, body }));
    })
      .on("error", reject)
      .end();
  });
}

describe("folders of one's own", () => {
  beforeEach(async () => {
    observer = await startObserver({ port: 0, pages: { "/map/": join(folder, "map") } });
  });

  test("a page, its files, their types, and the way to it without the last slash", async () => {
    const page = await fetch(`${observer!.url}map/`);
    expect([page.status, page.headers.get("content-type"), await page.text()]).toEqual([
      200,
      "text/html; charset=utf-8",
      "<title>Map</title>",
    ]);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'self'");
    expect((await fetch(`${observer!.url}map/a%20b.js`)).headers.get("content-type")).toMatch("text/javascript");
    expect(await (await fetch(`${observer!.url}map/deep/`)).text()).toBe("deep");
    const asked = await fetch(`${observer!.url}map?at=1`, { redirect: "manual" });
    expect([asked.status, asked.headers.get("location")]).toEqual([308, "/map/?at=1"]);
  });

  test("files are asked for again, and are not sent again while they are the same", async () => {
    const first = await fetch(`${observer!.url}map/`);
    expect(first.headers.get("cache-control")).toBe("no-cache");
    const again = await fetch(`${observer!.url}map/`, { headers: { "if-none-match": first.headers.get("etag")! } });
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const head = await fetch(`${observer!.url}map/`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "18", ""]);
  });

  test.each([
    "/map/../secret.txt",
    "/map/..%2fsecret.txt",
    "/map/%2e%2e/secret.txt",
    "/map/%2e%2e%2fsecret.txt",
    "/map/..%5csecret.txt",
    "/map/\\..\\secret.txt",
    "/map/%00",
    "/map/.env",
    "/map/deep/../.env",
    "//map/index.html",
    "/map/%E0%A4%A",
    "/map/C:/secret.txt",
    "/map/link.txt",
  ])("nothing outside of the folder, and nothing hidden: %s", async (path) => {
    symlinkSync(join(folder, "secret.txt"), join(folder, "map/link.txt"));
    const { status, body } = await raw(observer!.port, path);
    expect([400, 404]).toContain(status);
    expect(body).not.toBe("secret");
  });

  test("a link within the folder is followed", async () => {
    symlinkSync(join(folder, "map/deep/index.html"), join(folder, "map/here.html"));
    expect(await (await fetch(`${observer!.url}map/here.html`)).text()).toBe("deep");
  });

  test("what is not there: a page with a way out for people, JSON for programs", async () => {
    const html = await raw(observer!.port, "/nowhere<b>", "text/html");
    expect(html.status).toBe(404);
    expect(html.body).toContain('<a href="/">Open the dashboard</a>');
    expect(html.body).not.toContain("<b>");
    const json = await raw(observer!.port, "/nowhere");
    expect(JSON.parse(json.body).error).toMatchObject({ code: "NOT_FOUND", message: "There is no /nowhere." });
    expect((await raw(observer!.port, "/api/nowhere")).status).toBe(404);
  });

  test("only GET and HEAD", async () => {
    expect((await fetch(`${observer!.url}map/`, { method: "POST" })).status).toBe(404);
  });
});

describe("the dashboard", () => {
  const ask = (path: string, accept = "*/*"): Promise<Response> =>
    Promise.resolve(
      pageRoutes({}, join(folder, "built")).request(`http://127.0.0.1:4040${path}`, { headers: { accept } }),
    );

  test("its page is asked for each time, its files with a hash never again", async () => {
    const page = await ask("/");
    expect([await page.text(), page.headers.get("cache-control")]).toEqual(["<title>Dashboard</title>", "no-cache"]);
    const file = await ask("/assets/index-AbCd1234.js");
    expect(file.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect((await ask("/millrace/client.js")).headers.get("cache-control")).toBe("no-cache");
  });

  test("where it is not built, it says what to do", async () => {
    rmSync(join(folder, "built"), { recursive: true });
    expect(await (await ask("/", "text/html")).text()).toContain("npm run web:build");
    expect(await (await ask("/")).json()).toMatchObject({
      error: { hint: expect.stringContaining("npm run web:build") },
    });
  });
});
