import { DuckDBScalarFunction, type DuckDBValue, type DuckDBVector } from "@duckdb/node-api";
import type { Connection, Database } from "../duckdb/duckdb.ts";
import { duckDBType, encoderOf, readVector } from "../duckdb/rows.ts";
import { deposeError, userFunctionFailed } from "../duckdb/user-error.ts";
import { MillraceError } from "../errors.ts";
import type { NativeFunction } from "../functions/index.ts";
import type { UserFunction } from "../plan/expr.ts";
import type { DataType } from "../types/data-type.ts";
import { sqlName } from "../types/ddl.ts";
import { sqlType } from "../types/duckdb-types.ts";
import { type CompileContext, FUNCTION_PREFIX } from "./compile-expr.ts";

/** Functions registered with a database, by the function itself: a plan that runs batch after batch registers once. */
const registered = new WeakMap<Database, Map<Function, Map<string, string>>>();
let next = 1;

/** The `udf` of a compile context: registers TypeScript functions with the connection's database as they are met. */
export function udfCompiler(connection: Connection): CompileContext["udf"] {
  return (fn, args, type) => {
    const name = register(
      connection,
      fn,
      args.map((a) => a.type),
      type,
    );
    // DuckDB picks a function by the types it sees, and takes a small literal for a wider one.
    return `${name}(${args.map((a) => `CAST(${a.sql} AS ${sqlType(a.type)})`).join(", ")})`;
  };
}

function register(connection: Connection, fn: UserFunction, args: readonly DataType[], type: DataType): string {
  let byFunction = registered.get(connection.database);
  if (byFunction === undefined) {
    byFunction = new Map();
    registered.set(connection.database, byFunction);
  }
  let byTypes = byFunction.get(fn.call);
  if (byTypes === undefined) {
    byTypes = new Map();
    byFunction.set(fn.call, byTypes);
  }
  const key = `${args.map(sqlName).join(",")}->${sqlName(type)}:${fn.deterministic}`;
  let name = byTypes.get(key);
  if (name === undefined) {
    name = `${FUNCTION_PREFIX}${next++}`;
    connection.native.registerScalarFunction(scalarFunction(name, fn, args, type));
    byTypes.set(key, name);
  }
  return name;
}

function scalarFunction(
  name: string,
  fn: UserFunction,
  args: readonly DataType[],
  type: DataType,
): DuckDBScalarFunction {
  const encode = encoderOf(type, `the result of ${fn.name}`);
  const { call } = fn;
  const native = (fn as Partial<NativeFunction>).native === true;
  const skipNulls = native && !(fn as NativeFunction).nulls;
  return DuckDBScalarFunction.create({
    name,
    parameterTypes: args.map(duckDBType),
    returnType: duckDBType(type),
    volatile: !fn.deterministic,
    // Nulls are handed to the function, as in Spark.
    specialHandling: true,
    mainFunction: (info, input, output) => {
      const out = output as DuckDBVector & { setItem(i: number, v: DuckDBValue): void; flush(): void };
      let i = 0;
      let values: unknown[][] = [];
      try {
        const rows = input.rowCount;
        values = args.map((_, k) => readVector(input.getColumnVector(k), rows));
        const one = values[0];
        const two = values[1];
        for (; i < rows; i++) {
          if (skipNulls && values.some((column) => column[i] === null)) {
            out.setItem(i, null);
            continue;
          }
          const result =
            args.length === 1
              ? call(one![i])
              : args.length === 2
                ? call(one![i], two![i])
                : call(...values.map((column) => column[i]));
          if (
            typeof result === "object" &&
            result !== null &&
            typeof (result as PromiseLike<unknown>).then === "function"
          ) {
            throw new MillraceError("INVALID_VALUE", "it returned a promise; a scalar function must be synchronous.", {
              hint: "Use `map` for asynchronous work.",
            });
          }
          out.setItem(i, encode(result));
        }
        out.flush();
      } catch (error) {
        if (native && error instanceof MillraceError) {
          info.setError(deposeError(error));
          return;
        }
        const given = values.map((column) => column[i]);
        info.setError(deposeError(userFunctionFailed(fn.name, error, given.length === 1 ? given[0] : given)));
      }
    },
  });
}
