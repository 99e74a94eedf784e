import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Alert, Alerts } from "../../examples/flights/page/model/alerts.ts";
import { airportBuckets, highest, totals } from "../../examples/flights/page/model/buckets.ts";
import { clockText, dayText, delayText, minutesText } from "../../examples/flights/page/model/format.ts";
import { History, type HourRow, hourOf } from "../../examples/flights/page/model/history.ts";
import { nearest, neighbour } from "../../examples/flights/page/model/neighbours.ts";
import { advance, type Playback, seek, toggle } from "../../examples/flights/page/model/playback.ts";
import { alertRow, hourRow } from "../../examples/flights/page/model/rows.ts";
import { DELAY_COLORS, delayColor, niceCeil, type Rgb, radius } from "../../examples/flights/page/model/scale.ts";

const NOON = hourOf("2001-03-05T12:00:00Z");
const row = (hour: number, origin: string, flights: number, delay: number, late = 0): HourRow => ({
  hour,
  origin,
  flights,
  delay,
  worst: Math.round(delay),
  late,
});

describe("the history of hours", () => {
  test("a span is the mean over flights, and hours that lie partly in it count partly", () => {
    const history = new History();
    history.set(row(NOON, "ATL", 10, 20, 0.5));
    history.set(row(NOON + 1, "ATL", 30, 60, 1));
    const atl = history.indexOf("ATL")!;
    expect(history.span(atl, NOON + 2, 2)).toEqual({ flights: 40, delay: 50, late: 0.875, worst: 60 });
    expect(history.span(atl, NOON + 1, 2)).toEqual({ flights: 10, delay: 20, late: 0.5, worst: 20 });
    // Half of the first hour and half of the second.
    expect(history.span(atl, NOON + 1.5, 1)).toMatchObject({ flights: 20, delay: 50 });
    expect(history.span(atl, NOON, 24)).toEqual({ flights: 0, delay: null, late: null, worst: null });
  });

  test("a row that comes again replaces the earlier one; totals are those of the rows, in whatever order they came", () => {
    const rows = fc.record({
      hour: fc.integer({ min: NOON, max: NOON + 80 }),
      origin: fc.constantFrom("ATL", "ORD", "DFW", "JFK"),
      flights: fc.integer({ min: 1, max: 60 }),
      delay: fc.double({ min: -30, max: 300, noNaN: true }),
    });
    fc.assert(
      fc.property(fc.array(rows, { maxLength: 60 }), (list) => {
        const history = new History();
        for (const { hour, origin, flights, delay } of list) history.set(row(hour, origin, flights, delay));
        const last = new Map(list.map((r) => [`${r.hour} ${r.origin}`, r]));
        for (let hour = NOON; hour <= NOON + 80; hour += 8) {
          const within = [...last.values()].filter((r) => r.hour >= hour - 12 && r.hour < hour);
          const flights = within.reduce((sum, r) => sum + r.flights, 0);
          const minutes = within.reduce((sum, r) => sum + r.flights * r.delay, 0);
          const total = history.total(hour, 12);
          expect(total.flights).toBe(flights);
          if (flights > 0) expect(total.delay).toBeCloseTo(minutes / flights, 3);
          else expect(total.delay).toBeNull();
          const byAirport = history.airports.map((_, i) => history.span(i, hour, 12).flights);
          expect(byAirport.reduce((a, b) => a + b, 0)).toBe(flights);
        }
        const hours = list.map((r) => r.hour);
        expect(history.first).toBe(hours.length === 0 ? null : Math.min(...hours));
        expect(history.last).toBe(hours.length === 0 ? null : Math.max(...hours));
      }),
    );
  });

  test("gliding over time changes nothing by a jump", () => {
    const history = new History();
    for (let i = 0; i < 48; i++) history.set(row(NOON + i, "ATL", 10, i % 2 === 0 ? 0 : 40));
    const atl = history.indexOf("ATL")!;
    for (let until = NOON + 6; until < NOON + 48; until += 0.05) {
      const step = history.span(atl, until + 0.05, 6).delay! - history.span(atl, until, 6).delay!;
      expect(Math.abs(step)).toBeLessThan(0.5);
    }
  });

  test("the oldest days are forgotten, more airports than expected are kept", () => {
    const history = new History();
    for (let day = 0; day < 260; day++) history.set(row(NOON + 24 * day, "ATL", 5, day));
    expect((history.last! - history.first!) / 24).toBe(199);
    expect(history.total(NOON + 24 * 10, 24).flights).toBe(0);
    history.set(row(NOON, "ATL", 5, 1)); // far too old by now
    expect(history.total(NOON + 24, 48).flights).toBe(0);
    for (let i = 0; i < 700; i++) history.set(row(history.last!, `X${i}`, i + 1, 1));
    expect(history.span(history.indexOf("X699")!, history.last! + 1, 1).flights).toBe(700);
    expect(history.span(history.indexOf("ATL")!, history.last! + 1, 1).flights).toBe(5);
    history.clear();
    expect(history.last).toBeNull();
    expect(history.total(NOON + 24 * 260, 9_999).flights).toBe(0);
  });

  test("half a year of all airports is summed fast enough for a frame", () => {
    const history = new History();
    for (let day = 0; day < 181; day++)
      for (let hour = 5; hour < 23; hour++)
        for (let a = 0; a < 230; a++) history.set(row(NOON - 12 + day * 24 + hour, `A${a}`, 3, a % 40));
    const started = performance.now();
    for (let frame = 0; frame < 10; frame++)
      for (let a = 0; a < 230; a++) history.span(a, history.last! - frame / 7, 24);
    const ms = (performance.now() - started) / 10;
    console.log(`230 airports over 24 hours: ${ms.toFixed(2)} ms a frame`);
    expect(ms).toBeLessThan(20);
  });
});

