import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { col, type DataFrame, MillraceError, SparkSession, sum } from "../../src/index.ts";
import { given } from "../needs.ts";
import { sharedSpark } from "../shared-spark.ts";

const server = given(await sharedSpark());
const engines = ["embedded", ...(server === undefined ? [] : ["spark"])];

/** The same program on both engines, with the same results. */
describe.each(engines)("the catalog, %s", (engine) => {
  let spark: SparkSession;
  let folder: string;
  const db = `millrace_${engine}_${process.pid}`;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "millrace-catalog-"));
    spark = new SparkSession(engine === "spark" ? { remote: server!.url } : {});
    if (engine === "embedded") spark.conf.set("spark.sql.warehouse.dir", join(folder, "warehouse"));
    spark.sql(`CREATE DATABASE ${db}`);
    spark.sql(`USE ${db}`);
  }, 120_000);
  afterAll(async () => {
    await spark.sql("USE default").collect();
    await spark.sql(`DROP DATABASE IF EXISTS ${db} CASCADE`).collect();
    await spark.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const code = async (action: () => Promise<unknown>): Promise<string> => {
    const error = await action().then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(MillraceError);
    return (error as MillraceError).code;
  };
  const people = (): DataFrame<{ id: number; name: string }> =>
    spark.createDataFrame([
      { id: 1, name: "Ann" },
      { id: 2, name: "Bob" },
    ]);

  test("databases", async () => {
    expect(await spark.catalog.currentDatabase()).toBe(db);
    expect(await spark.catalog.currentCatalog()).toBe("spark_catalog");
    expect((await spark.catalog.listDatabases(db)).map((d) => d.name)).toEqual([db]);
    expect(await spark.catalog.databaseExists(db)).toBe(true);
    expect(await spark.catalog.databaseExists("nothing")).toBe(false);
    expect((await spark.catalog.getDatabase(db)).name).toBe(db);
    await spark.catalog.setCurrentDatabase("default");
    expect(await spark.catalog.currentDatabase()).toBe("default");
    await spark.catalog.setCurrentDatabase(db);
    expect(await code(() => spark.catalog.setCurrentDatabase("nothing"))).toBe("SCHEMA_NOT_FOUND");
    expect(await code(() => spark.sql(`CREATE DATABASE ${db}`).collect())).toBe("SCHEMA_ALREADY_EXISTS");
    expect((await spark.catalog.listCatalogs()).map((c) => c.name)).toContain("spark_catalog");
  });

  test("temporary views", async () => {
    await people().createTempView("v");
    expect(await code(() => people().createTempView("v"))).toBe("TEMP_TABLE_OR_VIEW_ALREADY_EXISTS");
    await people()
      .filter(col("id").gt(1) as any)
      .createOrReplaceTempView("v");
    expect(await spark.table("v").collect()).toEqual([{ id: 2, name: "Bob" }]);
    expect(await spark.catalog.tableExists("v")).toBe(true);
    const view = (await spark.catalog.listTables()).find((t) => t.name === "v");
    expect(view).toMatchObject({ isTemporary: true, tableType: "TEMPORARY" });
    expect(await spark.catalog.dropTempView("v")).toBe(true);
    expect(await spark.catalog.dropTempView("v")).toBe(false);
    expect(await code(() => spark.table("v").collect())).toBe("TABLE_OR_VIEW_NOT_FOUND");
  });

  test("global temporary views", async () => {
    const name = `g_${db}`;
    await people().createOrReplaceGlobalTempView(name);
    expect(await spark.table(`global_temp.${name}`).count()).toBe(2);
    expect(await spark.catalog.dropGlobalTempView(name)).toBe(true);
  });

  test("a table: saved, asked about, added to, dropped", async () => {
    await people().write.format("parquet").saveAsTable("t");
    expect(await code(() => people().write.saveAsTable("t"))).toBe("TABLE_OR_VIEW_ALREADY_EXISTS");
    await people().write.mode("append").saveAsTable("t");
    await people().write.insertInto("t");
    expect(await spark.table(`${db}.t`).agg(sum("id").as("s")).collect()).toEqual([{ s: 9n }]);
    expect(await spark.catalog.getTable("t")).toMatchObject({
      name: "t",
      catalog: "spark_catalog",
      namespace: [db],
      tableType: "MANAGED",
      isTemporary: false,
    });
    expect((await spark.catalog.listColumns("t")).map((c) => [c.name, c.dataType, c.nullable])).toEqual([
      ["id", "int", true],
      ["name", "string", true],
    ]);
    expect((await spark.catalog.listTables(db, "t*")).map((t) => t.name)).toEqual(["t"]);
    await people().limit(0).write.insertInto("t", true);
    expect(await spark.table("t").isEmpty()).toBe(true);
    expect(await spark.sql("DROP TABLE t").collect()).toEqual([]);
    expect(await spark.catalog.tableExists("t")).toBe(false);
    expect(await code(() => people().write.insertInto("t"))).toBe("TABLE_OR_VIEW_NOT_FOUND");
  });

  test("commands in SQL", async () => {
    spark.sql("CREATE TABLE s (a INT, b STRING) USING parquet");
    spark.sql("INSERT INTO s VALUES (1, 'x'), (2, 'y')");
    spark.sql("INSERT INTO s (b, a) VALUES ('z', 3)");
    expect(await spark.sql("SELECT * FROM s WHERE a > :m ORDER BY a", { m: 1 }).collect()).toEqual([
      { a: 2, b: "y" },
      { a: 3, b: "z" },
    ]);
    spark.sql("CREATE OR REPLACE TEMP VIEW sv AS SELECT max(a) AS m FROM s");
    expect(await spark.table("sv").collect()).toEqual([{ m: 3 }]);
    expect(await spark.sql("SHOW TABLES LIKE 's'").collect()).toEqual([
      { namespace: db, tableName: "s", isTemporary: false },
    ]);
    expect(await spark.sql("SHOW COLUMNS IN s").collect()).toEqual([{ col_name: "a" }, { col_name: "b" }]);
    expect(await spark.sql("DESCRIBE s").collect()).toEqual([
      { col_name: "a", data_type: "int", comment: null },
      { col_name: "b", data_type: "string", comment: null },
    ]);
    spark.sql("INSERT OVERWRITE s SELECT 9, 'q'");
    expect(await spark.table("s").collect()).toEqual([{ a: 9, b: "q" }]);
    expect(await code(() => spark.sql("CREATE TABLE s (a INT) USING parquet").collect())).toBe(
      "TABLE_OR_VIEW_ALREADY_EXISTS",
    );
    expect(await spark.sql("CREATE TABLE IF NOT EXISTS s (a INT) USING parquet").collect()).toEqual([]);
    spark.sql("DROP VIEW sv");
    spark.sql("DROP TABLE s");
    expect(await code(() => spark.sql("DROP TABLE s").collect())).toBe("TABLE_OR_VIEW_NOT_FOUND");
  });

  test("createTable, caching, functions", async () => {
    const made = await spark.catalog.createTable("c", { source: "parquet", schema: "a INT, b STRING" });
    expect(await made.collect()).toEqual([]);
    await spark.catalog.cacheTable("c");
    expect(await spark.catalog.isCached("c")).toBe(true);
    await spark.catalog.uncacheTable("c");
    expect(await spark.catalog.isCached("c")).toBe(false);
    await spark.catalog.refreshTable("c");
    await spark.sql("DROP TABLE c").collect();
    expect(await spark.catalog.functionExists("upper")).toBe(true);
    expect((await spark.catalog.getFunction("upper")).name).toBe("upper");
    expect(await spark.catalog.functionExists("nothing_like_it")).toBe(false);
  });

  test("subqueries of the DataFrame API", async () => {
    const all = people();
    const first = all.filter("id = 1").select("id");
    expect(await all.filter(col("id").isin(first)).collect()).toEqual([{ id: 1, name: "Ann" }]);
    expect(await all.filter(first.exists()).count()).toBe(2);
    expect(
      await all
        .select(all.agg(sum("id").as("s")).scalar().as("s"))
        .limit(1)
        .collect(),
    ).toEqual([{ s: 3n }]);
  });

  test("writeTo", async () => {
    await people().writeTo("w").using("parquet").createOrReplace();
    await people().writeTo("w").append();
    expect(await spark.table("w").count()).toBe(4);
    expect(await code(() => people().writeTo("nothing").append())).toBe("TABLE_OR_VIEW_NOT_FOUND");
    await spark.sql("DROP TABLE w").collect();
  });
});
