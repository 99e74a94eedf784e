/** A double as Java and Spark print it: `1.0`, `1.0E10`, `1.5E-7`. */
export function doubleText(n: number): string {
  return decimal(n, n);
}

/** A float as Java prints it: no more digits than tell it from its neighbours. */
export function floatText(n: number): string {
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(n.toPrecision(digits));
    if (Math.fround(short) === n) return decimal(n, short);
  }
  return decimal(n, n);
}

function decimal(n: number, short: number): string {
  if (!Number.isFinite(n)) return String(n);
  if (Object.is(n, -0)) return "-0.0";
  const abs = Math.abs(n);
  if (n === 0 || (abs >= 1e-3 && abs < 1e7)) return Number.isInteger(short) ? `${short}.0` : String(short);
  const [mantissa, exponent] = short.toExponential().split("e") as [string, string];
  return `${mantissa.includes(".") ? mantissa : `${mantissa}.0`}E${exponent.replace("+", "")}`;
}

/** A decimal's plain text as java.math.BigDecimal prints it: with an exponent where there would be many zeros. */
export function decimalText(text: string): string {
  const [, sign = "", whole = "0", fraction = ""] = /^(-?)(\d*)\.?(\d*)$/.exec(text)!;
  const digits = (whole + fraction).replace(/^0+(?=.)/, "");
  const exponent = digits.length - 1 - fraction.length;
  if (exponent >= -6) return text;
  return `${sign}${digits[0]}${digits.length > 1 ? `.${digits.slice(1)}` : ""}E${exponent}`;
}
