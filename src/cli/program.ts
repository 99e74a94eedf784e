import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { nearest } from "../errors.ts";
import { type CommonOptions, EXIT, report, UsageError } from "./output.ts";
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
  const common: CommonOptions = { json: args.includes("--json"), verbose: args.includes("--verbose") };
  try {
    checkSubcommand(program, args);
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) return report(error, common);
    if (error.exitCode === 0) return EXIT.ok;
    return report(usageError(error, complaints, complaining), common);
  }
  return code;
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

function build(done: (code: number) => void): Command {
  const program = new Command("millrace")
    .description("Real-time data pipelines in TypeScript: Kafka in, exactly once into a lake, a database and a cache.")
    .version(version(), "-V, --version", "Print the version.")
    .helpOption("-h, --help", "Show help.")
    .helpCommand("help [command]", "Show help of a command.")
    .addHelpText(
      "after",
      examples(
        ["millrace dev pipeline.ts", "start the embedded servers and run a pipeline against them"],
        ["millrace plan pipeline.ts", "check a pipeline without data"],
        ["millrace topics", "list the topics"],
        ["millrace peek flights -n 3", "show three records of a topic"],
      ),
    );

  servers(common(program.command("dev")))
    .argument("[file]", "The pipeline, a TypeScript or JavaScript module.")
    .description("Start the servers whose addresses are not set, run a pipeline, and stay until Ctrl-C.")
    .addHelpText(
      "after",
      examples(
        ["millrace dev", "only the servers"],
        ["millrace dev examples/pipeline.ts", "servers and a pipeline"],
        ["millrace dev pipeline.ts --dir /tmp/play --kafka-port 0", "data elsewhere, any free port for Kafka"],
      ),
    )
    .action(async (file: string | undefined, options) => {
      const { dev } = await import("./commands/dev.ts");
      done(await dev(file, options));
    });

  servers(
    common(program.command("run"))
      .argument("<file>", "The pipeline, a TypeScript or JavaScript module.")
      .description("Run a pipeline against the addresses in the environment until its queries have ended.")
      .option("--embedded", "Start the embedded server of every address that is not set."),
  )
    .addHelpText(
      "after",
      examples(
        ["MILLRACE_KAFKA=broker:9092 millrace run pipeline.ts", "against a cluster"],
        ["millrace run pipeline.ts --embedded", "everything in this process"],
      ),
    )
    .action(async (file: string, options) => {
      const { run } = await import("./commands/run.ts");
      done(await run(file, options));
    });

  common(program.command("plan"))
    .argument("<file>", "The pipeline, a TypeScript or JavaScript module.")
    .description("Check a pipeline without data: its queries, what each engine runs of them, and what it would refuse.")
    .addHelpText(
      "after",
      examples(
        ["millrace plan pipeline.ts", "columns, steps, state, sinks and their promises"],
        ["millrace plan pipeline.ts --json | jq .queries[].engines.spark.refusals", "what Spark would refuse"],
      ),
    )
    .action(async (file: string, options) => {
      const { plan } = await import("./commands/plan.ts");
      done(await plan(file, options));
    });

  topics(program, done);

  common(program.command("peek"))
    .argument("<topic>", "The topic.")
    .description("Show records of a topic: key, value, partition, offset, time.")
    .option("-n, --count <number>", "How many records.", wholeNumber(1), 10)
    .option("-o, --offset <where>", "earliest, latest, an offset, or -N for the last N of each partition.", "earliest")
    .option("-p, --partition <number>", "Only this partition.", wholeNumber(0))
    .option("-f, --follow", "Wait for more records until Ctrl-C or the count is reached (without -n: no limit).")
    .addOption(kafka())
    .addHelpText(
      "after",
      examples(
        ["millrace peek flights", "the oldest ten records"],
        ["millrace peek flights -o -1", "the newest record of each partition"],
        ["millrace peek flights --follow --json | jq .value.origin", "new fields as they come"],
      ),
    )
    .action(async (topic: string, options, command: Command) => {
      const { peek } = await import("./commands/peek.ts");
      done(await peek(topic, { ...options, countGiven: command.getOptionValueSource("count") === "cli" }));
    });
  return program;
}