describe("steps of time", () => {
  test("have a length that people count in, and cover everything", () => {
    const history = new History();
    for (let hour = 0; hour < 24 * 181; hour++) history.set(row(NOON - 12 + hour, "ATL", 1, 10));
    const steps = totals(history, 240);
    expect(steps.length).toBeLessThanOrEqual(240);
    expect(steps[0]!.hours).toBe(24);
    expect(steps.reduce((sum, step) => sum + step.flights, 0)).toBe(24 * 181);
    const week = airportBuckets(history, 0, history.last! - 167, history.last! + 1, 168);
    expect(week).toHaveLength(168);
    expect(week.at(-1)).toMatchObject({ hour: history.last, hours: 1, flights: 1, delay: 10 });
  });

  test("one late flight in the night does not stretch the axis", () => {
    const step = (flights: number, delay: number) => ({ hour: NOON, hours: 1, flights, delay });
    expect(highest([step(40, 12), step(1, 400)], 30)).toBe(30);
    expect(highest([step(40, 12), step(30, 80)], 30)).toBe(80);
  });
});

describe("playback", () => {
  const extent = { first: NOON, last: NOON + 100 };
  const modes = fc.constantFrom<Playback["mode"]>("live", "playing", "paused");
  const any = fc
    .tuple(modes, fc.double({ min: NOON - 50, max: NOON + 150, noNaN: true }))
    .map(([mode, at]): Playback => (mode === "playing" ? { mode, at, hoursPerSecond: 12 } : { mode, at }));

  test("never leaves what there is, and never goes back by itself", () => {
    fc.assert(
      fc.property(any, fc.double({ min: 0, max: 5, noNaN: true }), (playback, seconds) => {
        const next = advance(playback, seconds, extent);
        expect(next.at).toBeLessThanOrEqual(extent.last);
        expect(next.at >= extent.first || next.mode === "live").toBe(true);
        if (playback.mode !== "paused" && playback.at <= extent.last)
          expect(next.at).toBeGreaterThanOrEqual(playback.at);
      }),
    );
  });

  test("live glides after the newest hour and arrives", () => {
    let playback: Playback = { mode: "live", at: NOON + 90 };
    const first = advance(playback, 0.08, extent);
    expect(first.at).toBeGreaterThan(NOON + 90);
    expect(first.at).toBeLessThan(NOON + 95);
    for (let i = 0; i < 60; i++) playback = advance(playback, 0.08, extent);
    expect(playback).toEqual({ mode: "live", at: extent.last });
    // Far behind, as after a long time in the background: no race through weeks.
    expect(advance({ mode: "live", at: NOON - 1_000 }, 0.08, extent).at).toBe(extent.last);
  });

  test("playing meets the end and is live; pause, play and the slider", () => {
    expect(advance({ mode: "playing", at: NOON, hoursPerSecond: 12 }, 1, extent).at).toBe(NOON + 12);
    expect(advance({ mode: "playing", at: NOON + 99, hoursPerSecond: 12 }, 1, extent)).toEqual({
      mode: "live",
      at: extent.last,
    });
    expect(toggle({ mode: "live", at: NOON + 99.7 }, 12, extent)).toEqual({ mode: "paused", at: NOON + 100 });
    // The hour that was shown stays.
    expect(toggle({ mode: "live", at: NOON + 7.2 }, 12, extent)).toEqual({ mode: "paused", at: NOON + 8 });
    expect(toggle({ mode: "paused", at: NOON + 100 }, 12, extent)).toEqual({
      mode: "playing",
      at: NOON,
      hoursPerSecond: 12,
    });
    expect(toggle({ mode: "paused", at: NOON + 7 }, 12, extent)).toEqual({
      mode: "playing",
      at: NOON + 7,
      hoursPerSecond: 12,
    });
    expect(seek(NOON + 3, extent)).toEqual({ mode: "paused", at: NOON + 3 });
    expect(seek(NOON + 100, extent)).toEqual({ mode: "live", at: NOON + 100 });
    // What was shown is forgotten meanwhile.
    expect(advance({ mode: "paused", at: NOON - 20 }, 1, extent)).toEqual({ mode: "paused", at: NOON });
  });
});

