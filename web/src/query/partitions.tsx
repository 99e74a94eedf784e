import { useRef } from "preact/hooks";
import type { PartitionLag } from "../../../src/observe/api.ts";
import { Term } from "../explain.tsx";
import * as f from "../format.ts";
import { Panel } from "../ui/parts.tsx";
import { Scroll } from "../ui/scroll.tsx";
import { trendOf, trendText } from "../words.ts";

/** The time over which a trend is seen. */
const TREND_MS = 30_000;
const STEP_MS = 2000;

interface Point {
  readonly at: number;
  readonly lagRows: number;
}

/** How far each partition was read; an average hides the one that holds the others back. */
export function Partitions({ partitions, now }: { partitions: readonly PartitionLag[]; now: number }) {
  const seen = useRef(new Map<string, Point[]>());
  if (partitions.length === 0) return null;
  const most = Math.max(1, ...partitions.map((p) => p.lagRows));
  return (
    <Panel title="Lag by partition" aside={<Term name="partition.lagRows">rows not read yet</Term>}>
      <Scroll label="Lag by partition, as rows">
        <table>
          <thead>
            <tr>
              <th scope="col">Partition</th>
              <th scope="col" class="num">
                <Term name="partition.read">Read up to</Term>
              </th>
              <th scope="col" class="num">
                <Term name="partition.latest">Newest</Term>
              </th>
              <th scope="col" class="num">
                Waiting
              </th>
              <th scope="col" class="num">
                <Term name="source.lagSeconds">In time</Term>
              </th>
              <th scope="col">
                <Term name="query.lagTrend">Trend</Term>
              </th>
              <td />
            </tr>
          </thead>
          <tbody>
            {partitions.map((p) => (
              <tr key={`${p.source} ${p.partition}`}>
                <th scope="row">{p.partition}</th>
                <td class="num">{p.read}</td>
                <td class="num">{p.latest}</td>
                <td class="num" title={f.exact(p.lagRows)}>
                  {f.count(p.lagRows)}
                </td>
                <td class="num">
                  {p.lagSeconds === null ? <span class="none">not read now</span> : f.seconds(p.lagSeconds)}
                </td>
                <td class="nowrap">{textOf(remember(seen.current, p, now))}</td>
                <td class="meter-cell" aria-hidden="true">
                  {p.lagRows > 0 && <span class="meter" style={{ width: `${(p.lagRows / most) * 100}%` }} />}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
    </Panel>
  );
}

/** The lags of a partition over the last seconds, this one included. */
function remember(seen: Map<string, Point[]>, p: PartitionLag, now: number): readonly Point[] {
  const key = `${p.source} ${p.partition}`;
  const points = (seen.get(key) ?? []).filter((point) => now - point.at <= TREND_MS);
  const last = points.at(-1);
  if (last === undefined || now - last.at >= STEP_MS) points.push({ at: now, lagRows: p.lagRows });
  seen.set(key, points);
  return points;
}

function textOf(points: readonly Point[]): string {
  const lags = points.map((p) => p.lagRows);
  const trend = trendOf(lags);
  if (trend === null) return "…";
  return trend === 0 && lags.at(-1) === 0 ? "→ nothing waits" : trendText(trend);
}
