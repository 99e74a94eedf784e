import { MillraceError } from "../errors.ts";
import { decimalText as bigDecimalText, doubleText, floatText } from "../types/number-text.ts";

/** Numbers and texts as Java writes them: java.util.Formatter, rounding half up of the shortest digits. */

/** The shortest digits of a double, and the place of the point: 0.00012 is ["12", -3]. */
function digitsOf(x: number): { digits: string; point: number } {
  const m = /^(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(x.toExponential())!;
  return { digits: `${m[1]}${m[2] ?? ""}`.replace(/(?<=.)0+$/, ""), point: Number(m[3]) + 1 };
}

function plain(digits: string, point: number): string {
  if (point <= 0) return `0.${"0".repeat(-point)}${digits}`;
  if (point >= digits.length) return digits + "0".repeat(point - digits.length);
  return `${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** A number without sign in plain decimals, as BigDecimal takes it. */
export function decimalText(x: number): string {
  if (x === 0) return "0";
  const { digits, point } = digitsOf(x);
  return plain(digits, point);
}

/** A plain decimal text without sign, rounded to so many places. */
export function roundText(text: string, places: number, mode: "half_up" | "half_even" = "half_up"): string {
  const [whole = "0", fraction = ""] = text.split(".");
  if (fraction.length <= places) return places === 0 ? whole : `${whole}.${fraction.padEnd(places, "0")}`;
  const kept = BigInt(whole + fraction.slice(0, places));
  const rest = fraction.slice(places);
  const half = rest[0]! >= "5";
  const tie = /^50*$/.test(rest);
  const up = half && (mode === "half_up" || !tie || kept % 2n === 1n);
  const all = (kept + (up ? 1n : 0n)).toString().padStart(places + 1, "0");
  return places === 0 ? all : `${all.slice(0, -places)}.${all.slice(-places)}`;
}

export const grouped = (whole: string): string => whole.replace(/\B(?=(\d{3})+$)/g, ",");

type Arg = null | boolean | number | bigint | string;
export interface FormatArg {
  readonly value: Arg;
  readonly kind: string;
}

const SPEC = /%(?:(\d+)\$)?([-#+ 0,(<]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g;

/**
 * java.util.Formatter for the values that SQL has.
 *
 * @throws MillraceError INVALID_FORMAT for what Java refuses too
 */
export function javaFormat(format: string, args: readonly FormatArg[]): string {
  let next = 0;
  let last = -1;
  const stray = format.replace(SPEC, "").indexOf("%");
  if (stray >= 0) throw refused(format, "an unknown conversion");
  return format.replace(SPEC, (spec, index, flags: string, width, precision, conversion: string) => {
    if (conversion === "n") return "\n";
    const pad = (text: string): string => {
      const w = Number(width ?? 0);
      return flags.includes("-") ? text.padEnd(w) : text.padStart(w);
    };
    if (conversion === "%") return pad("%");
    if (flags.includes("<")) index = String(last + 1);
    const at = index === undefined ? next++ : Number(index) - 1;
    last = at;
    const arg = args[at];
    if (arg === undefined) throw refused(format, `no argument for ${spec}`);
    const text = one(format, spec, conversion, flags, width, precision, arg);
    return pad(conversion >= "A" && conversion <= "Z" ? text.toUpperCase() : text);
  });
}

function refused(format: string, why: string): MillraceError {
  return new MillraceError("INVALID_VALUE", `The format '${format}' cannot be applied: ${why}.`, {
    hint: "The format is that of Java's String.format.",
  });
}

function one(
  format: string,
  spec: string,
  conversion: string,
  flags: string,
  width: string | undefined,
  precision: string | undefined,
  { value, kind }: FormatArg,
): string {
  const cut = (text: string): string => (precision === undefined ? text : text.slice(0, Number(precision)));
  const lower = conversion.toLowerCase();
  if (lower === "b") return cut(value === null ? "false" : typeof value === "boolean" ? String(value) : "true");
  if (value === null) return cut("null");
  const wrong = (): never => {
    throw refused(format, `${spec} does not take the value ${String(value)}`);
  };
  switch (lower) {
    case "s":
      if (typeof value === "number" && (kind === "double" || kind === "float"))
        return cut(kind === "float" ? floatText(value) : doubleText(value));
      return cut(kind === "decimal" ? bigDecimalText(String(value)) : String(value));
    case "h":
      return wrong();
    case "c":
      if (typeof value !== "number") return wrong();
      return String.fromCodePoint(value);
    case "d":
    case "x":
    case "o": {
      if (kind === "double" || kind === "float" || kind === "decimal") return wrong();
      if (typeof value !== "number" && typeof value !== "bigint") return wrong();
      const n = BigInt(value);
      if (lower !== "d") {
        const bits = kind === "long" ? 64 : kind === "short" ? 16 : kind === "byte" ? 8 : 32;
        const text = BigInt.asUintN(bits, n).toString(lower === "x" ? 16 : 8);
        const prefix = flags.includes("#") ? (lower === "x" ? "0x" : "0") : "";
        return prefix + (flags.includes("0") ? text.padStart(Number(width ?? 0) - prefix.length, "0") : text);
      }
      const digits = (n < 0n ? -n : n).toString();
      return signed(n < 0n, flags.includes(",") ? grouped(digits) : digits, flags, width);
    }
    case "f":
    case "e":
    case "g": {
      if (kind !== "double" && kind !== "float" && kind !== "decimal") return wrong();
      const text = String(value);
      const negative = typeof value === "number" ? value < 0 || Object.is(value, -0) : text.startsWith("-");
      if (typeof value === "number" && !Number.isFinite(value)) {
        const name = Number.isNaN(value) ? "NaN" : "Infinity";
        return Number.isNaN(value) ? name : signed(negative, name, flags.replaceAll("0", ""), width);
      }
      const plainText = typeof value === "number" ? decimalText(Math.abs(value)) : text.replace("-", "");
      const places = precision === undefined ? 6 : Number(precision);
      const body =
        lower === "f"
          ? roundText(plainText, places)
          : lower === "e"
            ? scientific(plainText, places)
            : general(plainText, places);
      const [whole, fraction] = body.split(".");
      const shown = flags.includes(",") && lower !== "e" ? grouped(whole!) : whole!;
      return signed(negative, fraction === undefined ? shown : `${shown}.${fraction}`, flags, width);
    }
  }
  return wrong();
}

function signed(negative: boolean, text: string, flags: string, width: string | undefined): string {
  const open = negative
    ? flags.includes("(")
      ? "("
      : "-"
    : flags.includes("+")
      ? "+"
      : flags.includes(" ")
        ? " "
        : "";
  const close = negative && flags.includes("(") ? ")" : "";
  const room = Number(width ?? 0) - open.length - close.length;
  return open + (flags.includes("0") ? text.padStart(room, "0") : text) + close;
}

function scientific(text: string, places: number): string {
  const [whole = "0", fraction = ""] = text.split(".");
  const digits = (whole + fraction).replace(/^0+/, "");
  if (digits === "") return `${roundText("0", places)}e+00`;
  let exponent =
    whole.replace(/^0+/, "") === "" ? -(/^0*/.exec(fraction)![0].length + 1) : whole.replace(/^0+/, "").length - 1;
  let body = roundText(`${digits[0]}.${digits.slice(1)}`, places);
  if (body.startsWith("10")) {
    exponent++;
    body = roundText(`1.${"0".repeat(places)}`, places);
  }
  return `${body}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

function general(text: string, precision: number): string {
  const p = precision === 0 ? 1 : precision;
  const x = Number(text);
  if (x === 0 || (x >= 1e-4 && x < 10 ** p)) {
    const whole = text.split(".")[0]!.replace(/^0+/, "").length;
    const leading = whole > 0 ? whole : -/^0*/.exec(text.split(".")[1] ?? "")![0].length + 0;
    return roundText(text, Math.max(0, x === 0 ? p - 1 : p - leading));
  }
  return scientific(text, p - 1);
}

/** java.text.DecimalFormat for a pattern such as `#,##0.00`: grouping, least and most digits, half even. */
export function decimalFormat(text: string, pattern: string): string {
  const negative = text.startsWith("-");
  const m = /^([^#0,.']*)([#,0]*)(?:\.([0#]*))?([^#0,.']*)$/.exec(pattern.split(";")[0]!);
  if (m === null) throw refused(pattern, "it is not a pattern of numbers");
  const [, prefix, whole = "", fraction = "", suffix] = m;
  const most = fraction.length;
  const least = fraction.replaceAll("#", "").length;
  const group = whole.includes(",") ? whole.length - whole.lastIndexOf(",") - 1 : 0;
  const minWhole = whole.replace(/[#,]/g, "").length;
  const [w = "", f = ""] = roundText(text.replace("-", ""), most, "half_even").split(".");
  let shown = w.replace(/^0+/, "").padStart(minWhole, "0");
  if (group > 0) shown = shown.replace(new RegExp(`\\B(?=(\\d{${group}})+$)`, "g"), ",");
  const decimals = f.slice(0, least) + f.slice(least).replace(/0+$/, "");
  const body = decimals === "" ? (shown === "" ? "0" : shown) : `${shown}.${decimals}`;
  return `${negative ? "-" : ""}${prefix}${body}${suffix}`;
}
