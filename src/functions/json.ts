import { MillraceError } from "../errors.ts";
import type { ArgumentType } from "../plan/resolved.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlString, sqlType } from "../types/duckdb-types.ts";
import { decimalText, doubleText, floatText } from "../types/number-text.ts";
import { toSparkJson } from "../types/struct-json.ts";
import { formatFunctions } from "./datetime-format.ts";
import {
  type FunctionDef,
  family,
  type NativeCall,
  nativeFunction,
  type SqlTypes,
  tried,
  triedBoth,
} from "./define.ts";
import { fromJson, hasSameNames, OPTIONS, SAME_NAMES, schemaLiteral } from "./from-json.ts";
import { intervalToString } from "./interval-text.ts";
import { repairJson } from "./json-convert.ts";
import { getJsonObject, inferJson, jsonSchema, leadingJson, pretty } from "./json-native.ts";
import { any, constant, INT, notConstant, opt, param, pattern, rest, STRING, string } from "./params.ts";
import { dateText, isoText } from "./time-text.ts";
import { local } from "./zone.ts";

const fn = family("json");
const dateFormat = formatFunctions.find((f) => f.name === "date_format")!;

/** Text as it is; nothing else becomes text here. */
const strictString = param('"STRING"', ({ type }) =>
  type.kind === "string" || type.kind === "null" ? STRING : undefined,
);
const options = param('"MAP<STRING, STRING>"', ({ type }) =>
  type.kind === "map" && type.keyType.kind === "string" && type.valueType.kind === "string" ? OPTIONS : undefined,
);

