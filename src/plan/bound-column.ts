import { MillraceError } from "../errors.ts";
import { quoted } from "./names.ts";
import type { ExprHooks } from "./resolve-hooks.ts";
import { ambiguous, ambiguousOfFrame, type Match, matches, type Node, type ScopeColumn } from "./scope.ts";

/** `df.col("x")`: looked up in the output of that very relation, which must still be there. */
export function boundColumn(
  parts: readonly string[],
  planId: number,
  node: Node,
  hooks: Pick<ExprHooks, "same" | "useHidden">,
): Match | undefined {
  const fields = node.plans.get(planId);
  if (fields === undefined) {
    throw new MillraceError(
      "CANNOT_RESOLVE_DATAFRAME_COLUMN",
      `The column ${quoted(parts)} belongs to a DataFrame that is not part of this one.`,
      {
        hint: 'Use col("name"), or a column of the DataFrame that the method is called on.',
        parameters: { objectName: quoted(parts) },
      },
    );
  }
  const all = matches(
    fields.map((field) => ({ field, qualifiers: [] })),
    parts,
    hooks.same,
  );
  if (all.length === 0) return undefined;
  // A DataFrame may stand below twice; only what is still there counts.
  const within = (columns: readonly ScopeColumn[]): Match[] =>
    all.filter((m) => columns.some((c) => c.field.id === m.field.id));
  const found = within(node.columns);
  if (found.length > 1) throw ambiguousOfFrame(parts);
  if (found[0]) return found[0];
  const hidden = hooks.useHidden ? within(node.hidden) : [];
  if (hidden.length > 1) throw ambiguous(parts, hidden, node.hidden);
  if (hidden[0]) {
    hooks.useHidden?.(hidden[0].field);
    return hidden[0];
  }
  throw new MillraceError(
    "CANNOT_RESOLVE_DATAFRAME_COLUMN",
    `The column ${quoted(parts)} was replaced or dropped since the DataFrame it is bound to.`,
    { hint: 'Use col("name") for the column as it is now.', parameters: { objectName: quoted(parts) } },
  );
}
