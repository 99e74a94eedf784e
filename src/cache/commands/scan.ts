import { globMatches } from "../glob.ts";
import { CommandError } from "../store.ts";
import { int, SYNTAX } from "./command.ts";

export interface ScanOptions {
  cursor: number;
  count: number;
  type: string | undefined;
  matches: (text: string) => boolean;
  /** Those of the allowed extra words that were given. */
  extra: Set<string>;
}

/** The arguments of SCAN and HSCAN from the cursor on. */
export function scanOptions(args: string[], at: number, allowed: readonly string[] = []): ScanOptions {
  if (!/^\d{1,20}$/.test(args[at]!)) throw new CommandError("ERR invalid cursor");
  const options: ScanOptions = {
    cursor: Number(args[at]),
    count: 10,
    type: undefined,
    matches: () => true,
    extra: new Set(),
  };
  for (let i = at + 1; i < args.length; i++) {
    const word = args[i]!.toUpperCase();
    const value = args[i + 1];
    if (allowed.includes(word)) {
      options.extra.add(word);
      continue;
    }
    if (value === undefined) throw new CommandError(SYNTAX);
    if (word === "COUNT") {
      options.count = int(value);
      if (options.count < 1) throw new CommandError(SYNTAX);
    } else if (word === "MATCH") options.matches = value === "*" ? () => true : (text) => globMatches(value, text);
    else if (word === "TYPE" && at === 1) options.type = value.toLowerCase();
    else throw new CommandError(SYNTAX);
    i++;
  }
  return options;
}
