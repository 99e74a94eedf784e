import type { DataType } from "../types/data-type.ts";
import { parseType } from "../types/ddl.ts";
import { INTERVAL_TYPE } from "./parse-scan.ts";

/** A node of the SQL parser's tree. */
type Ast = any;

/** A type as the SQL parser's tree has it. Throws UNSUPPORTED_DATATYPE or PARSE_SYNTAX_ERROR. */
export function typeOfAst(t: Ast): DataType {
  const [kind, v] = typeof t === "string" ? [t, undefined] : (Object.entries(t)[0] as [string, Ast]);
  switch (kind) {
    case "Array": {
      const inner = v?.AngleBracket;
      if (inner) return { kind: "array", elementType: typeOfAst(inner), containsNull: true };
      break;
    }
    case "Map":
      return { kind: "map", keyType: typeOfAst(v[0]), valueType: typeOfAst(v[1]), valueContainsNull: true };
    case "Struct":
      return {
        kind: "struct",
        fields: v[0].map((f: Ast) => ({ name: f.field_name.value, type: typeOfAst(f.field_type), nullable: true })),
      };
    case "Decimal":
    case "Numeric":
    case "Dec": {
      const p = v?.PrecisionAndScale ?? (v?.Precision !== undefined ? [v.Precision, 0] : [10, 0]);
      return { kind: "decimal", precision: Number(p[0]), scale: Number(p[1]) };
    }
    case "Custom":
      if (v[0][0]?.Identifier.value.startsWith(INTERVAL_TYPE))
        return parseType(v[0][0].Identifier.value.slice(INTERVAL_TYPE.length).replaceAll("_", " "));
      return parseType(v[0].map((p: Ast) => p.Identifier.value).join("."));
    case "Varchar":
    case "Char":
    case "Character":
    case "CharacterVarying":
      return { kind: "string" };
    case "TimestampNtz":
      return { kind: "timestamp_ntz" };
    case "DoublePrecision":
      return { kind: "double" };
  }
  return parseType(kind);
}
