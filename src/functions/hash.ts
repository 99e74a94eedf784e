import { type FunctionDef, family } from "./define.ts";
import { int, STRING, text } from "./params.ts";

const fn = family("hash");
const bytes = (x: string, kind: string | undefined): string => (kind === "binary" ? x : `encode(${x})`);

export const hashFunctions: readonly FunctionDef[] = [
  fn(
    "md5",
    [text],
    STRING,
    ["md5('Spark')", "8cde774d6f7333752ed72cacddb05126"],
    ([x], { args: [t] }) => `md5(${bytes(x!, t?.kind)})`,
  ),
  fn(
    "sha1",
    [text],
    STRING,
    ["sha1('Spark')", "85f5955f4b27a9a4c2aab6ffe5d7189fc298b92c"],
    ([x], { args: [t] }) => `sha1(${bytes(x!, t?.kind)})`,
    { aliases: ["sha"] },
  ),
  // Lengths but 256 (also written 0) are not built into DuckDB.
  fn(
    "sha2",
    [text, int],
    STRING,
    ["sha2('Spark', 256)", "529bc3b07127ecb7e53a4dcf1991d9152c24537d919178022b2c42657f79a26b"],
    ([x, n], { args: [t] }) =>
      `CASE WHEN ${n} IN (0, 256) THEN sha256(${bytes(x!, t?.kind)}) WHEN ${n} IN (224, 384, 512) THEN error('[UNSUPPORTED_FEATURE] sha2 is supported with 256 bits only.') END`,
    { nullable: "always" },
  ),
];
