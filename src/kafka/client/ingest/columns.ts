import { closeSync, constants, openSync, writevSync } from "node:fs";
import { type BatchHeader, batchRecords, RecordWalker } from "../../wire/record-batch.ts";
import { BytesColumn, DictionaryColumn, HeadersColumn, Int64Column } from "./column-buffers.ts";
import { type ColumnPages, ParquetLayout, ParquetType, Repetition, type SchemaNode } from "./parquet.ts";

/** The columns of a Kafka source, as Spark names them. */
export const KAFKA_COLUMNS = [
  "key",
  "value",
  "topic",
  "partition",
  "offset",
  "timestamp",
  "timestampType",
  "headers",
] as const;
export type KafkaColumn = (typeof KAFKA_COLUMNS)[number];

/** DuckDB reads one row group per thread; it likes them this long. */
const GROUP_ROWS = 122_880;
/** A row group of large records is cut here, which also keeps pages far below 2 GB. */
const GROUP_BYTES = 48 << 20;

/**
 * Lays records out by column in a Parquet file of PLAIN pages, which DuckDB scans faster than anything else that can be handed to it.
 * The records of a batch are walked once; no object, string or BigInt is made per record.
 */
export class ColumnFile {
  readonly path: string;
  #rows = 0;
  #fd: number;
  readonly #layout: ParquetLayout;
  readonly #walker = new RecordWalker();

  readonly #key: BytesColumn | undefined;
  readonly #value: BytesColumn | undefined;
  readonly #offset: Int64Column | undefined;
  readonly #timestamp: Int64Column | undefined;
  readonly #headers: HeadersColumn | undefined;
  readonly #topic: DictionaryColumn | undefined;
  readonly #partition: DictionaryColumn | undefined;
  readonly #timestampType: DictionaryColumn | undefined;
  /** Rows of the row group being filled. */
  #groupRows = 0;

  constructor(path: string, columns: ReadonlySet<KafkaColumn>) {
    this.path = path;
    if (columns.has("key")) this.#key = new BytesColumn("key");
    if (columns.has("value")) this.#value = new BytesColumn("value");
    if (columns.has("offset")) this.#offset = new Int64Column("offset");
    if (columns.has("timestamp")) this.#timestamp = new Int64Column("timestamp");
    if (columns.has("headers")) this.#headers = new HeadersColumn();
    if (columns.has("topic")) this.#topic = new DictionaryColumn("topic", ParquetType.BYTE_ARRAY);
    if (columns.has("partition")) this.#partition = new DictionaryColumn("partition", ParquetType.INT32);
    if (columns.has("timestampType") || columns.size === 0) {
      // Also the stand-in when only the number of rows is wanted: it costs nothing per record.
      this.#timestampType = new DictionaryColumn("timestampType", ParquetType.INT32);
    }
    this.#layout = new ParquetLayout(schemaOf(columns));
    this.#fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
    try {
      writevSync(this.#fd, [ParquetLayout.MAGIC]);
    } catch (error) {
      this.abandon();
      throw error;
    }
  }

  /** Rows added so far. */
  get rowCount(): number {
    return this.#rows;
  }

  /** Adds the records of one batch whose offsets are in [from, to). Throws KAFKA_CORRUPT_BATCH. */
  addBatch(
    buf: Buffer,
    header: BatchHeader,
    topic: string,
    partition: number,
    from: number,
    to: number,
    checkCrc: boolean,
  ): void {
    const { baseOffset, recordCount } = header;
    if (recordCount === 0) return;
    const whole = baseOffset >= from && baseOffset + header.lastOffsetDelta < to;
    const key = this.#key;
    const value = this.#value;
    const offset = this.#offset;
    const timestamp = this.#timestamp;
    const headers = this.#headers;
    if (whole && !key && !value && !offset && !timestamp && !headers) {
      if (checkCrc) batchRecords(buf, header, true);
      this.#addRuns(topic, partition, header.timestampType, recordCount);
      this.#rows += recordCount;
      return;
    }
    const data = batchRecords(buf, header, checkCrc);
    key?.source(data);
    value?.source(data);
    headers?.source(data);
    const walker = this.#walker;
    walker.reset(data, recordCount, baseOffset);
    const appendTime = header.timestampType === 1;
    let pending = 0;
    while (walker.next()) {
      const at = baseOffset + walker.offsetDelta;
      if (!whole && (at < from || at >= to)) continue;
      if (key) key.add(walker.keyAt, walker.keyLength);
      if (value) value.add(walker.valueAt, walker.valueLength);
      if (offset) offset.add(at);
      if (timestamp)
        timestamp.addMicros(appendTime ? header.maxTimestamp : header.baseTimestamp + walker.timestampDelta);
      if (headers) headers.add(walker);
      pending++;
      if (this.#groupRows + pending === GROUP_ROWS || (value !== undefined && value.bytes > GROUP_BYTES)) {
        this.#addRuns(topic, partition, header.timestampType, pending);
        this.#rows += pending;
        pending = 0;
        this.#flush();
      }
    }
    if (pending > 0) this.#addRuns(topic, partition, header.timestampType, pending);
    this.#rows += pending;
  }

  #addRuns(topic: string, partition: number, timestampType: number, count: number): void {
    this.#topic?.add(topic, count);
    this.#partition?.add(partition, count);
    this.#timestampType?.add(timestampType, count);
    this.#groupRows += count;
  }

