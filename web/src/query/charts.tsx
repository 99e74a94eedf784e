import { useMemo } from "preact/hooks";
import type { BatchSummary } from "../../../src/observe/api.ts";
import * as f from "../format.ts";
import type { Sample } from "../live/reducer.ts";
import { Chart, type Series } from "../ui/chart.tsx";
import { useThrottled } from "../ui/throttled.ts";
import { inOrder, phaseTitle, replaySpeed } from "../words.ts";

const DAY_S = 86_400;
const PHASE_COLORS: Readonly<Record<string, string>> = {
  latestOffset: "--phase-1",
  getOffset: "--phase-1",
  walCommit: "--phase-2",
  getBatch: "--phase-3",
  queryPlanning: "--phase-4",
  compute: "--phase-4",
  addBatch: "--phase-5",
  sink: "--phase-5",
  commitBatch: "--phase-7",
  commitOffsets: "--phase-6",
};

/** The colour of a phase, here and in the picture of one batch. */
export function phaseColor(phase: string): string {
  return PHASE_COLORS[phase] ?? "--phase-7";
}

/** Six canvases are not drawn ten times a second: nobody sees the difference, and processors do. */
const DRAW_MS = 400;

/** How the query went over its last batches. */
export function Charts(props: { batches: readonly BatchSummary[]; samples: readonly Sample[] }) {
  const batches = useThrottled(props.batches, DRAW_MS);
  const samples = useThrottled(props.samples, DRAW_MS);
  return useMemo(() => <Drawn batches={batches} samples={samples} />, [batches, samples]);
}

function Drawn({ batches, samples }: { batches: readonly BatchSummary[]; samples: readonly Sample[] }) {
  const at = useMemo(() => batches.map((b) => Date.parse(b.timestamp)), [batches]);
  const none = "No batch yet";
  const rates = useMemo(() => ratesOf(batches, at), [batches, at]);
  const phases = useMemo(() => phasesOf(batches), [batches]);
  const sampled = samples.map((s) => s.at);
  const hasState = samples.some((s) => s.stateRows !== null);
  const hasBytes = samples.some((s) => s.stateBytes !== null && s.stateBytes > 0);
  const hasLag = samples.some((s) => s.lagRows !== null);
  return (
    <div class="charts">
      <Chart
        title="Input against processing"
        explain="page.inputRate"
        steps="whole"
        unit="rows/s, by batch"
        at={at}
        series={rates}
        format={f.count}
        none={none}
      />
      <Chart
        title="Where the time of a batch goes"
        explain="batch.phases"
        unit="milliseconds, stacked"
        at={at}
        series={phases}
        format={f.duration}
        stacked
        none={none}
      />
      <Freshness batches={batches} at={at} />
      {hasLag && (
        <Chart
          title="Rows that wait"
          explain="query.lagRows"
          steps="whole"
          unit="rows"
          at={sampled}
          series={[{ label: "waiting", values: samples.map((s) => s.lagRows), color: "--accent" }]}
          format={f.count}
          none={none}
        />
      )}
      {hasState && (
        <Chart
          title="State"
          explain="query.stateRows"
          steps="whole"
          unit="rows"
          at={sampled}
          series={[{ label: "rows", values: samples.map((s) => s.stateRows), color: "--kind-state" }]}
          format={f.count}
          none={none}
        />
      )}
      {hasBytes && (
        <Chart
          title="State on disk"
          explain="query.stateBytes"
          unit="bytes"
          at={sampled}
          series={[{ label: "size", values: samples.map((s) => s.stateBytes), color: "--kind-state" }]}
          format={f.bytes}
          none={none}
        />
      )}
    </div>
  );
}

/** The watermark against the clock: its delay while data are of now, its own way through time while old data are replayed. */
function Freshness({ batches, at }: { batches: readonly BatchSummary[]; at: readonly number[] }) {
  const marks = batches.map((b) =>
    b.watermark === null || Date.parse(b.watermark) <= 0 ? null : Date.parse(b.watermark),
  );
  const last = marks.findLast((m) => m !== null);
  if (last === undefined) return null;
  const delays = marks.map((m, i) => (m === null ? null : (at[i]! - m) / 1000));
  const isOld = delays.findLast((d) => d !== null)! > 60 * DAY_S;
  const speed = replaySpeed(batches);
  const unit =
    speed === null ? "event time" : `event time; runs ${f.count(Math.max(0, speed))} times as fast as the clock`;
  return isOld ? (
    <Chart
      title="Watermark against the clock"
      explain="page.watermark"
      unit={unit}
      at={at}
      series={[{ label: "watermark", values: marks, color: "--kind-watermark" }]}
      format={momentWithin(marks)}
      free
      none="No watermark yet"
    />
  ) : (
    <Chart
      title="Watermark against the clock"
      explain="page.behindClock"
      steps="seconds"
      unit="clock minus watermark"
      at={at}
      series={[{ label: "delay", values: delays, color: "--kind-watermark" }]}
      format={f.seconds}
      none="No watermark yet"
    />
  );
}

/** Event times on an axis: the day, with the time where the axis spans few of them. */
function momentWithin(marks: readonly (number | null)[]): (ms: number) => string {
  const known = marks.filter((m) => m !== null);
  const span = (known.at(-1) ?? 0) - (known[0] ?? 0);
  return (ms) => {
    const iso = new Date(ms).toISOString();
    return span < 4 * DAY_S * 1000 ? `${iso.slice(5, 10)} ${iso.slice(11, 16)}` : iso.slice(0, 10);
  };
}

function ratesOf(batches: readonly BatchSummary[], at: readonly number[]): Series[] {
  return [
    {
      label: "comes in",
      color: "--accent",
      // Without a batch before it nothing can be said; a gap in what is kept would say too little.
      values: batches.map((b, i) =>
        i === 0 || batches[i - 1]!.batchId !== b.batchId - 1
          ? null
          : (b.inputRows * 1000) / Math.max(1, at[i]! - at[i - 1]!),
      ),
    },
    {
      label: "could be processed",
      color: "--kind-sql",
      dashed: true,
      values: batches.map((b) => (b.inputRows === 0 ? null : (b.inputRows * 1000) / Math.max(1, b.ms))),
    },
  ];
}

function phasesOf(batches: readonly BatchSummary[]): Series[] {
  return inOrder(batches.flatMap((b) => Object.keys(b.phases))).map((phase) => ({
    label: phaseTitle(phase),
    color: phaseColor(phase),
    values: batches.map((b) => b.phases[phase] ?? 0),
  }));
}
