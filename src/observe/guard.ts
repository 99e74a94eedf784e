import { timingSafeEqual } from "node:crypto";
import type { MiddlewareHandler } from "hono";
import type { ApiError } from "./api.ts";

export interface GuardOptions {
  /** The port that listens; known after listening. */
  readonly port: () => number;
  /** Further names under which the server may be called, such as `metrics.example.org` or `host:port`. */
  readonly allowedHosts: readonly string[];
  /** Asked of everybody when set: as `Authorization: Bearer`, cookie, or once as `?token=`. */
  readonly token: string | undefined;
}

const LOOPBACK = ["localhost", "127.0.0.1", "[::1]"];
const COOKIE = "millrace_token";

/**
 * Keeps other web pages out. Any page may send requests to this machine, and one whose name is pointed here afterwards (DNS rebinding) may
 * read the answers: so the request must have been meant for this server by name, and come from no other page.
 */
export function guard(options: GuardOptions): MiddlewareHandler {
  return async (c, next) => {
    c.header("x-content-type-options", "nosniff");
    c.header("content-security-policy", "default-src 'self'; style-src 'self' 'unsafe-inline'; frame-ancestors 'none'");
    c.header("referrer-policy", "no-referrer");
    const refuse = (status: 401 | 403, code: string, message: string, hint: string) =>
      c.json<ApiError>({ error: { code, message, hint } }, status);

    const host = (c.req.header("host") ?? "").toLowerCase();
    const known = [...LOOPBACK.map((name) => `${name}:${options.port()}`), ...options.allowedHosts];
    if (!known.some((name) => host === name || (!name.includes(":") && host.replace(/:\d+$/, "") === name))) {
      return refuse(
        403,
        "HOST_NOT_ALLOWED",
        `This server does not go by the name ${host || "(none)"}.`,
        `Call it ${known[0]}, or add the name to allowedHosts.`,
      );
    }
    const origin = c.req.header("origin");
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
      return refuse(403, "ORIGIN_NOT_ALLOWED", `The page ${origin} may not read this.`, "Open the server's own page.");
    }
    // Who follows a link from another site sees the page, and that site does not: frames are forbidden and pages only read.
    const follows =
      c.req.method === "GET" &&
      c.req.header("sec-fetch-mode") === "navigate" &&
      c.req.header("sec-fetch-dest") === "document";
    if (c.req.header("sec-fetch-site") === "cross-site" && !follows) {
      return refuse(403, "ORIGIN_NOT_ALLOWED", "Another site may not read this.", "Open the server's own page.");
    }
    if (options.token !== undefined) {
      const asked = c.req.query("token");
      const given =
        /^Bearer (.+)$/.exec(c.req.header("authorization") ?? "")?.[1] ??
        new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(c.req.header("cookie") ?? "")?.[1] ??
        asked;
      if (given === undefined || !same(given, options.token)) {
        return refuse(
          401,
          "TOKEN_NEEDED",
          "This server asks for a token.",
          "Open the address that was printed at the start; it carries the token.",
        );
      }
      if (asked !== undefined) {
        c.header("set-cookie", `${COOKIE}=${options.token}; HttpOnly; SameSite=Strict; Path=/`);
      }
    }
    await next();
  };
}

function same(a: string, b: string): boolean {
  const [x, y] = [Buffer.from(a), Buffer.from(b)];
  return x.length === y.length && timingSafeEqual(x, y);
}
