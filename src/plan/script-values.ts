import type { DataType } from "../types/data-type.ts";
import { valueMode } from "../types/schema.ts";
import { castExpr, getField, resolveCall } from "./resolve-expr.ts";
import type { FunctionCatalog, ResolvedExpr } from "./resolved.ts";

type Metadata = Readonly<Record<string, unknown>> | undefined;

/** The value as TypeScript wants it; the same expression where nothing is to do. */
export function scriptValue(catalog: FunctionCatalog, e: ResolvedExpr, metadata: Metadata, depth = 0): ResolvedExpr {
  const mode = valueMode({ metadata });
  const type = e.type;
  const call = (name: string, ...args: ResolvedExpr[]): ResolvedExpr =>
    resolveCall(
      catalog.lookup(name)!,
      args.map((expr) => ({ expr })),
      false,
    );
  switch (type.kind) {
    case "long":
      return mode === "number" ? castExpr(e, { kind: "double" }, "ansi", () => "value") : e;
    case "timestamp":
    case "timestamp_ntz":
      return mode === "micros"
        ? call(
            "unix_micros",
            castExpr(e, { kind: "timestamp" }, "ansi", () => "value"),
          )
        : e;
    case "array": {
      const param = { name: `v${depth}`, type: type.elementType, nullable: type.containsNull };
      const variable: ResolvedExpr = { kind: "lambda_variable", ...param };
      const body = scriptValue(catalog, variable, metadata, depth + 1);
      if (body === variable) return e;
      return over("transform", e, [param], body, {
        kind: "array",
        elementType: body.type,
        containsNull: type.containsNull,
      });
    }
    case "map": {
      const key = { name: `k${depth}`, type: type.keyType, nullable: false };
      const param = { name: `v${depth}`, type: type.valueType, nullable: type.valueContainsNull };
      const variable: ResolvedExpr = { kind: "lambda_variable", ...param };
      const body = scriptValue(catalog, variable, metadata, depth + 1);
      if (body === variable) return e;
      return over("transform_values", e, [key, param], body, { ...type, valueType: body.type });
    }
    case "struct": {
      const parts = type.fields.map((f) => {
        const value = getField(e, f);
        return { f, value, to: scriptValue(catalog, value, f.metadata, depth + 1) };
      });
      if (parts.every((p) => p.to === p.value)) return e;
      const struct = call(
        "named_struct",
        ...parts.flatMap(({ f, to }): ResolvedExpr[] => [
          { kind: "literal", value: f.name, type: { kind: "string" }, nullable: false },
          to,
        ]),
      );
      const none: ResolvedExpr = { kind: "literal", value: null, type: struct.type, nullable: true };
      return call("if", call("isnull", e), none, struct);
    }
    default:
      return e;
  }
}

function over(
  name: string,
  e: ResolvedExpr,
  params: Extract<ResolvedExpr, { kind: "lambda" }>["params"],
  body: ResolvedExpr,
  type: DataType,
): ResolvedExpr {
  const lambda: ResolvedExpr = { kind: "lambda", params, body, type: body.type, nullable: body.nullable };
  return { kind: "call", name, args: [e, lambda], distinct: false, type, nullable: e.nullable };
}
