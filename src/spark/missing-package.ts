import { MillraceError } from "../errors.ts";

/** Packages that a server may lack, by what it then says. */
const PACKAGES: readonly { readonly said: RegExp; readonly what: string; readonly artifact: string }[] = [
  {
    said: /find (?:the )?data source: `?kafka\b/i,
    what: "Spark's Kafka connector",
    artifact: "org.apache.spark:spark-sql-kafka-0-10_2.13:<Spark's version>",
  },
  {
    said: /find (?:the )?data source: `?delta\b|io\.delta\.sql\.DeltaSparkSessionExtension/i,
    what: "Delta Lake",
    artifact: "io.delta:delta-spark_2.13:<the version for this Spark>",
  },
  {
    said: /find (?:the )?data source: `?avro\b/i,
    what: "Spark's Avro reader",
    artifact: "org.apache.spark:spark-avro_2.13:<Spark's version>",
  },
  {
    said: /org\.postgresql\.Driver|No suitable driver/,
    what: "PostgreSQL's JDBC driver",
    artifact: "org.postgresql:postgresql:<version>",
  },
];

/** The error of a server that lacks a package, with the package's name; any other error as it is. */
export function namingMissingPackage(error: unknown, serverVersion: string): unknown {
  if (!(error instanceof MillraceError) || error.hint !== undefined) return error;
  const missing = PACKAGES.find((p) => p.said.test(error.message));
  if (missing === undefined) return error;
  const artifact = missing.artifact.replace("<Spark's version>", serverVersion);
  return new MillraceError("DATA_SOURCE_NOT_FOUND", `The Spark server has no ${missing.what}.`, {
    hint: `Start it with --packages ${artifact}.`,
    cause: error,
    parameters: { ...error.parameters, package: artifact },
  });
}
