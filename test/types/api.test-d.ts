import { z } from "zod";
import {
  array_contains,
  avg,
  coalesce,
  col,
  concat,
  count,
  type DataFrame,
  element_at,
  explode,
  from_json,
  type Infer,
  LongDeserializer,
  lag,
  length,
  lit,
  max,
  row_number,
  type SparkSession,
  type StatefulProcessor,
  type StatefulProcessorHandle,
  StringDeserializer,
  schema,
  struct,
  sum,
  t,
  to_json,
  to_timestamp,
  transform,
  udf,
  upper,
  Window,
  when,
  window,
} from "../../src/index.ts";
import { type Eq, is, type Rows } from "./rows.test-d.ts";

/** Compile-time tests: this file is checked by tsc and never run. */
declare const spark: SparkSession;

const Event = schema({
  id: t.notNull(t.string),
  n: t.long({ mode: "number" }),
  big: t.long,
  price: t.decimal(10, 2),
  at: t.timestamp,
  exact: t.timestamp({ mode: "micros" }),
  tags: t.array(t.string),
  by: t.map(t.string, t.int),
  pos: t.struct({ x: t.double, y: t.double }),
});
type Event = Infer<typeof Event>;
is<Eq<Event["id"], string>>();
is<Eq<Event["n"], number | null>>();
is<Eq<Event["big"], bigint | null>>();
is<Eq<Event["price"], string | null>>();
is<Eq<Event["exact"], bigint | null>>();
is<Eq<Event["tags"], (string | null)[] | null>>();
is<Eq<Event["by"], Map<string, number | null> | null>>();
is<Eq<Event["pos"], { x: number | null; y: number | null } | null>>();

declare const events: DataFrame<Event>;

// ---- expressions
const e = events.select(
  "id",
  col("n").plus(1).as("sum"),
  col("big").plus(1).as("bigSum"),
  col("n").divide(2).as("half"),
  col("pos.x").as("x"),
  col("pos").getField("y").as("y"),
  col("by").getItem("k").as("k"),
  when(col("n").gt(1), "many").otherwise("few").as("word"),
  when(col("n").gt(1), 1).as("maybe"),
  coalesce("n", lit(0)).as("zero"),
  upper("id").as("up"),
  length("id").as("len"),
  concat("id", "price").as("both"),
  lit("x").as("x2"),
  to_timestamp("id").as("time"),
  transform("tags", (x) => upper(x)).as("ups"),
  array_contains("tags", "a").as("has"),
  element_at("tags", 1).as("first"),
);
type E = Rows<typeof e>;
is<Eq<E["id"], string>>();
is<Eq<E["sum"], number | null>>();
is<Eq<E["bigSum"], bigint | null>>();
is<Eq<E["half"], number | null>>();
is<Eq<E["x"], number | null>>();
is<Eq<E["y"], number | null>>();
is<Eq<E["k"], number | null>>();
is<Eq<E["word"], string>>();
is<Eq<E["maybe"], number | null>>();
is<Eq<E["zero"], number>>();
is<Eq<E["up"], string>>();
is<Eq<E["len"], number>>();
is<Eq<E["both"], string | null>>();
is<Eq<E["x2"], string>>();
is<Eq<E["time"], Date>>();
is<Eq<E["has"], boolean | null>>();
is<Eq<E["first"], string | null>>();
const named = events.select(upper("id"), max("n"));
is<Eq<Rows<typeof named>["upper(id)"], string>>();
is<Eq<Rows<typeof named>["max(n)"], number | null>>();
const tags = events.select("id", explode("tags").as("tag"));
is<Eq<Rows<typeof tags>["tag"], string | null>>();

