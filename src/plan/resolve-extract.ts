import { MillraceError } from "../errors.ts";
import { sqlName } from "../types/ddl.ts";
import { isIntegral } from "./coercion.ts";
import type { Expr } from "./expr.ts";
import { castExpr, getField, resolveCall } from "./resolve-call.ts";
import type { FunctionSignature, ResolvedExpr } from "./resolved.ts";
import type { SameName } from "./scope.ts";
import { exprText } from "./sql-text.ts";
import { structField } from "./struct-field.ts";

/** What taking a part out of a value needs of the resolver. */
export interface Extracting {
  readonly same: SameName;
  resolve(e: Expr): ResolvedExpr;
  signature(name: string): FunctionSignature;
}

/** A field of a struct or of each struct of an array, an element of an array, the value of a map's key. */
export function extract(child: ResolvedExpr, extraction: Expr, text: () => string, on: Extracting): ResolvedExpr {
  const name = extraction.kind === "literal" && typeof extraction.value === "string" ? extraction.value : undefined;
  const type = child.type;
  switch (type.kind) {
    case "struct":
      if (name !== undefined) return getField(child, structField(on.same, type.fields, name));
      break;
    case "array": {
      if (name !== undefined && type.elementType.kind === "struct") {
        const field = structField(on.same, type.elementType.fields, name);
        const param = { name: "element", type: type.elementType, nullable: type.containsNull };
        const body = getField({ kind: "lambda_variable", ...param }, field);
        const lambda: ResolvedExpr = {
          kind: "lambda",
          params: [param],
          body,
          type: body.type,
          nullable: body.nullable,
        };
        return {
          kind: "call",
          name: "transform",
          args: [child, lambda],
          distinct: false,
          type: { kind: "array", elementType: body.type, containsNull: body.nullable },
          nullable: child.nullable,
        };
      }
      const key = on.resolve(extraction);
      if (isIntegral(key.type)) {
        // In ANSI mode a position that is not there stops the query; get(array, i) is null there.
        return resolveCall(on.signature("array_item"), [{ expr: child }, { expr: key }], false);
      }
      break;
    }
    case "map": {
      const key = castExpr(on.resolve(extraction), type.keyType, "ansi", text);
      return { kind: "get_item", child, key, type: type.valueType, nullable: true };
    }
  }
  const complex = type.kind === "struct" || type.kind === "array";
  throw new MillraceError(
    complex ? "DATATYPE_MISMATCH" : "INVALID_EXTRACT_BASE_FIELD_TYPE",
    `Cannot extract "${exprText(extraction)}" from a value of the type "${sqlName(type)}".`,
    { hint: "A struct has fields, an array whole-number positions, a map keys." },
  );
}
