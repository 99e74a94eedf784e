import { MillraceError } from "../../src/errors.ts";
import type { StructType } from "../../src/types/data-type.ts";
import { canonical, typeText } from "./canonical.ts";

/** What an engine made of something: rows in one form of text, or the error. */
export type Outcome = Rows | Failure;

export interface Rows {
  readonly ok: true;
  readonly columns: readonly OutcomeColumn[];
  /** Cells as text by row. */
  readonly rows: readonly (readonly string[])[];
}

export interface OutcomeColumn {
  readonly name: string;
  /** With nullability inside and out: `array<int!>!`. */
  readonly type: string;
}

export interface Failure {
  readonly ok: false;
  /** Spark's error class, or `CRASH` for what is no error of a query. */
  readonly code: string;
  readonly message: string;
  /** Never right, whatever the other engine says. */
  readonly crash: boolean;
  /** Failed on a value of the data, not on the plan: SQLSTATE class 22. */
  readonly runtime: boolean;
}

export function columnsOf(schema: StructType): OutcomeColumn[] {
  return schema.fields.map((f) => ({ name: f.name, type: `${typeText(f.type)}${f.nullable ? "" : "!"}` }));
}

/** Columns of exact values to an outcome. */
export function rowsOutcome(schema: StructType, columns: readonly (readonly unknown[])[], count: number): Rows {
  const rows = Array.from({ length: count }, (_, i) => schema.fields.map((f, k) => canonical(columns[k]![i], f.type)));
  return { ok: true, columns: columnsOf(schema), rows };
}

/** Codes that no program of a user should ever lead to. */
const CRASHES = new Set(["INTERNAL", "ENGINE_FAILED", "SPARK_UNREACHABLE", "SPARK_SESSION_LOST"]);

/** Run-time classes with a SQLSTATE of another class. */
const RUNTIME =
  /^(?:USER_RAISED_EXCEPTION|INVALID_PARAMETER_VALUE|DUPLICATED_MAP_KEY|UNSUPPORTED_FEATURE\.AES\w*|INVALID_FORMAT\.MISMATCH_INPUT|INCONSISTENT_BEHAVIOR_CROSS_VERSION\.\w+|_LEGACY_ERROR_TEMP_2\d{3})$/;

