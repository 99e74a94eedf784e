/** Tools for testing pipelines, sources and sinks: `import { MemoryStream, ManualClock } from "millrace/testing"`. */
export { dropMemoryTable, type MemoryTable, memoryTable } from "../connectors/memory.ts";
export type { Clock } from "../streaming/clock.ts";
export type { ContractCase } from "./contract.ts";
export { Faults, type FaultyCall } from "./faults.ts";
export { atomicLedger, type LedgerBatch, ledger, readLedger } from "./ledger.ts";
export { ManualClock } from "./manual-clock.ts";
export { MemoryStream } from "./memory-stream.ts";
export { type SinkBatchOptions, sinkBatch } from "./sink-batch.ts";
export { type SinkContractOptions, type SinkUnderTest, sinkContract } from "./sink-contract.ts";
export { type SourceContractOptions, type SourceUnderTest, sourceContract } from "./source-contract.ts";
