import type { Expr } from "../plan/expr.ts";
import { parseCommand } from "../plan/sql/command.ts";
import { Column } from "./column.ts";
import { literal } from "./literal.ts";

/** The name and the query of a command that makes a temporary view. */
export const TEMP_VIEW =
  /^\s*create\s+(?:or\s+replace\s+)?(global\s+)?temp(?:orary)?\s+view\s+(?:if\s+not\s+exists\s+)?([\w.`]+)\s+as\s+([\s\S]+)$/i;

/** `SET key = value` and `RESET key` change the session's settings at once. */
export function settingOf(
  query: string,
): { readonly key: string; readonly value?: string; readonly reset?: boolean } | undefined {
  const word = /^\s*(set|reset)\b/i.exec(query)?.[1];
  if (word === undefined) return undefined;
  const command = parseCommand(query);
  if (command.kind === "reset" && command.key !== undefined) return { key: command.key, reset: true };
  if (command.kind !== "set" || command.key === undefined || command.value === undefined) return undefined;
  return { key: command.key, value: command.value };
}

/** Values of parameters as literals; columns are taken as they are. */
export function sqlArguments(
  args: Readonly<Record<string, unknown>> | readonly unknown[],
): Readonly<Record<string, Expr>> | readonly Expr[] {
  const value = (v: unknown): Expr => (v instanceof Column ? v.expr : literal(v));
  if (Array.isArray(args)) return args.map(value);
  return Object.fromEntries(Object.entries(args).map(([name, v]) => [name, value(v)]));
}
