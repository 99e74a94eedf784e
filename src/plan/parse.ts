import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { MillraceError } from "../errors.ts";
import type { StructType } from "../types/data-type.ts";
import { parseDdl } from "../types/ddl.ts";
import { structFromSparkJson } from "../types/struct-json.ts";
import type { Expr } from "./expr.ts";
import { AstConverter } from "./parse-convert.ts";
import { scan } from "./parse-scan.ts";

/**
 * Parses an expression in Spark's SQL grammar: `delay > 15 and origin like 'A%'`, `cast(x as int)`, `transform(xs, x -> x + 1)`,
 * `upper(origin) as o`. Throws PARSE_SYNTAX_ERROR with the position (1 is the first character).
 */
export function parseExpression(text: string): Expr {
  const statements = parseSql(text, "SELECT ");
  const select = statements?.[0]?.Query?.body?.Select;
  const query = statements?.[0]?.Query;
  const bare =
    statements.length === 1 &&
    select &&
    select.projection.length === 1 &&
    select.from.length === 0 &&
    !select.selection &&
    !select.distinct &&
    !select.having &&
    !query.order_by &&
    !query.limit_clause;
  if (!bare) {
    throw new MillraceError("PARSE_SYNTAX_ERROR", `"${text}" is not one expression.`, {
      hint: "Give each expression as a text of its own.",
    });
  }
  return deepFreeze(new AstConverter(text).item(select.projection[0]));
}

/** The SQL parser's tree of each statement of a text. Throws PARSE_SYNTAX_ERROR with the position. */
export function parseSql(text: string, prefix = ""): any[] {
  const scanned = scan(text);
  const sql = prefix + scanned.sql;
  try {
    return parser()("spark", sql) as any[];
  } catch (error) {
    throw syntaxError(text, error, (line, column) => {
      const before = sql.split("\n").slice(0, line - 1);
      const start = before.reduce((n, l) => n + l.length + 1, 0);
      return scanned.position(Math.max(0, start + column - 1 - prefix.length));
    });
  }
}

/** A schema from DDL text or Spark's JSON form. Throws PARSE_SYNTAX_ERROR or INVALID_SCHEMA. */
export function parseSchemaOrDdl(text: string): StructType {
  return /^\s*\{/.test(text) ? structFromSparkJson(text) : parseDdl(text);
}

type ParseSql = (dialect: string, sql: string) => unknown;
let loaded: ParseSql | undefined;

/**
 * The SQL parser, a WebAssembly module. Its own start-up is asynchronous; loading it in place keeps `expr(...)` synchronous, as in
 * Spark, and costs 25 ms at the first use only.
 */
function parser(): ParseSql {
  if (loaded) return loaded;
  const require = createRequire(import.meta.url);
  const folder = join(dirname(require.resolve("@guanmingchiu/sqlparser-ts")), "..", "wasm");
  const wasm = require(join(folder, "sqlparser_rs_wasm.js"));
  wasm.initSync({ module: readFileSync(join(folder, "sqlparser_rs_wasm_bg.wasm")) });
  loaded = wasm.parse_sql as ParseSql;
  return loaded;
}

function syntaxError(text: string, error: unknown, position: (line: number, column: number) => number): MillraceError {
  const raw = String((error as { message?: unknown } | null)?.message ?? error).replace(/^sql parser error: /, "");
  const at = / at Line: (\d+), Column: (\d+)/.exec(raw);
  const what = raw.replace(/ at Line: \d+, Column: \d+/, "");
  const pos = at ? position(Number(at[1]), Number(at[2])) : text.length;
  return new MillraceError("PARSE_SYNTAX_ERROR", `Syntax error in "${text}" at position ${pos + 1}: ${what}.`, {
    parameters: { error: what, position: String(pos + 1) },
  });
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !ArrayBuffer.isView(value) && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}
