import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Relation } from "../../src/plan/relation.ts";
import { parseDdl, sqlName, toDdl } from "../../src/types/ddl.ts";
import type { RelationInit, SparkLane } from "./spark-lane.ts";
import { TABLES, type Table, type TableName } from "./tables.ts";

/** The tables as Parquet files that Spark wrote, so that both engines read the very same values, all of them nullable. */
export class Fixtures {
  readonly folder = mkdtempSync(join(tmpdir(), "millrace-parity-"));

  static async write(spark: SparkLane): Promise<Fixtures> {
    const fixtures = new Fixtures();
    process.once("exit", () => fixtures.remove());
    // One part, so that every table is one file with its rows in their order.
    const once = { "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS", "spark.sql.shuffle.partitions": "1" };
    await spark.conf(once);
    await Promise.all(
      Object.entries(TABLES).map(([name, table]) =>
        spark.command({
          case: "writeOperation",
          value: {
            input: { relType: { case: "sql", value: { query: tableSql(table) } } },
            source: "parquet",
            saveType: { case: "path", value: fixtures.path(name as TableName) },
            mode: 2,
          },
        }),
      ),
    );
    await spark.conf({ "spark.sql.shuffle.partitions": undefined });
    return fixtures;
  }

  path(name: TableName): string {
    return join(this.folder, name);
  }

  /** The view of the table, where no schema has to be asked of its file. */
  named(name: TableName): Relation {
    return { kind: "named_table", name, options: {}, streaming: false };
  }

  /** The file of the table in a plan of ours. */
  relation(name: TableName): Relation {
    return { kind: "read", format: "parquet", options: {}, paths: [this.path(name)], streaming: false };
  }

  /** Makes every table a view of a Spark session, under its name: of its file, or of its rows in memory. */
  async views(spark: SparkLane, rows?: ReadonlyMap<TableName, RelationInit>): Promise<void> {
    for (const name of Object.keys(TABLES) as TableName[]) {
      const input = rows?.get(name) ?? this.#scan(name);
      await spark.command({ case: "createDataframeView", value: { input, name, replace: true } });
    }
  }

  /** Every table's rows as Spark has them in memory: it takes no job to read them. */
  async rows(spark: SparkLane): Promise<Map<TableName, RelationInit>> {
    const found = new Map<TableName, RelationInit>();
    for (const [name, table] of Object.entries(TABLES) as [TableName, Table][]) {
      const data = await spark.arrow(this.#scan(name));
      const value = { ...(data && { data }), schema: toDdl(parseDdl(table.schema)) };
      found.set(name, { relType: { case: "localRelation", value } });
    }
    return found;
  }

  #scan(name: TableName): RelationInit {
    return {
      relType: {
        case: "read",
        value: {
          readType: { case: "dataSource", value: { format: "parquet", paths: [this.path(name)] } },
        },
      },
    };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The rows in their order, in one file. */
function tableSql(table: Table): string {
  const { fields } = parseDdl(table.schema);
  const row = (cells: readonly string[]): string =>
    fields.map((f, i) => `CAST(${cells[i]} AS ${sqlName(f.type)}) AS ${f.name}`).join(", ");
  if (table.rows.length === 0) return `SELECT ${row(fields.map(() => "NULL"))} LIMIT 0`;
  const union = table.rows.map((cells) => `SELECT ${row(cells)}`).join(" UNION ALL ");
  return `SELECT /*+ COALESCE(1) */ * FROM (${union}) ORDER BY id`;
}
