import { type SparkSession, schema, t } from "millrace";

/** An hour of an airport's departures. Counts are small, so they are plain numbers. */
const Hour = schema({
  hour: t.timestamp,
  origin: t.string,
  flights: t.long({ mode: "number" }),
  /** Minutes: mean and worst. */
  delay: t.double,
  worst: t.int,
  /** Share of flights more than 15 minutes late, 0 to 1. */
  late: t.double,
});

const Alert = schema({
  hour: t.timestamp,
  origin: t.string,
  flights: t.long({ mode: "number" }),
  delay: t.double,
  usual: t.double,
  deviations: t.double,
});

/** What stakeholders see: the page follows these by `client<Views>()`. */
export function declareViews(spark: SparkSession) {
  return {
    /** Each airport as it was in its latest hour. */
    airports: spark.view("airports", { cache: "airport:*", key: "airport:{origin}", schema: Hour }),
    /** The latest hours of all airports: about a day and a half of the busiest time. */
    delays: spark.view("delays", {
      table: "delays",
      key: "hour,origin",
      schema: Hour,
      orderBy: "hour desc, origin",
      limit: 10_000,
    }),
    /** The latest unusual hours. */
    alerts: spark.view("alerts", {
      table: "alerts",
      key: "hour,origin",
      schema: Alert,
      orderBy: "hour desc, origin",
      limit: 500,
    }),
  };
}

export type Views = ReturnType<typeof declareViews>;
