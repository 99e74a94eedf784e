import { readdirSync } from "node:fs";
import type { ParityCase } from "../case.ts";

/** Every case written in this folder; each file exports its own as `cases`. */
export async function writtenCases(): Promise<ParityCase[]> {
  const files = readdirSync(import.meta.dirname).filter((f) => f.endsWith(".ts") && f !== "index.ts");
  const modules = await Promise.all(files.sort().map((f) => import(`./${f}`) as Promise<{ cases?: ParityCase[] }>));
  return modules.flatMap((m, i) => {
    if (m.cases === undefined) throw new Error(`test/parity/cases/${files[i]} exports no \`cases\`.`);
    return m.cases;
  });
}