// ---- columns of the row
const renamed = events.withColumnRenamed("n", "m").withColumnsRenamed({ big: "large" });
is<Eq<Rows<typeof renamed>["m"], number | null>>();
is<Eq<Rows<typeof renamed>["large"], bigint | null>>();
is<Eq<"n" extends keyof Rows<typeof renamed> ? true : false, false>>();
const added = events.withColumns({ a: col("n").times(2), b: lit(true) });
is<Eq<Rows<typeof added>["a"], number | null>>();
is<Eq<Rows<typeof added>["b"], boolean>>();
const filled = events.dropna();
is<Eq<Rows<typeof filled>["at"], Date>>();
const window_ = Window.partitionBy("id").orderBy("at");
const ranked = events.select("id", row_number().over(window_).as("r"), lag("n").over(window_).as("before"));
is<Eq<Rows<typeof ranked>["r"], number>>();
is<Eq<Rows<typeof ranked>["before"], number | null>>();

// ---- joins
declare const users: DataFrame<{ id: string; name: string | null }>;
const inner = events.join(users, "id");
is<Eq<Rows<typeof inner>["name"], string | null>>();
const outer = events.join(users, ["id"], "full");
is<Eq<Rows<typeof outer>["id"], string>>();
const left = users.join(events, "id", "left");
is<Eq<Rows<typeof left>["name"], string | null>>();
const on = users.join(events, users.col("id").eq(events.col("id")));
is<Eq<Rows<typeof on>["n"], number | null>>();
const semi = users.join(events, "id", "semi");
is<Eq<Rows<typeof semi>, { id: string; name: string | null }>>();

// ---- groups
const grouped = events.groupBy("id").agg(sum("n").as("s"), avg("big").as("a"), count("*").as("c"));
is<Eq<Rows<typeof grouped>, { id: string; s: number | bigint | null; a: number | null; c: bigint }>>();
const counted = events.groupBy("id").count();
is<Eq<Rows<typeof counted>, { id: string; count: bigint }>>();
const rolled = events.rollup("id").count();
is<Eq<Rows<typeof rolled>, { id: string | null; count: bigint }>>();
const again = events.groupBy(window("at", "1 hour")).count().groupBy(window("window", "1 day")).count();
is<Eq<Rows<typeof again>["window"], { start: Date; end: Date }>>();

// ---- TypeScript functions
const Out = schema({ id: t.string, total: t.double });
const mapped = events.map((row) => ({ id: row.id, total: row.n ?? 0 }), Out);
is<Eq<Rows<typeof mapped>, { id: string | null; total: number | null }>>();
const shout = udf((s: string | null) => `${s}!`, t.string);
const shouted = events.select(shout("id").as("s"));
is<Eq<Rows<typeof shouted>["s"], string | null>>();
const kept = events.filter((row): row is Event & { n: number } => row.n !== null);
is<Eq<Rows<typeof kept>["n"], number>>();

class Totals implements StatefulProcessor<string, Event> {
  init(_handle: StatefulProcessorHandle): void {}
  *handleInputRows(id: string, rows: Iterable<Event>) {
    for (const row of rows) yield { id, total: row.n };
  }
}
const totals = events.groupByKey("id").transformWithState(Totals, { schema: Out, orderBy: "at" });
is<Eq<Rows<typeof totals>, { id: string | null; total: number | null }>>();
events.groupByKey("id", "n").transformWithState(
  {
    init() {},
    *handleInputRows(key) {
      is<Eq<typeof key, Pick<Event, "id" | "n">>>();
      yield { id: key.id, total: key.n };
    },
  },
  { schema: Out },
);

// ---- schemas of other libraries
const User = z.object({ name: z.string(), age: z.int32().optional(), tags: z.array(z.string()), seen: z.date() });
const zod = spark.readStream
  .format("kafka")
  .load()
  .select(from_json(col("value").cast("string"), User).as("u"))
  .select("u.*");
is<Eq<Rows<typeof zod>["age"], number | null>>();
is<Eq<Rows<typeof zod>["seen"], Date | null>>();
const typedRead = spark.read.format("json").schema(Out).load("x");
is<Eq<Rows<typeof typedRead>, { id: string | null; total: number | null }>>();
const inferred = spark.createDataFrame([{ a: 1, b: "x" }]);
is<Eq<Rows<typeof inferred>, { a: number; b: string }>>();

