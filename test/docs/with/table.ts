import { SparkSession } from "millrace";

const spark = SparkSession.builder().getOrCreate();
export const flights = spark.createDataFrame([
  { origin: "ATL", delay: 20 },
  { origin: "ATL", delay: 40 },
  { origin: "LAX", delay: 17 },
  { origin: "ORD", delay: 3 },
]);
