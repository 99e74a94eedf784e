import { MillraceError } from "../errors.ts";

/** Spark's StreamingQueryException: what `awaitTermination` throws and `exception` holds. */
export function streamFailed(
  query: { readonly id: string; readonly runId: string; readonly name: string | null },
  cause: unknown,
  batchId: number | undefined,
): MillraceError {
  const { id, runId, name } = query;
  const text = cause instanceof Error ? cause.message : String(cause);
  return new MillraceError(
    "STREAM_FAILED",
    `Query ${name === null ? "" : `${name} `}[id = ${id}, runId = ${runId}] terminated with exception: ${text}`,
    { cause, parameters: { id, runId, message: text, batchId: String(batchId ?? "") } },
  );
}
