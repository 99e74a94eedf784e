import type { StandardJSONSchemaV1, StandardSchemaV1 } from "@standard-schema/spec";
import { MillraceError } from "../errors.ts";
import type { DataType, StructField, StructType } from "./data-type.ts";

/** Whether a value is a schema of a library that follows https://standardschema.dev. */
export function isStandardSchema(value: unknown): value is StandardSchemaV1 {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    typeof (value as { "~standard"?: unknown })["~standard"] === "object"
  );
}

/**
 * The struct that a Standard Schema describes, by its JSON Schema. Types follow the values in TypeScript: a string is a string
 * whatever its format, a Date a timestamp, a bigint a long, an integer in the range of 32 bits an int, other integers a long as number.
 */
export function structOfStandardSchema(given: StandardSchemaV1): StructType {
  const vendor = given["~standard"].vendor;
  const converter = (given as unknown as Partial<StandardJSONSchemaV1>)["~standard"] as
    | { jsonSchema?: StandardJSONSchemaV1.Converter }
    | undefined;
  if (converter?.jsonSchema === undefined) {
    throw new MillraceError("INVALID_SCHEMA", `The ${vendor} schema cannot describe its structure.`, {
      hint: "Use a version of the library that offers ~standard.jsonSchema (zod 4.2 or later), or write schema({ name: t.string, ... }).",
    });
  }
  let json: JsonSchema;
  try {
    json = converter.jsonSchema.output({
      target: "draft-2020-12",
      // Zod's: dates and bigints have no JSON form of their own, so they are named here.
      libraryOptions: { unrepresentable: "any", override: nameZodType },
    }) as JsonSchema;
  } catch (cause) {
    throw new MillraceError("INVALID_SCHEMA", `The ${vendor} schema has no JSON Schema form: ${message(cause)}.`, {
      hint: "Write schema({ name: t.string, ... }) instead.",
      cause,
    });
  }
  const type = new JsonSchemaReader(vendor, json).type(json, "the schema").type;
  if (type.kind !== "struct") throw invalid(vendor, "the schema", "is not an object");
  return type;
}

interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly format?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: boolean | JsonSchema;
  readonly items?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly "x-millrace"?: "timestamp" | "long";
}

interface ZodOverride {
  readonly zodSchema: { readonly _zod?: { readonly def?: { readonly type?: string } } };
  readonly jsonSchema: Record<string, unknown>;
}

function nameZodType({ zodSchema, jsonSchema }: ZodOverride): void {
  const kind = zodSchema._zod?.def?.type;
  if (kind === "date") jsonSchema["x-millrace"] = "timestamp";
  else if (kind === "bigint") jsonSchema["x-millrace"] = "long";
}

interface Typed {
  readonly type: DataType;
  readonly metadata?: Readonly<Record<string, unknown>>;
}

class JsonSchemaReader {
  readonly #vendor: string;
  readonly #root: JsonSchema;
  #depth = 0;

  constructor(vendor: string, root: JsonSchema) {
    this.#vendor = vendor;
    this.#root = root;
  }

  type(json: JsonSchema, where: string): Typed {
    if (++this.#depth > 200) throw invalid(this.#vendor, where, "refers to itself");
    try {
      return this.#type(json, where);
    } finally {
      this.#depth--;
    }
  }

  #type(json: JsonSchema, where: string): Typed {
    if (json["x-millrace"]) return { type: { kind: json["x-millrace"] } };
    if (json.$ref !== undefined) {
      const target =
        json.$ref === "#" ? this.#root : this.#root.$defs?.[json.$ref.replace(/^#\/(\$defs|definitions)\//, "")];
      if (target === undefined) throw invalid(this.#vendor, where, `refers to ${json.$ref}, which is not there`);
      return this.type(target, where);
    }
    const alternatives = (json.anyOf ?? json.oneOf)?.filter((a) => a.type !== "null");
    if (alternatives) {
      const types = alternatives.map((a) => this.type(a, where));
      if (types.length > 0 && types.every((a) => JSON.stringify(a) === JSON.stringify(types[0]))) return types[0]!;
      throw invalid(this.#vendor, where, "is a union of different types, which a column cannot have");
    }
    if (json.allOf?.length === 1) return this.type(json.allOf[0]!, where);
    const names = typeof json.type === "string" ? [json.type] : (json.type ?? []).filter((n) => n !== "null");
    const values = json.enum ?? (json.const !== undefined ? [json.const] : undefined);
    const name =
      names.length === 1
        ? names[0]
        : names.length === 0 && values
          ? [...new Set(values.filter((v) => v !== null).map((v) => typeof v))].join()
          : names.join("|");
    switch (name) {
      case "string":
        return { type: { kind: "string" } };
      case "boolean":
        return { type: { kind: "boolean" } };
      case "number":
        return { type: { kind: "double" } };
      case "integer":
        return (json.minimum ?? json.maximum) !== undefined &&
          (json.minimum ?? 0) >= -(2 ** 31) &&
          (json.maximum ?? Number.POSITIVE_INFINITY) < 2 ** 31
          ? { type: { kind: "integer" } }
          : { type: { kind: "long" }, metadata: { "millrace:mode": "number" } };
      case "array": {
        if (typeof json.items !== "object") throw invalid(this.#vendor, where, "is an array without an element type");
        const element = this.type(json.items, `the elements of ${where}`);
        return { ...element, type: { kind: "array", elementType: element.type, containsNull: true } };
      }
      case "object": {
        if (json.properties === undefined && typeof json.additionalProperties === "object") {
          const value = this.type(json.additionalProperties, `the values of ${where}`);
          const keyType: DataType = { kind: "string" };
          return { ...value, type: { kind: "map", keyType, valueType: value.type, valueContainsNull: true } };
        }
        const fields = Object.entries(json.properties ?? {}).map(([name, p]): StructField => {
          const field = this.type(p, `the field "${name}"`);
          return { name, nullable: true, ...field };
        });
        return { type: { kind: "struct", fields } };
      }
    }
    throw invalid(this.#vendor, where, name ? `has the type ${name}` : "has no type");
  }
}

function invalid(vendor: string, where: string, what: string): MillraceError {
  return new MillraceError("INVALID_SCHEMA", `In the ${vendor} schema, ${where} ${what}.`, {
    hint: "Give each field one plain type, or write schema({ name: t.string, ... }).",
  });
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
