import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { MillraceError } from "../../errors.ts";
import type { Options, SinkRequest } from "../connector.ts";
import type { Action } from "./actions.ts";
import { checkRemovable, checkWritable } from "./protocol.ts";
import { checkStorable, schemaAfter, tableSchema } from "./schema.ts";
import type { Snapshot } from "./snapshot.ts";
import { createActions, protocolFor, usesTimestampNtz } from "./table.ts";

/**
 * The folder of a table: an absolute path, a `file:` URL, or a name below `root` (MILLRACE_LAKE) or else the working directory.
 *
 * @throws MillraceError MISSING_OPTION, DELTA_UNSUPPORTED (other stores)
 */
export function tablePath(options: Options, path: string | undefined): string {
  const given = path ?? options.path ?? "";
  if (given === "") {
    throw new MillraceError("MISSING_OPTION", "The format delta needs a path.", {
      hint: 'Give it as start("flights"), or as option("path", "flights").',
      parameters: { option: "path" },
    });
  }
  if (given.startsWith("file:")) return localPath(given);
  const scheme = /^([a-z][a-z0-9+.-]+):\/\//i.exec(given)?.[1];
  if (scheme !== undefined) {
    throw new MillraceError("DELTA_UNSUPPORTED", `The path ${given} is in the store ${scheme}.`, {
      hint: "Give a local folder.",
    });
  }
  if (isAbsolute(given)) return resolve(given);
  const root = options.root ?? "";
  return resolve(root.startsWith("file:") ? localPath(root) : root, given);
}

function localPath(url: string): string {
  // Hadoop writes file:/a as well as file:///a.
  return resolve(fileURLToPath(url.replace(/^file:\/(?!\/)/, "file:///")));
}

/** Sizes as `64mb`, `1 GB` or plain bytes. @throws MillraceError INVALID_OPTION */
export function sizeBytes(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(b|k|kb|m|mb|g|gb)?$/i.exec(text.trim());
  const unit = { b: 1, k: 1 << 10, m: 1 << 20, g: 1 << 30 }[(match?.[2] ?? "b").toLowerCase().charAt(0)];
  if (match === null || unit === undefined) {
    throw new MillraceError("INVALID_OPTION", `The option ${option} is ${JSON.stringify(text)}.`, {
      hint: "Give a size such as 64mb.",
      parameters: { option },
    });
  }
  return Math.round(Number(match[1]) * unit);
}

export function isTrue(options: Options, name: string): boolean {
  return (options[name] ?? "false").toLowerCase() === "true";
}

/** What can be said of a write without looking at the table. */
export function validateDelta(request: SinkRequest): void {
  tablePath(request.options, request.path);
  checkStorable(request.schema, request.partitionBy);
  if (request.options.targetFileSize !== undefined) sizeBytes("targetFileSize", request.options.targetFileSize);
  if (request.outputMode === "update") {
    throw new MillraceError(
      "STREAMING_OUTPUT_MODE.UNSUPPORTED_DATASOURCE",
      "The format delta does not support the output mode update.",
      {
        hint: "Use append (with a watermark, when there is an aggregation) or complete.",
        parameters: { className: "delta", outputMode: "Update" },
      },
    );
  }
}

/**
 * The columns by which files are laid out, and the actions that bring the table's metadata in line with the rows. Asked anew for every state of
 * the table that a commit is tried on.
 *
 * @param replaces the write replaces everything, so that its schema may too (`overwriteSchema`)
 * @throws MillraceError SINK_SCHEMA_MISMATCH, DELTA_UNSUPPORTED
 */
export function metadataFor(
  path: string,
  snapshot: Snapshot | undefined,
  request: SinkRequest,
  replaces: boolean,
): { readonly actions: readonly Action[]; readonly partitionColumns: readonly string[] } {
  const rows = tableSchema(request.schema);
  if (snapshot === undefined) {
    return {
      actions: Object.entries(createActions(rows, request.partitionBy)).map(entry),
      partitionColumns: request.partitionBy,
    };
  }
  checkWritable(path, snapshot.protocol, snapshot.metadata, snapshot.schema);
  if (replaces) checkRemovable(path, snapshot.metadata);
  const held = snapshot.metadata.partitionColumns;
  const mayRestructure = replaces && isTrue(request.options, "overwriteSchema");
  const partitionColumns = request.partitionBy.length === 0 && !mayRestructure ? held : request.partitionBy;
  let after = snapshot.schema;
  if (mayRestructure) {
    after = rows;
  } else {
    if (partitionColumns.join("\0") !== held.join("\0")) {
      throw new MillraceError(
        "SINK_SCHEMA_MISMATCH",
        `The Delta table ${path} is partitioned by ${held.length === 0 ? "nothing" : held.join(", ")}, not by ${partitionColumns.join(", ")}.`,
        { hint: "Leave partitionBy out to follow the table, or write to another table.", parameters: { table: path } },
      );
    }
    after = schemaAfter(path, snapshot.schema, request.schema, isTrue(request.options, "mergeSchema"));
    const missing = held.filter((name) => !request.schema.fields.some((f) => f.name === name));
    if (missing.length > 0) {
      throw new MillraceError(
        "SINK_SCHEMA_MISMATCH",
        `The rows lack ${missing.join(", ")}, by which the Delta table ${path} is partitioned.`,
        {
          hint: "Add the column to the query.",
          parameters: { table: path },
        },
      );
    }
  }
  const isSame =
    JSON.stringify(after) === JSON.stringify(snapshot.schema) && partitionColumns.join("\0") === held.join("\0");
  if (isSame) return { actions: [], partitionColumns };
  const actions: Action[] = [];
  if (usesTimestampNtz(after) && !(snapshot.protocol.readerFeatures ?? []).includes("timestampNtz")) {
    if (snapshot.protocol.minWriterVersion > 2) {
      throw new MillraceError("DELTA_UNSUPPORTED", `The Delta table ${path} lacks the feature timestampNtz.`, {
        hint: "Cast the new timestamp_ntz columns to timestamp, or add the feature with another engine.",
      });
    }
    actions.push({ protocol: protocolFor(after) });
  }
  const { metaData } = createActions(after, partitionColumns, snapshot.metadata.configuration);
  actions.push({ metaData: { ...snapshot.metadata, schemaString: metaData.schemaString, partitionColumns } });
  return { actions, partitionColumns };
}

function entry([key, value]: [string, unknown]): Action {
  return { [key]: value };
}

/** Where a data file of an `add` or `remove` action lies. */
export function dataFile(table: string, path: string): string {
  if (path.startsWith("file:")) return localPath(path);
  const decoded = decodeURIComponent(path);
  return isAbsolute(decoded) ? decoded : join(table, decoded);
}
