import type { Connector } from "./connector.ts";
import { openPostgresBatch, postgresSchema } from "./postgres/source.ts";
import { openPostgresSink, validatePostgres, writePostgres } from "./postgres/stream-sink.ts";

/**
 * PostgreSQL. Each batch is one transaction that also writes a row of `millrace_commits`, so that a batch which is delivered again is
 * recognised: exactly once. With `key` rows are upserted, without it they are appended.
 *
 * @example df.writeStream.format("postgres").option("dbtable", "delays").option("key", "hour,origin").outputMode("update")
 */
export const postgres: Connector = {
  name: "postgres",
  aliases: ["postgresql", "jdbc"],
  summary: "Tables of PostgreSQL: exactly-once appends and upserts, and batch reads.",
  options: [
    {
      name: "url",
      for: ["source", "sink"],
      type: "string",
      required: true,
      env: "MILLRACE_POSTGRES",
      secret: true,
      doc: "Address, as postgres://user:password@host:5432/database. jdbc:postgresql:// is understood.",
    },
    {
      name: "dbtable",
      for: ["source", "sink"],
      type: "string",
      doc: "Table, as delays or reporting.delays. A source may also take a subquery in parentheses.",
    },
    { name: "query", for: ["source"], type: "string", doc: "A SELECT whose result is read, instead of dbtable." },
    {
      name: "key",
      for: ["sink"],
      type: "string",
      doc: "Columns that identify a row, separated by commas: rows are upserted. Without it they are appended.",
    },
    {
      name: "createTable",
      for: ["sink"],
      type: "boolean",
      default: "true",
      doc: "Create the table from the schema when it does not exist, with key as its primary key.",
    },
    {
      name: "truncate",
      for: ["sink"],
      type: "boolean",
      default: "false",
      doc: "Mode overwrite of a batch write: empty the table instead of dropping it.",
    },
    { name: "batchsize", for: ["sink"], type: "int", default: "10000", doc: "Rows per statement." },
    { name: "fetchsize", for: ["source"], type: "int", default: "10000", doc: "Rows per round trip." },
    { name: "user", for: ["source", "sink"], type: "string", doc: "Role, instead of the one in url." },
    {
      name: "password",
      for: ["source", "sink"],
      type: "string",
      secret: true,
      doc: "Password, instead of the one in url.",
    },
    {
      name: "sslmode",
      for: ["source", "sink"],
      type: "string",
      values: ["disable", "require", "verify-ca", "verify-full"],
      doc: "Encryption, as in libpq. Default: the url's sslmode, else disable.",
    },
    {
      name: "sslrootcert",
      for: ["source", "sink"],
      type: "string",
      doc: "File with the root certificate for verify-ca and verify-full.",
    },
  ],
  source: {
    fixedSchema: true,
    schema: postgresSchema,
    openBatch: openPostgresBatch,
  },
  sink: {
    outputModes: ["append", "update", "complete"],
    guarantee: () => "exactly-once",
    atomic: true,
    validate: validatePostgres,
    openStream: openPostgresSink,
    writeBatch: writePostgres,
  },
};
