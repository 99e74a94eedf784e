import type { Command } from "commander";
import { common, type Done, examples, kafka, setting, wholeNumber } from "./shared.ts";

/** The commands about topics and their records: topics, peek. */
export function declareTopics(program: Command, done: Done): void {
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
      const { peek } = await import("../commands/peek.ts");
      done(await peek(topic, { ...options, countGiven: command.getOptionValueSource("count") === "cli" }));
    });
}

function topics(program: Command, done: Done): void {
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
      const { list } = await import("../commands/topics.ts");
      done(await list(options));
    });
  common(group.command("describe"))
    .argument("<topic...>", "The topics.")
    .description("Show the offsets of each partition.")
    .addOption(kafka())
    .addHelpText("after", examples(["millrace topics describe flights", ""]))
    .action(async (names: string[], options) => {
      const { describe } = await import("../commands/topics.ts");
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
      const { create } = await import("../commands/topics.ts");
      done(await create(names, options));
    });
  common(group.command("delete"))
    .argument("<topic...>", "The topics.")
    .description("Delete topics and their records.")
    .addOption(kafka())
    .addHelpText("after", examples(["millrace topics delete alerts", ""]))
    .action(async (names: string[], options) => {
      const { remove } = await import("../commands/topics.ts");
      done(await remove(names, options));
    });
}
