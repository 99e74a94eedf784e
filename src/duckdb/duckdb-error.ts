import { type ErrorCode, MillraceError } from "../errors.ts";
import { recallError } from "./user-error.ts";

/**
 * A failure of DuckDB as a MillraceError: by the `[CODE]` that compiled SQL raised itself with `error(...)`, else by DuckDB's own kind.
 * Errors that are ours already pass unchanged.
 */
export function toMillraceError(
  error: unknown,
  sql?: string,
  inUse: "CHECKPOINT_IN_USE" | "DIRECTORY_IN_USE" = "CHECKPOINT_IN_USE",
): MillraceError {
  if (error instanceof MillraceError) return error;
  const raw = error instanceof Error ? error.message : String(error);
  const deposed = recallError(raw);
  if (deposed !== undefined) return deposed;
  const raised = /\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)?)\] ([\s\S]*)$/.exec(raw);
  if (raised !== null && /^(Invalid Input|Conversion|Out of Range) Error/.test(raw)) {
    return new MillraceError(raised[1] as ErrorCode, raised[2]!.trim(), { cause: error });
  }
  // DuckDB appends the position in the statement ("LINE 1: ..."), which means nothing to the reader of a plan.
  const text = (raw.split(/\n\s*\n?LINE \d+:/)[0] ?? raw).trim();
  const detail = text.replace(/^[A-Za-z ]+ Error: /, "");
  if (/to DECIMAL\(|type DECIMAL\(/.test(detail) && /^Conversion Error/.test(raw)) {
    return new MillraceError("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION", detail, {
      hint: "Use `try_cast` to get null instead.",
      cause: error,
    });
  }
  if (/^Conversion Error/.test(raw)) {
    if (/^Failed to cast decimal value/.test(detail))
      return new MillraceError("CAST_OVERFLOW", detail, { cause: error });
    if (/out of range/i.test(raw)) return new MillraceError("CAST_OVERFLOW", detail, { cause: error });
    return new MillraceError("CAST_INVALID_INPUT", detail, {
      hint: "Use `try_cast` to get null instead.",
      cause: error,
    });
  }
  if (/Map keys must be unique/.test(raw)) {
    return new MillraceError("DUPLICATED_MAP_KEY", "Duplicate map key was found.", { cause: error });
  }
  if (/Map keys can not be NULL/.test(raw)) {
    return new MillraceError("NULL_MAP_KEY", "Cannot use null as map key.", { cause: error });
  }
  if (/^Out of Range Error/.test(raw) || /Overflow in/.test(raw)) {
    const type = /Overflow in \w+ of (INT8|INT16|DECIMAL)\b/.exec(detail)?.[1];
    if (type !== undefined) {
      const code = type === "DECIMAL" ? "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION" : "BINARY_ARITHMETIC_OVERFLOW";
      return new MillraceError(code, detail, { cause: error });
    }
    return new MillraceError("ARITHMETIC_OVERFLOW", detail, { cause: error });
  }
  if (/Malformed JSON|CSV Error|Error when sniffing file/i.test(raw)) {
    return new MillraceError("MALFORMED_RECORD_IN_PARSING", detail, {
      hint: /quoted new ?line/i.test(raw)
        ? "A value holds a line break: set the option multiLine to true."
        : "To take such records for null, set the option mode to PERMISSIVE.",
      cause: error,
    });
  }
  if (/No files found that match/i.test(raw)) return new MillraceError("PATH_NOT_FOUND", detail, { cause: error });
  if (/More than one row returned by a subquery/i.test(raw)) {
    return new MillraceError(
      "SCALAR_SUBQUERY_TOO_MANY_ROWS",
      "More than one row returned by a subquery used as an expression.",
      { hint: "Aggregate in the subquery, or end it with LIMIT 1.", cause: error },
    );
  }
  if (/division by zero/i.test(raw)) return new MillraceError("DIVIDE_BY_ZERO", detail, { cause: error });
  if (/No space left|disk full|ENOSPC|not enough space|max_temp_directory_size/i.test(raw)) {
    return new MillraceError("DISK_FULL", detail, {
      retryable: true,
      hint: "Free some space; the query goes on where it stopped.",
      cause: error,
    });
  }
  if (/Could not set lock|Conflicting lock/i.test(raw)) {
    return new MillraceError(inUse, detail, {
      hint: "Another process uses this directory; stop it, or choose another directory.",
      cause: error,
    });
  }
  if (/Permission denied|Read-only file system/i.test(raw) && /^IO Error/.test(raw)) {
    return new MillraceError("DIRECTORY_NOT_WRITABLE", detail, { cause: error });
  }
  return new MillraceError("ENGINE_FAILED", sql === undefined ? text : `${text}\nwhile running: ${clip(sql)}`, {
    cause: error,
  });
}

function clip(sql: string): string {
  return sql.length > 2000 ? `${sql.slice(0, 2000)}...` : sql;
}