  #flush(): void {
    if (this.#groupRows === 0) return;
    const columns: ColumnPages[] = [];
    for (const column of [
      this.#key,
      this.#value,
      this.#topic,
      this.#partition,
      this.#offset,
      this.#timestamp,
      this.#timestampType,
    ]) {
      if (column !== undefined) columns.push(column.pages());
    }
    if (this.#headers !== undefined) columns.push(...this.#headers.pages());
    this.#write(this.#layout.rowGroup(this.#groupRows, columns));
    for (const column of [
      this.#key,
      this.#value,
      this.#topic,
      this.#partition,
      this.#offset,
      this.#timestamp,
      this.#timestampType,
      this.#headers,
    ]) {
      column?.clear();
    }
    this.#groupRows = 0;
  }

  #write(parts: readonly Buffer[]): void {
    let rest = parts;
    while (rest.length > 0) {
      let written = writevSync(this.#fd, rest);
      // A short write goes on where it stopped; a full disk throws ENOSPC at the next try.
      let i = 0;
      while (i < rest.length && written >= rest[i]!.length) written -= rest[i++]!.length;
      rest = i < rest.length ? [rest[i]!.subarray(written), ...rest.slice(i + 1)] : [];
    }
  }

  /** Writes what is left and the footer, and closes the file. */
  finish(): void {
    this.#flush();
    this.#write([this.#layout.footer()]);
    this.abandon();
  }

  /** Closes the file without finishing it. */
  abandon(): void {
    if (this.#fd < 0) return;
    closeSync(this.#fd);
    this.#fd = -1;
    this.#key?.release();
    this.#value?.release();
  }
}

function schemaOf(columns: ReadonlySet<KafkaColumn>): SchemaNode[] {
  const { REQUIRED, OPTIONAL, REPEATED } = Repetition;
  const { INT32, INT64, BYTE_ARRAY } = ParquetType;
  const nodes: SchemaNode[] = [];
  if (columns.has("key")) nodes.push({ name: "key", type: BYTE_ARRAY, repetition: OPTIONAL });
  if (columns.has("value")) nodes.push({ name: "value", type: BYTE_ARRAY, repetition: OPTIONAL });
  if (columns.has("topic")) nodes.push({ name: "topic", type: BYTE_ARRAY, repetition: REQUIRED, utf8: true });
  if (columns.has("partition")) nodes.push({ name: "partition", type: INT32, repetition: REQUIRED });
  if (columns.has("offset")) nodes.push({ name: "offset", type: INT64, repetition: REQUIRED });
  if (columns.has("timestamp")) {
    nodes.push({ name: "timestamp", type: INT64, repetition: REQUIRED, timestampMicros: true });
  }
  if (columns.has("timestampType") || columns.size === 0) {
    nodes.push({ name: "timestampType", type: INT32, repetition: REQUIRED });
  }
  let top = nodes.length;
  if (columns.has("headers")) {
    top++;
    nodes.push(
      { name: "headers", repetition: OPTIONAL, children: 1, list: true },
      { name: "list", repetition: REPEATED, children: 1 },
      { name: "element", repetition: REQUIRED, children: 2 },
      { name: "key", type: BYTE_ARRAY, repetition: REQUIRED, utf8: true },
      { name: "value", type: BYTE_ARRAY, repetition: OPTIONAL },
    );
  }
  return [{ name: "schema", children: top }, ...nodes];
}
