import { MillraceError } from "../../errors.ts";
import { nameParts, quoted } from "../../plan/names.ts";
import { CATALOG } from "./metastore.ts";

/** A table's name with its database, and whether it is one of the views of all sessions. */
export interface QualifiedName {
  readonly database: string;
  readonly name: string;
  /** Undefined where the name has no database, so that it may be a view of the session. */
  readonly given: string | undefined;
}

export const GLOBAL_TEMP = "global_temp";

/** Splits `[catalog.][database.]name`. Throws for another catalog and for more parts. */
export function qualify(name: string, currentDatabase: string): QualifiedName {
  let parts = nameParts(name);
  if (parts.length === 3 && parts[0]!.toLowerCase() === CATALOG) parts = parts.slice(1);
  if (parts.length > 2) {
    if (parts.length === 3) {
      throw new MillraceError("CATALOG_NOT_FOUND", `The catalog ${quoted(parts[0]!)} cannot be found.`, {
        hint: `This engine has one catalog, ${CATALOG}.`,
        parameters: { catalogName: quoted(parts[0]!) },
      });
    }
    throw new MillraceError(
      "REQUIRES_SINGLE_PART_NAMESPACE",
      `${CATALOG} requires a single-part namespace, but got identifier ${quoted(parts)}.`,
    );
  }
  const given = parts.length === 2 ? parts[0]!.toLowerCase() : undefined;
  return { database: given ?? currentDatabase, name: parts.at(-1)!, given };
}

/** A function that says whether a name fits Spark's pattern of `*` and `|`. */
export function patternOf(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true;
  const source = pattern
    .split("|")
    .map((p) =>
      p
        .trim()
        .replace(/[.+?^${}()[\]\\]/g, "\\$&")
        .replaceAll("*", ".*"),
    )
    .join("|");
  const expression = new RegExp(`^(?:${source})$`, "i");
  return (name) => expression.test(name);
}

export function notFound(name: string): MillraceError {
  const shown = quoted(nameParts(name));
  return new MillraceError("TABLE_OR_VIEW_NOT_FOUND", `The table or view ${shown} cannot be found.`, {
    hint: "Check the name, or make a view with createOrReplaceTempView.",
    parameters: { relationName: shown },
  });
}

export function alreadyExists(name: string): MillraceError {
  const shown = quoted(nameParts(name));
  return new MillraceError(
    "TABLE_OR_VIEW_ALREADY_EXISTS",
    `Cannot create table or view ${shown} because it already exists.`,
    {
      hint: "Choose another name, drop or replace it, or write with the mode append.",
      parameters: { relationName: shown },
    },
  );
}
