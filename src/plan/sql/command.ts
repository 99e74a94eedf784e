import { MillraceError } from "../../errors.ts";
import { clip } from "./context.ts";
import { Cursor } from "./cursor.ts";

/** A command of Spark's SQL. Queries inside it are text still. */
export type Command =
  | {
      readonly kind: "create_view";
      readonly name: string;
      readonly query: string;
      readonly scope: "session" | "global" | "catalog";
      readonly replace: boolean;
      readonly ifNotExists: boolean;
      readonly columns: readonly string[] | undefined;
      readonly comment: string | undefined;
    }
  | {
      readonly kind: "create_table";
      readonly name: string;
      readonly replace: boolean;
      readonly ifNotExists: boolean;
      /** Column definitions as DDL. */
      readonly columns: string | undefined;
      readonly format: string | undefined;
      readonly options: Readonly<Record<string, string>>;
      readonly partitionBy: readonly string[];
      readonly location: string | undefined;
      readonly comment: string | undefined;
      readonly query: string | undefined;
    }
  | {
      readonly kind: "insert";
      readonly name: string;
      readonly overwrite: boolean;
      readonly columns: readonly string[] | undefined;
      readonly byName: boolean;
      readonly query: string;
    }
  | {
      readonly kind: "create_database";
      readonly name: string;
      readonly ifNotExists: boolean;
      readonly location: string | undefined;
      readonly comment: string | undefined;
    }
  | {
      readonly kind: "drop";
      readonly object: "table" | "view" | "database";
      readonly name: string;
      readonly ifExists: boolean;
      readonly cascade: boolean;
    }
  | { readonly kind: "truncate"; readonly name: string }
  | { readonly kind: "use"; readonly name: string }
  | { readonly kind: "set"; readonly key: string | undefined; readonly value: string | undefined }
  | { readonly kind: "reset"; readonly key: string | undefined }
  | {
      readonly kind: "show";
      readonly what: "tables" | "views" | "databases" | "columns" | "functions" | "catalogs";
      readonly of: string | undefined;
      readonly pattern: string | undefined;
    }
  | { readonly kind: "describe"; readonly name: string; readonly extended: boolean }
  | { readonly kind: "describe_query"; readonly query: string }
  | { readonly kind: "explain"; readonly mode: "simple" | "extended" | "formatted"; readonly query: string }
  /** CACHE, UNCACHE, REFRESH and their like: they change nothing that a query gives. */
  | {
      readonly kind: "cache";
      readonly action: "cache" | "uncache" | "clear" | "refresh";
      readonly name: string | undefined;
    };

const QUERY = /^(?:\s|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/|\()*(select|values|from|table|with)\b/i;

const NO_WORDS = /'(?:[^'\\]|\\[\s\S])*'|"(?:[^"\\]|\\[\s\S])*"|`[^`]*`|--[^\n]*|\/\*[\s\S]*?\*\//g;

/** Whether a text is a command, which runs at once, and not a query, which runs when its rows are asked for. */
export function isCommand(text: string): boolean {
  const word = QUERY.exec(text)?.[1]?.toLowerCase();
  if (word === undefined) return true;
  if (word === "from" || word === "with") return /\binsert\s+(into|overwrite)\b/i.test(text.replace(NO_WORDS, " "));
  return false;
}

/** Reads a command. Throws PARSE_SYNTAX_ERROR with the position, UNSUPPORTED_FEATURE for a command of Spark's that this engine has not. */
export function parseCommand(text: string): Command {
  const c = new Cursor(text);
  if (c.take("CREATE")) return create(c, text);
  if (c.take("REPLACE")) {
    c.expect("TABLE");
    return createTable(c, true);
  }
  if (c.take("DROP")) return drop(c, text);
  if (c.take("INSERT")) return insert(c);
  if (c.take("WITH") || c.take("FROM"))
    throw unsupported(text, "INSERT after WITH or FROM", "Put the WITH behind INSERT INTO table.");
  if (c.take("TRUNCATE", "TABLE")) return { kind: "truncate", name: last(c, c.name()) };
  if (c.take("USE")) {
    if (!c.take("DATABASE") && !c.take("SCHEMA")) c.take("NAMESPACE");
    return { kind: "use", name: last(c, c.name()) };
  }
  if (c.take("SET")) return set(c);
  if (c.take("RESET")) return { kind: "reset", key: c.done ? undefined : c.rest().trim() };
  if (c.take("SHOW")) return show(c, text);
  if (c.take("DESCRIBE") || c.take("DESC")) return describe(c, text);
  if (c.take("EXPLAIN")) {
    const mode = c.take("EXTENDED") ? "extended" : c.take("FORMATTED") ? "formatted" : "simple";
    return { kind: "explain", mode, query: c.rest() };
  }
  if (c.take("CACHE")) {
    c.take("LAZY");
    c.expect("TABLE");
    const name = c.name();
    if (!c.done) throw unsupported(text, "CACHE TABLE with a query", "Make a temporary view of it.");
    return { kind: "cache", action: "cache", name };
  }
  if (c.take("UNCACHE", "TABLE")) {
    c.take("IF", "EXISTS");
    return { kind: "cache", action: "uncache", name: last(c, c.name()) };
  }
  if (c.take("CLEAR", "CACHE")) return { kind: "cache", action: "clear", name: undefined };
  if (c.take("REFRESH")) {
    if (!c.take("TABLE")) c.take("FUNCTION");
    return { kind: "cache", action: "refresh", name: c.rest() };
  }
  for (const word of OTHERS) if (c.sees(word)) throw unsupported(text, `The command ${word}`);
  throw c.error("expected a query or a command");
}

