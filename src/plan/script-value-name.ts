/**
 * `t.long({ mode: "number" })` and `t.timestamp({ mode: "micros" })` say how a value stands in TypeScript. Where rows are handed to
 * TypeScript, the plan brings such values into a type that stands so: a long as a double, a timestamp as microseconds in a long. This call
 * asks for it.
 */
export const SCRIPT_VALUE = "__script_value";
