import { levenshtein, MillraceError } from "../errors.ts";
import { nameParts, quoted } from "./names.ts";
import type { Field, ResolvedRelation } from "./resolved.ts";

/** A column that can be named: its field and the aliases in front of it. */
export interface ScopeColumn {
  readonly field: Field;
  readonly qualifiers: readonly string[];
  /** A column that a USING join left out: still there by name above further joins. */
  readonly joinKey?: boolean;
}

/** An analysed relation during analysis: with what its columns may be called. */
export interface Node {
  readonly rel: ResolvedRelation;
  /** As `rel.fields`, in the same order. */
  readonly columns: readonly ScopeColumn[];
  /** Not in the output, but still to be had by name from below, as in `select("a").orderBy("b")`. */
  readonly hidden: readonly ScopeColumn[];
  /** Output of the relations below that carry a plan id: what `df.col("x")` may mean. */
  readonly plans: ReadonlyMap<number, readonly Field[]>;
}

export type SameName = (a: string, b: string) => boolean;

export interface Match {
  readonly field: Field;
  /** Names of struct fields to go through, outermost first. */
  readonly path: readonly string[];
}

/** Finds the columns that a dotted name can mean: `[alias.]column[.field...]`. */
export function matches(columns: readonly ScopeColumn[], parts: readonly string[], same: SameName): Match[] {
  const found: Match[] = [];
  const seen = new Set<number>();
  const add = (field: Field, path: readonly string[]): void => {
    if (seen.has(field.id)) return;
    seen.add(field.id);
    found.push({ field, path });
  };
  // A qualified match is better than a column whose field has that name, as in Spark.
  if (parts.length > 1) {
    for (const c of columns) {
      for (const q of c.qualifiers) {
        const n = q.includes(".") ? q.split(".").length : 1;
        if (parts.length <= n || !same(q, n === 1 ? parts[0]! : parts.slice(0, n).join("."))) continue;
        if (same(c.field.name, parts[n]!)) add(c.field, parts.slice(n + 1));
      }
    }
    if (found.length > 0) return found;
  }
  for (const c of columns) if (same(c.field.name, parts[0]!)) add(c.field, parts.slice(1));
  return found;
}

export function ambiguous(
  parts: readonly string[],
  found: readonly Match[],
  columns: readonly ScopeColumn[],
): MillraceError {
  const names = found.map((m) => {
    const c = columns.find((x) => x.field === m.field);
    return quoted([...(c?.qualifiers.slice(0, 1) ?? []), m.field.name]);
  });
  return new MillraceError(
    "AMBIGUOUS_REFERENCE",
    `Reference ${quoted(parts)} is ambiguous, could be: [${names.join(", ")}].`,
    { parameters: { name: quoted(parts), referenceNames: `[${names.join(", ")}]` } },
  );
}

/** UNRESOLVED_COLUMN with up to five names that are near. */
export function unresolved(name: string, columns: readonly ScopeColumn[]): MillraceError {
  const parts = nameParts(name);
  const shown = quoted(parts);
  const wanted = parts.at(-1)!.toLowerCase();
  const proposals = [...new Set(columns.map((c) => c.field.name))]
    .map((n) => ({ n, d: levenshtein(wanted, n.toLowerCase()) }))
    .sort((a, b) => a.d - b.d)
    .slice(0, 5)
    .map(({ n }) => quoted(n));
  if (proposals.length === 0) {
    return new MillraceError(
      "UNRESOLVED_COLUMN.WITHOUT_SUGGESTION",
      `A column, variable, or function parameter with name ${shown} cannot be resolved.`,
      { parameters: { objectName: shown } },
    );
  }
  return new MillraceError(
    "UNRESOLVED_COLUMN.WITH_SUGGESTION",
    `A column, variable, or function parameter with name ${shown} cannot be resolved. Did you mean one of the following? [${proposals.join(", ")}].`,
    { parameters: { objectName: shown, proposal: proposals.join(", ") } },
  );
}

/** `df.col("x")` where `df` is there twice. */
export function ambiguousOfFrame(parts: readonly string[]): MillraceError {
  return new MillraceError(
    "AMBIGUOUS_COLUMN_REFERENCE",
    `Column ${quoted(parts)} is ambiguous: the DataFrame that it belongs to is joined with itself.`,
    {
      hint: 'Give each side a name with alias("a") and use col("a.x").',
      parameters: { name: quoted(parts) },
    },
  );
}