const OTHERS =
  "ALTER ANALYZE MERGE UPDATE DELETE MSCK REPAIR LOAD ADD LIST COMMENT CALL DECLARE EXECUTE GRANT REVOKE OPTIMIZE VACUUM".split(
    " ",
  );

function unsupported(text: string, what: string, hint?: string): MillraceError {
  return new MillraceError("UNSUPPORTED_FEATURE", `${what} is not supported in "${clip(text)}".`, { hint });
}

/** Nothing may follow. */
function last<T>(c: Cursor, value: T): T {
  c.end();
  return value;
}

function create(c: Cursor, text: string): Command {
  const replace = c.take("OR", "REPLACE");
  const global = c.take("GLOBAL");
  const temp = c.take("TEMPORARY") || c.take("TEMP");
  if (c.take("VIEW")) return createView(c, replace, global ? "global" : temp ? "session" : "catalog");
  if (c.take("DATABASE") || c.take("SCHEMA") || c.take("NAMESPACE")) return createDatabase(c);
  const external = c.take("EXTERNAL");
  if (c.take("TABLE")) return createTable(c, replace);
  if (external) throw c.error("expected TABLE");
  if (c.sees("FUNCTION")) throw unsupported(text, "CREATE FUNCTION", "Use udf(...) of the library.");
  throw c.error("expected TABLE, VIEW or DATABASE");
}

function createView(c: Cursor, replace: boolean, scope: "session" | "global" | "catalog"): Command {
  const ifNotExists = c.take("IF", "NOT", "EXISTS");
  const name = c.name();
  let columns: string[] | undefined;
  let comment: string | undefined;
  if (c.sees("(")) {
    columns = [];
    c.expect("(");
    do {
      columns.push(c.identifier());
      if (c.take("COMMENT")) c.string();
    } while (c.take(","));
    c.expect(")");
  }
  for (;;) {
    if (c.take("COMMENT")) comment = c.string();
    else if (c.take("TBLPROPERTIES")) c.pairs();
    else break;
  }
  c.expect("AS");
  return { kind: "create_view", name, query: c.rest(), scope, replace, ifNotExists, columns, comment };
}

function createTable(c: Cursor, replace: boolean): Command {
  const ifNotExists = c.take("IF", "NOT", "EXISTS");
  const name = c.name();
  const columns = c.sees("(") ? c.brackets() : undefined;
  let format: string | undefined;
  let options: Record<string, string> = {};
  let partitionBy: string[] = [];
  let location: string | undefined;
  let comment: string | undefined;
  let query: string | undefined;
  while (!c.done) {
    if (c.take("USING")) format = c.name();
    else if (c.take("OPTIONS")) options = { ...options, ...c.pairs() };
    else if (c.take("TBLPROPERTIES")) c.pairs();
    else if (c.take("PARTITIONED", "BY")) partitionBy = c.names();
    else if (c.take("LOCATION")) location = c.string();
    else if (c.take("COMMENT")) comment = c.string();
    else if (c.take("AS")) query = c.rest();
    else if (c.sees("SELECT", "WITH", "VALUES", "FROM")) query = c.rest();
    else throw c.error("expected USING, OPTIONS, PARTITIONED BY, LOCATION, COMMENT, TBLPROPERTIES or AS");
  }
  return {
    kind: "create_table",
    name,
    replace,
    ifNotExists,
    columns,
    format,
    options,
    partitionBy,
    location,
    comment,
    query,
  };
}