/** A path of names and positions only as DuckDB writes it; undefined for others. */
function simplePath(path: string): string | undefined {
  const parts = /^\$((?:\.[^.[\]*'"\\\s]+|\['[^'?"\\*]+'\]|\[\d+\])*)$/.exec(path);
  if (parts === null) return undefined;
  return `$${parts[1]!.replace(/\.([^.[]+)|\['([^']+)'\]/g, (_, a, b) => `."${a ?? b}"`)}`;
}

const jsonTuple = (fields: readonly ArgumentType[]): DataType => ({
  kind: "array",
  elementType: {
    kind: "struct",
    fields: fields.map((_, i) => ({ name: `c${i}`, type: STRING, nullable: true })),
  },
  containsNull: false,
});

function noInput(name: string): MillraceError {
  return new MillraceError(
    "DATATYPE_MISMATCH.UNEXPECTED_NULL",
    `Cannot resolve "${name}" due to data type mismatch: The input must not be null.`,
  );
}

export const jsonFunctions: readonly FunctionDef[] = [
  fn(
    "from_json",
    [strictString, constant(any), opt(options)],
    (_, args) => schemaLiteral("from_json", args[1]),
    [`from_json('{"a":1, "b":0.8}', 'a INT, b DOUBLE')`, { a: 1, b: 0.8 }],
    ([text, , given], { result, timeZone }, call) => {
      const corrupt = result.kind === "struct" && result.fields.some((f) => f.name === "_corrupt_record");
      const repaired = call(
        repairJson,
        [
          { sql: text!, type: STRING },
          { sql: sqlString(JSON.stringify(toSparkJson(result))), type: STRING },
          { sql: given ?? "NULL", type: OPTIONS },
          { sql: sqlString(timeZone ?? "UTC"), type: STRING },
        ],
        STRING,
      );
      return fromJson({ text: text!, repaired, always: given !== undefined || corrupt }, result);
    },
    {
      nullable: "always",
      differences: [
        { reason: SAME_NAMES, when: (args) => hasSameNames(schemaLiteral("from_json", args[1])) },
        {
          reason:
            "Of a name that is there twice in an object the first value counts, in Spark the last: looking for such names would take longer than reading the record. RFC 8259 leaves the meaning open.",
          when: () => false,
        },
        {
          reason:
            "A comma behind the last member is read over; Spark takes such a record for malformed. DuckDB's parser allows it.",
          when: () => false,
        },
      ],
    },
  ),
  fn(
    "to_json",
    [any, opt(options)],
    STRING,
    ["to_json(named_struct('a', 1, 'b', 2))", '{"a":1,"b":2}'],
    ([x, given], types, call) => {
      const text = `CASE WHEN ${x} IS NOT NULL THEN ${new JsonWriter(types, call, given).value(x!, types.args[0]!)} END`;
      if (given === undefined) return text;
      const args = [
        { sql: text, type: STRING },
        { sql: `coalesce(lower(map_extract_value(${given}, 'pretty')) = 'true', false)`, type: { kind: "boolean" } },
      ] as const;
      return call(pretty, args, STRING);
    },
    {
      nullable: "always",
      coerce: ([t, o]) => {
        if (["struct", "array", "map", "null"].includes(t!.kind)) return [t, o];
        throw new MillraceError(
          "DATATYPE_MISMATCH.INVALID_JSON_SCHEMA",
          `Cannot resolve "to_json" due to data type mismatch: Input schema "${sqlName(t!)}" must be a struct, an array, a map or a variant.`,
        );
      },
    },
  ),
  fn(
    "get_json_object",
    [string, pattern],
    STRING,
    [`get_json_object('{"a":"b"}', '$.a')`, "b"],
    ([j, p], { literals }, call) => {
      const literal = literals?.[1];
      const path = typeof literal === "string" ? simplePath(literal) : undefined;
      if (path !== undefined) return ofFirstValue(j!, call, (x) => `json_extract_string(${x}, ${sqlString(path)})`);
      const args = [j!, p!].map((sql) => ({ sql, type: STRING }));
      return call(getJsonObject, args, STRING);
    },
    { nullable: "always" },
  ),
  fn(
    "json_tuple",
    [string, string, rest(string)],
    (_, args) => jsonTuple(args.slice(1)),
    [`json_tuple('{"a":1, "b":2}', 'a', 'b')`, [["1", "2"]]],
    ([j, ...fields], _, call) => {
      const items = fields.map((f, i) => {
        const both = (json: string, use: (x: string) => string): string =>
          triedBoth(json, f, (x, y) => `json_extract_string(${use(x)}, '$."' || ${y} || '"')`);
        return `c${i} := ${ofFirstValue(j!, call, (x) => x, both)}`;
      });
      return `[struct_pack(${items.join(", ")})]`;
    },
    { kind: "generator", nullable: "always" },
  ),
  fn(
    "json_array_length",
    [string],
    INT,
    ["json_array_length('[1,2,3,4]')", 4],
    ([j], _, call) =>
      ofFirstValue(
        j!,
        call,
        (x) => `CASE WHEN json_type(${x}) = 'ARRAY' THEN CAST(json_array_length(${x}) AS INTEGER) END`,
      ),
    { nullable: "always" },
  ),
  fn(
    "json_object_keys",
    [string],
    { kind: "array", elementType: STRING, containsNull: true },
    [`json_object_keys('{"key": "value"}')`, ["key"]],
    ([j], _, call) => ofFirstValue(j!, call, (x) => `CASE WHEN json_type(${x}) = 'OBJECT' THEN json_keys(${x}) END`),
    { nullable: "always" },
  ),
  fn(
    "schema_of_json",
    [constant(strictString), opt(options)],
    STRING,
    [`schema_of_json('[{"col":0}]')`, "ARRAY<STRUCT<col: BIGINT>>"],
    ([j, given], _, call) =>
      call(
        inferJson,
        [
          { sql: j!, type: STRING },
          { sql: given ?? "NULL", type: OPTIONS },
        ],
        STRING,
      ),
    {
      nullable: "never",
      constant: ([text, given]) => jsonSchema(String(text), given as never),
      coerce: (types, args) => {
        if (!args[0]!.foldable) throw notConstant("schema_of_json", "json");
        if (args[0]!.type.kind === "null" || args[0]!.literal === null) throw noInput("schema_of_json");
        return types;
      },
    },
  ),
];

/** What `use` makes of the first value in a text; Spark reads no further. Null where there is none. */
function ofFirstValue(json: string, call: NativeCall, use: (x: string) => string, attempt = tried): string {
  const whole = attempt(json, (x) => use(strict(x)));
  const first = attempt(call(leadingJson, [{ sql: json, type: STRING }], STRING), use);
  return `coalesce(${whole}, CASE WHEN NOT json_valid(${json}) THEN ${first} END)`;
}

/** Words that DuckDB takes for numbers and JSON has not. */
const NO_NUMBERS = ["NaN", "nan", "Inf", "inf"];

/** Null for a text with NaN or Infinity outside of strings, which Spark takes for malformed but in `from_json`. */
function strict(json: string): string {
  const suspect = NO_NUMBERS.map((word) => `contains(${json}, '${word}')`).join(" OR ");
  const bare = `regexp_replace(${json}, '"(?:[^"\\\\]|\\\\.)*"', '', 'g')`;
  return `CASE WHEN ${suspect} THEN CASE WHEN NOT regexp_matches(${bare}, '(?i)nan|inf') THEN ${json} END ELSE ${json} END`;
}

const doubleNative = nativeFunction("to_json", doubleText);
const floatNative = nativeFunction("to_json", floatText);
const decimalNative = nativeFunction("to_json", decimalText);

/** JSON text with Spark's forms of values. Fields that are null are left out. */
export class JsonWriter {
  readonly #types: SqlTypes;
  readonly #call: NativeCall;
  readonly #options: string | undefined;

  constructor(types: SqlTypes, call: NativeCall, given: string | undefined) {
    this.#types = types;
    this.#call = call;
    this.#options = given;
  }

  #option(name: string): string {
    return `map_extract_value(${this.#options}, '${name}')`;
  }

  /** A map's key as text: times as Spark keeps them, in days or microseconds. */
  #key(x: string, type: DataType): string {
    switch (type.kind) {
      case "date":
        return `CAST(${x} - DATE '1970-01-01' AS VARCHAR)`;
      case "timestamp":
      case "timestamp_ntz":
      case "interval_day_time":
        return `CAST(epoch_us(${x}) AS VARCHAR)`;
      case "float":
      case "double":
        return `trim(${this.value(x, type)}, '"')`;
      default:
        return `CAST(${x} AS VARCHAR)`;
    }
  }

  value(x: string, type: DataType, depth = 0): string {
    switch (type.kind) {
      case "struct": {
        const keep = this.#options && `lower(${this.#option("ignoreNullFields")}) = 'false'`;
        const parts = type.fields.map((f) => {
          const v = `struct_extract(${x}, ${sqlString(f.name)})`;
          const key = sqlString(`${JSON.stringify(f.name)}:`);
          const none = keep === undefined ? "" : ` WHEN ${keep} THEN ${key} || 'null'`;
          return `CASE WHEN ${v} IS NOT NULL THEN ${key} || ${this.value(v, f.type, depth)}${none} END`;
        });
        return parts.length === 0 ? `'{}'` : `('{' || concat_ws(',', ${parts.join(", ")}) || '}')`;
      }
      case "array": {
        const e = `e${depth}`;
        const item = `CASE WHEN ${e} IS NULL THEN 'null' ELSE ${this.value(e, type.elementType, depth + 1)} END`;
        return `('[' || array_to_string(list_transform(${x}, lambda ${e}: ${item}), ',') || ']')`;
      }
      case "map": {
        const e = `e${depth}`;
        const value = `CASE WHEN ${e}.value IS NULL THEN 'null' ELSE ${this.value(`${e}.value`, type.valueType, depth + 1)} END`;
        return `('{' || array_to_string(list_transform(map_entries(${x}), lambda ${e}: CAST(to_json(${this.#key(`${e}.key`, type.keyType)}) AS VARCHAR) || ':' || ${value}), ',') || '}')`;
      }
      case "float":
      case "double": {
        const single = type.kind === "float";
        const slow = this.#call(single ? floatNative : doubleNative, [{ sql: x, type }], STRING);
        const plain = `${x} = 0 OR (abs(${x}) >= 0.001 AND abs(${x}) < 10000000)`;
        return `CASE WHEN ${plain} THEN CAST(${x} AS VARCHAR) WHEN isfinite(${x}) THEN ${slow} ELSE '"' || ${slow} || '"' END`;
      }
      case "decimal":
        if (type.scale <= 6) return `CAST(${x} AS VARCHAR)`;
        return `CASE WHEN abs(${x}) >= 0.000001 THEN CAST(${x} AS VARCHAR) ELSE ${this.#call(decimalNative, [{ sql: `CAST(${x} AS VARCHAR)`, type: STRING }], STRING)} END`;
      case "interval_day_time":
      case "interval_year_month":
        return `('"' || ${intervalToString(x, type)} || '"')`;
      case "date":
        return this.#time(x, type, "dateFormat", `'"' || ${dateText(x)} || '"'`);
      case "timestamp": {
        const wall = local(x, this.#types.timeZone);
        const offset = `((epoch_us(${wall}) - epoch_us(${x})) // 1000000)`;
        const zone = `CASE WHEN ${offset} = 0 THEN 'Z' ELSE printf('%s%02d:%02d', CASE WHEN ${offset} < 0 THEN '-' ELSE '+' END, CAST(abs(${offset}) // 3600 AS INTEGER), CAST(abs(${offset}) // 60 % 60 AS INTEGER)) END`;
        return this.#time(x, type, "timestampFormat", `'"' || ${isoText(wall)} || ${zone} || '"'`);
      }
      case "timestamp_ntz":
        return this.#time(x, type, "timestampNTZFormat", `'"' || ${isoText(x)} || '"'`);
      case "binary":
        return `'"' || to_base64(${x}) || '"'`;
      case "null":
        return "'null'";
      case "string":
        return `CAST(to_json(${x}) AS VARCHAR)`;
      default:
        return `CAST(${x} AS VARCHAR)`;
    }
  }

  #time(x: string, type: DataType, name: string, plain: string): string {
    if (this.#options === undefined) return `(${plain})`;
    const pattern = this.#option(name);
    const instant = type.kind === "timestamp" ? x : `CAST(${x} AS ${sqlType({ kind: "timestamp" })})`;
    const types: SqlTypes = {
      ...this.#types,
      args: [{ kind: "timestamp" }, STRING],
      result: STRING,
      literals: [undefined, undefined],
    };
    const text = dateFormat.sql!([`(${instant})`, `(${pattern})`], types, this.#call);
    return `CASE WHEN ${pattern} IS NULL THEN ${plain} ELSE CAST(to_json(${text}) AS VARCHAR) END`;
  }
}
