import type { Command } from "commander";
import { common, type Done, examples, wholeNumber } from "./shared.ts";

/** The commands that look at what pipelines have made: query. */
export function declareQuery(program: Command, done: Done): void {
  common(program.command("query"))
    .argument("[sql]", "A SELECT in Spark's SQL; without one, the tables that there are.")
    .description("Ask tables of the lake and the database and records of topics, in one query. It only reads.")
    .option(
      "-l, --limit <number>",
      "Show so many rows, 0 for all. (default: 100, all with --csv and --json)",
      wholeNumber(0),
    )
    .option("--csv", "Print CSV with a line of names.")
    .option("-w, --wide", "Do not cut long values.")
    .option("--watch <seconds>", "Ask again every so many seconds, until Ctrl-C.", wholeNumber(1))
    .option("-s, --since <time>", "Of topics only records from this time on: ISO text, or how long ago, such as 10m.")
    .option("-d, --dir <directory>", "Where the data of embedded servers lie. (default: .millrace)")
    .addHelpText(
      "after",
      examples(
        ["millrace query", "the tables that there are"],
        ["millrace query 'describe lake.flights'", "columns and types"],
        ["millrace query 'select origin, count(*) n from lake.flights group by origin order by n desc'", ""],
        ["millrace query 'select json.origin, avg(json.delay) from topics.flights group by 1' --since 10m", ""],
        ["millrace query 'select * from database.delays order by minute desc' --watch 5", ""],
      ),
    )
    .action(async (sql: string | undefined, options) => {
      const { query } = await import("../commands/query.ts");
      done(await query(sql, options));
    });
}
