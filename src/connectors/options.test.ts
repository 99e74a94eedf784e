import { expect, test } from "vitest";
import type { Connector } from "./connector.ts";
import { connectorFor, connectors, redactOptions, resolveOptions } from "./index.ts";

const demo: Connector = {
  name: "demo",
  summary: "",
  optionPrefixes: ["demo."],
  options: [
    {
      name: "address",
      for: ["source", "sink"],
      type: "string",
      required: true,
      env: "DEMO_ADDRESS",
      doc: "Where it is.",
    },
    { name: "maxRows", for: ["source"], type: "int", default: "10", doc: "Rows at once." },
    { name: "strict", for: ["source"], type: "boolean", doc: "Whether to be strict." },
    { name: "every", for: ["source"], type: "duration", doc: "How often." },
    { name: "kind", for: ["sink"], type: "string", values: ["upsert", "append"], doc: "How." },
    { name: "offsets", for: ["source"], type: "json", doc: "From where." },
    { name: "password", for: ["source"], type: "string", secret: true, doc: "The password." },
  ],
};
const given = (options: Record<string, string>, side: "source" | "sink" = "source"): Record<string, string> => ({
  ...resolveOptions(demo, { address: "x", ...options }, side, {}),
});

test("names in any case, defaults, pass-through", () => {
  expect(given({ MAXROWS: "5", STRICT: "TRUE", "demo.Some.Thing": "1", path: "/p", checkpointLocation: "/c" })).toEqual(
    {
      address: "x",
      maxRows: "5",
      strict: "true",
      "demo.Some.Thing": "1",
    },
  );
  expect(given({ kind: "UPSERT" }, "sink")).toEqual({ address: "x", kind: "upsert" });
});

test("the environment supplies what is not given", () => {
  expect(resolveOptions(demo, {}, "sink", { DEMO_ADDRESS: "env" })).toEqual({ address: "env" });
  expect(resolveOptions(demo, { address: "given" }, "sink", { DEMO_ADDRESS: "env" })).toEqual({ address: "given" });
  expect(() => resolveOptions(demo, {}, "sink", { DEMO_ADDRESS: "" })).toThrow(
    '[MISSING_OPTION] Format `demo` needs the option `address`: Where it is. Set it with .option("address", ...) or the environment variable DEMO_ADDRESS.',
  );
});

test.each([
  [{ maxRow: "5" }, "[UNKNOWN_OPTION] Format `demo` has no source option `maxRow`. Did you mean `maxRows`?"],
  [{ kind: "upsert" }, "(it is one for the sink)"],
  [{ maxRows: "many" }, '[INVALID_OPTION] The option `maxRows` of format `demo` is a whole number, not "many".'],
  [{ strict: "yes" }, "true or false"],
  [{ every: "soon" }, "a duration such as"],
  [{ offsets: "{" }, "is JSON"],
])("%j is refused", (options, message) => {
  expect(() => given(options as unknown as Record<string, string>)).toThrow(message);
});

test("a value out of a list is refused with the nearest", () => {
  expect(() => given({ kind: "upsrt" }, "sink")).toThrow("Did you mean upsert? It is one of upsert, append.");
});

test("durations", () => {
  for (const every of ["10 seconds", "500 milliseconds", "1 minute 30 seconds", "5s", "100ms", "2 hours"]) {
    expect(given({ every }).every).toBe(every);
  }
});

test("secrets are not shown", () => {
  expect(
    redactOptions(demo, { Password: "a", "demo.sasl.jaas.config": "b", address: "postgres://me:pw@host/db" }),
  ).toEqual({
    Password: "***",
    "demo.sasl.jaas.config": "***",
    address: "postgres://me:***@host/db",
  });
  expect(() =>
    resolveOptions({ ...demo, options: [{ ...demo.options[1]!, secret: true }] }, { maxRows: "hunter2" }, "source", {}),
  ).toThrow(/^(?!.*hunter2)/);
});

test("every format is found by its name and aliases, in any case", () => {
  for (const c of connectors)
    for (const name of [c.name, ...(c.aliases ?? [])]) expect(connectorFor(name.toUpperCase())).toBe(c);
  expect(new Set(connectors.map((c) => c.name)).size).toBe(connectors.length);
  expect(() => connectorFor("kafak")).toThrow(
    "[DATA_SOURCE_NOT_FOUND] Failed to find the data source: `kafak`. Did you mean `kafka`?",
  );
});
