import { MillraceError } from "../errors.ts";

/** Spark's number formats of `to_number` and `to_char`: digits 0 and 9, `.` or D, `,` or G, `$`, S, MI and PR. */
export interface NumberFormat {
  readonly precision: number;
  readonly scale: number;
  /** Groups of digits before the point, from left to right. */
  readonly whole: readonly ("0" | "9" | ",")[];
  readonly fraction: readonly ("0" | "9")[];
  readonly point: boolean;
  readonly dollar: boolean;
  readonly sign: { readonly at: "start" | "end"; readonly mark: "S" | "MI" } | undefined;
  readonly angle: boolean;
}

/** @throws MillraceError INVALID_FORMAT.WRONG_NUM_DIGIT and others for what is no number format */
export function parseNumberFormat(text: string): NumberFormat {
  const m = /^(MI|S)?(\$)?([09,G]*)(?:([.D])([09]*))?(\$)?(MI|S|PR)?$/i.exec(text.trim());
  const refuse = (): never => {
    throw new MillraceError(
      "INVALID_FORMAT.WRONG_NUM_DIGIT",
      `The format is invalid: '${text}'. The format string requires at least one number digit.`,
      { parameters: { format: `'${text}'` } },
    );
  };
  if (m === null || (m[1] !== undefined && m[7] !== undefined && m[7].toUpperCase() !== "PR")) return refuse();
  const whole = [...m[3]!.toUpperCase().replaceAll("G", ",")] as ("0" | "9" | ",")[];
  const fraction = [...(m[5] ?? "")] as ("0" | "9")[];
  const digits = whole.filter((c) => c !== ",").length;
  if (digits + fraction.length === 0) return refuse();
  const mark = (m[1] ?? (m[7]?.toUpperCase() === "PR" ? undefined : m[7]))?.toUpperCase() as "S" | "MI" | undefined;
  return {
    precision: digits + fraction.length,
    scale: fraction.length,
    whole,
    fraction,
    point: m[4] !== undefined,
    dollar: m[2] !== undefined || m[6] !== undefined,
    sign: mark === undefined ? undefined : { at: m[1] !== undefined ? "start" : "end", mark },
    angle: m[7]?.toUpperCase() === "PR",
  };
}

/** A decimal by a format, `#` in the place of digits where it does not fit. */
export function formatNumber(value: string, f: NumberFormat): string {
  const negative = value.startsWith("-");
  const [w = "", d = ""] = value.replace("-", "").split(".");
  // The zero before a point that is shown is a digit, a zero alone is none.
  const digits = w.replace(/^0+/, "") || (d === "" || f.fraction.length === 0 ? "" : "0");
  const places = f.whole.filter((c) => c !== ",").length;
  const fits = digits.replace(/^0$/, "").length <= places && d.replace(/0+$/, "").length <= f.fraction.length;
  const padded = digits.slice(-places).padStart(places, " ");
  let body = "";
  let seen = false;
  let at = 0;
  // A group between commas is filled up with zeros when it begins with one.
  let fill: string | undefined;
  for (const c of f.whole) {
    if (c === ",") {
      body += fits && seen ? "," : " ";
      fill = undefined;
      continue;
    }
    fill ??= c === "0" ? "0" : " ";
    const digit = padded[at++]!;
    seen ||= digit !== " " || fill === "0";
    body += !fits ? "#" : digit !== " " ? digit : fill;
  }
  if (f.point) body += ".";
  body += f.fraction.map((_, i) => (fits ? (d[i] ?? "0") : "#")).join("");
  if (f.dollar) body = `$${body}`;
  // Marks of the sign stand beside what comes first.
  const lead = /^ */.exec(body)![0].length;
  const put = (mark: string): void => {
    body = `${body.slice(0, lead)}${mark}${body.slice(lead)}`;
  };
  if (f.sign?.at === "start") put(negative ? "-" : f.sign.mark === "S" ? "+" : " ");
  else if (f.sign?.at === "end") body += negative ? "-" : f.sign.mark === "S" ? "+" : " ";
  else if (f.angle && negative) {
    put("<");
    body += ">";
  } else if (f.angle) body += "  ";
  return body;
}

/** The decimal that a text says by a format, undefined where it does not fit. */
export function readNumber(text: string, f: NumberFormat): string | undefined {
  let s = text.trim();
  let negative = false;
  if (f.angle && /^<.*>$/.test(s)) {
    negative = true;
    s = s.slice(1, -1);
  }
  if (f.sign?.at === "start" && /^[+-]/.test(s)) {
    negative = s.startsWith("-");
    s = s.slice(1);
  }
  if (f.sign?.at === "end" && /[+-]$/.test(s)) {
    negative = s.endsWith("-");
    s = s.slice(0, -1);
  }
  if (f.dollar) {
    if (!s.startsWith("$")) return undefined;
    s = s.slice(1);
  }
  const m = /^([0-9,]*)(?:\.([0-9]*))?$/.exec(s);
  if (m === null) return undefined;
  const groups = m[1]!.split(",");
  const wanted = f.whole.join("").split(",");
  if (groups.length > wanted.length) return undefined;
  // Groups are counted from the point; only the first may be shorter, where its digits are all optional.
  for (let i = 1; i <= groups.length; i++) {
    const given = groups.at(-i)!;
    const want = wanted.at(-i)!;
    if (given.length > want.length) return undefined;
    if (given.length < want.length && (i < groups.length || want.startsWith("0"))) return undefined;
  }
  if (wanted.slice(0, wanted.length - groups.length).some((g) => g.includes("0"))) return undefined;
  const fraction = m[2] ?? "";
  if (fraction.length > f.scale) return undefined;
  const digits = groups.join("");
  if (digits === "" && fraction === "") return undefined;
  return `${negative ? "-" : ""}${digits || "0"}${f.scale > 0 ? `.${fraction.padEnd(f.scale, "0")}` : ""}`;
}
