import type { Column } from "../dataframe/column.ts";
import type { DataFrame } from "../dataframe/dataframe.ts";
import { col, from_json } from "../dataframe/functions.ts";
import { MillraceError } from "../errors.ts";
import { KafkaClient } from "../kafka/client/index.ts";
import type { SparkSession } from "../session.ts";
import type { StructType } from "../types/data-type.ts";
import { toDdl } from "../types/ddl.ts";
import type { ReadOptions } from "./catalogs.ts";
import { inferJsonSchema } from "./json-schema.ts";
import { topicOffsets } from "./topic-offsets.ts";

/** Records of each partition that are looked at to learn what their JSON is like. */
const SAMPLE = 500;

/**
 * A topic as a table: key and value as text, partition, offset, timestamp, headers. When the query names them there are also `json`, the value
 * as a struct whose fields are those of the newest records, and `key_bytes` and `value_bytes`.
 */
export async function topicTable(
  spark: SparkSession,
  servers: string,
  topic: string,
  { since, text }: ReadOptions,
): Promise<DataFrame> {
  const records: DataFrame<any> = reader(spark, servers, topic)
    .option("includeHeaders", true)
    .options(
      since === undefined
        ? { startingOffsets: "earliest" }
        : { startingTimestamp: Math.floor(since), startingOffsetsByTimestampStrategy: "latest" },
    )
    .load();
  const columns: Column<any, any, any>[] = [
    col("key").cast("string").as("key"),
    col("value").cast("string").as("value"),
    ...["partition", "offset", "timestamp", "headers"].map((name) => col(name)),
  ];
  const names = (word: string): boolean => new RegExp(`\\b${word}\\b`, "i").test(text);
  if (names("key_bytes")) columns.push(col("key").as("key_bytes"));
  if (names("value_bytes")) columns.push(col("value").as("value_bytes"));
  if (names("json")) {
    const schema = await jsonSchema(spark, servers, topic);
    if (schema === undefined) {
      throw new MillraceError(
        "UNABLE_TO_INFER_SCHEMA",
        `The newest records of the topic ${topic} are no JSON objects.`,
        {
          hint: "Use the column value, which is text.",
        },
      );
    }
    columns.push(from_json(col("value").cast("string"), toDdl(schema)).as("json"));
  }
  return records.select(...columns);
}

function reader(spark: SparkSession, servers: string, topic: string) {
  return spark.read.format("kafka").option("kafka.bootstrap.servers", servers).option("subscribe", topic);
}

/** What the newest records are like. */
async function jsonSchema(spark: SparkSession, servers: string, topic: string): Promise<StructType | undefined> {
  const client = KafkaClient.connect({ "bootstrap.servers": servers, "client.id": "millrace-query" });
  let starts: Record<string, number>;
  try {
    const { first, next } = await topicOffsets(client, topic);
    const lowest = new Map(first.map((o) => [o.partition, o.offset]));
    starts = Object.fromEntries(
      next.map((o) => [String(o.partition), Math.max(lowest.get(o.partition) ?? 0, o.offset - SAMPLE)]),
    );
  } finally {
    client.close();
  }
  const sample = await reader(spark, servers, topic)
    .option("startingOffsets", JSON.stringify({ [topic]: starts }))
    .load()
    .select(col("value").cast("string").as("value"))
    .collect();
  return inferJsonSchema(sample.flatMap(({ value }) => (value === null ? [] : [String(value)])));
}
