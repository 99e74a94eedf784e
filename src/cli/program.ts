import { Command, CommanderError } from "commander";
import { nearest } from "../errors.ts";
import { declarePipeline } from "./declare/pipeline.ts";
import { declareProject } from "./declare/project.ts";
import { declareQuery } from "./declare/query.ts";
import { examples } from "./declare/shared.ts";
import { declareState } from "./declare/state.ts";
import { declareTopics } from "./declare/topics.ts";
import { type CommonOptions, EXIT, exitCode, report, UsageError } from "./output.ts";
import { version } from "./version.ts";

/** Runs a command line; resolves to the exit code. */
export async function main(args: readonly string[]): Promise<number> {
  let code: number = EXIT.ok;
  const complaints: string[] = [];
  const program = build((result) => {
    code = result;
  });
  let complaining = program;
  configure(program, (text, command) => {
    complaining = command;
    complaints.push(text);
  });
  if (args[0] === "complete") {
    const { complete } = await import("./completion/complete.ts");
    await complete(program, args.slice(1));
    return EXIT.ok;
  }
  const common: CommonOptions = { json: args.includes("--json"), verbose: args.includes("--verbose") };
  try {
    checkSubcommand(program, args);
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const fault = error instanceof CommanderError ? usageError(error, complaints, complaining) : error;
    if (!wantsLogs(args)) return report(fault, common);
    const { logRefusal } = await import("./live-output.ts");
    await logRefusal(fault, common, version());
    return exitCode(fault);
  }
  return code;
}

/** Whether stderr is to be a log in JSON. A command line that cannot be understood has no options yet, so its words say it. */
function wantsLogs(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  const words = end < 0 ? args : args.slice(0, end);
  const given = words.flatMap((word, i) => {
    if (word === "--log-format") return [words[i + 1]];
    return word.startsWith("--log-format=") ? [word.slice("--log-format=".length)] : [];
  });
  if (given.length > 0) return given.at(-1) === "json";
  return (args[0] === "dev" || args[0] === "run") && process.env.MILLRACE_LOG_FORMAT === "json";
}

/** A group with a default command would take a misspelt command for its argument. */
function checkSubcommand(program: Command, args: readonly string[]): void {
  const group = program.commands.find((c) => c.name() === args[0] && c.commands.length > 0);
  const given = args[1];
  if (group === undefined || given === undefined || given.startsWith("-")) return;
  const known = [...group.commands.map((c) => c.name()), "help"];
  if (known.includes(given)) return;
  const near = nearest(given, known);
  throw new UsageError(
    `unknown command '${given}' of ${group.name()}.`,
    near === undefined ? `There are ${known.join(", ")}.` : `Did you mean ${near}?`,
  );
}

/** Commander's complaint with its suggestion taken apart. */
function usageError(error: CommanderError, complaints: readonly string[], command: Command): UsageError {
  const text = (complaints.join("") || error.message).replace(/^error: /, "").trim();
  if (error.code === "commander.help") return new UsageError("No command was given.", "See `millrace --help`.");
  const [message, ...rest] = text.split("\n");
  const suggestion = rest
    .join(" ")
    .replace(/^\((.*)\)$/, "$1")
    .trim();
  return new UsageError(`${message!.replace(/\.$/, "")}.`, suggestion || `See \`${pathOf(command)} --help\`.`);
}

/** `millrace topics create` of a command. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function configure(command: Command, complain: (text: string, command: Command) => void): void {
  const say = (text: string): void => complain(text, command);
  command.exitOverride();
  command.configureOutput({ outputError: say, writeErr: say });
  for (const sub of command.commands) configure(sub, complain);
}

/** The commands and their options: what `millrace` parses its arguments with. */
export function build(done: (code: number) => void): Command {
  const program = new Command("millrace")
    .description("Real-time data pipelines in TypeScript: Kafka in, exactly once into a lake, a database and a cache.")
    .version(version(), "-V, --version", "Print the version.")
    .helpOption("-h, --help", "Show help.")
    .helpCommand("help [command]", "Show help of a command.")
    .addHelpText(
      "after",
      examples(
        ["millrace init demo", "write a project to start from"],
        ["millrace dev pipeline.ts", "start the embedded servers and run a pipeline against them"],
        ["millrace plan pipeline.ts", "check a pipeline without data"],
        ["millrace topics", "list the topics"],
        ["millrace peek flights -n 3", "show three records of a topic"],
      ),
    );

  declareProject(program, done);
  declarePipeline(program, done);
  declareTopics(program, done);
  declareQuery(program, done);
  declareState(program, done);
  return program;
}
