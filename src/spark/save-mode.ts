import type { BatchTarget } from "../backend.ts";
import { WriteOperation_SaveMode as SaveMode } from "./proto/spark-connect_pb.ts";

/** What becomes of rows that are there already, as Spark Connect says it. */
export function saveMode(mode: BatchTarget["mode"]): SaveMode {
  return {
    append: SaveMode.APPEND,
    overwrite: SaveMode.OVERWRITE,
    error: SaveMode.ERROR_IF_EXISTS,
    ignore: SaveMode.IGNORE,
  }[mode];
}