// ---- every one of these must fail
// @ts-expect-error no such column in either
users.join(events, users.col("idd").eq(events.col("id")));
// @ts-expect-error not a column of both
users.join(events, "name");
// @ts-expect-error no such join
users.join(events, "id", "outter");
// @ts-expect-error no such column
events.dropna("m");
// @ts-expect-error no such column
events.na.fill({ m: 1 });
// @ts-expect-error no such column
events.withColumnRenamed("m", "x");
// @ts-expect-error no such column
events.orderBy("m");
// @ts-expect-error no such column
events.orderBy(col("m").desc());
// @ts-expect-error no such column inside the function
events.withColumns({ a: upper(col("ids")) });
// @ts-expect-error a result that does not fit the schema
events.map((row) => ({ id: row.n, total: 1 }), Out);
events.groupByKey("id").transformWithState(
  {
    init() {},
    // @ts-expect-error not a row of the schema
    *handleInputRows() {
      yield { total: "x" };
    },
  },
  { schema: Out },
);
// @ts-expect-error no such column to order by
events.groupByKey("id").transformWithState(Totals, { schema: Out, orderBy: "when" });
// @ts-expect-error a text function on a number
events.select(shout("n").as("s"));
// @ts-expect-error no such column
events.select(when(col("m").gt(1), 1).as("x"));
// @ts-expect-error no such column in a branch
events.select(when(col("n").gt(1), col("m")).as("x"));
// @ts-expect-error no such column
events.select(coalesce("n", "m").as("x"));
// @ts-expect-error no such field
events.select("pos.z");
// @ts-expect-error no such column
events.writeStream.partitionBy("m");
// @ts-expect-error no such column
events.groupBy("id").max("m");
events.select(to_json(struct("*")).as("value"));
events.na.drop("all", ["n"]);
events.na.replace("a", "b", ["id"]);
events.unionByName(events, true);
events.map(() => ({ a: 1 }), "a INT");
// @ts-expect-error no such column
events.na.drop("any", ["m"]);
// @ts-expect-error no such column
events.select(struct("id", "m").as("s"));
// @ts-expect-error an array function on text
events.select(array_contains("id", "x").as("x"));

// ---- a Kafka consumer's settings
const kafkaParams = {
  "bootstrap.servers": "localhost:9092",
  "key.deserializer": LongDeserializer,
  "value.deserializer": StringDeserializer,
  "enable.auto.commit": false,
};
const textual = spark.readStream.format("kafka").options(kafkaParams).option("subscribe", "a").load();
is<Eq<Rows<typeof textual>["key"], bigint | null>>();
is<Eq<Rows<typeof textual>["value"], string | null>>();
is<Eq<Rows<typeof textual>["offset"], bigint>>();
textual.select(upper("value"));
// @ts-expect-error no column of that name
textual.select("valu");
const before = spark.read.options(kafkaParams).format("kafka").load();
is<Eq<Rows<typeof before>["value"], string | null>>();
const plain = spark.readStream.format("kafka").option("subscribe", "a").load();
is<Eq<Rows<typeof plain>["value"], Uint8Array | null>>();
// @ts-expect-error bytes are no text
plain.select(upper("value"));
const written = spark.readStream
  .format("kafka")
  .option("value.deserializer", "org.apache.kafka.common.serialization.DoubleDeserializer")
  .option("includeHeaders", true)
  .load();
is<Eq<Rows<typeof written>["value"], number | null>>();
is<Eq<Rows<typeof written>["headers"], { key: string | null; value: Uint8Array | null }[] | null>>();
// A name that is known at run time only says nothing.
const late = spark.readStream
  .format("kafka")
  .options({} as Record<string, string>)
  .load();
is<Eq<Rows<typeof late>["value"], any>>();
is<Eq<Rows<typeof late>["topic"], string>>();
