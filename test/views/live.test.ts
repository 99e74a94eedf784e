import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { client } from "../../src/client/index.ts";
import { MemoryStream } from "../../src/testing/memory-stream.ts";
import { schema, t } from "../../src/types/schema.ts";
import { startWorld, type World } from "./setup.ts";

const Delay = schema({ hour: t.timestamp, origin: t.string, flights: t.long, delay: t.double });

describe("live views of what a query writes", () => {
  let world: World;
  beforeAll(async () => {
    world = await startWorld();
  });
  afterAll(async () => {
    await world[Symbol.asyncDispose]();
  });

  test("a table: snapshot, then one change a batch, typed", async () => {
    const { spark, observer } = world;
    const views = {
      delays: spark.view("delays", { table: "delays", schema: Delay, orderBy: "hour desc, origin" }),
      airports: spark.view("airports", { cache: "airport:*", key: "airport:{origin}", schema: Delay }),
    };
    const source = new MemoryStream(Delay);
    const query = await source
      .toDF(spark)
      .writeStream.outputMode("update")
      .sink("database", "postgres", { dbtable: "delays", key: "hour,origin" })
      .sink("cache", "redis", { key: "airport:{origin}", version: "hour" })
      .option("checkpointLocation", world.checkpoint())
      .start();
    const at = (hour: number): Date => new Date(Date.UTC(2001, 0, 1, hour));
    source.addData({ hour: at(1), origin: "ATL", flights: 3n, delay: 1.5 });
    await query.processAllAvailable();
    const c = client<typeof views>(observer.url);
    const delays = c.view("delays");
    const airports = c.view("airports");
    await delays.ready;
    await airports.ready;
    expect(delays.rows).toEqual([{ hour: at(1), origin: "ATL", flights: 3n, delay: 1.5 }]);
    expect(airports.rows).toEqual([{ hour: at(1), origin: "ATL", flights: 3n, delay: 1.5 }]);
    expect(delays.status).toBe("live");
    const changes: unknown[] = [];
    delays.subscribe((_, change) => changes.push(change));
    source.addData(
      { hour: at(2), origin: "LAX", flights: 2n ** 60n, delay: null },
      { hour: at(1), origin: "ATL", flights: 4n, delay: 2 },
    );
    await query.processAllAvailable();
    await expect.poll(() => delays.rows.length, { timeout: 10_000 }).toBe(2);
    expect(changes).toMatchObject([{ kind: "rows" }, { kind: "changes", upserted: [{}, {}], removed: [] }]);
    expect(delays.rows).toEqual([
      { hour: at(2), origin: "LAX", flights: 2n ** 60n, delay: null },
      { hour: at(1), origin: "ATL", flights: 4n, delay: 2 },
    ]);
    expect(delays.get([at(1), "ATL"])).toEqual({ hour: at(1), origin: "ATL", flights: 4n, delay: 2 });
    // An older hour is not written to the cache, so it does not show.
    source.addData({ hour: at(0), origin: "ATL", flights: 1n, delay: 9 });
    await query.processAllAvailable();
    await expect.poll(() => delays.rows.length, { timeout: 10_000 }).toBe(3);
    expect(airports.get("ATL")?.flights).toBe(4n);
    c.close();
    await query.stop();
  });
});
