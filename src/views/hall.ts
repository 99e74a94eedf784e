import type { StreamingQueryProgress } from "../backend.ts";
import { subscribe } from "../events.ts";
import { definitionOf, onDeclared, sameDefinition } from "./registry.ts";
import { ServedView } from "./served-view.ts";

/** The views of this process that somebody has looked at, by name. */
const served = new Map<string, ServedView>();
/** Views whose declaration was taken back; a program that is loaded anew declares them again. */
const retired = new Map<string, ServedView>();
const listeners = new Set<(name: string) => void>();

/** The view of that name, or undefined where none is declared. Nothing is read yet. */
export function servedView(name: string): ServedView | undefined {
  const definition = definitionOf(name);
  if (definition === undefined) return undefined;
  let view = served.get(name);
  if (view === undefined) {
    view = new ServedView(definition, "started");
    served.set(name, view);
  }
  return view;
}

/** Calls `listener` with the name of each view that was declared, redefined or taken back. */
export function onServed(listener: (name: string) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The view of that name if somebody has looked at it. */
export function viewIfServed(name: string): ServedView | undefined {
  return served.get(name);
}

onDeclared((name) => {
  const definition = definitionOf(name);
  const before = served.get(name) ?? retired.get(name);
  if (before === undefined) {
    for (const listener of listeners) listener(name);
    return;
  }
  if (definition === undefined) {
    served.delete(name);
    retired.set(name, before);
  } else if (sameDefinition(before.definition, definition)) {
    retired.delete(name);
    served.set(name, before);
  } else {
    before.close();
    retired.delete(name);
    served.set(name, new ServedView(definition, "redefined"));
  }
  for (const listener of listeners) listener(name);
});

// For the life of the process, as views are.
subscribe("query.progress", ({ id, progress }) => {
  if (served.size === 0) return;
  const text = (progress as StreamingQueryProgress).eventTime?.watermark;
  const ms = text === undefined ? Number.NaN : Date.parse(text);
  for (const view of served.values()) view.progressed(id, ms > 0 ? ms : null);
});
