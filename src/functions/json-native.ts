import { MillraceError } from "../errors.ts";
import type { DataType, StructField } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { nativeFunction } from "./define.ts";
import { parseSettings } from "./json-convert.ts";
import { type JsonNode, prettyJson, readJson, writeJson } from "./json-reader.ts";

const PLAIN = { ...parseSettings(null, "get_json_object").rules, notNumbers: false };

type Step = { readonly name: string } | { readonly index: number } | "any";

const paths = new Map<string, readonly Step[] | undefined>();

/** `$`, then `.name`, `['name']`, `[0]`, `[*]` and `['*']`, `.*`; undefined for what is no path. */
function stepsOf(path: string): readonly Step[] | undefined {
  if (paths.has(path)) return paths.get(path);
  let steps: Step[] | undefined = [];
  if (!path.startsWith("$")) steps = undefined;
  const part = /\.(\*)|\.([^.[]+)|\['(\*)'\]|\['([^'?]+)'\]|\[(\*)\]|\[(\d+)\]/y;
  for (let i = 1; steps !== undefined && i < path.length; ) {
    part.lastIndex = i;
    const m = part.exec(path);
    if (m === null) {
      steps = undefined;
      break;
    }
    const name = m[2] ?? m[4];
    // A star for names gives nothing, as in Spark.
    if (m[1] !== undefined || m[3] !== undefined) steps.push({ name: "*" });
    else if (name !== undefined) steps.push({ name });
    else steps.push(m[5] !== undefined ? "any" : { index: Number(m[6]) });
    i += m[0].length;
  }
  if (paths.size > 200) paths.clear();
  paths.set(path, steps);
  return steps;
}

function follow(node: JsonNode, steps: readonly Step[], at: number): JsonNode[] {
  const step = steps[at];
  if (step === undefined) return [node];
  if (step === "any") return node.kind === "array" ? node.items.flatMap((item) => follow(item, steps, at + 1)) : [];
  if ("index" in step) {
    const item = node.kind === "array" ? node.items[step.index] : undefined;
    return item === undefined ? [] : follow(item, steps, at + 1);
  }
  // A name in an array is that name in each of its objects, behind a star.
  const value = node.kind === "object" ? node.entries.get(step.name) : undefined;
  return value === undefined ? [] : follow(value, steps, at + 1);
}

/** The first value in a text by itself; null where it is malformed. */
export const leadingJson = nativeFunction("get_json_object", (text: string) => {
  const root = readJson(text, PLAIN);
  return root === undefined || root === null ? null : writeJson(root);
});

export const getJsonObject = nativeFunction("get_json_object", (text: string, path: string) => {
  const steps = stepsOf(path);
  if (steps === undefined) return null;
  const root = readJson(text, PLAIN);
  if (root === undefined || root === null) return null;
  const found = follow(root, steps, 0).filter((n) => n.kind !== "literal" || n.value !== null);
  if (found.length === 0) return null;
  const one = found[0]!;
  const show = (n: JsonNode): string => (n.kind === "string" ? n.value : writeJson(n));
  if (!steps.includes("any")) return show(one);
  if (found.length === 1) {
    // A star at the end keeps the array; behind one a single match stands alone.
    const last = steps.at(-1) === "any";
    return last ? `[${writeJson(one)}]` : writeJson(one);
  }
  return `[${found.map(writeJson).join(",")}]`;
});

/** JSON in lines, where that is asked for. */
export const pretty = nativeFunction("to_json", (text: string, lines: boolean) => {
  const node = lines ? readJson(text, PLAIN) : undefined;
  return node === undefined || node === null ? text : prettyJson(node);
});

const STRING: DataType = { kind: "string" };
const NULL: DataType = { kind: "null" };

function typeOf(node: JsonNode): DataType {
  switch (node.kind) {
    case "object": {
      const fields = [...node.entries].map(([name, v]): StructField => ({ name, type: typeOf(v), nullable: true }));
      return { kind: "struct", fields: fields.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    }
    case "array":
      return { kind: "array", elementType: node.items.map(typeOf).reduce(wider, NULL), containsNull: true };
    case "string":
      return STRING;
    case "literal":
      return node.value === null ? NULL : { kind: "boolean" };
    case "number": {
      if (!/^-?\d+$/.test(node.text)) return { kind: "double" };
      const n = BigInt(node.text);
      if (BigInt.asIntN(64, n) === n) return { kind: "long" };
      const digits = node.text.replace("-", "").length;
      return digits <= 38 ? { kind: "decimal", precision: digits, scale: 0 } : { kind: "double" };
    }
  }
}

function wider(a: DataType, b: DataType): DataType {
  if (a.kind === "null") return b;
  if (b.kind === "null" || a.kind === b.kind) {
    if (a.kind === "struct" && b.kind === "struct") {
      const names = [...new Set([...a.fields, ...b.fields].map((f) => f.name))].sort();
      return {
        kind: "struct",
        fields: names.map((name) => {
          const [x, y] = [a, b].map((s) => s.fields.find((f) => f.name === name)?.type);
          return { name, type: x && y ? wider(x, y) : (x ?? y)!, nullable: true };
        }),
      };
    }
    if (a.kind === "array" && b.kind === "array") return { ...a, elementType: wider(a.elementType, b.elementType) };
    if (a.kind === "decimal" && b.kind === "decimal") return a.precision >= b.precision ? a : b;
    return a;
  }
  const number = (t: DataType): boolean => ["long", "double", "decimal"].includes(t.kind);
  if (number(a) && number(b)) {
    if (a.kind === "double" || b.kind === "double") return { kind: "double" };
    return a.kind === "decimal" ? a : b;
  }
  return STRING;
}

/** What stayed without a type is text; if asked for, all that is no object or list. */
function settled(t: DataType, primitivesAsString: boolean): DataType {
  switch (t.kind) {
    case "null":
      return STRING;
    case "array":
      return { ...t, elementType: settled(t.elementType, primitivesAsString) };
    case "struct":
      return { ...t, fields: t.fields.map((f) => ({ ...f, type: settled(f.type, primitivesAsString) })) };
    default:
      return primitivesAsString ? STRING : t;
  }
}

/** The schema of a record, as DDL. Throws MALFORMED_RECORD_IN_PARSING. */
export function jsonSchema(text: string | null, options: ReadonlyMap<string, string> | null = null): string {
  const node = readJson(text ?? "", parseSettings(options, "schema_of_json").rules);
  if (node === undefined) return "STRING";
  if (node === null) {
    throw new MillraceError("MALFORMED_RECORD_IN_PARSING", `The text is not JSON: ${text}`, {
      hint: "Give a record of the kind that the schema is for.",
    });
  }
  return sqlName(settled(typeOf(node), options?.get("primitivesAsString")?.toLowerCase() === "true"));
}

export const inferJson = nativeFunction("schema_of_json", jsonSchema, { nulls: true });
