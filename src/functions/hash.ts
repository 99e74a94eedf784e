import { MillraceError } from "../errors.ts";
import type { DataType } from "../types/data-type.ts";
import { quoteIdentifier } from "../types/duckdb-types.ts";
import { type FunctionDef, family } from "./define.ts";
import * as native from "./hash-native.ts";
import { any, BINARY, binary, constant, INT, int, LONG, rest, STRING } from "./params.ts";

const fn = family("hash");

/** A value for TypeScript: times as microseconds, which a Date does not hold. */
function exact(x: string, type: DataType, depth = 0): string {
  switch (type.kind) {
    case "timestamp":
    case "timestamp_ntz":
    case "interval_day_time":
      return `epoch_us(${x})`;
    case "array": {
      const e = `h${depth}`;
      const inner = exact(e, type.elementType, depth + 1);
      return inner === e ? x : `list_transform(${x}, lambda ${e}: ${inner})`;
    }
    case "struct": {
      const fields = type.fields.map((f) => {
        const value = `${x}.${quoteIdentifier(f.name)}`;
        return { name: f.name, value, inner: exact(value, f.type, depth + 1) };
      });
      if (fields.every((f) => f.inner === f.value)) return x;
      const items = fields.map((f) => `${quoteIdentifier(f.name)} := ${f.inner}`).join(", ");
      return `CASE WHEN ${x} IS NOT NULL THEN struct_pack(${items}) END`;
    }
    default:
      return x;
  }
}

/** The type of `exact`'s value. */
function exactType(type: DataType): DataType {
  switch (type.kind) {
    case "timestamp":
    case "timestamp_ntz":
    case "interval_day_time":
      return LONG;
    case "array":
      return { ...type, elementType: exactType(type.elementType) };
    case "struct":
      return { ...type, fields: type.fields.map((f) => ({ ...f, type: exactType(f.type) })) };
    default:
      return type;
  }
}

const hasMap = (type: DataType): boolean =>
  type.kind === "map" ||
  (type.kind === "array" && hasMap(type.elementType)) ||
  (type.kind === "struct" && type.fields.some((f) => hasMap(f.type)));

const over = (name: "hash" | "xxhash64", result: DataType, example: readonly [string, unknown]): FunctionDef =>
  fn(
    name,
    [any, rest(any)],
    result,
    example,
    (args, { args: types }, call) =>
      call(
        native.hasher(name, types),
        args.map((x, i) => ({ sql: exact(x, types[i]!), type: exactType(types[i]!) })),
        result,
      ),
    {
      nullable: "never",
      coerce: (types) => {
        if (types.some(hasMap)) {
          throw new MillraceError(
            "DATATYPE_MISMATCH.HASH_MAP_TYPE",
            `Cannot resolve "${name}" due to data type mismatch: Input to the function \`${name}\` cannot contain elements of the "MAP" type.`,
            { hint: "Equal maps may hold their entries in another order. Hash map_entries, sorted." },
          );
        }
        return types;
      },
    },
  );

export const hashFunctions: readonly FunctionDef[] = [
  fn("md5", [binary], STRING, ["md5('Spark')", "8cde774d6f7333752ed72cacddb05126"]),
  fn("sha1", [binary], STRING, ["sha1('Spark')", "85f5955f4b27a9a4c2aab6ffe5d7189fc298b92c"], { aliases: ["sha"] }),
  fn(
    "sha2",
    [binary, constant(int)],
    STRING,
    ["sha2('Spark', 256)", "529bc3b07127ecb7e53a4dcf1991d9152c24537d919178022b2c42657f79a26b"],
    ([x, n], { literals }, call) =>
      literals?.[1] === 256 || literals?.[1] === 0
        ? `sha256(${x})`
        : call(
            native.sha2,
            [
              { sql: x!, type: BINARY },
              { sql: n!, type: INT },
            ],
            STRING,
          ),
    { nullable: "always" },
  ),
  fn("crc32", [binary], LONG, ["crc32('Spark')", 1557323817n], ([x], _, call) =>
    call(native.crc32, [{ sql: x!, type: BINARY }], LONG),
  ),
  over("hash", INT, ["hash('Spark', array(123), 2)", -1321691492]),
  over("xxhash64", LONG, ["xxhash64('Spark', array(123), 2)", 5602566077635097486n]),
];
