import type { QueryDetail } from "../../../src/observe/api.ts";
import type { BadRecord } from "../../../src/observe/query-log.ts";
import { useApi } from "../api.ts";
import { Term } from "../explain.tsx";
import * as f from "../format.ts";
import { processNow } from "../live/store.ts";
import { Mark, Panel, Trouble } from "../ui/parts.tsx";
import { ObjectRows } from "../ui/rows.tsx";

/** What went wrong, with the remedy; what came too late; what could not be read. */
export function Troubles({ detail }: { detail: QueryDetail }) {
  return (
    <>
      <Failures detail={detail} />
      <Late detail={detail} />
      <Bad detail={detail} />
    </>
  );
}

function Failures({ detail }: { detail: QueryDetail }) {
  return (
    <Panel
      title="Failures"
      aside={<Term name="query.failures">{f.plural(detail.failures.length, "failure")} kept</Term>}
    >
      {detail.failures.length === 0 ? (
        <p class="note">
          <Mark tone="good" /> None since the process started.
        </p>
      ) : (
        <ol class="failures">
          {detail.failures.map((failure) => (
            <li key={`${failure.at}${failure.code}`} class="failure">
              <p class="note">
                {f.moment(failure.at)} ({f.ago(processNow.value - failure.at)}) <code>{failure.code}</code>
              </p>
              <p class="failure-text">{failure.message}</p>
              {failure.cause !== null && failure.cause !== failure.message && (
                <p class="failure-text note">{failure.cause}</p>
              )}
              {failure.hint !== null && (
                <p>
                  <strong>What to do:</strong> {failure.hint}
                </p>
              )}
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

function Late({ detail }: { detail: QueryDetail }) {
  const dropped = detail.late.filter((l) => l.rows > 0);
  if (detail.watermark === null && dropped.length === 0) return null;
  return (
    <Panel
      title="Late rows"
      aside={
        <Term name="query.lateRows" exact={f.exact(detail.lateRows)}>
          {f.plural(detail.lateRows, "row")} dropped
        </Term>
      }
    >
      {dropped.length === 0 ? (
        <p class="note">
          <Mark tone="good" /> No row came behind the watermark.
        </p>
      ) : (
        dropped.map((operator) => (
          <div key={operator.operator} class="late-rows">
            <p>
              <strong>{f.plural(operator.rows, "row")}</strong> came behind the watermark at{" "}
              <code>{operator.operator}</code> and {operator.rows === 1 ? "was" : "were"} dropped. A longer delay in{" "}
              <code>withWatermark</code> lets more of them in and keeps more state.
            </p>
            {operator.samples.length > 0 && (
              <ObjectRows rows={operator.samples} label={`Newest late rows of ${operator.operator}`} />
            )}
          </div>
        ))
      )}
    </Panel>
  );
}

function Bad({ detail }: { detail: QueryDetail }) {
  const { data, failure } = useApi<readonly BadRecord[]>("/api/bad-records", 5000);
  if (failure !== undefined) return <Trouble failure={failure} />;
  const sources = detail.sources.map((s) => s.description);
  const mine = (data ?? []).filter(
    (r) => sources.length === 0 || sources.some((s) => s.includes(r.source) || r.source.includes(s)),
  );
  if (mine.length === 0) return null;
  return (
    <Panel title="Bad records" aside={<Term name="bad.records">could not be used</Term>}>
      <ObjectRows
        label="Newest bad records"
        rows={mine
          .slice(-20)
          .reverse()
          .map((r) => ({
            time: f.moment(r.at),
            source: r.source,
            partition: r.partition,
            offset: r.offset,
            reason: r.reason,
          }))}
      />
    </Panel>
  );
}
