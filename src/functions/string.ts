import { type FunctionDef, family } from "./define.ts";
import { STRING, string } from "./params.ts";

const fn = family("string");

export const stringFunctions: readonly FunctionDef[] = [
  fn("upper", [string], STRING, ["upper('SparkSql')", "SPARKSQL"], { aliases: ["ucase"] }),
  fn("lower", [string], STRING, ["lower('SparkSql')", "sparksql"], { aliases: ["lcase"] }),
];
