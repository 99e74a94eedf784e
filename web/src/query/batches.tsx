import { useRef, useState } from "preact/hooks";
import type { BatchDetail, BatchSummary } from "../../../src/observe/api.ts";
import { useApi } from "../api.ts";
import { Stat, Term } from "../explain.tsx";
import * as f from "../format.ts";
import { Empty, Panel, Trouble } from "../ui/parts.tsx";
import { ObjectRows } from "../ui/rows.tsx";
import { Text } from "../ui/scroll.tsx";
import { inOrder, phaseTitle } from "../words.ts";
import { phaseColor } from "./charts.tsx";

const SHOWN = 60;

/** The last batches as bars; a click holds one and shows it in detail. */
export function Batches({ query, batches, none }: { query: string; batches: readonly BatchSummary[]; none: string }) {
  const [held, setHeld] = useState<BatchSummary | null>(null);
  const newest = batches.at(-1);
  const shown = held ?? newest;
  if (newest === undefined || shown === undefined) {
    return (
      <Panel title="Batches">
        <Empty title="No batch yet">{`${none.charAt(0).toUpperCase()}${none.slice(1)}`}</Empty>
      </Panel>
    );
  }
  return (
    <Panel
      title="Batches"
      aside={
        <>
          {held !== null && <span>Batch {f.exact(held.batchId)} is held.</span>}
          <button
            type="button"
            class="button small"
            aria-pressed={held === null}
            onClick={() => setHeld(held === null ? newest : null)}
          >
            Follow newest
          </button>
        </>
      }
    >
      <Strip batches={batches.slice(-SHOWN)} chosen={shown.batchId} choose={setHeld} />
      <BatchView query={query} batch={shown} held={held !== null} />
    </Panel>
  );
}

function Strip(props: { batches: readonly BatchSummary[]; chosen: number; choose: (batch: BatchSummary) => void }) {
  const { batches, chosen, choose } = props;
  const box = useRef<HTMLDivElement>(null);
  const max = Math.max(1, ...batches.map((b) => b.ms));
  const usual = [...batches].map((b) => b.ms).sort((a, b) => a - b)[Math.floor(batches.length / 2)]!;
  const at = Math.max(
    0,
    batches.findIndex((b) => b.batchId === chosen),
  );
  const step = (event: KeyboardEvent): void => {
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: batches.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const batch = batches[Math.max(0, Math.min(batches.length - 1, to))]!;
    choose(batch);
    box.current?.querySelector<HTMLButtonElement>(`[data-batch="${batch.batchId}"]`)?.focus();
  };
  return (
    <>
      <div
        class="strip"
        role="toolbar"
        aria-label={`The last ${batches.length} batches, oldest first`}
        ref={box}
        onKeyDown={step}
      >
        {batches.map((b) => {
          const kind = b.lateRows > 0 ? "late" : b.ms > 2 * usual && b.ms > usual + 20 ? "slow" : "";
          return (
            <button
              key={b.batchId}
              type="button"
              data-batch={b.batchId}
              class={`bar ${kind}`}
              aria-pressed={b.batchId === chosen}
              tabIndex={b.batchId === chosen ? 0 : -1}
              aria-label={`Batch ${b.batchId}: ${f.duration(b.ms)}, ${f.plural(b.inputRows, "row")}${kind === "late" ? ", late rows" : kind === "slow" ? ", slow" : ""}`}
              title={`Batch ${f.exact(b.batchId)} · ${f.duration(b.ms)} · ${f.plural(b.inputRows, "row")}`}
              onClick={() => choose(b)}
            >
              <span style={{ height: `${Math.max(6, (b.ms / max) * 100)}%` }} />
            </button>
          );
        })}
      </div>
      <p class="strip-legend">
        <span>
          <i class="key" aria-hidden="true" /> up to {f.duration(max)}
        </span>
        <span>
          <i class="key slow" aria-hidden="true" /> more than twice the median of {f.duration(usual)}
        </span>
        <span>
          <i class="key late" aria-hidden="true" /> with late rows
        </span>
      </p>
    </>
  );
}

function BatchView({ query, batch, held }: { query: string; batch: BatchSummary; held: boolean }) {
  // While the newest is followed its details would be asked for ten times a second: they are shown once a batch is held.
  const url = held ? `/api/queries/${encodeURIComponent(query)}/batches/${batch.batchId}` : undefined;
  const { data, failure } = useApi<BatchDetail>(url);
  return (
    <section class="batch" aria-label={`Batch ${batch.batchId}`}>
      <dl class="stats">
        <Stat name="batch.batchId" label="Batch" value={f.exact(batch.batchId)} />
        <Stat
          name="batch.timestamp"
          label="Started"
          value={f.clock(Date.parse(batch.timestamp))}
          exact={batch.timestamp}
        />
        <Stat name="batch.ms" label="Took" value={f.duration(batch.ms)} exact={`${f.exact(batch.ms)} ms`} />
        <Stat
          name="batch.inputRows"
          label="Rows in"
          value={f.count(batch.inputRows)}
          exact={f.exact(batch.inputRows)}
        />
        <Stat
          name="batch.outputRows"
          label="Rows out"
          value={f.count(batch.outputRows)}
          exact={batch.outputRows === null ? undefined : f.exact(batch.outputRows)}
          none={batch.outputRows === null ? "no sink counts" : undefined}
        />
        <Stat name="batch.lateRows" label="Late rows" value={f.count(batch.lateRows)} exact={f.exact(batch.lateRows)} />
      </dl>
      <Gantt batch={batch} detail={held ? data : undefined} />
      {failure !== undefined && held && <Trouble failure={failure} />}
      {data !== undefined && held && <Progress detail={data} />}
      {!held && <p class="note">Choose a bar to hold a batch and see its sources, operators and sinks.</p>}
    </section>
  );
}

