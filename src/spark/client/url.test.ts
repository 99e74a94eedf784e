import { describe, expect, test } from "vitest";
import { MillraceError } from "../../errors.ts";
import { parseConnectUrl } from "./url.ts";

const parse = (url: string, environment: Record<string, string> = {}) => parseConnectUrl(url, environment);

describe("a connection string", () => {
  test("has Spark's port and no TLS by default", () => {
    expect(parse("sc://spark.example")).toMatchObject({
      authority: "spark.example:15002",
      host: "spark.example",
      port: 15002,
      tls: false,
      token: undefined,
      sessionId: undefined,
      maxMessageSize: 134_217_728,
      headers: {},
    });
  });

  test("has the keys of Spark's documentation; others are headers", () => {
    expect(
      parse(
        "sc://spark.example:443/;token=a%3Bb%3D;user_id=me;user_agent=x%20y;session_id=9F3C1C52-6a0a-4a43-8f0b-0c6a3f3f7f10;" +
          "grpc_max_message_size=1000;X-Tenant=blue%20sky;team=core",
      ),
    ).toMatchObject({
      authority: "spark.example:443",
      tls: true,
      token: "a;b=",
      userId: "me",
      userAgent: "x y",
      sessionId: "9f3c1c52-6a0a-4a43-8f0b-0c6a3f3f7f10",
      maxMessageSize: 1000,
      headers: { "x-tenant": "blue sky", team: "core" },
    });
  });

  test("a token implies TLS, but not to this machine", () => {
    expect(parse("sc://spark.example/;token=a").tls).toBe(true);
    expect(parse("sc://localhost/;token=a").tls).toBe(false);
    expect(parse("sc://[::1]:99/;token=a").tls).toBe(false);
    expect(parse("sc://localhost/;token=a;use_ssl=true").tls).toBe(true);
    expect(parse("sc://spark.example/;use_ssl=true").tls).toBe(true);
  });

  test("takes token and user from the environment where it names none", () => {
    const environment = { SPARK_CONNECT_AUTHENTICATE_TOKEN: "t", SPARK_USER: "u" };
    expect(parse("sc://spark.example", environment)).toMatchObject({ token: "t", userId: "u", tls: true });
    expect(parse("sc://spark.example/;token=a;user_id=b", environment)).toMatchObject({ token: "a", userId: "b" });
  });

  test("IPv6", () => {
    expect(parse("sc://[fd00::1]:7/")).toMatchObject({ host: "fd00::1", port: 7, authority: "[fd00::1]:7" });
  });

  test.each([
    ["localhost:15002", "sc://host:15002"],
    ["spark://host:7077", "start-connect-server.sh"],
    ["http://host:15002", 'the scheme "http"'],
    ["sc://", "no host"],
    ["sc://user@host", "user_id="],
    ["sc://host:0", 'the port "0"'],
    ["sc://host:99999", 'the port "99999"'],
    ["sc://host:1a", 'the port "1a"'],
    ["sc://host;token=a", "Put /;"],
    ["sc://host/path;token=a", 'the path "/path"'],
    ["sc://host/?a=b", "no query"],
    ["sc://host/;token", "not key=value"],
    ["sc://host/;token=", 'no value for "token"'],
    ["sc://host/;token=a;token=b", "twice"],
    ["sc://host/;tokn=a", 'Did you mean "token"?'],
    ["sc://host/;use-ssl=true", 'Did you mean "use_ssl"?'],
    ["sc://host/;userid=a", 'Did you mean "user_id"?'],
    ["sc://host/;use_ssl=yes", "true or false"],
    ["sc://host/;session_id=abc", "UUID"],
    ["sc://host/;grpc_max_message_size=1MB", "number of bytes"],
    ["sc://host/;user_id=%zz", "percent-encoded"],
    ["sc://host/;token=a;use_ssl=false", "without TLS"],
    ["sc://host/;token=a%0Ab", "no header can hold"],
    ["sc://host/;x-a=%C3%BC", "ASCII"],
    ["sc://host/;grpc-timeout=1", "cannot be a header"],
    ["sc://host/;authorization=a", "cannot be a header"],
  ])("%s is refused: %s", (url, says) => {
    let error: unknown;
    try {
      parse(url);
    } catch (e) {
      error = e;
    }
    expect(error).toBeInstanceOf(MillraceError);
    expect(error).toMatchObject({ code: "INVALID_OPTION", message: expect.stringContaining(says) });
  });

  test("an error does not show the token", () => {
    expect(() => parse("sc://host/;token=secret;use_ssl=maybe")).toThrow(/^(?!.*secret)/);
  });
});
