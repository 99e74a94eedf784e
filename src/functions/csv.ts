import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlString } from "../types/duckdb-types.ts";
import { toSparkJson } from "../types/struct-json.ts";
import { csvLine, csvSchema, csvToJson, inferCsv } from "./csv-native.ts";
import { type FunctionDef, family } from "./define.ts";
import { fromJson, OPTIONS, schemaLiteral } from "./from-json.ts";
import { JsonWriter } from "./json.ts";
import { any, BOOLEAN, constant, notConstant, opt, param, STRING } from "./params.ts";

const fn = family("csv");

const strictString = param('"STRING"', ({ type }) =>
  type.kind === "string" || type.kind === "null" ? STRING : undefined,
);
const options = param('"MAP<STRING, STRING>"', ({ type }) =>
  type.kind === "map" && type.keyType.kind === "string" && type.valueType.kind === "string" ? OPTIONS : undefined,
);
const structType = (type: DataType): DataType => {
  if (type.kind === "struct") return type;
  throw new MillraceError(
    "INVALID_SCHEMA.NON_STRUCT_TYPE",
    `The input schema of \`from_csv\` should be a struct type, but got "${sqlName(type)}".`,
  );
};

export const csvFunctions: readonly FunctionDef[] = [
  fn(
    "from_csv",
    [strictString, constant(any), opt(options)],
    (_, args) => structType(schemaLiteral("from_csv", args[1])),
    ["from_csv('1, 0.8', 'a INT, b DOUBLE')", { a: 1, b: 0.8 }],
    ([text, , given], { result, timeZone }, call) => {
      const json = call(
        csvToJson,
        [
          { sql: text!, type: STRING },
          { sql: sqlString(JSON.stringify(toSparkJson(result))), type: STRING },
          { sql: given ?? "NULL", type: OPTIONS },
          { sql: sqlString(timeZone ?? "UTC"), type: STRING },
        ],
        STRING,
      );
      const repaired = `CASE WHEN ${text} IS NOT NULL THEN ${json} END`;
      return fromJson({ text: text!, repaired, always: true }, result);
    },
    { nullable: ([text]) => text!.nullable },
  ),
  fn(
    "to_csv",
    [any, opt(options)],
    STRING,
    ["to_csv(named_struct('a', 1, 'b', 2))", "1,2"],
    ([x, given], types, call) => {
      const [t] = types.args;
      if (t?.kind !== "struct") return "CAST(NULL AS VARCHAR)";
      const writer = new JsonWriter(types, call, given);
      const texts = t.fields.map((f) => {
        const v = `struct_extract(${x}, ${sqlString(f.name)})`;
        if (f.type.kind === "string") return v;
        // Without the quotes that JSON puts around times and what is no number.
        return `CASE WHEN ${v} IS NOT NULL THEN trim(${writer.value(v, f.type)}, '"') END`;
      });
      const isText = `[${t.fields.map((f) => f.type.kind === "string").join(", ")}]`;
      return call(
        csvLine,
        [
          {
            sql: `CASE WHEN ${x} IS NOT NULL THEN [${texts.join(", ")}] END`,
            type: { kind: "array", elementType: STRING, containsNull: true },
          },
          { sql: isText, type: { kind: "array", elementType: BOOLEAN, containsNull: false } },
          { sql: given ?? "NULL", type: OPTIONS },
        ],
        STRING,
      );
    },
    {
      nullable: "always",
      coerce: ([t, o]) => {
        const inner = t?.kind === "struct" && t.fields.every((f) => !["array", "map", "struct"].includes(f.type.kind));
        if (t!.kind === "null" || inner) return [t, o];
        throw new MillraceError(
          "DATATYPE_MISMATCH.UNSUPPORTED_INPUT_TYPE",
          `Cannot resolve "to_csv" due to data type mismatch: The input of \`to_csv\` can't be "${sqlName(t!)}" type data.`,
          { hint: "Arrays, maps and structs are written by to_json." },
        );
      },
      differences: [
        {
          reason:
            "Arrays, maps and structs within the record are refused; Spark writes them in a form that from_csv does not read.",
          when: ([a]) =>
            a?.type.kind === "struct" && a.type.fields.some((f) => ["array", "map", "struct"].includes(f.type.kind)),
        },
      ],
    },
  ),
  fn(
    "schema_of_csv",
    [constant(strictString), opt(options)],
    STRING,
    ["schema_of_csv('1,abc')", "STRUCT<_c0: INT, _c1: STRING>"],
    ([text, given], _, call) =>
      call(
        inferCsv,
        [
          { sql: text!, type: STRING },
          { sql: given ?? "NULL", type: OPTIONS },
        ],
        STRING,
      ),
    {
      nullable: "never",
      constant: ([line, given]) => csvSchema(String(line), given as never),
      coerce: (types, args) => {
        if (!args[0]!.foldable) throw notConstant("schema_of_csv", "csv");
        if (args[0]!.type.kind !== "null" && args[0]!.literal !== null) return types;
        throw new MillraceError(
          "DATATYPE_MISMATCH.UNEXPECTED_NULL",
          'Cannot resolve "schema_of_csv" due to data type mismatch: The input must not be null.',
        );
      },
    },
  ),
];