function topics(program: Command, done: (code: number) => void): void {
  const group = program
    .command("topics")
    .description("List, describe, create and delete topics.")
    .addHelpText(
      "after",
      examples(
        ["millrace topics", "names, partitions and numbers of records"],
        ["millrace topics describe flights", "offsets of each partition"],
        ["millrace topics create flights --partitions 4", ""],
        ["millrace topics delete flights", ""],
      ),
    );
  common(group.command("list", { isDefault: true }))
    .description("List the topics (the default).")
    .option("--internal", "Show internal topics too.")
    .addOption(kafka())
    .addHelpText("after", examples(["millrace topics list --json", "one JSON object"]))
    .action(async (options) => {
      const { list } = await import("./commands/topics.ts");
      done(await list(options));
    });
  common(group.command("describe"))
    .argument("<topic...>", "The topics.")
    .description("Show the offsets of each partition.")
    .addOption(kafka())
    .addHelpText("after", examples(["millrace topics describe flights", ""]))
    .action(async (names: string[], options) => {
      const { describe } = await import("./commands/topics.ts");
      done(await describe(names, options));
    });
  common(group.command("create"))
    .argument("<topic...>", "The topics.")
    .description("Create topics.")
    .option("--partitions <number>", "How many partitions; default: what the broker says.", wholeNumber(1))
    .option("--replication-factor <number>", "How many copies; default: what the broker says.", wholeNumber(1))
    .option("--config <name=value>", "A setting of the topic; may be given again.", setting, {})
    .option("--if-not-exists", "Do nothing when it is there.")
    .addOption(kafka())
    .addHelpText(
      "after",
      examples(["millrace topics create alerts --partitions 1 --config cleanup.policy=compact", ""]),
    )
    .action(async (names: string[], options) => {
      const { create } = await import("./commands/topics.ts");
      done(await create(names, options));
    });
  common(group.command("delete"))
    .argument("<topic...>", "The topics.")
    .description("Delete topics and their records.")
    .addOption(kafka())
    .addHelpText("after", examples(["millrace topics delete alerts", ""]))
    .action(async (names: string[], options) => {
      const { remove } = await import("./commands/topics.ts");
      done(await remove(names, options));
    });
}

function common(command: Command): Command {
  return command
    .helpOption("-h, --help", "Show help.")
    .option("--json", "Print JSON: one object, or one per line.")
    .option("--verbose", "Show stack traces.");
}

/** Adds the options of a command that starts embedded servers. */
function servers(command: Command): Command {
  return command
    .option("-d, --dir <directory>", "Where embedded servers keep their data.", ".millrace")
    .option("--host <address>", "Address that embedded servers listen on.", "127.0.0.1")
    .addOption(port("kafka", 9092))
    .addOption(port("postgres", 5432))
    .addOption(port("redis", 6379))
    .addOption(metricsPort());
}

function port(name: string, usual: number): Option {
  return new Option(
    `--${name}-port <number>`,
    `Port of the embedded server; 0 takes any free one. (default: ${usual})`,
  ).argParser(wholeNumber(0, 65_535));
}

function metricsPort(): Option {
  return new Option(
    "--metrics-port <number>",
    "Port of /metrics, /healthz, /readyz and /api; 0 takes any free one. (default: 4040; `run` listens only when given)",
  ).argParser(wholeNumber(0, 65_535));
}

function kafka(): Option {
  return new Option("--kafka <host:port>", "Address of Kafka.").env("MILLRACE_KAFKA").default("127.0.0.1:9092");
}

function wholeNumber(from: number, to: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (!/^\d+$/.test(text) || n < from || n > to) {
      const range = to === Number.MAX_SAFE_INTEGER ? `from ${from}` : `from ${from} to ${to}`;
      throw new InvalidArgumentError(`It must be a whole number ${range}.`);
    }
    return n;
  };
}

function setting(text: string, before: Record<string, string>): Record<string, string> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("It must be name=value.");
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}

function examples(...lines: readonly (readonly [command: string, what: string])[]): string {
  const width = Math.max(...lines.map(([c]) => c.length));
  return `\nExamples:\n${lines.map(([c, w]) => `  $ ${w === "" ? c : `${c.padEnd(width)}  # ${w}`}`).join("\n")}`;
}