describe("alerts", () => {
  const alert = (hour: number, origin: string, deviations = 4): Alert => ({
    hour,
    origin,
    flights: 9,
    delay: 80,
    usual: 9,
    deviations,
  });

  test("are told apart from those that were known, newest first", () => {
    const alerts = new Alerts();
    expect(alerts.add([alert(NOON, "ATL"), alert(NOON + 2, "ORD")])).toHaveLength(2);
    expect(alerts.add([alert(NOON, "ATL"), alert(NOON + 2, "JFK", 9)]).map((a) => a.origin)).toEqual(["JFK"]);
    expect(alerts.sorted().map((a) => a.origin)).toEqual(["JFK", "ORD", "ATL"]);
    expect(alerts.until(NOON + 1, 10).map((a) => a.origin)).toEqual(["ATL"]);
    expect(alerts.until(NOON + 0.9, 10)).toEqual([]);
    expect(alerts.between(NOON + 1, NOON + 3).map((a) => a.origin)).toEqual(["JFK", "ORD"]);
  });

  test("any cut of time gives each alert once", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.integer({ min: 0, max: 60 })),
        fc.array(fc.double({ min: 0, max: 62, noNaN: true })),
        (hours, cuts) => {
          const alerts = new Alerts();
          alerts.add(hours.map((hour) => alert(hour, "ATL")));
          const edges = [0, ...cuts.sort((a, b) => a - b), 62];
          const passed = edges.slice(1).flatMap((edge, i) => alerts.between(edges[i]!, edge));
          expect(passed.map((a) => a.hour).sort((a, b) => a - b)).toEqual(hours.sort((a, b) => a - b));
        },
      ),
    );
  });

  test("the oldest are forgotten", () => {
    const alerts = new Alerts();
    for (let hour = 0; hour < 6_000; hour++) alerts.add([alert(hour, "ATL")]);
    expect(alerts.size).toBeLessThanOrEqual(5_500);
    expect(alerts.sorted()[0]!.hour).toBe(5_999);
  });
});

