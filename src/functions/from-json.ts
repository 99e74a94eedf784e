import { MillraceError } from "../errors.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { parseDdl, parseType } from "../types/ddl.ts";
import { quoteIdentifier, sqlString, sqlType } from "../types/duckdb-types.ts";
import { fromSparkJson } from "../types/struct-json.ts";

/** Options of a reader or writer. */
export const OPTIONS: DataType = {
  kind: "map",
  keyType: { kind: "string" },
  valueType: { kind: "string" },
  valueContainsNull: true,
};

/** The type that a schema literal names: DDL, or Spark's JSON form as the DataFrame API sends it. */
export function schemaLiteral(name: string, arg: ArgumentType | undefined): DataType {
  const text = arg?.literal;
  if (typeof text !== "string") {
    throw new MillraceError(
      "INVALID_SCHEMA.NON_STRING_LITERAL",
      `The input schema of \`${name}\` is not a string literal and not supported.`,
      {
        hint: 'Give schema({...}) or DDL text such as "a INT, b STRING".',
      },
    );
  }
  if (/^\s*[{"]/.test(text)) return nullable(fromSparkJson(text));
  try {
    return nullable(parseDdl(text));
  } catch (error) {
    // from_json also takes a bare type, as in from_json(x, 'array<int>').
    try {
      return nullable(parseType(text));
    } catch {
      throw error;
    }
  }
}

/** What is read from text may always be missing. */
export function nullable(type: DataType): DataType {
  switch (type.kind) {
    case "struct":
      return { kind: "struct", fields: type.fields.map((f) => ({ ...f, type: nullable(f.type), nullable: true })) };
    case "array":
      return { kind: "array", elementType: nullable(type.elementType), containsNull: true };
    case "map":
      return { kind: "map", keyType: type.keyType, valueType: nullable(type.valueType), valueContainsNull: true };
    default:
      return type;
  }
}

/** How DuckDB reads a type from JSON, and what is left to do to its value to get Spark's. */
interface Reading {
  /** For json_transform. */
  readonly structure: unknown;
  /** SQL of the value; `path` is where it stands in the text `x.t`, where that is known. */
  readonly fix?: (x: string, path: string | undefined) => string;
}

/** A whole number has to be written as one: `"1"`, `1.0` and `1e2` are none. */
const wholeNumber = (x: string, type: string): string => {
  const text = `CAST(${x} AS VARCHAR)`;
  const value = `TRY_CAST(${text} AS ${type})`;
  return `CASE WHEN CAST(${value} AS VARCHAR) = ${text} OR ${text} = '-0' THEN ${value} END`;
};

/** A number has to be written as one, but for NaN and the infinities. */
const fraction = (x: string): string => {
  const text = `CAST(${x} AS VARCHAR)`;
  return `CASE WHEN starts_with(${text}, '"') THEN CASE ${text} WHEN '"NaN"' THEN CAST('NaN' AS DOUBLE) WHEN '"Infinity"' THEN CAST('Infinity' AS DOUBLE) WHEN '"+INF"' THEN CAST('Infinity' AS DOUBLE) WHEN '"-Infinity"' THEN CAST('-Infinity' AS DOUBLE) WHEN '"-INF"' THEN CAST('-Infinity' AS DOUBLE) END ELSE TRY_CAST(${text} AS DOUBLE) END`;
};

function reading(type: DataType, utc: boolean): Reading {
  switch (type.kind) {
    case "struct": {
      const fields = type.fields.map((f) => ({ name: f.name, ...reading(f.type, utc) }));
      const structure = Object.fromEntries(fields.map((f) => [f.name, f.structure]));
      return {
        structure,
        fix: (x, path) => {
          const value = rebuilt(fields, x, path);
          if (path === undefined || fields.length === 0) return `CASE WHEN ${x} IS NOT NULL THEN ${value} END`;
          // DuckDB makes a struct of nulls of what is none.
          const some = fields.map((f) => `${x}.${quoteIdentifier(f.name)} IS NOT NULL`).join(" OR ");
          return `CASE WHEN ${some} OR (${x} IS NOT NULL AND TRY(json_type(j.t, ${sqlString(path)})) = 'OBJECT') THEN ${value} END`;
        },
      };
    }
    case "array": {
      const { structure, fix } = reading(type.elementType, utc);
      if (fix === undefined) return { structure: [structure] };
      return {
        structure: [structure],
        fix: (x) => {
          const values = `list_transform(${x}, lambda e: ${fix("e", undefined)})`;
          if (!isLeaf(type.elementType)) return values;
          // One element that does not fit spoils the array.
          const bad = `len(list_filter(${x}, lambda e: e IS NOT NULL AND CAST(e AS VARCHAR) <> 'null' AND (${fix("e", undefined)}) IS NULL)) > 0`;
          return `CASE WHEN ${bad} THEN NULL ELSE ${values} END`;
        },
      };
    }
    case "map": {
      const { structure, fix } = reading(type.valueType, utc);
      if (fix === undefined || !isLeaf(type.valueType)) return { structure: sqlType(type) };
      const holder = `MAP(VARCHAR, ${structure === "JSON" ? "JSON" : String(structure)})`;
      return {
        structure: holder,
        fix: (x) => {
          const entries = `map_entries(${x})`;
          const bad = `len(list_filter(${entries}, lambda e: e.value IS NOT NULL AND CAST(e.value AS VARCHAR) <> 'null' AND (${fix("e.value", undefined)}) IS NULL)) > 0`;
          const values = `map_from_entries(list_transform(${entries}, lambda e: struct_pack("key" := e.key, "value" := ${fix("e.value", undefined)})))`;
          return `CASE WHEN ${bad} THEN NULL ELSE CAST(${values} AS ${sqlType(type)}) END`;
        },
      };
    }
    case "byte":
      // Jackson takes an unsigned byte too.
      return {
        structure: "JSON",
        fix: (x) => {
          const v = wholeNumber(x, "SMALLINT");
          return `CAST(CASE WHEN (${v}) BETWEEN -128 AND 127 THEN (${v}) WHEN (${v}) BETWEEN 128 AND 255 THEN (${v}) - 256 END AS TINYINT)`;
        },
      };
    case "short":
    case "integer":
    case "long":
      return { structure: "JSON", fix: (x) => wholeNumber(x, sqlType(type)) };
    case "double":
      return { structure: "JSON", fix: fraction };
    case "float":
      return {
        structure: "JSON",
        fix: (x) =>
          `CASE WHEN abs(${fraction(x)}) >= 3.4028235677973366e38 AND isfinite(${fraction(x)}) THEN CAST(CASE WHEN ${fraction(x)} > 0 THEN 'inf' ELSE '-inf' END AS FLOAT) ELSE CAST(${fraction(x)} AS FLOAT) END`,
      };
    case "boolean":
      return {
        structure: "JSON",
        fix: (x) => `CASE CAST(${x} AS VARCHAR) WHEN 'true' THEN true WHEN 'false' THEN false END`,
      };
    case "decimal":
      return {
        structure: "JSON",
        fix: (x) => `TRY_CAST(replace(trim(CAST(${x} AS VARCHAR), '"'), ',', '') AS ${sqlType(type)})`,
      };
    case "timestamp": {
      // json_transform reads a time without zone as UTC; a cast reads it in the session's zone, but takes longer.
      const value = (x: string): string =>
        utc ? finite(x) : finite(`TRY_CAST(trim(${x}) AS TIMESTAMP WITH TIME ZONE)`);
      return {
        structure: utc ? sqlType(type) : "VARCHAR",
        fix: (x, path) => {
          // A number says seconds; it is looked for only where there is no time.
          if (path === undefined) return value(x);
          const seconds = `CASE WHEN TRY(json_type(j.t, ${sqlString(path)})) IN ('BIGINT', 'UBIGINT') THEN make_timestamptz(TRY_CAST(json_extract_string(j.t, ${sqlString(path)}) AS BIGINT) * 1000000) END`;
          return utc
            ? `CASE WHEN ${x} IS NOT NULL THEN ${value(x)} ELSE ${seconds} END`
            : `coalesce(${value(x)}, ${seconds})`;
        },
      };
    }
    case "timestamp_ntz":
      return {
        structure: "VARCHAR",
        fix: (x) => finite(`CASE WHEN NOT regexp_matches(${x}, 'Z$|:.*[+-]') THEN TRY_CAST(${x} AS TIMESTAMP) END`),
      };
    case "date":
      return { structure: sqlType(type), fix: finite };
    case "binary":
      return { structure: "VARCHAR", fix: (x) => `TRY(from_base64(${x}))` };
    default:
      return { structure: sqlType(type) };
  }
}

/** A value of its own, which fits or does not. */
const isLeaf = (type: DataType): boolean => !["struct", "array", "map", "string"].includes(type.kind);

/** DuckDB knows an infinite time, Spark does not. */
const finite = (x: string): string => `CASE WHEN isfinite(${x}) THEN ${x} END`;

const hasTimestamp = (type: DataType): boolean =>
  type.kind === "timestamp" ||
  (type.kind === "struct" && type.fields.some((f) => hasTimestamp(f.type))) ||
  (type.kind === "array" && hasTimestamp(type.elementType));

function rebuilt(
  fields: readonly (Reading & { readonly name: string })[],
  x: string,
  path: string | undefined,
): string {
  const items = fields.map((f) => {
    const value = `${x}.${quoteIdentifier(f.name)}`;
    const inner = path === undefined || /["\\]/.test(f.name) ? undefined : `${path}."${f.name}"`;
    return `${quoteIdentifier(f.name)} := ${f.fix ? f.fix(value, inner) : value}`;
  });
  return `struct_pack(${items.join(", ")})`;
}

export interface Source {
  readonly text: string;
  /** SQL of the record as JSON that DuckDB reads as Spark reads the text. */
  readonly repaired: string;
  /** Every record goes that way. */
  readonly always: boolean;
}

/**
 * The fast way is DuckDB's parser; what it cannot read, and everything where options are given, is brought into its form in TypeScript
 * first. The values are put right inside a lambda, so that the text is parsed once.
 */
export function fromJson(source: Source, type: DataType): string {
  if (!hasTimestamp(type)) return parsed(source, type, true);
  // The setting is a constant of the connection: one branch is left when the query is planned.
  return `CASE WHEN current_setting('TimeZone') IN ('UTC', 'Etc/UTC') THEN ${parsed(source, type, true)} ELSE ${parsed(source, type, false)} END`;
}

function parsed({ text, repaired, always }: Source, type: DataType, utc: boolean): string {
  const { structure, fix } = reading(type, utc);
  const shape = sqlString(JSON.stringify(structure));
  const exact = `from_json(${repaired}, ${shape})`;
  const json = always ? exact : `coalesce(TRY(from_json(${text}, ${shape})), ${exact})`;
  if (fix === undefined) return json;
  const given = always ? repaired : text;
  if (type.kind !== "struct")
    return `list_transform([{'v': ${json}, 't': ${given}}], lambda j: ${fix("j.v", undefined)})[1]`;
  const fields = type.fields.map((f) => ({ name: f.name, ...reading(f.type, utc) }));
  return `list_transform([{'v': ${json}, 't': ${given}}], lambda j: CASE WHEN j.v IS NOT NULL THEN ${rebuilt(fields, "j.v", "$")} END)[1]`;
}
