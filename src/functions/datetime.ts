import { type FunctionDef, family } from "./define.ts";
import { struct, TIMESTAMP } from "./params.ts";

const fn = family("datetime");

export const datetimeFunctions: readonly FunctionDef[] = [
  fn(
    "window_time",
    [struct],
    TIMESTAMP,
    [
      "window_time(named_struct('start', timestamp '2021-01-01 00:00:00', 'end', timestamp '2021-01-01 00:05:00'))",
      new Date("2021-01-01T00:04:59.999Z"),
    ],
    ([w]) => `(${w}."end" - to_microseconds(1))`,
  ),
];
