import { MillraceError } from "../errors.ts";
import { sqlName } from "../types/ddl.ts";
import { type Builder, isTimeWindow } from "./analyze-base.ts";
import type { Scope } from "./analyze-scope.ts";
import type { Expr } from "./expr.ts";
import { parseIntervalMicros } from "./interval.ts";
import { castExpr, columnOf, resolveCall } from "./resolve-expr.ts";
import type { ResolvedExpr } from "./resolved.ts";
import { exprText } from "./sql-text.ts";
import { exprKey } from "./walk.ts";

/** Turns calls of `window(time, duration[, slide[, start]])` into one time_window node below; a second, equal call is the same column. */
export function timeWindows(b: Builder): (scope: Scope, args: readonly Expr[]) => ResolvedExpr {
  let made: { readonly key: string; readonly column: ResolvedExpr } | undefined;
  return (scope, args) => {
    if (args.length < 2 || args.length > 4) {
      throw new MillraceError(
        "WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
        `The \`window\` requires 2 to 4 parameters but the actual number is ${args.length}.`,
      );
    }
    let time = scope.exprs.resolve(args[0]!);
    if (isTimeWindow(time.type)) time = resolveCall(scope.exprs.signature("window_time"), [{ expr: time }], false);
    if (time.type.kind !== "timestamp" && time.type.kind !== "timestamp_ntz") {
      if (time.type.kind !== "date" && time.type.kind !== "string") {
        throw new MillraceError(
          "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
          `The first parameter of \`window\` requires the "TIMESTAMP" type, however "${exprText(args[0]!)}" has the type "${sqlName(time.type)}".`,
        );
      }
      time = castExpr(time, { kind: "timestamp" }, "ansi", () => "window");
    }
    const duration = micros(args[1]!, "duration of window");
    const slide = args[2] === undefined ? duration : micros(args[2], "slide of window");
    const start = args[3] === undefined ? 0n : micros(args[3], "start of window");
    if (duration <= 0n) throw bad("window duration", exprText(args[1]!), "must be greater than 0");
    if (slide <= 0n) throw bad("slide of the window", exprText(args[2]!), "must be greater than 0");
    if (slide > duration) throw bad("slide of the window", exprText(args[2]!), "must not be greater than its duration");
    if ((start < 0n ? -start : start) >= slide)
      throw bad("start of the window", exprText(args[3]!), "must be less than its slide");
    const key = `${exprKey(time)} ${duration} ${slide} ${start}`;
    if (made !== undefined) {
      if (made.key === key) return made.column;
      throw new MillraceError(
        "UNSUPPORTED_OPERATION",
        "Multiple time/session window expressions would result in a cartesian product of rows, therefore they are currently not supported.",
        { hint: "Use one window(...) in a query level." },
      );
    }
    const watermark = b.watermarkOf(time);
    const end = { type: time.type, nullable: true };
    const field = b.field(
      "window",
      {
        kind: "struct",
        fields: [
          { name: "start", ...end },
          { name: "end", ...end },
        ],
      },
      // Spark makes sliding windows by an expansion, which forgets that there is one.
      slide !== duration,
      watermark ? { watermark } : {},
    );
    const input = scope.node.rel;
    scope.node = {
      ...scope.node,
      rel: {
        kind: "time_window",
        input,
        field,
        time,
        durationMicros: duration,
        slideMicros: slide,
        startMicros: start,
        fields: [...input.fields, field],
        streaming: input.streaming,
      },
      columns: [...scope.node.columns, { field, qualifiers: [] }],
    };
    made = { key, column: columnOf(field) };
    return made.column;
  };
}

function micros(e: Expr, what: string): bigint {
  if (e.kind === "literal" && typeof e.value === "string") return parseIntervalMicros(e.value, what);
  if (e.kind === "literal" && typeof e.value === "bigint" && e.type.kind === "interval_day_time") return e.value;
  throw new MillraceError("INVALID_ARGUMENT", `The ${what} must be a literal, not "${exprText(e)}".`, {
    hint: 'Write it as text, such as "10 minutes".',
  });
}

function bad(what: string, given: string, why: string): MillraceError {
  return new MillraceError("INVALID_ARGUMENT", `The ${what} "${given}" ${why}.`);
}
