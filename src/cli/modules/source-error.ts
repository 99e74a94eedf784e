/** A file that cannot be read as a module, and where. */
export class SourceError extends Error {
  override readonly name = "SourceError";
  readonly code: string;
  readonly file: string;
  /** From 1. */
  readonly line: number | undefined;
  readonly column: number | undefined;
  readonly hint: string | undefined;

  constructor(
    code: "SYNTAX_ERROR" | "MODULE_NOT_FOUND" | "EXPORT_NOT_FOUND",
    message: string,
    at: {
      file: string;
      line?: number | undefined;
      column?: number | undefined;
      hint?: string | undefined;
      cause?: unknown;
    },
  ) {
    super(message, { cause: at.cause });
    this.code = code;
    this.file = at.file;
    this.line = at.line;
    this.column = at.column;
    this.hint = at.hint;
  }
}
