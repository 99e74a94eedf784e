import { MillraceError } from "../errors.ts";
import { batch } from "./aggregate-batch.ts";
import { arrayOf } from "./collection-types.ts";
import { type FunctionDef, family, nativeFunction } from "./define.ts";
import { BINARY, binary, LONG, long } from "./params.ts";

const fn = family("bitmap");
const SIZE = 4096;

/** Bitmaps of 32,768 positions, as `bitmap_bit_position` gives them. */
const construct = nativeFunction("bitmap_construct_agg", (positions: readonly bigint[]) => {
  const map = new Uint8Array(SIZE);
  for (const p of positions) {
    const at = Number(p);
    if (at < 0 || at >= SIZE * 8) {
      throw new MillraceError(
        "INVALID_BITMAP_POSITION",
        `The 0-indexed bitmap position ${p} is out of bounds. The bitmap has ${SIZE * 8} bits (${SIZE} bytes).`,
        { hint: "Give it bitmap_bit_position(x).", parameters: { bitPosition: String(p) } },
      );
    }
    map[at >> 3]! |= 1 << (at & 7);
  }
  return map;
});
const combine = (name: string, start: number, op: (a: number, b: number) => number) =>
  nativeFunction(name, (maps: readonly Uint8Array[]) => {
    const out = new Uint8Array(SIZE).fill(start);
    for (const map of maps) for (let i = 0; i < SIZE; i++) out[i] = op(out[i]!, map[i] ?? 0);
    return out;
  });
const or = combine("bitmap_or_agg", 0, (a, b) => a | b);
const and = combine("bitmap_and_agg", 0xff, (a, b) => a & b);

const gathered = (x: string): string => `coalesce(list(${x}) FILTER (${x} IS NOT NULL), [])`;

export const bitmapFunctions: readonly FunctionDef[] = [
  batch(
    "bitmap_construct_agg",
    [long],
    BINARY,
    ["bitmap_count(bitmap_construct_agg(bitmap_bit_position(x)))", 3n],
    ([x], _, native) => native(construct, [{ sql: gathered(x!), type: arrayOf(LONG) }], BINARY),
    { nullable: "never" },
  ),
  batch(
    "bitmap_or_agg",
    [binary],
    BINARY,
    ["bitmap_count(bitmap_or_agg(X'F0'))", 4n],
    ([x], _, native) => native(or, [{ sql: gathered(x!), type: arrayOf(BINARY) }], BINARY),
    { nullable: "never" },
  ),
  batch(
    "bitmap_and_agg",
    [binary],
    BINARY,
    ["bitmap_count(bitmap_and_agg(X'F0'))", 4n],
    ([x], _, native) => native(and, [{ sql: gathered(x!), type: arrayOf(BINARY) }], BINARY),
    { nullable: "never" },
  ),
  fn(
    "bitmap_count",
    [binary],
    LONG,
    ["bitmap_count(X'1010')", 2n],
    ([x]) => `CASE WHEN octet_length(${x}) = 0 THEN 0 ELSE CAST(bit_count(CAST(${x} AS BIT)) AS BIGINT) END`,
  ),
];
