import { MillraceError, nearest } from "../../errors.ts";
import type { DataType, StructType } from "../../types/data-type.ts";
import { quoteIdentifier, sqlString } from "../../types/duckdb-types.ts";
import type { Options } from "../connector.ts";
import { durationMs } from "../duration.ts";

/** How rows lie in the cache, read from the sink's options. */
export interface Layout {
  /** Texts and columns by turns: `airport:{origin}` is ["airport:", "origin", ""]. */
  readonly keyParts: readonly string[];
  /** As a person writes it. */
  readonly keyLabel: string;
  readonly type: "hash" | "string";
  readonly fields: readonly string[];
  readonly ttlMs: number | undefined;
  readonly version: string | undefined;
  readonly rowsPerTransaction: number;
}

/** The hash field, or the suffix of the key beside a string, that holds the version of what is written there. */
export const VERSION = "_version";

/** @throws MillraceError MISSING_OPTION, INVALID_OPTION */
export function layoutOf(options: Options, schema: StructType): Layout {
  const key = options.key ?? "";
  if (key === "") {
    throw new MillraceError("MISSING_OPTION", "The format redis needs the option key.", {
      hint: 'Give a template such as option("key", "airport:{origin}").',
      parameters: { option: "key" },
    });
  }
  const prefix = options.keyPrefix ?? "";
  let keyParts: string[];
  if (key.includes("{")) {
    keyParts = `${prefix}${key}`.split(/\{([^{}]*)\}/);
    if (keyParts.some((part, i) => i % 2 === 0 && /[{}]/.test(part))) {
      throw new MillraceError(
        "INVALID_OPTION",
        `The option key is ${JSON.stringify(key)}, whose braces do not match.`,
        {
          hint: "Give a template such as airport:{origin}.",
          parameters: { option: "key" },
        },
      );
    }
  } else {
    keyParts = [prefix];
    for (const [i, name] of list(key).entries()) keyParts.push(name, i === list(key).length - 1 ? "" : ":");
  }
  const known = schema.fields.map((f) => f.name);
  const keyColumns = keyParts.filter((_, i) => i % 2 === 1);
  const check = (option: string, names: readonly string[]): void => {
    for (const name of names) {
      if (known.includes(name)) continue;
      const close = nearest(name, known);
      throw new MillraceError(
        "INVALID_OPTION",
        `The option ${option} names the column ${JSON.stringify(name)}; the rows have ${known.join(", ")}.`,
        {
          hint: close === undefined ? "Name a column of the query's result." : `Did you mean ${close}?`,
          parameters: { option },
        },
      );
    }
  };
  check("key", keyColumns);
  if (keyColumns.length === 0) {
    throw new MillraceError("INVALID_OPTION", `The option key is ${JSON.stringify(key)} and names no column.`, {
      hint: "Every row would overwrite the same key: give a template such as airport:{origin}.",
      parameters: { option: "key" },
    });
  }
  const fields = options.fields === undefined ? known : list(options.fields);
  check("fields", fields);
  const version = options.version === undefined || options.version === "" ? undefined : options.version;
  if (version !== undefined) {
    check("version", [version]);
    versionKind(schema.fields.find((f) => f.name === version)!.type);
  }
  const type = (options.type ?? "hash").toLowerCase();
  if (type !== "hash" && type !== "string") {
    throw new MillraceError("INVALID_OPTION", `The option type is ${JSON.stringify(options.type)}.`, {
      hint: "Valid values are hash and string (one JSON object).",
      parameters: { option: "type" },
    });
  }
  return {
    keyParts,
    keyLabel: keyParts.map((part, i) => (i % 2 === 1 ? `{${part}}` : part)).join(""),
    type,
    fields,
    ttlMs: options.ttl === undefined ? undefined : Math.max(1, durationMs("ttl", options.ttl)),
    version,
    rowsPerTransaction: Math.max(1, Number(options.batchsize ?? 500)),
  };
}

function list(text: string): string[] {
  return text
    .split(",")
    .map((n) => n.trim())
    .filter((n) => n !== "");
}

/** How two versions compare: as numbers, or as texts of equal length and rising order. @throws MillraceError INVALID_OPTION */
export function versionKind(type: DataType): "number" | "text" {
  switch (type.kind) {
    case "byte":
    case "short":
    case "integer":
    case "long":
    case "float":
    case "double":
    case "decimal":
      return "number";
    case "string":
    case "date":
    case "timestamp":
    case "timestamp_ntz":
      return "text";
    default:
      throw new MillraceError(
        "INVALID_OPTION",
        `The option version names a column of type ${type.kind}, which has no order.`,
        {
          hint: "Use a column of a number, date, timestamp or text.",
          parameters: { option: "version" },
        },
      );
  }
}

