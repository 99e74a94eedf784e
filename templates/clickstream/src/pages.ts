import { approx_count_distinct, col, count, type DataFrame, window } from "millrace";
import type { Click } from "./click.ts";

/** Clicks and visitors of each page in steps of ten seconds. Takes a stream or a table: the meaning is the same. */
export function clicksByPage(clicks: DataFrame<Click>) {
  return clicks
    .withWatermark("ts", "10 seconds")
    .groupBy(window("ts", "10 seconds"), "page")
    .agg(count("*").as("clicks"), approx_count_distinct("visitor").as("visitors"))
    .select(col("window.start").as("time"), "page", "clicks", "visitors");
}
