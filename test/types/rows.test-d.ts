import {
  avg,
  col,
  count,
  type DataFrame,
  from_json,
  type KafkaRow,
  max,
  schema,
  t,
  upper,
  window,
} from "../../src/index.ts";

/** Compile-time tests: this file is checked by tsc and never run. */
export type Eq<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
export const is = <T extends true>(): T | undefined => undefined;
export type Rows<D> = D extends DataFrame<infer R> ? R : never;

declare const kafka: DataFrame<KafkaRow>;

const Flight = schema({ ts: t.timestamp, origin: t.string, destination: t.string, delay: t.int, distance: t.int });
const flights = kafka.select(from_json(col("value").cast("string"), Flight).as("f")).select("f.*");
is<
  Eq<
    Rows<typeof flights>,
    {
      ts: Date | null;
      origin: string | null;
      destination: string | null;
      delay: number | null;
      distance: number | null;
    }
  >
>();

const hourly = flights
  .withWatermark("ts", "1 hour")
  .dropna("origin")
  .groupBy(window("ts", "1 hour"), "origin")
  .agg(count("*").as("flights"), avg("delay").as("delay"), max("delay").as("worst"), max(col("ts")).as("last"))
  .select(col("window.start").as("hour"), "origin", "flights", "delay", "worst", "last", "window.end");
is<
  Eq<
    Rows<typeof hourly>,
    {
      hour: Date;
      origin: string;
      flights: bigint;
      delay: number | null;
      worst: number | null;
      last: Date | null;
      end: Date;
    }
  >
>();

const w = flights.withColumn("big", upper("origin")).filter(col("delay").gt(15)).drop("ts");
is<Eq<Rows<typeof w>["big"], string | null>>();
is<Eq<"ts" extends keyof Rows<typeof w> ? true : false, false>>();

const narrowed = flights.filter(col("ts").isNotNull());
is<Eq<Rows<typeof narrowed>["ts"], Date>>();
is<Eq<Rows<typeof narrowed>["delay"], number | null>>();
const both = flights.filter(col("ts").isNotNull().and(col("delay").isNotNull()));
is<Eq<Rows<typeof both>["ts"], Date>>();
is<Eq<Rows<typeof both>["delay"], number>>();

// ---- every one of these must fail
// @ts-expect-error no such column
flights.select("orgin");
// @ts-expect-error no such column
flights.select(col("orgin"));
// @ts-expect-error no such struct
flights.select(col("f.x").as("y"));
// @ts-expect-error no such column
flights.groupBy("orgin");
// @ts-expect-error no such column
flights.groupBy(window("tss", "1 hour"));
// @ts-expect-error not a timestamp
flights.groupBy(window("delay", "1 hour"));
// @ts-expect-error no such column
flights.groupBy("origin").agg(avg("dely").as("d"));
// @ts-expect-error not a number
flights.groupBy("origin").agg(avg("origin").as("d"));
// @ts-expect-error not a string
flights.withColumn("x", upper("delay"));
// @ts-expect-error no such column
flights.withColumn("x", upper(col("distanc")));
// @ts-expect-error a number
flights.withColumn("x", upper(max("delay")));
// @ts-expect-error no such column
flights.filter(col("dely").gt(15));
// @ts-expect-error not a condition
flights.filter(upper("origin"));
// @ts-expect-error not a timestamp
flights.withWatermark("origin", "1 hour");
// @ts-expect-error no such struct
hourly.select("g.*");
// @ts-expect-error no such column
flights.filter(col("delay").gt(col("dly")));
flights.filter(col("delay").gt(col("distance")));

declare const dyn: DataFrame<any>;
dyn.select("a", col("b.c").as("x"), upper("y").as("u")).groupBy("a").agg(avg("x").as("m"));
const st = kafka.select("*", col("offset").as("o"));
is<Eq<Rows<typeof st>["o"], bigint>>();
is<Eq<Rows<typeof st>["topic"], string>>();
