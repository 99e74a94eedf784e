import type { Command, Option } from "commander";
import { EXIT } from "../../src/cli/output.ts";
import { build } from "../../src/cli/program.ts";
import { cell, GENERATED, table } from "./markdown.ts";

const EXIT_CODES: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "It worked; also an orderly end after SIGTERM.",
  failed: "The pipeline or the command failed.",
  usage: "The command line cannot be understood.",
  unreachable: "Something it needs cannot be reached.",
  interrupted: "Ctrl-C.",
};

/** docs/commands.md, from what the program itself parses its arguments with. */
export function commandsPage(): string {
  const program = build(() => {});
  const commands = program.commands.flatMap((c) => (c.commands.length > 0 ? [c, ...c.commands] : [c]));
  const shared = sharedBy(commands.filter((c) => c.commands.length === 0));
  const overview = program.commands.map((c) => [`[\`${c.name()}\`](#${anchor(c)})`, cell(c.description())]);
  return `# Commands

${GENERATED}

What every command and option means. How they are used together is told under [The command line](cli.md).

${table(["command", ""], overview)}

## Options of every command

${table(["option", ""], [...shared.values()].map(row))}

\`millrace --version\` prints the version.

${commands.map((c) => section(c, shared)).join("\n\n")}

## Exit codes

${table(
  ["code", ""],
  Object.entries(EXIT).map(([name, code]) => [String(code), EXIT_CODES[name as keyof typeof EXIT]]),
)}
`;
}

function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

const anchor = (command: Command): string => pathOf(command).toLowerCase().replaceAll(" ", "-");
const visible = (command: Command): readonly Option[] => command.options.filter((o) => !o.hidden);

/** Options that all have, by their flags. */
function sharedBy(commands: readonly Command[]): Map<string, Option> {
  const [first, ...rest] = commands;
  const everywhere = visible(first!).filter((o) =>
    rest.every((c) => visible(c).some((other) => other.flags === o.flags && other.description === o.description)),
  );
  return new Map(everywhere.map((o) => [o.flags, o]));
}

function section(command: Command, shared: ReadonlyMap<string, Option>): string {
  const parts = [`## ${pathOf(command)}`, cell(command.description())];
  if (command.commands.length > 0) {
    parts.push(`Commands: ${command.commands.map((c) => `[\`${c.name()}\`](#${anchor(c)})`).join(", ")}.`);
  } else parts.push(`\`${pathOf(command)} ${command.usage()}\``);
  const args = command.registeredArguments.map((a) => [
    `\`${a.required ? `<${a.name()}>` : `[${a.name()}]`}${a.variadic ? "..." : ""}\``,
    cell(a.description),
  ]);
  const options = visible(command)
    .filter((o) => !shared.has(o.flags))
    .map(row);
  if (args.length + options.length > 0) parts.push(table(["argument or option", ""], [...args, ...options]));
  const examples = examplesOf(command);
  if (examples !== "" && command.commands.length === 0) parts.push(`\`\`\`text\n${examples}\n\`\`\``);
  return parts.join("\n\n");
}

function row(option: Option): string[] {
  const words = [option.description];
  if (option.argChoices !== undefined) words.push(`One of ${option.argChoices.join(", ")}.`);
  const { defaultValue } = option;
  if (option.envVar !== undefined) words.push(`Environment: \`${option.envVar}\`.`);
  const plain = typeof defaultValue === "string" || typeof defaultValue === "number";
  if (plain && !option.negate) words.push(`Default: \`${defaultValue}\`.`);
  return [`\`${option.flags.replaceAll("|", "\\|")}\``, words.map(cell).join(" ")];
}

/** The examples behind a command's help. */
function examplesOf(command: Command): string {
  let help = "";
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
    getOutHelpWidth: () => 1000,
    getOutHasColors: () => false,
  });
  command.outputHelp();
  const [, examples = ""] = help.split(/^Examples:\n/m);
  return examples
    .split("\n")
    .filter((line) => line.startsWith("  "))
    .map((line) => line.trim())
    .join("\n");
}
