/** A line without axes: the shape of the last minutes. Its numbers stand beside it as text. */
export function Sparkline(props: {
  values: readonly (number | null)[];
  label: string;
  width?: number;
  height?: number;
}) {
  const { values, label, width = 240, height = 44 } = props;
  const known = values.filter((v) => v !== null);
  if (known.length < 2) return <div class="spark none" style={{ height: `${height}px` }} aria-hidden="true" />;
  const max = Math.max(...known, 0);
  const x = (i: number): number => (i / (values.length - 1)) * width;
  const y = (v: number): number => height - 2 - (max === 0 ? 0 : (v / max) * (height - 4));
  let line = "";
  let first: number | undefined;
  let last = 0;
  for (const [i, v] of values.entries()) {
    if (v === null) continue;
    line += `${first === undefined ? "M" : "L"}${x(i).toFixed(1)} ${y(v).toFixed(1)}`;
    first ??= i;
    last = i;
  }
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={label}
      height={height}
    >
      <path class="area" d={`${line}L${x(last).toFixed(1)} ${height}L${x(first ?? 0).toFixed(1)} ${height}Z`} />
      <path class="line" d={line} />
    </svg>
  );
}

/** The last `seconds` of points, oldest first, as many as fit; null where nothing is known. */
export function window<T extends { readonly at: number }>(
  points: readonly T[],
  value: (point: T) => number | null,
  now: number,
  seconds: number,
  bins = 60,
): (number | null)[] {
  const step = (seconds * 1000) / bins;
  const start = now - seconds * 1000;
  const sums = new Array<number>(bins).fill(0);
  const counts = new Array<number>(bins).fill(0);
  for (let i = points.length - 1; i >= 0; i--) {
    const point = points[i]!;
    const bin = Math.floor((point.at - start) / step);
    if (bin < 0) break;
    const v = value(point);
    if (v === null) continue;
    const at = Math.min(bin, bins - 1);
    sums[at] = sums[at]! + v;
    counts[at] = counts[at]! + 1;
  }
  return sums.map((sum, i) => (counts[i] === 0 ? null : sum / counts[i]!));
}
