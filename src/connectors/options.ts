import { MillraceError, nearest } from "../errors.ts";
import { hideSecrets } from "../types/secrets.ts";
import type { Connector, OptionSpec, Options } from "./connector.ts";

type Side = "source" | "sink";

/** Options that belong to the reader or writer itself, whatever the format. */
const COMMON = new Set(["path", "checkpointlocation", "queryname"]);

/**
 * Checks the options given to `format(connector.name)` and completes them: Spark's spelling, defaults, environment. Names are matched
 * without regard to case; the last of two spellings wins. `path`, `checkpointLocation` and `queryName` are left to the caller.
 *
 * @throws MillraceError UNKNOWN_OPTION (with the nearest name), MISSING_OPTION, INVALID_OPTION
 * @example resolveOptions(kafka, { subscribe: "flights" }, "source") // { subscribe: "flights", "kafka.bootstrap.servers": "localhost:9092", ... }
 */
export function resolveOptions(
  connector: Connector,
  given: Readonly<Record<string, string>>,
  side: Side,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Options {
  const specs = connector.options.filter((o) => o.for.includes(side));
  const byName = new Map(specs.map((o) => [o.name.toLowerCase(), o]));
  const options: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) continue;
    const spec = byName.get(name.toLowerCase());
    if (spec !== undefined) {
      options[spec.name] = check(connector, spec, String(value));
      continue;
    }
    if (COMMON.has(name.toLowerCase())) continue;
    const prefix = connector.optionPrefixes?.find((p) => name.toLowerCase().startsWith(p.toLowerCase()));
    if (prefix !== undefined) {
      // As Spark: names are compared in lower case, `KAFKA.Security.Protocol` is `kafka.security.protocol`.
      options[prefix + name.slice(prefix.length)] = String(value);
      continue;
    }
    throw unknown(connector, name, side, specs);
  }
  for (const spec of specs) {
    if (options[spec.name] !== undefined) continue;
    const fallback = (spec.env !== undefined ? environment[spec.env] || undefined : undefined) ?? spec.default;
    if (fallback !== undefined) options[spec.name] = check(connector, spec, fallback);
    else if (spec.required) {
      throw new MillraceError(
        "MISSING_OPTION",
        `Format \`${connector.name}\` needs the option \`${spec.name}\`: ${spec.doc}`,
        {
          hint: `Set it with .option("${spec.name}", ...)${spec.env === undefined ? "" : ` or the environment variable ${spec.env}`}.`,
          parameters: { option: spec.name, format: connector.name },
        },
      );
    }
  }
  return Object.freeze(options);
}

function unknown(connector: Connector, name: string, side: Side, specs: readonly OptionSpec[]): MillraceError {
  const other = connector.options.find((o) => o.name.toLowerCase() === name.toLowerCase());
  const common = side === "sink" ? ["path", "checkpointLocation", "queryName"] : ["path"];
  const near = nearest(name, [...specs.map((o) => o.name), ...common]);
  const known = specs.map((o) => o.name).join(", ");
  return new MillraceError(
    "UNKNOWN_OPTION",
    `Format \`${connector.name}\` has no ${side} option \`${name}\`${other === undefined ? "" : ` (it is one for the ${side === "source" ? "sink" : "source"})`}.`,
    {
      hint:
        near !== undefined
          ? `Did you mean \`${near}\`?`
          : known === ""
            ? "It takes none."
            : `Its options are ${known}.`,
      parameters: { option: name, format: connector.name, ...(near !== undefined && { nearest: near }) },
    },
  );
}

const DURATION =
  /^\s*(?:interval\s+)?(?:\d+(?:\.\d+)?\s*(?:ns|us|ms|s|m|min|h|d|nanoseconds?|microseconds?|milliseconds?|seconds?|minutes?|hours?|days?|weeks?)?\s*)+$/i;

function check(connector: Connector, spec: OptionSpec, value: string): string {
  const fail = (what: string): never => {
    throw new MillraceError(
      "INVALID_OPTION",
      `The option \`${spec.name}\` of format \`${connector.name}\` is ${what}, not ${spec.secret ? "what was given" : JSON.stringify(value)}.`,
      { hint: spec.doc, parameters: { option: spec.name, format: connector.name } },
    );
  };
  if (spec.values !== undefined) {
    const match = spec.values.find((v) => v.toLowerCase() === value.trim().toLowerCase());
    if (match === undefined) {
      const near = nearest(value, spec.values);
      throw new MillraceError(
        "INVALID_OPTION",
        `The option \`${spec.name}\` of format \`${connector.name}\` cannot be ${JSON.stringify(value)}.`,
        {
          hint: `${near === undefined ? "" : `Did you mean ${near}? `}It is one of ${spec.values.join(", ")}.`,
          parameters: { option: spec.name, format: connector.name },
        },
      );
    }
    return match;
  }
  switch (spec.type) {
    case "int":
      return /^\s*[+-]?\d+\s*$/.test(value) ? String(BigInt(value.trim().replace(/^\+/, ""))) : fail("a whole number");
    case "boolean": {
      const text = value.trim().toLowerCase();
      return text === "true" || text === "false" ? text : fail("true or false");
    }
    case "duration":
      return DURATION.test(value) ? value.trim() : fail("a duration such as `10 seconds`");
    case "json":
      try {
        JSON.parse(value);
        return value;
      } catch {
        return fail("JSON");
      }
    case "string":
      return value;
  }
}

/** The options as they may be shown: secrets as `***`, also in pass-through options and in addresses. */
export function redactOptions(
  connector: Connector | undefined,
  options: Readonly<Record<string, string>>,
): Record<string, string> {
  return hideSecrets(
    options,
    connector?.options.filter((o) => o.secret).map((o) => o.name),
  );
}
