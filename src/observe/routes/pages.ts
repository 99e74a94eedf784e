import { createReadStream } from "node:fs";
import { realpath, stat } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Context } from "hono";
import { Hono } from "hono";
import type { ApiError } from "../api.ts";
import type { App } from "../server.ts";

/** Where the built dashboard lies: in the package beside the code, in a clone where `npm run web:build` puts it. */
const DASHBOARD = fileURLToPath(
  new URL(import.meta.url.endsWith(".ts") ? "../../../web/dist/" : "../../web/", import.meta.url),
);

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".geojson": "application/geo+json; charset=utf-8",
  ".csv": "text/csv; charset=utf-8",
  ".txt": "text/plain; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".xml": "application/xml; charset=utf-8",
  ".webmanifest": "application/manifest+json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".jpg": "image/jpeg",
  ".jpeg": "image/jpeg",
  ".gif": "image/gif",
  ".webp": "image/webp",
  ".avif": "image/avif",
  ".ico": "image/vnd.microsoft.icon",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
};

/** A file whose name carries a hash of its content never changes. */
const HASHED = /^assets\/.*-[\w-]{8,}\.\w+$/;

interface Folder {
  /** `/` or `/map/`. */
  readonly prefix: string;
  readonly path: string;
  readonly immutable: RegExp | undefined;
}

/**
 * Static files: the dashboard at `/` (with the client for browsers at `/millrace/client.js`) and further folders under prefixes of their
 * own. A request that no file answers goes on to the other routes.
 */
export function pageRoutes(pages: Readonly<Record<string, string>> = {}, dashboard: string = DASHBOARD): App {
  const app: App = new Hono();
  const folders: Folder[] = Object.entries(pages).map(([prefix, path]) => ({
    prefix: `/${prefix.replace(/^\/+|\/+$/g, "")}/`.replace("//", "/"),
    path: resolve(path),
    immutable: undefined,
  }));
  // The longest prefix first; the dashboard comes last, so that a folder may even stand at `/`.
  folders.sort((a, b) => b.prefix.length - a.prefix.length);
  folders.push({ prefix: "/", path: dashboard, immutable: HASHED });

  app.get("*", async (c, next) => {
    const asked = pathOf(c.req.url);
    if (asked === undefined || asked.startsWith("/api/")) return next();
    for (const folder of folders) {
      if (`${asked}/` === folder.prefix) return c.redirect(`${folder.prefix}${new URL(c.req.url).search}`, 308);
      if (!asked.startsWith(folder.prefix)) continue;
      const file = await find(folder.path, asked.slice(folder.prefix.length));
      if (file !== undefined) return answer(c, file, folder.immutable);
    }
    if (asked === "/") return notBuilt(c);
    return next();
  });
  // Browsers ask for it on behalf of pages that name no icon.
  app.get("/favicon.ico", (c) => c.redirect("/favicon.svg", 302));
  return app;
}

/** What a request for something that does not exist gets: a page for people, JSON for programs. */
export function notFound(c: Context): Response {
  const message = `There is no ${c.req.path}.`;
  const hint = "The dashboard is at /, everything for programs below /api, /metrics, /healthz and /readyz.";
  if (!wantsPage(c)) return c.json<ApiError>({ error: { code: "NOT_FOUND", message, hint } }, 404);
  return c.html(page("Nothing here", message, `<a href="/">Open the dashboard</a>`), 404);
}

function notBuilt(c: Context): Response {
  const message = "The dashboard's files are missing.";
  const hint = "In a clone of the repository `npm run web:build` makes them; in an installed package install it again.";
  if (!wantsPage(c)) return c.json<ApiError>({ error: { code: "NOT_FOUND", message, hint } }, 404);
  return c.html(page("The dashboard is not built", message, entities(hint)), 404);
}

const wantsPage = (c: Context): boolean => (c.req.header("accept") ?? "").includes("text/html");

/** The decoded path; undefined for one that is no path of ours, whatever tricks are in it. */
function pathOf(url: string): string | undefined {
  let path: string;
  try {
    path = decodeURIComponent(new URL(url).pathname);
  } catch {
    return undefined;
  }
  // Backslashes and drive letters are separators on Windows; files that begin with a dot are nobody's business.
  if (/[\\\0]|\/\.|^\/\/|:/.test(path)) return undefined;
  return path;
}

interface Found {
  readonly path: string;
  readonly name: string;
  readonly size: number;
  readonly etag: string;
}

/** The file behind a path below a folder; a folder's own page is `index.html`. Links that lead outside are not followed. */
async function find(folder: string, name: string): Promise<Found | undefined> {
  const file = name === "" || name.endsWith("/") ? `${name}index.html` : name;
  try {
    const root = await realpath(folder);
    const path = await realpath(join(root, file));
    if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) return undefined;
    const info = await stat(path);
    if (!info.isFile()) return undefined;
    return { path, name: file, size: info.size, etag: `"${info.size.toString(36)}-${info.mtimeMs.toString(36)}"` };
  } catch {
    return undefined; // not there, or not for us to read: 404 either way
  }
}

function answer(c: Context, file: Found, immutable: RegExp | undefined): Response {
  c.header("content-type", TYPES[extname(file.name).toLowerCase()] ?? "application/octet-stream");
  const forEver = immutable?.test(file.name) === true;
  c.header("cache-control", forEver ? "public, max-age=31536000, immutable" : "no-cache");
  c.header("etag", file.etag);
  const known = (c.req.header("if-none-match") ?? "").split(",").map((tag) => tag.trim());
  if (known.includes(file.etag)) return c.body(null, 304);
  c.header("content-length", String(file.size));
  if (c.req.method === "HEAD") return c.body(null);
  return c.body(Readable.toWeb(createReadStream(file.path)) as ReadableStream);
}

/** A small page in the dashboard's colours. */
function page(title: string, text: string, more: string): string {
  return `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${entities(title)} · Millrace</title>
<style>:root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1.5rem}h1{font-size:1.4rem}</style>
<main><h1>${entities(title)}</h1><p>${entities(text)}</p><p>${more}</p></main></html>
`;
}

function entities(text: string): string {
  return text.replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}
