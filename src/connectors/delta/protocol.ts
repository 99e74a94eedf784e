import { MillraceError } from "../../errors.ts";
import type { StructType } from "../../types/data-type.ts";
import type { Metadata, Protocol } from "./actions.ts";

/** Which table features are understood. https://github.com/delta-io/delta/blob/master/PROTOCOL.md#table-features */

/** Features that change nothing for a reader of Parquet files, or whose use in this table is looked at elsewhere. */
const READABLE = new Set(["timestampNtz", "vacuumProtocolCheck", "deletionVectors", "columnMapping"]);

/** Features that ask nothing of a writer of plain files unless the table's metadata uses them, which `checkWritable` looks at. */
const WRITABLE = new Set([
  ...READABLE,
  "appendOnly",
  "invariants",
  "checkConstraints",
  "generatedColumns",
  "identityColumns",
  "changeDataFeed",
]);

/** @throws MillraceError DELTA_UNSUPPORTED naming the feature */
export function checkReadable(table: string, protocol: Protocol, metadata: Metadata): void {
  const { minReaderVersion: version } = protocol;
  if (version > 3) refuse(table, `reader version ${version}`);
  for (const feature of protocol.readerFeatures ?? []) {
    if (!READABLE.has(feature)) refuse(table, `the feature ${feature}`);
  }
  const mapping = metadata.configuration["delta.columnMapping.mode"] ?? "none";
  if (mapping !== "none") refuse(table, `the feature columnMapping (mode ${mapping})`);
  if (metadata.format.provider !== "parquet") refuse(table, `files of the format ${metadata.format.provider}`);
}

/** @throws MillraceError DELTA_UNSUPPORTED naming the feature */
export function checkWritable(table: string, protocol: Protocol, metadata: Metadata, schema: StructType): void {
  checkReadable(table, protocol, metadata);
  const { minWriterVersion: version } = protocol;
  if (version > 7) refuse(table, `writer version ${version}`);
  for (const feature of protocol.writerFeatures ?? []) {
    if (!WRITABLE.has(feature)) refuse(table, `writing with the feature ${feature}`);
  }
  const { configuration } = metadata;
  const constraint = Object.keys(configuration).find((key) => key.startsWith("delta.constraints."));
  if (constraint !== undefined) refuse(table, `writing with the CHECK constraint ${constraint.slice(18)}`);
  for (const key of ["delta.enableRowTracking", "delta.enableInCommitTimestamps", "delta.enableIcebergCompatV2"]) {
    if (configuration[key] === "true") refuse(table, `writing with ${key}`);
  }
  for (const field of schema.fields) {
    for (const key of Object.keys(field.metadata ?? {})) {
      if (key === "delta.invariants" || key === "delta.generationExpression" || key.startsWith("delta.identity.")) {
        refuse(table, `writing with ${key} of the column ${field.name}`);
      }
    }
  }
}

/** @throws MillraceError DELTA_UNSUPPORTED when rows may not be removed */
export function checkRemovable(table: string, metadata: Metadata): void {
  if (metadata.configuration["delta.appendOnly"] === "true") {
    throw new MillraceError("DELTA_UNSUPPORTED", `The Delta table ${table} is append-only (delta.appendOnly).`, {
      hint: "Use output mode append, or save mode append.",
    });
  }
}

function refuse(table: string, what: string): never {
  throw new MillraceError("DELTA_UNSUPPORTED", `The Delta table ${table} needs ${what}, which is not supported.`, {
    hint: "Use a table without it, or drop the feature from the table with the engine that added it.",
    parameters: { feature: what },
  });
}
