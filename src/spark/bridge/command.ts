import { readFileSync } from "node:fs";

/** What the code on the server needs to know. */
export interface BridgeCall {
  /** The address at which the server and its executors reach the bridge. */
  readonly host: string;
  readonly port: number;
  /** The run this call belongs to, which the bridge knows. */
  readonly run: string;
  /** Known to both sides only; never sent over the bridge. */
  readonly token: string;
  /** The query's checkpoint as the server sees it; null when Spark takes a temporary one. */
  readonly checkpoint: string | null;
  readonly connectSeconds: number;
  /** After so long without a word from the bridge it is taken for gone. */
  readonly silenceSeconds: number;
}

let python: string | undefined;

/**
 * The `command` of foreachBatch's Python function. Spark unpickles it on the server: a pickle of protocol 0 is text, so it is written by
 * hand. It evaluates one expression that runs the source and gives its function `run`.
 */
export function foreachBatchCommand(call: BridgeCall): Uint8Array {
  python ??= readFileSync(new URL("./python/bridge.py", import.meta.url), "utf8");
  // JSON of text is a Python literal too; null would not be
  const source = `CONFIG = __import__("json").loads(${JSON.stringify(JSON.stringify(call))})\n${python}`;
  // "__main__": what runs on the executors is pickled whole, not looked up in a module
  const expression = `(lambda g: (exec(${JSON.stringify(source)}, g), g["run"])[1])({"__name__": "__main__"})`;
  return Buffer.from(`cbuiltins\neval\n(V${pickledText(expression)}\ntR.`, "latin1");
}

/** Text as a pickle of protocol 0 has it: one line, everything that is not plain escaped. */
function pickledText(text: string): string {
  let result = "";
  for (const letter of text) {
    const code = letter.codePointAt(0)!;
    if (code > 0xffff) result += `\\U${code.toString(16).padStart(8, "0")}`;
    else if (code > 0x7e || code < 0x20 || letter === "\\") result += `\\u${code.toString(16).padStart(4, "0")}`;
    else result += letter;
  }
  return result;
}
