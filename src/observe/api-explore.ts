/**
 * What the process shows of the servers behind a pipeline: topics, the lake's tables, the database's tables, the cache's keys. Everything
 * is bounded: lists and rows come in pages, no table is counted by reading it. Numbers of more than 53 bits are text. What is not known is null.
 */

/** A row of `GET /api/topics`. */
export interface TopicSummary {
  readonly name: string;
  /** Made by Kafka itself or by Millrace for its own use. */
  readonly internal: boolean;
  readonly partitions: number;
  /** End minus start over all partitions; compaction and transaction markers make it too large. */
  readonly records: number;
  readonly bytes: number | null;
  /** Over the last ten seconds in which somebody looked. */
  readonly recordsPerSecond: number | null;
  /** Queries of this process that read it, with what they still have to read. */
  readonly readers: readonly {
    readonly query: string;
    readonly lagRows: number | null;
    readonly lagSeconds: number | null;
  }[];
  /** A partition without a leader, an unreachable broker: what is wrong with this topic alone. */
  readonly problem: string | null;
}

/** `GET /api/topics/:name`. */
export interface TopicDetail extends TopicSummary {
  readonly offsets: readonly {
    readonly partition: number;
    readonly start: string;
    readonly end: string;
    readonly leader: number | null;
    /** By query: the next offset that it will read. */
    readonly read: Readonly<Record<string, string>>;
  }[];
  readonly config: Readonly<Record<string, string>>;
}

/** Text where the bytes are UTF-8, else base64 with the reason. */
export type RecordText =
  | { readonly text: string; readonly truncated: boolean }
  | { readonly base64: string; readonly truncated: boolean; readonly reason: string }
  | null;

/** One record of a topic. */
export interface TopicMessage {
  readonly partition: number;
  readonly offset: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly key: RecordText;
  readonly value: RecordText;
  readonly headers: readonly { readonly key: string; readonly value: RecordText }[];
  /** Bytes of key and value. */
  readonly size: number;
}

/**
 * `GET /api/topics/:name/messages?from=latest|earliest|<offset>|<ISO time>&partition=0&limit=50&search=text`: newest first for `latest`, else
 * oldest first. `search` looks through at most `scanned` records.
 */
export interface MessagePage {
  readonly messages: readonly TopicMessage[];
  readonly scanned: number;
  /** Nothing further in that direction. */
  readonly end: boolean;
  /** As `from` of another request: what comes behind this page; after `latest`, what comes in from now on. */
  readonly next: string;
}

/** A row of `GET /api/lake`. */
export interface LakeTableSummary {
  /** Its path below the lake's folder. */
  readonly name: string;
  readonly path: string;
  readonly format: "delta" | "parquet";
  /** From the table's own metadata. */
  readonly rows: number | null;
  readonly files: number;
  readonly bytes: number;
  readonly version: number | null;
  /** Milliseconds since 1970. */
  readonly modifiedAt: number | null;
  readonly partitionBy: readonly string[];
  readonly problem: string | null;
}

/** `GET /api/lake/table?name=...`. */
export interface LakeTableDetail extends LakeTableSummary {
  readonly columns: readonly ColumnInfo[];
  /** The largest first, at most 200. */
  readonly largestFiles: readonly {
    readonly path: string;
    readonly rows: number | null;
    readonly bytes: number;
    readonly partition: Readonly<Record<string, string | null>>;
  }[];
  /** The newest first, at most 100. */
  readonly history: readonly {
    readonly version: number;
    readonly timestamp: number;
    readonly operation: string;
    readonly rowsAdded: number | null;
    readonly filesAdded: number;
    readonly filesRemoved: number;
    /** The query and batch that wrote it, where one of Millrace's did. */
    readonly writer: string | null;
  }[];
}

export interface ColumnInfo {
  readonly name: string;
  /** Spark's name of the type for the lake, PostgreSQL's for the database. */
  readonly type: string;
  readonly nullable: boolean;
}

/** A page of rows: `GET /api/lake/rows?name=...`, `GET /api/database/rows?schema=...&table=...`. Values as JSON, times as ISO text. */
export interface RowsPage {
  readonly columns: readonly ColumnInfo[];
  readonly rows: readonly (readonly unknown[])[];
  /** There are more. */
  readonly more: boolean;
}

/** A row of `GET /api/database`. */
export interface DatabaseTableSummary {
  readonly schema: string;
  readonly name: string;
  /** PostgreSQL's estimate; to be shown with a ≈. */
  readonly estimatedRows: number | null;
  readonly bytes: number;
}

/** `GET /api/database/table?schema=...&table=...`. */
export interface DatabaseTableDetail extends DatabaseTableSummary {
  readonly columns: readonly ColumnInfo[];
  readonly indexes: readonly { readonly name: string; readonly definition: string }[];
}

/** `GET /api/cache?match=airport:*&cursor=0`: a page of SCAN, so in no order; the last page has no cursor. */
export interface CachePage {
  readonly keys: readonly CacheKeySummary[];
  readonly cursor: string | null;
  /** All keys of the cache. */
  readonly total: number;
}

export interface CacheKeySummary {
  readonly key: string;
  readonly type: string;
  /** Until it goes; null when it stays. */
  readonly ttlSeconds: number | null;
}

/** `GET /api/cache/key?key=...`: at most 100 fields or members. */
export interface CacheValue extends CacheKeySummary {
  readonly value: string | readonly string[] | Readonly<Record<string, string>> | null;
  readonly truncated: boolean;
}
