import type { DataType } from "../types/data-type.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { applied } from "./collection-types.ts";

/** A step of a fold in SQL: from the SQL of the state so far and of the element to that of the next state. */
export type Step = (state: string, element: string) => string;

/**
 * Folds a list. DuckDB's accumulator has the type of the elements, so both are fields of one struct. Of rows whose lists are of different
 * lengths list_reduce mixes up the columns that its lambda names (DuckDB 1.5), so each element has them beside it.
 */
export function foldList(x: string, zero: string, step: Step, element: DataType, acc: DataType): string {
  const [e, a] = [sqlType(element), sqlType(acc)];
  const field = (name: string): string => `struct_extract(t, '${name}')`;
  const body = step("struct_extract(s, 'a')", field("x"));
  const outer = outerNames(body);
  const named = [...outer].map((name, i): [string, string] => [name, `k${i}`]);
  const within = replaceNames(body, new Map(named.map(([name, as]) => [name, field(as)])));
  // What a lambda takes from around it has no type that is known here; a step hands it on.
  const beside = (value: (name: string, as: string) => string): string =>
    named.map(([name, as]) => `, ${as} := ${value(name, as)}`).join("");
  const rows = `list_transform(${x}, lambda e: struct_pack(a := CAST(NULL AS ${a}), x := e${beside((name) => name)}))`;
  const next = `struct_pack(a := CAST(${within} AS ${a}), x := ${field("x")}${beside((_, as) => field(as))})`;
  const start = `struct_pack(a := CAST(${zero} AS ${a}), x := CAST(NULL AS ${e})${beside((name) => name)})`;
  // Of an empty list DuckDB gives a step that names neither parameter.
  return `CASE WHEN len(${x}) = 0 THEN CAST(${zero} AS ${a}) ELSE struct_extract(list_reduce(${rows}, lambda s, t: ${next}, ${start}), 'a') END`;
}

/** A merge lambda as a step. */
export const merging =
  (merge: string): Step =>
  (state, element) =>
    applied(merge, [state, element]);

// Texts, then names in quotes, then words; what stands before `:=` is the name of a struct's field.
const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|\b[A-Za-z_]\w*\b(?!\s*(?:\(|:=))/g;

/** Columns and parameters of lambdas around that a text names: `c12`, `"p_x"`. */
function outerNames(text: string): Set<string> {
  const own = new Set([...text.matchAll(/lambda ([^:']+):/g)].flatMap((m) => m[1]!.split(/,\s*/)));
  const found = new Set<string>();
  for (const [token] of text.matchAll(TOKEN)) {
    if ((/^c\d+$/.test(token) || token.startsWith('"p_')) && !own.has(token)) found.add(token);
  }
  return found;
}

function replaceNames(text: string, by: ReadonlyMap<string, string>): string {
  return by.size === 0 ? text : text.replace(TOKEN, (token) => by.get(token) ?? token);
}