describe("colours", () => {
  const rgb = (text: string): Rgb => text.match(/\d+/g)!.map(Number) as unknown as Rgb;

  test("are those of the stops, and in between in small steps", () => {
    for (const stops of Object.values(DELAY_COLORS)) {
      for (const { minutes, color } of stops) expect(rgb(delayColor(minutes, stops))).toEqual(color);
      expect(delayColor(-20, stops)).toBe(delayColor(0, stops));
      expect(delayColor(500, stops)).toBe(delayColor(60, stops));
      const seen = new Set(Array.from({ length: 6_001 }, (_, i) => delayColor(i / 100, stops)));
      expect(seen.size).toBeLessThanOrEqual(41);
      expect(seen.size).toBeGreaterThan(30);
    }
  });

  /** Matrices of complete protanopia, deuteranopia and tritanopia: https://doi.org/10.1109/TVCG.2009.113 */
  const BLINDNESS = {
    protanopia: [0.152286, 1.052583, -0.204868, 0.114503, 0.786281, 0.099216, -0.003882, -0.048116, 1.051998],
    deuteranopia: [0.367322, 0.860646, -0.227968, 0.280085, 0.672501, 0.047413, -0.01182, 0.04294, 0.968881],
    tritanopia: [1.255528, -0.076749, -0.178779, -0.078411, 0.930809, 0.147602, 0.004733, 0.691367, 0.3039],
  };
  const linear = (c: number): number => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
  /** OKLab, in which equal distances look equal: https://bottosson.github.io/posts/oklab/ */
  function lab([r, g, b]: readonly number[]): [number, number, number] {
    const l = Math.cbrt(Math.max(0.4122214708 * r! + 0.5363325363 * g! + 0.0514459929 * b!, 0));
    const m = Math.cbrt(Math.max(0.2119034982 * r! + 0.6806995451 * g! + 0.1073969566 * b!, 0));
    const s = Math.cbrt(Math.max(0.0883024619 * r! + 0.2817188376 * g! + 0.6299787005 * b!, 0));
    return [
      0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
      1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
      0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
    ];
  }
  const seenBy = (color: Rgb, matrix: readonly number[]): [number, number, number] => {
    const [r, g, b] = color.map(linear);
    return lab([0, 3, 6].map((i) => matrix[i]! * r! + matrix[i + 1]! * g! + matrix[i + 2]! * b!));
  };

  test.each(Object.entries(BLINDNESS))("can be told apart with %s, on both grounds", (_, matrix) => {
    for (const stops of Object.values(DELAY_COLORS)) {
      const colors = stops.map(({ color }) => seenBy(color, matrix));
      for (let i = 0; i < colors.length; i++)
        for (let j = i + 1; j < colors.length; j++) {
          const [a, b] = [colors[i]!, colors[j]!];
          const distance = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
          expect(distance, `${stops[i]!.minutes} and ${stops[j]!.minutes} minutes`).toBeGreaterThan(0.09);
        }
    }
  });

  test("sizes are areas; the scale changes seldom", () => {
    expect(radius(1_000, 1_000, 20)).toBe(20);
    expect(radius(250, 1_000, 20)).toBe(10);
    expect(radius(0, 1_000, 20)).toBe(1.5);
    expect([0, 1, 3, 7, 20, 21, 950, 1_001].map(niceCeil)).toEqual([1, 1, 5, 10, 20, 50, 1_000, 2_000]);
  });
});

describe("places", () => {
  const place = (code: string, x: number, y: number) => ({ code, x, y });
  const all = [
    place("MID", 50, 50),
    place("E", 90, 55),
    place("W", 10, 50),
    place("N", 50, 10),
    place("S", 55, 90),
    place("FAR", 95, 5),
  ];

  test("the nearest, within reach", () => {
    expect(nearest(all, 52, 48)?.code).toBe("MID");
    expect(nearest(all, 70, 30, 5)).toBeUndefined();
  });

  test("arrow keys lead in their direction, and nowhere where nothing is", () => {
    const from = all[0]!;
    const to = (["left", "right", "up", "down"] as const).map((direction) => neighbour(all, from, direction)?.code);
    expect(to).toEqual(["W", "E", "N", "S"]);
    expect(neighbour(all, all[2]!, "left")).toBeUndefined();
  });
});

describe("rows of the views", () => {
  test("are read whether a value is text, a number, a bigint or a date", () => {
    const expected = { hour: NOON, origin: "ATL", flights: 12, delay: 3.5, worst: 40, late: 0.25 };
    for (const hour of [
      new Date(NOON * 3_600_000),
      "2001-03-05T12:00:00.000Z",
      "2001-03-05 12:00:00+00",
      "2001-03-05 12:00:00Z",
    ]) {
      expect(hourRow({ hour, origin: "ATL", flights: 12n, delay: 3.5, worst: 40, late: 0.25 })).toEqual(expected);
      expect(hourRow({ hour, origin: "ATL", flights: "12", delay: "3.5", worst: "40", late: "0.25" })).toEqual(
        expected,
      );
    }
    expect(
      alertRow({ hour: "2001-03-05T12:00:00Z", origin: "ATL", flights: 5n, delay: 60, usual: 8, deviations: 4 }),
    ).toEqual({
      hour: NOON,
      origin: "ATL",
      flights: 5,
      delay: 60,
      usual: 8,
      deviations: 4,
    });
  });

  test("what is no row is left out", () => {
    expect(hourRow({ hour: null, origin: "ATL", flights: 1, delay: 1 })).toBeUndefined();
    expect(hourRow({ hour: "2001-03-05T12:00:00Z", origin: "ATL", flights: 1, delay: null })).toBeUndefined();
    expect(alertRow({ hour: "nonsense", origin: "ATL" })).toBeUndefined();
  });
});

test("words for times and delays", () => {
  expect(dayText(NOON)).toBe("Mon, Mar 5, 2001");
  expect(clockText(NOON + 0.9)).toBe("12:00");
  expect([12.4, -3, 0.2, null].map(delayText)).toEqual(["12 min late", "3 min early", "on time", "no flights"]);
  expect([12.4, -3, 0.2, null].map(minutesText)).toEqual(["+12", "−3", "0", "–"]);
});
