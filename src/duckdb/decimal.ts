/** Decimals as text and as scaled integers (12.50 at scale 2 is 1250). */

/** `1250n` at scale 2 as `12.50`. */
export function toDecimalString(scaled: bigint, scale: number): string {
  if (scale === 0) return scaled.toString();
  const negative = scaled < 0n;
  const digits = (negative ? -scaled : scaled).toString().padStart(scale + 1, "0");
  const point = digits.length - scale;
  return `${negative ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/**
 * The scaled integer of a number in text, rounded half away from zero as Spark does; undefined when it is not a number or does
 * not fit the precision.
 */
export function parseDecimal(text: string, precision: number, scale: number): bigint | undefined {
  const match = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,5}))?\s*$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  if (whole === "" && fraction === "") return undefined;
  const digits = whole + fraction;
  // Number of digits of `digits` that stay left of the cut.
  const keep = whole.length + Number(exponent) + scale;
  let scaled: bigint;
  if (keep < 0) scaled = 0n;
  else if (keep >= digits.length) {
    if (keep - digits.length > 400) return /^0*$/.test(digits) ? 0n : undefined;
    scaled = BigInt(digits || "0") * 10n ** BigInt(keep - digits.length);
  } else {
    scaled = BigInt(digits.slice(0, keep) || "0");
    if (digits[keep]! >= "5") scaled += 1n;
  }
  if (scaled >= 10n ** BigInt(precision)) return undefined;
  return sign === "-" ? -scaled : scaled;
}
