import type { Command, Option } from "commander";

/** Something that may stand at the cursor. */
export interface Suggestion {
  readonly value: string;
  readonly description: string;
}

/** What may stand at the cursor; `files`: paths, which the shell knows best. */
export type Suggestions = readonly Suggestion[] | "files";

/** Finds the values of an argument or option that are known only by looking. */
export type ValueFinder = (what: "topics" | "queries") => Promise<readonly Suggestion[]>;

/** What an argument of a command, or an option by its long name, takes. */
type Kind = "topics" | "queries" | "files" | readonly string[];

const ARGUMENTS: Readonly<Record<string, Kind>> = {
  init: "files",
  dev: "files",
  run: "files",
  plan: "files",
  peek: "topics",
  produce: "topics",
  "topics describe": "topics",
  "topics delete": "topics",
  "state show": "queries",
  "state reset": "queries",
};

const OPTIONS: Readonly<Record<string, Kind>> = {
  "--dir": "files",
  "--template": ["flights", "clickstream", "tutorial"],
  "--package-manager": ["npm", "pnpm", "yarn", "bun"],
  "--offset": ["earliest", "latest"],
  "--to": ["earliest", "latest", "batch"],
  "--since": ["10m", "1h", "1d"],
  "--until": ["10m", "1h", "1d"],
};

/**
 * What may stand at the last of the words behind `millrace`, which may be begun or empty. Commands and options are those that the program
 * declares, so that a new one is completed too.
 */
export async function suggest(program: Command, words: readonly string[], find: ValueFinder): Promise<Suggestions> {
  const before = joined(words.slice(0, -1));
  // Bash takes the sign of `--to=` for a word.
  const current = words.at(-1) === "=" ? "" : (words.at(-1) ?? "");
  let command = program;
  let path = "";
  let awaited: Option | undefined;
  let positional = 0;
  let onlyArguments = false;
  const given = new Set<Option>();
  for (const word of before) {
    if (awaited !== undefined) {
      if (!awaited.variadic) awaited = undefined;
      else if (!word.startsWith("-")) continue;
      else awaited = undefined;
      if (!word.startsWith("-")) continue;
    }
    if (word === "--") onlyArguments = true;
    else if (!onlyArguments && word.startsWith("-")) {
      const [name, value] = word.split(/=(.*)/s);
      const option = command.options.find((o) => o.long === name || o.short === name);
      if (option === undefined) continue;
      given.add(option);
      if (value === undefined && (option.required || option.optional)) awaited = option;
    } else {
      const sub = command.commands.find((c) => c.name() === word);
      if (sub !== undefined && positional === 0) {
        command = sub;
        path = path === "" ? word : `${path} ${word}`;
      } else positional++;
    }
  }
  if (awaited !== undefined) return starting(await valuesOf(awaited, find), current);
  const assigned = /^(--[\w-]+)=(.*)$/s.exec(current);
  if (assigned !== null) {
    const option = command.options.find((o) => o.long === assigned[1]);
    const values = option === undefined ? [] : await valuesOf(option, find);
    if (values === "files") return values;
    return starting(values, assigned[2]!).map((s) => ({ ...s, value: `${assigned[1]}=${s.value}` }));
  }
  if (!onlyArguments && current.startsWith("-")) {
    const options = command.options.filter((o) => !o.hidden && (!given.has(o) || isRepeated(o)));
    const found = options.map((o) => ({ value: o.long ?? o.short!, description: firstSentence(o.description) }));
    return starting([...found, { value: "--help", description: "Show help." }], current);
  }
  const commands = positional > 0 ? [] : command.commands.filter((c) => !(c as { _hidden?: boolean })._hidden);
  const names = commands.map((c) => ({ value: c.name(), description: firstSentence(c.description()) }));
  if (command === program && positional === 0) names.push({ value: "help", description: "Show help of a command." });
  const argument = command.registeredArguments[positional] ?? command.registeredArguments.findLast((a) => a.variadic);
  const kind = path === "help" ? program.commands.map((c) => c.name()) : ARGUMENTS[path];
  const values =
    argument === undefined
      ? []
      : argument.argChoices !== undefined
        ? listed(argument.argChoices)
        : kind === undefined
          ? []
          : await valuesOfKind(kind, find);
  if (values === "files") return values;
  return starting([...names, ...values], current);
}

/** Bash gives `--to=latest` as three words. */
function joined(words: readonly string[]): string[] {
  const result: string[] = [];
  for (const [i, word] of words.entries()) {
    if (word === "=" && result.at(-1)?.startsWith("--")) continue;
    if (words[i - 1] === "=" && result.at(-1)?.startsWith("--")) result.push(`${result.pop()}=${word}`);
    else result.push(word);
  }
  return result;
}

async function valuesOf(option: Option, find: ValueFinder): Promise<Suggestions> {
  if (option.argChoices !== undefined) return listed(option.argChoices);
  const kind = OPTIONS[option.long ?? ""];
  return kind === undefined ? [] : valuesOfKind(kind, find);
}

async function valuesOfKind(kind: Kind, find: ValueFinder): Promise<Suggestions> {
  if (kind === "files") return "files";
  return typeof kind === "string" ? find(kind) : listed(kind);
}

const listed = (values: readonly string[]): Suggestion[] => values.map((value) => ({ value, description: "" }));

function starting(suggestions: readonly Suggestion[], current: string): Suggestion[];
function starting(suggestions: Suggestions, current: string): Suggestions;
function starting(suggestions: Suggestions, current: string): Suggestions {
  return suggestions === "files" ? suggestions : suggestions.filter((s) => s.value.startsWith(current));
}

/** What may be given again collects in an array or an object. */
function isRepeated(option: Option): boolean {
  return option.variadic || typeof option.defaultValue === "object";
}

function firstSentence(text: string): string {
  return text.split(/(?<=\.)\s/)[0]!.replace(/[\t\n]/g, " ");
}