interface Bar {
  readonly name: string;
  readonly phase: string;
  readonly startMs: number;
  readonly ms: number;
}

/** With true times where they are known, else one after the other, as phases run. */
function barsOf(batch: BatchSummary, detail: BatchDetail | undefined): readonly Bar[] {
  const spans = detail?.spans ?? [];
  if (spans.length > 0) {
    return [...spans]
      .sort((a, b) => a.startMs - b.startMs)
      .map((s) => ({ ...s, name: s.sink === null ? phaseTitle(s.phase) : `deliver to ${s.sink}` }));
  }
  let startMs = 0;
  return inOrder(Object.keys(batch.phases)).map((phase) => {
    const ms = batch.phases[phase]!;
    startMs += ms;
    return { name: phaseTitle(phase), phase, startMs: startMs - ms, ms };
  });
}

function Gantt({ batch, detail }: { batch: BatchSummary; detail: BatchDetail | undefined }) {
  const bars = barsOf(batch, detail);
  const whole = Math.max(1, batch.ms, ...bars.map((b) => b.startMs + b.ms));
  return (
    <table class="gantt">
      <caption class="sr">Phases of batch {batch.batchId}, in the order in which they began</caption>
      <thead class="sr">
        <tr>
          <th scope="col">Phase</th>
          <th scope="col">Began after</th>
          <th scope="col">Took</th>
        </tr>
      </thead>
      <tbody>
        {bars.map((bar) => (
          <tr key={`${bar.name} ${bar.phase}`}>
            <th scope="row">
              {bar.name} <code>{bar.phase}</code>
            </th>
            <td class="gantt-bar">
              <span class="sr">{f.duration(bar.startMs)}</span>
              <span
                class="gantt-span"
                style={{
                  left: `${(bar.startMs / whole) * 100}%`,
                  width: `max(2px, ${(bar.ms / whole) * 100}%)`,
                  background: `var(${phaseColor(bar.phase)})`,
                }}
              />
            </td>
            <td class="num">{f.duration(bar.ms)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Progress({ detail }: { detail: BatchDetail }) {
  const { progress } = detail;
  const [raw, setRaw] = useState(false);
  return (
    <>
      <div class="columns">
        <div>
          <h3>Sources</h3>
          <ul class="facts">
            {progress.sources.map((s) => (
              <li key={s.description}>
                <code>{s.description}</code> {f.plural(s.numInputRows, "row")}
                {s.startOffset !== null && s.startOffset !== undefined && (
                  <span class="note">
                    {" "}
                    {offsetText(s.startOffset)} → {offsetText(s.endOffset)}
                  </span>
                )}
              </li>
            ))}
          </ul>
        </div>
        {progress.stateOperators.length > 0 && (
          <div>
            <h3>State</h3>
            <ul class="facts">
              {progress.stateOperators.map((op, i) => {
                const counted = detail.operators.find((o) => o.operator === `${i} ${op.operatorName}`);
                return (
                  <li key={`${i} ${op.operatorName}`}>
                    <code>{op.operatorName}</code> {f.plural(op.numRowsTotal, "row")}, {f.count(op.numRowsUpdated)}{" "}
                    changed, {f.count(op.numRowsRemoved)} removed
                    {op.numRowsDroppedByWatermark > 0 && `, ${f.count(op.numRowsDroppedByWatermark)} late`}
                    {counted !== undefined && counted.inputRows !== null && counted.outputRows !== null && (
                      <span class="note">
                        {" "}
                        {f.count(counted.inputRows)} rows in, {f.count(counted.outputRows)} out
                      </span>
                    )}
                  </li>
                );
              })}
            </ul>
          </div>
        )}
        <div>
          <h3>Sinks</h3>
          <ul class="facts">
            {(progress.sinks ?? [progress.sink]).map((s) => (
              <li key={s.name ?? s.description}>
                <code>{s.name ?? s.description}</code>{" "}
                {s.numOutputRows < 0 ? "does not count" : f.plural(s.numOutputRows, "row")}
              </li>
            ))}
          </ul>
        </div>
      </div>
      {detail.operators
        .filter((o) => o.lateSamples.length > 0)
        .map((o) => (
          <div key={o.operator}>
            <h3>
              <Term name="late.samples">Late rows</Term> at <code>{o.operator}</code>
            </h3>
            <ObjectRows rows={o.lateSamples} label={`Late rows of the batch at ${o.operator}`} />
          </div>
        ))}
      <button type="button" class="button small" aria-expanded={raw} onClick={() => setRaw(!raw)}>
        {raw ? "Hide the progress as JSON" : "Progress as JSON"}
      </button>
      {raw && <Text label={`Progress of batch ${detail.batchId}`}>{JSON.stringify(progress, null, 2)}</Text>}
    </>
  );
}

/** Kafka's offsets in few words: `flights 0:120 1:98`. */
export function offsetText(offset: unknown): string {
  let value = offset;
  if (typeof value === "string") {
    try {
      value = JSON.parse(value);
    } catch {
      return String(offset);
    }
  }
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([topic, partitions]) =>
      typeof partitions === "object" && partitions !== null
        ? `${topic} ${Object.entries(partitions)
            .map(([p, o]) => `${p}:${o}`)
            .join(" ")}`
        : `${topic} ${partitions}`,
    )
    .join(", ");
}