function createDatabase(c: Cursor): Command {
  const ifNotExists = c.take("IF", "NOT", "EXISTS");
  const name = c.name();
  let location: string | undefined;
  let comment: string | undefined;
  while (!c.done) {
    if (c.take("LOCATION")) location = c.string();
    else if (c.take("COMMENT")) comment = c.string();
    else if (c.take("WITH", "DBPROPERTIES")) c.pairs();
    else throw c.error("expected COMMENT or LOCATION");
  }
  return { kind: "create_database", name, ifNotExists, location, comment };
}

function drop(c: Cursor, text: string): Command {
  const object = c.take("TABLE") ? "table" : c.take("VIEW") ? "view" : undefined;
  const database = object === undefined && (c.take("DATABASE") || c.take("SCHEMA") || c.take("NAMESPACE"));
  if (object === undefined && !database) throw unsupported(text, "This DROP");
  const ifExists = c.take("IF", "EXISTS");
  const name = c.name();
  const cascade = c.take("CASCADE");
  c.take("RESTRICT");
  c.take("PURGE");
  return last(c, { kind: "drop", object: object ?? "database", name, ifExists, cascade });
}

function insert(c: Cursor): Command {
  const overwrite = c.take("OVERWRITE");
  if (!overwrite) c.expect("INTO");
  else c.take("INTO");
  c.take("TABLE");
  const name = c.name();
  if (c.sees("PARTITION")) throw c.error("PARTITION (...) is not supported, give the columns in the query");
  const byName = c.take("BY", "NAME");
  const columns = c.sees("(") && !byName ? columnList(c) : undefined;
  return { kind: "insert", name, overwrite, columns, byName, query: c.rest() };
}

/** A list of columns; undefined where the brackets hold a query. */
function columnList(c: Cursor): string[] | undefined {
  c.expect("(");
  if (c.sees("SELECT", "WITH", "VALUES", "FROM")) throw c.error("write the query without brackets");
  const names = [c.identifier()];
  while (c.take(",")) names.push(c.identifier());
  c.expect(")");
  return names;
}

function set(c: Cursor): Command {
  if (c.take("TIME", "ZONE")) {
    return { kind: "set", key: "spark.sql.session.timeZone", value: last(c, c.text()) };
  }
  const text = c.rest().trim();
  if (text === "" || /^-v$/i.test(text)) return { kind: "set", key: undefined, value: undefined };
  const at = text.indexOf("=");
  const key = (at < 0 ? text : text.slice(0, at)).trim().replace(/^`(.*)`$/, "$1");
  const value =
    at < 0
      ? undefined
      : text
          .slice(at + 1)
          .trim()
          .replace(/^(['"`])(.*)\1$/, "$2");
  return { kind: "set", key, value };
}

function show(c: Cursor, text: string): Command {
  const what = c.take("TABLES")
    ? "tables"
    : c.take("VIEWS")
      ? "views"
      : c.take("DATABASES") || c.take("SCHEMAS") || c.take("NAMESPACES")
        ? "databases"
        : c.take("COLUMNS")
          ? "columns"
          : c.take("FUNCTIONS") || c.take("USER", "FUNCTIONS") || c.take("ALL", "FUNCTIONS")
            ? "functions"
            : c.take("CATALOGS")
              ? "catalogs"
              : undefined;
  if (what === undefined)
    throw unsupported(text, "This SHOW", "Use TABLES, VIEWS, DATABASES, COLUMNS, FUNCTIONS or CATALOGS.");
  let of = c.take("IN") || c.take("FROM") ? c.name() : undefined;
  if (what === "columns" && (c.take("IN") || c.take("FROM"))) of = `${c.name()}.${of}`;
  const like = c.take("LIKE");
  const pattern = like || !c.done ? c.text() : undefined;
  return last(c, { kind: "show", what, of, pattern });
}

function describe(c: Cursor, text: string): Command {
  if (c.sees("DATABASE", "SCHEMA", "FUNCTION", "NAMESPACE")) throw unsupported(text, "This DESCRIBE");
  if (c.take("QUERY") || c.sees("SELECT", "WITH", "VALUES", "FROM", "("))
    return { kind: "describe_query", query: c.rest() };
  c.take("TABLE");
  const extended = c.take("EXTENDED") || c.take("FORMATTED");
  return last(c, { kind: "describe", name: c.name(), extended });
}
