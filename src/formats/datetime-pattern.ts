import { MillraceError } from "../errors.ts";

/** Java pattern letters (as Spark's `dateFormat` and `timestampFormat` use them) with DuckDB's strptime and strftime codes. */
const CODES: readonly (readonly [pattern: RegExp, code: string])[] = [
  [/^y{4,}|^u{4,}/, "%Y"],
  [/^yy/, "%y"],
  [/^y|^u/, "%Y"],
  [/^MMMM/, "%B"],
  [/^MMM/, "%b"],
  [/^MM/, "%m"],
  [/^M/, "%-m"],
  [/^dd/, "%d"],
  [/^d/, "%-d"],
  [/^DDD/, "%j"],
  [/^HH/, "%H"],
  [/^H/, "%-H"],
  [/^hh/, "%I"],
  [/^h/, "%-I"],
  [/^mm/, "%M"],
  [/^m/, "%-M"],
  [/^ss/, "%S"],
  [/^s/, "%-S"],
  [/^S{4,9}/, "%f"],
  [/^S{1,3}/, "%g"],
  [/^a/, "%p"],
  [/^EEEE/, "%A"],
  [/^E{1,3}/, "%a"],
];

/**
 * A Java datetime pattern as DuckDB's. `zoned` tells whether it holds an offset or a zone.
 *
 * @throws MillraceError INVALID_OPTION for a letter without a counterpart
 * @example toStrptime("yyyy-MM-dd'T'HH:mm:ss") // { format: "%Y-%m-%dT%H:%M:%S", zoned: false }
 */
export function toStrptime(pattern: string): { readonly format: string; readonly zoned: boolean } {
  let rest = pattern;
  let format = "";
  let zoned = false;
  while (rest.length > 0) {
    const quoted = /^'((?:[^']|'')*)'/.exec(rest);
    if (quoted !== null) {
      format += quoted[1] === "" ? "'" : quoted[1]!.replaceAll("''", "'").replaceAll("%", "%%");
      rest = rest.slice(quoted[0].length);
      continue;
    }
    const zone = /^(?:X{1,3}|x{1,3}|Z{1,5}|z{1,4}|VV)/.exec(rest);
    if (zone !== null) {
      format += /^[zV]/.test(zone[0]) ? "%Z" : "%z";
      zoned = true;
      rest = rest.slice(zone[0].length);
      continue;
    }
    const found = CODES.map(([p, code]) => [p.exec(rest), code] as const).find(([m]) => m !== null);
    if (found !== undefined) {
      format += found[1];
      rest = rest.slice(found[0]![0].length);
      continue;
    }
    if (/^[A-Za-z]/.test(rest)) {
      throw new MillraceError(
        "INVALID_OPTION",
        `The datetime pattern ${JSON.stringify(pattern)} cannot be used: letter \`${rest[0]}\`.`,
        {
          hint: "Use the letters y, M, d, H, h, m, s, S, a, E, X and Z; other text goes between single quotes.",
        },
      );
    }
    // Brackets mark optional parts in Java; strptime has none.
    if (rest[0] !== "[" && rest[0] !== "]") format += rest[0] === "%" ? "%%" : rest[0];
    rest = rest.slice(1);
  }
  return { format, zoned };
}
