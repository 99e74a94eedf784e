import { MillraceError } from "../../errors.ts";
import type { Expr } from "../expr.ts";
import { quoted } from "../names.ts";
import { POSITION } from "../parse-scan.ts";
import type { Relation } from "../relation.ts";

/** A node of the SQL parser's tree. */
export type Ast = any;

/** Values for `:name` or, in order, for `?`. */
export type SqlArgs = Extract<Relation, { kind: "sql" }>["args"];

/** The named queries of WITH that a query sees, by name in lower case. */
export type Ctes = ReadonlyMap<string, Relation>;

/** What is known of the text while it is turned into a plan. */
export interface SqlContext {
  readonly text: string;
  readonly args: SqlArgs;
}

/** The value of a parameter. Throws UNBOUND_SQL_PARAMETER. */
export function parameter(context: SqlContext, name: string): Expr {
  const { args } = context;
  const position = name.startsWith(POSITION) ? Number(name.slice(POSITION.length)) : undefined;
  const value =
    position === undefined
      ? Array.isArray(args) || args === undefined
        ? undefined
        : (args as Readonly<Record<string, Expr>>)[name]
      : Array.isArray(args)
        ? (args as readonly Expr[])[position]
        : undefined;
  if (value !== undefined) return value;
  const shown = position === undefined ? name : `_${position}`;
  throw new MillraceError("UNBOUND_SQL_PARAMETER", `Found the unbound parameter: ${shown}.`, {
    hint:
      position === undefined
        ? `Give its value: spark.sql(text, { ${name}: ... }).`
        : "Give the values in order: spark.sql(text, [...]).",
    parameters: { name: shown },
  });
}

/** A name of several parts as it stands in the tree. */
export function nameOf(parts: readonly Ast[]): string {
  return parts
    .map((p) => p.Identifier?.value ?? p.value)
    .map((n: string) => (plain(n) ? n : quoted(n)))
    .join(".");
}

function plain(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name);
}

/** A clause of SQL that is not Spark's, or that this engine does not take. */
export function notTaken(context: SqlContext, clause: string, hint?: string): MillraceError {
  return new MillraceError("UNSUPPORTED_FEATURE", `${clause} is not supported in "${clip(context.text)}".`, { hint });
}

export function clip(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > 200 ? `${line.slice(0, 200)}...` : line;
}
