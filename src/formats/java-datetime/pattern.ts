import { MillraceError } from "../../errors.ts";

/**
 * Patterns of Java's DateTimeFormatter as Spark takes them, https://spark.apache.org/docs/latest/sql-ref-datetime-pattern.html:
 * letters with a count, text between quotes, optional parts between brackets.
 */
export type Token =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "field"; readonly letter: string; readonly count: number }
  | { readonly kind: "optional"; readonly tokens: readonly Token[] };

const LEGACY = /^[GyMLwWDdFEuaHkKhmsSzZXY]$/;
const KNOWN = /^[GyuMLDdFEQqaHkKhmsSVzOXxZ]$/;

/** What a pattern is for. Letters such as `E` can be written but not read. */
export type Use = "parse" | "format";

/**
 * The tokens of a pattern.
 *
 * @throws MillraceError INVALID_DATETIME_PATTERN.* or, where Spark 2 took it in another sense, INCONSISTENT_BEHAVIOR_CROSS_VERSION.*
 */
export function tokensOf(pattern: string, use: Use): readonly Token[] {
  const stack: Token[][] = [[]];
  let faulty: MillraceError | undefined;
  let modern = true;
  let i = 0;
  const add = (token: Token): void => {
    const list = stack.at(-1)!;
    const last = list.at(-1);
    if (token.kind === "text" && last?.kind === "text") {
      list[list.length - 1] = { kind: "text", text: last.text + token.text };
    } else list.push(token);
  };
  while (i < pattern.length) {
    const c = pattern[i]!;
    if (c === "'") {
      let text = "";
      let end = i + 1;
      for (;;) {
        if (end >= pattern.length) throw unrecognized(pattern);
        if (pattern[end] !== "'") text += pattern[end++];
        else if (pattern[end + 1] === "'") {
          text += "'";
          end += 2;
        } else break;
      }
      add({ kind: "text", text: end === i + 1 ? "'" : text });
      i = end + 1;
    } else if (/[A-Za-z]/.test(c)) {
      let end = i;
      while (pattern[end] === c) end++;
      const count = end - i;
      faulty ??= fault(pattern, c, count, use);
      if (!KNOWN.test(c) || !validCount(c, count)) modern = false;
      add({ kind: "field", letter: c, count });
      i = end;
    } else if (c === "[") {
      stack.push([]);
      i++;
    } else if (c === "]") {
      if (stack.length === 1) throw unrecognized(pattern);
      const tokens = stack.pop()!;
      add({ kind: "optional", tokens });
      i++;
    } else if (c === "{" || c === "}" || c === "#") {
      throw unrecognized(pattern);
    } else {
      add({ kind: "text", text: c });
      i++;
    }
  }
  if (faulty !== undefined) throw faulty;
  if (!modern) throw legacyTakes(pattern) ? changed(pattern) : unrecognized(pattern);
  while (stack.length > 1) {
    const tokens = stack.pop()!;
    stack.at(-1)!.push({ kind: "optional", tokens });
  }
  return stack[0]!;
}

/** Letters that Spark 3 refuses by itself. */
function fault(pattern: string, letter: string, count: number, use: Use): MillraceError | undefined {
  if (letter === "e" || letter === "c") {
    return new MillraceError(
      "INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_WEEK_BASED_PATTERN",
      `All week-based patterns are unsupported since Spark 3.0, detected week-based character: ${letter}.`,
      { hint: "Use the function extract instead." },
    );
  }
  const illegal =
    /[YWwuABnNp]/.test(letter) || (use === "parse" && /[EFqQ]/.test(letter)) || (letter === "y" && count > 6);
  const long = (/[GMLEQq]/.test(letter) && count >= 5) || (letter === "a" && count > 1);
  if (!illegal && !long) return undefined;
  if (legacyTakes(pattern)) return changed(pattern);
  return illegal
    ? new MillraceError(
        "INVALID_DATETIME_PATTERN.ILLEGAL_CHARACTER",
        `Unrecognized datetime pattern: ${pattern}. Illegal pattern character found in datetime pattern: ${letter}.`,
        { parameters: { pattern, c: letter } },
      )
    : new MillraceError("INVALID_DATETIME_PATTERN.LENGTH", `Too many letters in datetime pattern: ${pattern}.`, {
        parameters: { pattern },
      });
}

function validCount(letter: string, count: number): boolean {
  switch (letter) {
    case "G":
    case "E":
    case "M":
    case "L":
    case "Q":
    case "q":
    case "z":
      return count <= 4;
    case "d":
    case "H":
    case "h":
    case "K":
    case "k":
    case "m":
    case "s":
      return count <= 2;
    case "D":
      return count <= 3;
    case "S":
      return count <= 9;
    case "a":
    case "F":
      return count === 1;
    case "V":
      return count === 2;
    case "O":
      return count === 1 || count === 4;
    case "X":
    case "x":
    case "Z":
      return count <= 5;
    default:
      return true;
  }
}

/** Whether Java's old SimpleDateFormat would take the pattern. */
function legacyTakes(pattern: string): boolean {
  const letters = pattern.replace(/'[^']*'/g, "").match(/[A-Za-z]+/g) ?? [];
  return [...letters.join("")].every((c) => LEGACY.test(c)) && !/X{4,}/.test(pattern);
}

function changed(pattern: string): MillraceError {
  return new MillraceError(
    "INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_PATTERN_RECOGNITION",
    `The datetime pattern '${pattern}' was taken by Spark 2 and is not since Spark 3.`,
    {
      hint: "Use letters such as yyyy, MM, dd, HH, mm, ss, SSS; put text in quotes, as in \"yyyy-MM-dd'T'HH:mm:ss\".",
      parameters: { pattern },
    },
  );
}

function unrecognized(pattern: string): MillraceError {
  return new MillraceError("INVALID_DATETIME_PATTERN.WITH_SUGGESTION", `Unrecognized datetime pattern: '${pattern}'.`, {
    hint: "Use letters such as yyyy, MM, dd, HH, mm, ss, SSS; put text in quotes, as in \"yyyy-MM-dd'T'HH:mm:ss\".",
    parameters: { pattern },
  });
}

export const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
] as const;
export const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const;