export function failure(error: unknown): Failure {
  if (error instanceof MillraceError) {
    const code = error.code === ("SPARK_ERROR" as string) ? (error.parameters.errorClass ?? error.code) : error.code;
    // What Spark's analysis refuses has a class.
    const runtime = error.sqlState?.startsWith("22") === true || RUNTIME.test(code) || code === UNCLASSED;
    return { ok: false, code, message: error.message, crash: CRASHES.has(code), runtime };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { ok: false, code: "CRASH", message, crash: true, runtime: false };
}

/** What is compared beside the values. */
export interface CompareOptions {
  readonly ordered?: boolean | undefined;
  readonly tolerance?: number | undefined;
  /** Any two failures on values count as the same: which of several an engine meets first is its own affair. */
  readonly anyRuntimeError?: boolean | undefined;
  /** Column names; left out where a query gives its own. Default true. */
  readonly names?: boolean;
}

/** The kinds of difference, the gravest first. */
export type DifferenceKind = "crash" | "error" | "value" | "type" | "nullable" | "name";

export interface Difference {
  readonly kind: DifferenceKind;
  readonly text: string;
}

/** How two outcomes differ, or undefined when they are equal; `spark` is the judge. */
export function difference(spark: Outcome, other: Outcome, options: CompareOptions = {}): Difference | undefined {
  if (!other.ok && other.crash) return { kind: "crash", text: `${other.code}: ${other.message}` };
  if (!spark.ok || !other.ok) {
    if (!spark.ok && !other.ok) {
      if (sameClass(spark.code, other.code)) return undefined;
      const onValue = other.runtime || other.code === "INVALID_ARGUMENT" || other.code === "INVALID_VALUE";
      if (onValue && (spark.code === UNCLASSED || (options.anyRuntimeError === true && spark.runtime)))
        return undefined;
    }
    return { kind: spark.ok === other.ok ? "error" : "value", text: `${told(spark)} <> ${told(other)}` };
  }
  const value = valueDifference(spark, other, options);
  if (value !== undefined) return { kind: "value", text: value };
  for (const [i, a] of spark.columns.entries()) {
    const b = other.columns[i]!;
    if (a.type.replaceAll("!", "") !== b.type.replaceAll("!", ""))
      return { kind: "type", text: `${a.type} <> ${b.type}` };
  }
  for (const [i, a] of spark.columns.entries()) {
    const b = other.columns[i]!;
    if (a.type !== b.type) return { kind: "nullable", text: `${a.type} <> ${b.type} (! = never null)` };
  }
  if (options.names === false) return undefined;
  const at = spark.columns.findIndex((a, i) => a.name !== other.columns[i]!.name);
  return at < 0 ? undefined : { kind: "name", text: `${spark.columns[at]!.name} <> ${other.columns[at]!.name}` };
}

function valueDifference(spark: Rows, other: Rows, options: CompareOptions): string | undefined {
  if (spark.columns.length !== other.columns.length) {
    return `${spark.columns.length} columns <> ${other.columns.length} columns`;
  }
  if (spark.rows.length !== other.rows.length) return `${spark.rows.length} rows <> ${other.rows.length} rows`;
  const a = spark.rows.map((r) => r.join(" | "));
  const b = other.rows.map((r) => r.join(" | "));
  if (options.ordered !== true && spark.rows.length > 1) {
    a.sort();
    b.sort();
  }
  const at = a.findIndex((row, i) => !sameText(row, b[i]!, options));
  if (at < 0) return undefined;
  if (options.ordered === true || options.tolerance !== undefined) return `${a[at]} <> ${b[at]}`;
  // As multisets: what only one of them has.
  return `${lacking(a, b)} <> ${lacking(b, a)}`;
}

function lacking(a: readonly string[], b: readonly string[]): string {
  const rest = [...b];
  for (const row of a) {
    const i = rest.indexOf(row);
    if (i < 0) return row;
    rest.splice(i, 1);
  }
  return "(nothing)";
}

export function told(o: Outcome): string {
  if (!o.ok) return `${o.code}`;
  const rows = o.rows.map((r) => r.join(" | "));
  return `${o.columns.map((c) => c.type).join(", ")}: ${rows.slice(0, 3).join(" ; ")}${rows.length > 3 ? ` ... (${rows.length})` : ""}`;
}

/** What Spark has no telling name for has one here. */
const NAMED_HERE: Readonly<Record<string, readonly string[]>> = {
  PARSE_SYNTAX_ERROR: ["_LEGACY_ERROR_TEMP_0029"],
  "INVALID_INTERVAL_FORMAT.UNMATCHED_FORMAT_STRING": ["_LEGACY_ERROR_TEMP_0063"],
  UNSUPPORTED_OPERATION: ["_LEGACY_ERROR_TEMP_3102", "_LEGACY_ERROR_TEMP_1039"],
  // A name among a schema's, looked up by the Connect server itself or by a rule of its own.
  "UNRESOLVED_COLUMN.WITH_SUGGESTION": [
    "CONNECT_INVALID_PLAN.UNRESOLVED_COLUMN_AMONG_FIELD_NAMES",
    "UNRESOLVED_COLUMN_AMONG_FIELD_NAMES",
  ],
};

/** A bare Java exception that Spark let through, such as "long overflow": any error of ours on a value says as much. */
const UNCLASSED = "SPARK_ERROR";

/** Spark's top class counts; its sub-class too where ours has one. */
function sameClass(spark: string, ours: string): boolean {
  if (spark === ours || NAMED_HERE[ours]?.includes(spark)) return true;
  return !ours.includes(".") && spark.split(".")[0] === ours;
}

/** What is this near to zero may be zero after other roundings. */
const NOTHING = 1e-4;
const NUMBER = /-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi;

/** Java before 19 does not write the shortest digits of a float, 1.23456795E12 for 1.234568E12. */
const SHORTEST = /^(?:\d+ \| )?"?-?\d\.\d{1,8}E-?\d+"?$/;

/** Commas between thousands. */
const GROUPS = /\d,\d{3}(?!\d)/;
const plain = (text: string): string => text.replace(/(?<=\d),(?=\d{3}(?!\d))/g, "");

function sameText(a: string, b: string, { tolerance, anyRuntimeError }: CompareOptions): boolean {
  const errors = [/^(.*) \| !(\S+)/.exec(a), /^(.*) \| !(\S+)/.exec(b)] as const;
  if (errors[0] && errors[1]) {
    const [spark, ours] = [errors[0][2]!, errors[1][2]!];
    return errors[0][1] === errors[1][1] && (anyRuntimeError === true || spark === UNCLASSED || sameClass(spark, ours));
  }
  if (a === b) return true;
  if (tolerance !== undefined && GROUPS.test(a)) return sameText(plain(a), plain(b), { tolerance });
  if (tolerance === undefined || a.replace(NUMBER, "#") !== b.replace(NUMBER, "#")) return false;
  const x = a.match(NUMBER)!.map(Number);
  const y = b.match(NUMBER)!.map(Number);
  if (x.every((n, i) => Math.abs(n - y[i]!) <= tolerance * Math.max(Math.abs(n), Math.abs(y[i]!), NOTHING)))
    return true;
  return (
    x.length === y.length &&
    SHORTEST.test(a) &&
    SHORTEST.test(b) &&
    x.every((n, i) => Math.fround(n) === Math.fround(y[i]!))
  );
}
