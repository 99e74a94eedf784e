import { avg, col, count, type DataFrame, max, window } from "millrace";
import type { Flight } from "./flight.ts";

/** How late each airport's flights leave, minute by minute. Takes a stream or a table: the meaning is the same. */
export function delaysByAirport(flights: DataFrame<Flight>) {
  return flights
    .withWatermark("ts", "30 seconds")
    .groupBy(window("ts", "1 minute"), "origin")
    .agg(count("*").as("flights"), avg("delay").as("delay"), max("delay").as("worst"))
    .select(col("window.start").as("minute"), "origin", "flights", "delay", "worst");
}

/** Flights that leave two hours late or more. */
export function veryLate(flights: DataFrame<Flight>) {
  return flights.filter(col("delay").geq(120));
}
