import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type GeoProjection, geoAlbersUsa, geoMercator, geoPath } from "d3-geo";
import { feature, mesh } from "topojson-client";
import { FLIGHTS_FILE, openDuckDB } from "../dataset.ts";
import type { Airport, Geography } from "./model/geography.ts";

/** The projection of us-atlas: https://github.com/topojson/us-atlas#states-albers-10mjson */
const WIDTH = 975;
const HEIGHT = 610;
const usa = geoAlbersUsa()
  .scale(1300)
  .translate([WIDTH / 2, HEIGHT / 2]);

/** Where the islands that the projection leaves out are drawn, and the states (FIPS codes) that lie there. */
const CARIBBEAN = { box: [858, 545, 965, 600] as const, states: ["72", "78"] };

interface StateFeature {
  readonly id: string;
}

/**
 * The map as the page draws it, computed when the page is built: outlines as SVG paths, the airports of the flights at their places. So the
 * page needs no library of maps, and has only the few airports of the thousands in the file.
 */
export async function geography(): Promise<Geography> {
  const require = createRequire(import.meta.url);
  const topology = JSON.parse(readFileSync(require.resolve("us-atlas/states-10m.json"), "utf8"));
  const states = topology.objects.states;
  const path = geoPath(usa).digits(1);
  const islands = feature(topology, {
    ...states,
    geometries: states.geometries.filter((g: StateFeature) => CARIBBEAN.states.includes(g.id)),
  });
  const [left, top, right, bottom] = CARIBBEAN.box;
  const caribbean = geoMercator().fitExtent(
    [
      [left + 6, top + 6],
      [right - 6, bottom - 6],
    ],
    islands as never,
  );
  return {
    width: WIDTH,
    height: HEIGHT,
    land: path(feature(topology, topology.objects.nation) as never) ?? "",
    borders: path(mesh(topology, states, (a, b) => a !== b) as never) ?? "",
    inset: { box: CARIBBEAN.box, land: geoPath(caribbean).digits(1)(islands as never) ?? "" },
    airports: await airports([usa, caribbean]),
  };
}

async function airports(projections: readonly GeoProjection[]): Promise<Airport[]> {
  const connection = await openDuckDB();
  try {
    const text = (path: string): string => `'${path.replaceAll("'", "''")}'`;
    const file = join(dirname(createRequire(import.meta.url).resolve("vega-datasets")), "../data/airports.csv");
    const result = await connection.runAndReadAll(`
      SELECT code, name, city, state, longitude, latitude
      FROM (SELECT code, count(*) AS flights
            FROM (SELECT unnest([origin, destination]) AS code FROM read_parquet(${text(FLIGHTS_FILE)})) GROUP BY code)
      LEFT JOIN read_csv(${text(file)}, header = true) ON iata = code
      ORDER BY flights DESC, code`);
    return result.getRows().map((row) => {
      const [code, name, city, state, longitude, latitude] = row as [string, string, string, string, number, number];
      if (longitude === null) throw new Error(`airports.csv does not know ${code}`);
      const at = projections.map((project) => project([longitude, latitude])).find((point) => point != null);
      if (at == null) throw new Error(`${code} lies outside of the map`);
      return { code, name: tidy(name), city, state, x: Math.round(at[0] * 10) / 10, y: Math.round(at[1] * 10) / 10 };
    });
  } finally {
    connection.closeSync();
  }
}

/** `William B Hartsfield-Atlanta Intl` as it is, but without double spaces. */
function tidy(name: string): string {
  return name.replace(/\s+/g, " ").trim();
}
