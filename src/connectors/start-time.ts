import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { MillraceError } from "../errors.ts";

/** The moment at which a query first started, kept in a source's private folder as Spark's rate source does. */
export class StartTime {
  readonly #directory: string;
  #value: number | undefined;

  constructor(directory: string) {
    this.#directory = directory;
  }

  get(): number {
    this.#value ??= this.#read() ?? this.#write();
    return this.#value;
  }

  #read(): number | undefined {
    const file = join(this.#directory, "0");
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    const value = Number(text.replaceAll("\0", "").split("\n")[1]);
    if (!text.replaceAll("\0", "").startsWith("v1\n") || !Number.isSafeInteger(value)) {
      throw new MillraceError(
        "CHECKPOINT_CORRUPT",
        `The checkpoint file ${file} does not hold the time of the first start.`,
        {
          hint: "Restore the checkpoint from a copy, or start with a new checkpointLocation.",
        },
      );
    }
    return value;
  }

  #write(): number {
    const now = Date.now();
    mkdirSync(this.#directory, { recursive: true });
    const temporary = join(this.#directory, ".0.tmp");
    writeFileSync(temporary, `v1\n${now}`, { flush: true });
    renameSync(temporary, join(this.#directory, "0"));
    return now;
  }
}