/** True when `candidate` may overwrite `held`: it is not older. A row without a version only fills an empty place. */
export function mayOverwrite(kind: "number" | "text", candidate: string | null, held: string | null): boolean {
  if (held === null) return true;
  if (candidate === null) return false;
  if (kind === "text") return Buffer.compare(Buffer.from(candidate), Buffer.from(held)) >= 0;
  const integer = /^-?\d+$/;
  if (integer.test(candidate) && integer.test(held)) return BigInt(candidate) >= BigInt(held);
  return Number(candidate) >= Number(held);
}

/**
 * DuckDB SQL over `batch`: key, version, and the fields as texts (hash) or one JSON object (string). Of several rows of one key only the
 * newest comes out: the highest version, and the last of equal ones.
 */
export function rowsSql(layout: Layout, schema: StructType): string {
  const types = new Map(schema.fields.map((f) => [f.name, f.type]));
  const key = layout.keyParts
    .map((part, i) => (i % 2 === 0 ? sqlString(part) : text(part, types.get(part)!)))
    .filter((part) => part !== "''")
    .join(" || ");
  const version = layout.version === undefined ? "NULL" : versionText(layout.version, types.get(layout.version)!);
  const values =
    layout.type === "hash"
      ? layout.fields.map((name) => text(name, types.get(name)!))
      : [
          `CAST(json_merge_patch('{}', json_object(${layout.fields
            .map((name) => `${sqlString(name)}, ${jsonValue(name, types.get(name)!)}`)
            .join(", ")})) AS VARCHAR)`,
        ];
  // Two aggregations are far cheaper than a window over all rows of every key.
  const numbered = `(SELECT *, row_number() OVER () AS "~n" FROM batch)`;
  const newest =
    layout.version === undefined
      ? `SELECT max("~n") FROM ${numbered} GROUP BY ${key}`
      : `WITH k AS MATERIALIZED (SELECT ${key} AS k, ${quoteIdentifier(layout.version)} AS v, "~n" FROM ${numbered}),
          m AS (SELECT k, max(v) AS v FROM k GROUP BY k)
        SELECT max(k."~n") FROM k JOIN m ON k.k IS NOT DISTINCT FROM m.k AND k.v IS NOT DISTINCT FROM m.v GROUP BY k.k`;
  return `SELECT ${key} AS "~key", CAST(${version} AS VARCHAR) AS "~version", ${values.map((v, i) => `${v} AS "~${i}"`).join(", ")}
    FROM ${numbered} WHERE "~n" IN (${newest}) ORDER BY "~n"`;
}

/** Timestamps as ISO 8601 in UTC with a fraction only where there is one; nested values as JSON; bytes as base64. */
function text(name: string, type: DataType): string {
  const column = quoteIdentifier(name);
  switch (type.kind) {
    case "string":
      return column;
    case "timestamp":
      return isoText(`timezone('UTC', ${column})`, "Z");
    case "timestamp_ntz":
      return isoText(column, "");
    case "binary":
      return `to_base64(${column})`;
    case "array":
    case "map":
    case "struct":
      return `CAST(to_json(${column}) AS VARCHAR)`;
    default:
      return `CAST(${column} AS VARCHAR)`;
  }
}

function isoText(timestamp: string, zone: string): string {
  return `CASE WHEN microsecond(${timestamp}) % 1000000 = 0 THEN strftime(${timestamp}, '%Y-%m-%dT%H:%M:%S${zone}')
    ELSE strftime(${timestamp}, '%Y-%m-%dT%H:%M:%S.%f${zone}') END`;
}

function jsonValue(name: string, type: DataType): string {
  switch (type.kind) {
    case "timestamp":
    case "timestamp_ntz":
    case "binary":
      return text(name, type);
    case "float":
    case "double": {
      // JSON has no NaN and no infinity.
      const column = quoteIdentifier(name);
      return `CASE WHEN isfinite(${column}) THEN ${column} END`;
    }
    default:
      return quoteIdentifier(name);
  }
}

/** A version as text that compares like the value: timestamps always with six digits. */
function versionText(name: string, type: DataType): string {
  const column = quoteIdentifier(name);
  if (type.kind === "timestamp") return `strftime(timezone('UTC', ${column}), '%Y-%m-%dT%H:%M:%S.%fZ')`;
  if (type.kind === "timestamp_ntz") return `strftime(${column}, '%Y-%m-%dT%H:%M:%S.%f')`;
  return `CAST(${column} AS VARCHAR)`;
}
