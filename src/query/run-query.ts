import { DataFrame } from "../dataframe/dataframe.ts";
import { hex } from "../dataframe/functions.ts";
import { bound } from "../engine/catalog/views.ts";
import { expandPlan } from "../engine/expand.ts";
import { MillraceError } from "../errors.ts";
import { nameParts } from "../plan/names.ts";
import { isCommand, parseCommand } from "../plan/sql/command.ts";
import { parseQuery } from "../plan/sql/parse-query.ts";
import type { SparkSession } from "../session.ts";
import type { StructType } from "../types/data-type.ts";
import { byPlace, CATALOGS, type CatalogName, catalogOf, type Places, TableFinder } from "./catalogs.ts";

/** A query over the lake, the database and the topics, ready to be asked for its rows. */
export interface PreparedQuery {
  readonly df: DataFrame;
  readonly schema: StructType;
}

/**
 * Finds what a SELECT in Spark's SQL names and analyses it. It reads only: commands are refused. Throws Spark's analysis errors,
 * UNSUPPORTED_FEATURE for a command, and what a place says that cannot be reached.
 *
 * ```ts
 * const { df } = await prepareQuery(spark, "SELECT origin, count(*) FROM lake.flights GROUP BY origin", places);
 * ```
 */
export async function prepareQuery(
  spark: SparkSession,
  text: string,
  places: Places,
  options: { readonly since?: number | undefined } = {},
): Promise<PreparedQuery> {
  refuseCommand(text);
  const finder = new TableFinder(spark, places, { ...options, text });
  const plan = parseQuery(text);
  const { session } = spark.emptyDataFrame;
  const expanded = await expandPlan(plan, async ({ name }) => (await finder.find(name))?.plan);
  const df = new DataFrame(session, bound(plan, expanded));
  try {
    return { df, schema: await df.schema() };
  } catch (error) {
    const unknown = error instanceof MillraceError && error.code === "TABLE_OR_VIEW_NOT_FOUND";
    const name = unknown ? error.parameters.relationName : undefined;
    throw name === undefined ? error : await finder.notFound(nameParts(name).join("."));
  }
}

/** Throws UNSUPPORTED_FEATURE for what is no query. */
export function refuseCommand(text: string): void {
  if (isCommand(text)) {
    parseCommand(text); // what is neither says where it is wrong
    throw new MillraceError("UNSUPPORTED_FEATURE", "A query reads; this is a command.", {
      hint: "Give a SELECT. Without a query there is a list of all tables.",
    });
  }
}

/** The same rows as texts, as Spark's `show` writes them; bytes in hexadecimal. */
export function asTexts({ df, schema }: PreparedQuery): DataFrame {
  const { df: renamed, columns } = byPlace(df, schema.fields.length);
  return renamed.select(
    ...columns.map((column, i) =>
      (schema.fields[i]!.type.kind === "binary" ? hex(column) : column.cast("string")).as(`c${i}`),
    ),
  );
}

/** The places that a query needs: those that it names, or all where a name has none. */
export async function placesNamed(text: string): Promise<ReadonlySet<CatalogName>> {
  const found = new Set<CatalogName>();
  await expandPlan(parseQuery(text), async ({ name }) => {
    const catalog = catalogOf(nameParts(name));
    for (const one of catalog === undefined ? CATALOGS : [catalog]) found.add(one);
    return undefined;
  });
  return found;
}
