import { client } from "../../src/client/index.ts";
import { col, count, type DataFrame, type SparkSession, schema, t, type View } from "../../src/index.ts";
import { type Eq, is } from "./rows.test-d.ts";

declare const spark: SparkSession;
declare const flights: DataFrame<{ origin: string; delay: number | null }>;

const Hour = schema({
  hour: t.timestamp,
  origin: t.string,
  flights: t.long({ mode: "number" }),
  price: t.decimal(10, 2),
});
type HourRow = { hour: Date | null; origin: string | null; flights: number | null; price: string | null };

export const views = {
  delays: spark.view("delays", { table: "delays", key: "hour,origin", schema: Hour }),
  some: spark.view("some", { table: "delays", key: ["hour"], schema: Hour, columns: ["hour", "price"] }),
  airports: spark.view("airports", {
    cache: "airport:*",
    key: "airport:{code}:{day}",
    schema: schema({ day: t.date, n: t.int }),
    where: (row) => {
      is<Eq<typeof row.n, number | null>>();
      // @ts-expect-error no such column
      return row.m === 1;
    },
  }),
  counts: spark.view("counts", { table: "counts", schema: flights.groupBy("origin").agg(count("*").as("n")) }),
  unknown: spark.view("unknown", { table: "any" }),
};
type RowOf<V> = V extends View<string, infer R> ? R : never;
is<Eq<RowOf<typeof views.delays>, HourRow>>();
is<Eq<RowOf<typeof views.some>, Pick<HourRow, "hour" | "price">>>();
is<Eq<RowOf<typeof views.counts>, { origin: string; n: bigint }>>();

const live = client<typeof views>("http://127.0.0.1:4040");
const delays = live.view("delays");
is<Eq<(typeof delays.rows)[number], HourRow>>();
is<Eq<typeof delays.status, "connecting" | "live" | "stale" | "closed">>();
const airports = live.view("airports");
export const airport: { code: string; day: Date | null; n: number | null } | undefined = airports.get([
  "ATL",
  new Date(),
]);
airports.subscribe((view, change) => {
  is<Eq<typeof view.name, string>>();
  for (const row of change.upserted) is<Eq<typeof row.n, number | null>>();
});
// @ts-expect-error no such view
live.view("delay");
// @ts-expect-error no such column
delays.rows[0]?.orgin;
const value: unknown = live.view("unknown").rows[0]?.anything;
void value;
void col;

// Without the types of a pipeline everything goes.
client().view("anything").rows[0]?.whatever;
// @ts-expect-error a view has options that exist
spark.view("v", { table: "a", orderby: "b" });
