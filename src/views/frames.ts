import type { ViewMessages } from "../observe/api-views.ts";
import type { ServedView } from "./served-view.ts";

/** Rows in one message of a snapshot. */
const PART_ROWS = 1_000;
/** A snapshot is given to all who come within this time; what changed since goes with it. */
const KEEP_SNAPSHOT_MS = 2_000;

/** The data of a message as JSON. Rows are JSON already, so a message is put together from text. */
export interface Message {
  readonly event: keyof ViewMessages;
  readonly data: string;
}

interface Snapshot {
  readonly epoch: string;
  readonly batch: number;
  readonly madeAt: number;
  readonly messages: readonly Message[];
}

interface Changes {
  epoch: string;
  batch: number;
  readonly since: Map<number, Message>;
}

/** All rows of a view as JSON, in order: made once for each change, when it is asked for. */
export function rowsJson(view: ServedView): readonly string[] {
  const { batch } = view.content!;
  let kept = ordered.get(view);
  if (kept?.epoch !== view.epoch || kept.batch !== batch) {
    kept = { epoch: view.epoch, batch, rows: view.content!.rows().map((row) => row.json) };
    ordered.set(view, kept);
  }
  return kept.rows;
}

const ordered = new WeakMap<ServedView, { epoch: string; batch: number; rows: readonly string[] }>();
const snapshots = new WeakMap<ServedView, Snapshot>();
const changes = new WeakMap<ServedView, Changes>();

/** Everything of a view, from `open` to `ready`, and the number of the change that it stands for. */
export function snapshotOf(view: ServedView): { readonly batch: number; readonly messages: readonly Message[] } {
  const { content, shape, epoch } = view;
  const kept = snapshots.get(view);
  const isGood =
    kept?.epoch === epoch && content!.remembers(kept.batch) && performance.now() - kept.madeAt < KEEP_SNAPSHOT_MS;
  if (isGood) return kept;
  const name = JSON.stringify(view.name);
  const rows = rowsJson(view);
  const parts = Math.ceil(rows.length / PART_ROWS);
  const open: ViewMessages["open"] = {
    view: view.name,
    epoch,
    key: shape!.key,
    columns: shape!.columns,
    orderBy: shape!.order,
  };
  const messages: Message[] = [{ event: "open", data: JSON.stringify(open) }];
  for (let part = 0; part < parts; part++) {
    const json = rows.slice(part * PART_ROWS, (part + 1) * PART_ROWS);
    messages.push({
      event: "snapshot",
      data: `{"view":${name},"part":${part},"parts":${parts},"rows":[${json.join(",")}]}`,
    });
  }
  const ready: ViewMessages["ready"] = { view: view.name, batch: content!.batch, watermark: view.watermark };
  messages.push({ event: "ready", data: JSON.stringify(ready) });
  const snapshot = { epoch, batch: content!.batch, madeAt: performance.now(), messages };
  snapshots.set(view, snapshot);
  return snapshot;
}

/** What changed since that batch, as one message: made once, whoever asks. */
export function changesOf(view: ServedView, since: number): Message {
  const content = view.content!;
  let made = changes.get(view);
  if (made?.epoch !== view.epoch || made.batch !== content.batch) {
    made = { epoch: view.epoch, batch: content.batch, since: new Map() };
    changes.set(view, made);
  }
  let message = made.since.get(since);
  if (message === undefined) {
    const { upsert, gone } = content.since(since);
    const head = `{"view":${JSON.stringify(view.name)},"batch":${content.batch},"watermark":${JSON.stringify(view.watermark)}`;
    const data = `${head},"upsert":[${upsert.map((row) => row.json).join(",")}],"remove":[${gone.join(",")}],"skipped":${content.batch - since - 1}}`;
    message = { event: "changes", data };
    made.since.set(since, message);
  }
  return message;
}

/** That the view is alive, or why not. */
export function beatOf(view: ServedView, batch: number): Message {
  if (view.fault !== undefined) {
    const fail: ViewMessages["fail"] = { view: view.name, ...view.fault };
    return { event: "fail", data: JSON.stringify(fail) };
  }
  const beat: ViewMessages["beat"] = { view: view.name, batch, watermark: view.watermark, now: Date.now() };
  return { event: "beat", data: JSON.stringify(beat) };
}
