import { useEffect, useId, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { type Name, Term } from "../explain.tsx";
import { isDark } from "../theme.ts";
import { Empty } from "./parts.tsx";
import { Scroll } from "./scroll.tsx";

export interface Series {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** A colour's name in tokens.css, such as `--accent`. */
  readonly color: string;
  readonly dashed?: boolean;
}

export interface ChartProps {
  readonly title: string;
  readonly explain: Name;
  readonly unit: string;
  /** Milliseconds since 1970, rising. */
  readonly at: readonly number[];
  readonly series: readonly Series[];
  readonly format: (value: number) => string;
  /** Series add up and are drawn on top of each other. */
  readonly stacked?: boolean;
  /** The axis need not begin at zero. */
  readonly free?: boolean;
  /** What the lines of the axis may be apart: whole things, or minutes and hours. */
  readonly steps?: "whole" | "seconds";
  readonly height?: number;
  /** What to say while there are fewer than two points. */
  readonly none: string;
}

const TABLE_ROWS = 25;
const time = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

/**
 * Lines over time. The canvas says nothing to those who cannot see it, so it is a figure with a table of the newest points beside it, and
 * the arrow keys walk along the points and say them.
 */
export function Chart(props: ChartProps) {
  const { title, explain, unit, at, series, format, stacked = false, none } = props;
  // Rows that nobody looks at are not made anew ten times a second.
  const [listed, setListed] = useState(false);
  const table = useId();
  const caption = useId();
  return (
    <figure class="panel chart" aria-labelledby={caption} aria-details={table}>
      <figcaption>
        <h2 id={caption}>
          <Term name={explain}>{title}</Term>
        </h2>
        <span class="unit">{unit}</span>
      </figcaption>
      {at.length < 2 ? (
        <Empty title={at.length === 0 ? none : "One point so far"} />
      ) : (
        <Canvas {...props} stacked={stacked} />
      )}
      <details id={table} onToggle={(event) => setListed(event.currentTarget.open)}>
        <summary>
          As a table<span class="sr">: {title}</span>
        </summary>
        {listed && <PointTable at={at} series={series} format={format} title={title} />}
      </details>
    </figure>
  );
}

function PointTable({ at, series, format, title }: Pick<ChartProps, "at" | "series" | "format" | "title">) {
  const from = Math.max(0, at.length - TABLE_ROWS);
  const rows = at.slice(from).map((t, i) => ({ t, i: from + i }));
  return (
    <Scroll label={`${title}: the newest points`}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            {series.map((s) => (
              <th key={s.label} scope="col" class="num">
                {s.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.reverse().map(({ t, i }) => (
            <tr key={t}>
              <th scope="row">{time.format(t)}</th>
              {series.map((s) => (
                <td key={s.label} class="num">
                  {textOf(s.values[i], format)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function textOf(value: number | null | undefined, format: (value: number) => string): string {
  return value === null || value === undefined ? "–" : format(value);
}

function Canvas(props: ChartProps & { stacked: boolean }) {
  const { at, series, format, stacked, free = false, height = 190, title } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shown = useRef(props);
  shown.current = props;
  const [spoken, setSpoken] = useState("");
  const shape = series.map((s) => `${s.label}${s.color}${s.dashed}`).join();
  const dark = isDark.value;

  useEffect(() => {
    const target = box.current!;
    const made = new uPlot(optionsOf(shown, target.clientWidth, height, stacked, free), dataOf(shown.current), target);
    plot.current = made;
    const resized = new ResizeObserver(() => made.setSize({ width: target.clientWidth, height }));
    resized.observe(target);
    return () => {
      resized.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape, dark, stacked, free, height]);

  useEffect(() => {
    const made = plot.current;
    if (made === null) return;
    const before = made.cursor.idx;
    made.setData(dataOf({ at, series, stacked }));
    // The legend follows the newest point unless somebody looks at another.
    if (before === null || before === undefined) legendAtEnd(made, at.length - 1);
  });

  const step = (event: KeyboardEvent): void => {
    const made = plot.current;
    const jump = ({ ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 } as Record<string, number>)[event.key];
    const end = event.key === "Home" ? 0 : event.key === "End" ? at.length - 1 : undefined;
    if (made === null || (jump === undefined && end === undefined)) return;
    event.preventDefault();
    const from = made.cursor.idx ?? at.length - 1;
    const to = Math.max(0, Math.min(at.length - 1, end ?? from + jump!));
    made.setCursor({ left: made.valToPos(at[to]! / 1000, "x"), top: made.over.clientHeight / 2 });
    setSpoken(`${time.format(at[to])}: ${series.map((s) => `${s.label} ${textOf(s.values[to], format)}`).join(", ")}`);
  };
  return (
    <>
      <div
        class="canvas"
        ref={box}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys walk along its points
        tabIndex={0}
        role="application"
        aria-roledescription="chart"
        aria-label={`${title}: points by arrow keys`}
        onKeyDown={step}
      />
      <span class="sr" role="status">
        {spoken}
      </span>
    </>
  );
}

function legendAtEnd(plot: uPlot, idx: number): void {
  if (idx >= 0) plot.setLegend({ idx }, false);
}

/** Lines as uPlot wants them; stacked ones with the sums, the topmost first. */
function dataOf({ at, series, stacked }: Pick<ChartProps, "at" | "series" | "stacked">): uPlot.AlignedData {
  const x = at.map((t) => t / 1000);
  if (!stacked) return [x, ...series.map((s) => [...s.values])];
  const sums: number[][] = [];
  for (const s of series) {
    const below = sums.at(-1);
    sums.push(s.values.map((v, i) => (v ?? 0) + (below?.[i] ?? 0)));
  }
  return [x, ...sums.reverse()];
}

function optionsOf(
  shown: { readonly current: ChartProps },
  width: number,
  height: number,
  stacked: boolean,
  free: boolean,
): uPlot.Options {
  const style = getComputedStyle(document.documentElement);
  const colors = document.createElement("span");
  document.body.append(colors);
  // light-dark() stays as it is in a custom property: only a real property has the colour.
  const color = (name: string): string => {
    colors.style.color = `var(${name})`;
    return getComputedStyle(colors).color;
  };
  const { series } = shown.current;
  const font = `12px ${style.getPropertyValue("--sans")}`;
  const axis = { stroke: color("--muted"), font, ticks: { show: false }, grid: { stroke: color("--line"), width: 1 } };
  const drawn = stacked ? [...series].reverse() : series;
  const options: uPlot.Options = {
    width,
    height,
    padding: [8, 26, 0, 0],
    cursor: { y: false, points: { size: 7 }, drag: { x: false, y: false, setScale: false } },
    legend: { live: true },
    scales: { y: { range: (_, min, max) => rangeOf(min, max, free) } },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 30,
        space: 90,
        values: (_, splits) => splits.map((s) => time.format(s * 1000)),
      },
      {
        ...axis,
        ...(shown.current.steps !== undefined && { incrs: STEPS[shown.current.steps] }),
        size: (_, values) => widthOf(values ?? []),
        values: (_, splits) => splits.map((v) => shown.current.format(v)),
      },
    ],
    series: [
      { label: "", value: (_, v) => (v === null ? "–" : time.format(v * 1000)) },
      ...drawn.map((s, i): uPlot.Series => {
        const stroke = color(s.color);
        const at = stacked ? series.length - 1 - i : i;
        return {
          label: s.label,
          stroke,
          width: stacked ? 0 : 1.6,
          ...(s.dashed && { dash: [4, 4] }),
          ...(stacked && { fill: stroke }),
          points: { show: false },
          spanGaps: true,
          value: (_, _v, __, idx) =>
            textOf(idx === null ? null : shown.current.series[at]?.values[idx], shown.current.format),
        };
      }),
    ],
  };
  colors.remove();
  return options;
}

const WHOLE = Array.from({ length: 15 }, (_, i) => [1, 2, 5].map((n) => n * 10 ** i)).flat();
const SECONDS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600, 43_200];
const STEPS = { whole: WHOLE, seconds: [0.001, 0.01, 0.1, 0.5, ...SECONDS, ...WHOLE.map((n) => n * 86_400)] };

/** Room for the longest label of the axis. */
function widthOf(values: readonly string[]): number {
  return 14 + 6.8 * Math.max(4, ...values.map((v) => v.length));
}

/** From zero, with room above; a line of zeros lies at the bottom. */
function rangeOf(min: number | null, max: number | null, free: boolean): [number, number] {
  if (min === null || max === null || !Number.isFinite(max)) return [0, 1];
  if (free && min !== max) return [min - (max - min) * 0.08, max + (max - min) * 0.08];
  if (free) return [min - 1, max + 1];
  return [Math.min(0, min), max <= 0 ? 1 : max * 1.12];
}
