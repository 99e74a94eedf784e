import type { DataType } from "../../types/data-type.ts";
import { toSparkJson } from "../../types/struct-json.ts";

/** A Python string literal. JSON's escapes are Python's too. */
export function pythonText(text: string): string {
  return JSON.stringify(text);
}

/** A Python expression for plain data, through its JSON. */
export function pythonData(value: unknown): string {
  return `__import__("json").loads(${pythonText(JSON.stringify(value))})`;
}

/**
 * An expression for a name that a Python source defines. The source is run once in a process and kept as the module `name`, so that what it
 * holds, such as processes, stays from task to task.
 */
export function pythonModule(name: string, source: string): string {
  const make = `(lambda m: (exec(compile(${pythonText(source)}, ${pythonText(`${name}.py`)}, "exec"), m.__dict__), s.modules.__setitem__(${pythonText(name)}, m), m)[2])(type(s)(${pythonText(name)}))`;
  return `(lambda s: s.modules.get(${pythonText(name)}) or ${make})(__import__("sys"))`;
}

/**
 * The pickle of (function, return type), which is what Spark's Python workers take as a command. The function is a Python expression. Protocol 0 is
 * text, so it can be written without Python: https://github.com/python/cpython/blob/main/Lib/pickletools.py
 */
export function pickleCommand(expression: string, returnType: DataType): Uint8Array<ArrayBuffer> {
  const json = JSON.stringify(toSparkJson(returnType));
  const type = `cpyspark.sql.types\n_parse_datatype_json_string\n(V${rawUnicode(json)}\ntR`;
  return new TextEncoder().encode(`(${evaluated(expression)}${type}t.`);
}

function evaluated(expression: string): string {
  return `cbuiltins\neval\n(V${rawUnicode(expression)}\ntR`;
}

/** The form of `V`, Python's "raw unicode escape": one line, in ASCII. */
function rawUnicode(text: string): string {
  let out = "";
  for (const c of text) {
    const code = c.codePointAt(0)!;
    if (c !== "\\" && code >= 0x20 && code < 0x7f) out += c;
    else out += code > 0xffff ? `\\U${hex(code, 8)}` : `\\u${hex(code, 4)}`;
  }
  return out;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}
