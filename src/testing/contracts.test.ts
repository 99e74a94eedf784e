import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "vitest";
import type { Connector, StreamSinkRequest } from "../connectors/connector.ts";
import { delta } from "../connectors/delta.ts";
import { parquet } from "../connectors/file.ts";
import { dropMemoryTable, memory, memoryTable } from "../connectors/memory.ts";
import { MemoryBuffer, memoryStream } from "../connectors/memory-stream.ts";
import { resolveOptions } from "../connectors/options.ts";
import { SparkSession } from "../session.ts";
import type { StructType } from "../types/data-type.ts";
import { ledger, readLedger } from "./ledger.ts";
import { type SinkUnderTest, sinkContract } from "./sink-contract.ts";
import { sourceContract } from "./source-contract.ts";

const WORD: StructType = {
  kind: "struct",
  fields: [
    { name: "word", type: { kind: "string" }, nullable: true },
    { name: "n", type: { kind: "integer" }, nullable: true },
  ],
};
const SAMPLE = [
  { word: "a", n: 1 },
  { word: "b", n: 2 },
  { word: null, n: 3 },
  { word: "d", n: null },
];

/** A sink that writes below a folder of its own. */
function inFolder(connector: Connector, rows: (path: string) => Promise<readonly unknown[]>): () => SinkUnderTest {
  return () => {
    const root = mkdtempSync(join(tmpdir(), "millrace-contract-"));
    const path = join(root, "out");
    const request: StreamSinkRequest = {
      options: resolveOptions(connector, {}, "sink"),
      path,
      partitionBy: [],
      schema: WORD,
      outputMode: "append",
      queryId: "00000000-0000-4000-8000-000000000000",
      sinkName: "sink",
      sole: true,
      queryName: "contract",
      temporaryPath: join(root, "tmp"),
    };
    return {
      open: () => connector.sink!.openStream!(request),
      rows: () => rows(path),
      close: () => rmSync(root, { recursive: true, force: true }),
    };
  };
}

async function table(format: string, path: string): Promise<readonly unknown[]> {
  try {
    return await SparkSession.builder().getOrCreate().read.format(format).schema(WORD).load(path).collect();
  } catch {
    return [];
  }
}

async function deltaRows(path: string): Promise<readonly unknown[]> {
  try {
    return await SparkSession.builder().getOrCreate().read.format("delta").load(path).collect();
  } catch {
    return [];
  }
}

describe.each([
  ["ledger", inFolder(ledger, async (path) => readLedger(path).flatMap((batch) => batch.rows))],
  ["memory", inFolder(memory, async () => memoryTable("contract")?.rows ?? [])],
  ["delta", inFolder(delta, deltaRows)],
  ["parquet", inFolder(parquet, (path) => table("parquet", path))],
])("the sink %s", (name, create) => {
  const fresh = (): SinkUnderTest => {
    if (name === "memory") dropMemoryTable("contract");
    return create();
  };
  const cases = sinkContract({ create: fresh, schema: WORD, sample: SAMPLE, guarantee: "exactly-once" });
  test.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => one.run());
});

describe("the source memory-stream", () => {
  const cases = sourceContract({
    create() {
      const buffer = new MemoryBuffer(WORD);
      return {
        open: () =>
          memoryStream.source!.openStream!({
            options: { id: buffer.id },
            paths: [],
            schema: undefined,
            queryId: "q",
            metadataPath: "",
            temporaryPath: "",
          }),
        grow() {
          buffer.add(SAMPLE);
        },
      };
    },
  });
  test.each(cases.map((one) => [one.name, one] as const))("%s", (_, one) => one.run());
});
