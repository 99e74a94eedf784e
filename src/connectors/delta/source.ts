import { MillraceError } from "../../errors.ts";
import type { StructType } from "../../types/data-type.ts";
import type { BatchInput, SourceRequest } from "../connector.ts";
import { scanSql } from "./scan.ts";
import { loadSnapshot, type Snapshot, versionAt } from "./snapshot.ts";
import { tablePath } from "./target.ts";

/** The snapshot that `versionAsOf` or `timestampAsOf` names, else the newest. @throws MillraceError PATH_NOT_FOUND, INVALID_OPTION */
async function requestedSnapshot(request: SourceRequest): Promise<{ path: string; snapshot: Snapshot }> {
  const path = tablePath(request.options, request.paths[0]);
  const { versionAsOf, timestampAsOf } = request.options;
  let version: number | undefined;
  if (versionAsOf !== undefined && timestampAsOf !== undefined) {
    throw new MillraceError("INVALID_OPTION", "The options versionAsOf and timestampAsOf exclude each other.");
  }
  if (versionAsOf !== undefined) {
    version = Number(versionAsOf);
    if (!Number.isInteger(version)) {
      throw new MillraceError("INVALID_OPTION", `The option versionAsOf is ${JSON.stringify(versionAsOf)}.`, {
        hint: "Give a version number, as 12.",
      });
    }
  } else if (timestampAsOf !== undefined) {
    version = await versionAt(path, timestampMs("timestampAsOf", timestampAsOf));
  }
  const snapshot = await loadSnapshot(path, version);
  if (snapshot === undefined) {
    throw new MillraceError("PATH_NOT_FOUND", `There is no Delta table at ${path}.`, {
      hint: "Check the path; relative names lie below MILLRACE_LAKE.",
      parameters: { path },
    });
  }
  return { path, snapshot };
}

/** `2024-01-01`, `2024-01-01 10:00:00`, ISO 8601; without a zone it is UTC. @throws MillraceError INVALID_OPTION */
export function timestampMs(option: string, text: string): number {
  const match = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?\s*(Z|[+-]\d\d:?\d\d)?$/.exec(
    text.trim(),
  );
  const time = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2] ?? "00:00"}${match[3] ?? "Z"}`);
  if (Number.isNaN(time)) {
    throw new MillraceError("INVALID_OPTION", `The option ${option} is ${JSON.stringify(text)}.`, {
      hint: "Give a time as 2024-01-31 or 2024-01-31T10:00:00Z.",
      parameters: { option },
    });
  }
  return time;
}

export async function deltaSchema(request: SourceRequest): Promise<StructType> {
  return (await requestedSnapshot(request)).snapshot.schema;
}

export async function openDeltaBatch(request: SourceRequest): Promise<BatchInput> {
  const { path, snapshot } = await requestedSnapshot(request);
  const files = [...snapshot.files.values()];
  return { kind: "sql", from: await scanSql(path, snapshot.schema, snapshot.metadata.partitionColumns, files) };
}
