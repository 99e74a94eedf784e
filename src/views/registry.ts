import { defineView, type View, type ViewDefinition, type ViewOptions } from "./definition.ts";

/** A view as it was declared last under its name. */
export interface Declaration {
  readonly definition: ViewDefinition;
  readonly owner: object;
}

/** The declarations of each name, the newest last: a program that was loaded anew declares while the one before still runs. */
const declared = new Map<string, Declaration[]>();
const listeners = new Set<(name: string) => void>();

/**
 * Declares a view; the newest of a name counts. Nothing is read before somebody looks at it. @throws MillraceError INVALID_ARGUMENT, UNKNOWN_OPTION,
 * INVALID_SCHEMA
 */
export function declareView(name: string, options: ViewOptions<any, any, any>, owner: object): View {
  const definition = defineView(name, options);
  const before = declared.get(name)?.filter((d) => d.owner !== owner) ?? [];
  declared.set(name, [...before, { definition, owner }]);
  changed(name);
  return Object.freeze({ name, source: definition.source }) as View;
}

/** Takes the views of a session back, which has stopped. */
export function forgetViews(owner: object): void {
  for (const [name, declarations] of [...declared]) {
    const left = declarations.filter((d) => d.owner !== owner);
    if (left.length === declarations.length) continue;
    if (left.length === 0) declared.delete(name);
    else declared.set(name, left);
    changed(name);
  }
}

export function definitionOf(name: string): ViewDefinition | undefined {
  return declared.get(name)?.at(-1)?.definition;
}

/** The names of all views, sorted. */
export function viewNames(): string[] {
  return [...declared.keys()].sort();
}

/** Calls `listener` with each name whose declaration changed, until the returned function is called. */
export function onDeclared(listener: (name: string) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Whether two definitions give the same rows: then whoever follows the one, may go on with the other. */
export function sameDefinition(a: ViewDefinition, b: ViewDefinition): boolean {
  // What a function reads from around it, or a DataFrame's plan, may be another one although it looks the same.
  const comparable = ({ where, schema }: ViewDefinition): boolean =>
    typeof where !== "function" && (schema === undefined || "kind" in schema);
  return comparable(a) && comparable(b) && JSON.stringify(a) === JSON.stringify(b);
}

function changed(name: string): void {
  for (const listener of listeners) listener(name);
}
