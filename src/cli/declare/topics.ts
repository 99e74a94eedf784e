import { type Command, Option } from "commander";
import { FORMAT_LETTERS } from "../records/format.ts";
import { common, type Done, examples, kafka, kafkaConfig, repeated, setting, wholeNumber } from "./shared.ts";

/** The commands about topics and their records: topics, peek, produce. */
export function declareTopics(program: Command, done: Done): void {
  topics(program, done);

  common(program.command("peek"))
    .argument("<topic>", "The topic.")
    .description("Show records of a topic: key, value, partition, offset, time.")
    .option("-n, --count <number>", "How many records.", wholeNumber(1), 10)
    .option("-o, --offset <where>", "earliest, latest, an offset, or -N for the last N of each partition.", "earliest")
    .option("-p, --partition <number>", "Only this partition.", wholeNumber(0))
    .option("-s, --since <time>", "From this time on: ISO text, milliseconds, or how long ago, such as 10m.")
    .option("-u, --until <time>", "Up to this time.")
    .option("-g, --grep <text>", "Only records whose key or value has this text in it.")
    .option("-f, --format <text>", `How to write a record. ${FORMAT_LETTERS}`)
    .option("-F, --follow", "Wait for more records until Ctrl-C or the count is reached (without -n: no limit).")
    .addOption(kafka())
    .addOption(kafkaConfig())
    .addHelpText(
      "after",
      examples(
        ["millrace peek flights", "the oldest ten records"],
        ["millrace peek flights -o -1", "the newest record of each partition"],
        ["millrace peek flights --since 10m --grep ATL", "of the last ten minutes, with ATL in them"],
        ["millrace peek flights --format '%k\\t%v\\n'", "key and value with a tab between them"],
        ["millrace peek flights --follow --json | jq .value.origin", "new fields as they come"],
      ),
    )
    .action(async (topic: string, options, command: Command) => {
      const { peek } = await import("../commands/peek.ts");
      done(await peek(topic, { ...options, countGiven: command.getOptionValueSource("count") === "cli" }));
    });

  common(program.command("produce"))
    .argument("<topic>", "The topic.")
    .description("Send records to a topic: one a line of stdin, or as `peek --json` prints them.")
    .option("-f, --format <text>", `How a record is written on stdin; default %v\\n. ${FORMAT_LETTERS}`)
    .option("-k, --key <text>", "The key of every record.")
    .option("-H, --header <name=value>", "A header of every record; may be given again.", repeated, [])
    .option("-p, --partition <number>", "The partition of every record.", wholeNumber(0))
    .option("--by-key", "Let keys choose the partitions, also where a record names one.")
    .option("-Z, --null-empty", "An empty key or value is none.")
    .option("-n, --count <number>", "Stop after so many records.", wholeNumber(1))
    .option("-r, --rate <number>", "At most so many records a second.", wholeNumber(1))
    .addOption(
      new Option("-z, --compression <codec>", "How batches are compressed.")
        .choices(["none", "gzip", "snappy", "lz4", "zstd"])
        .default("none"),
    )
    .option("--create", "Create the topic when it is not there.")
    .addOption(kafka())
    .addOption(kafkaConfig())
    .addHelpText(
      "after",
      examples(
        ['echo \'{"origin":"ATL"}\' | millrace produce flights --key ATL', "one record"],
        ["millrace produce flights --format '%k\\t%v\\n' < flights.tsv", "keys and values of a file"],
        ["millrace peek flights -n 1000 --json | millrace produce copy --json --create", "the same records again"],
        ["yes '{}' | millrace produce load --rate 1000 --count 60000", "a minute of load"],
      ),
    )
    .action(async (topic: string, options) => {
      const { produce } = await import("../commands/produce.ts");
      done(await produce(topic, options));
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
    .addOption(kafkaConfig())
    .addHelpText("after", examples(["millrace topics list --json", "one JSON object"]))
    .action(async (options) => {
      const { list } = await import("../commands/topics.ts");
      done(await list(options));
    });
  common(group.command("describe"))
    .argument("<topic...>", "The topics.")
    .description("Show the offsets of each partition.")
    .addOption(kafka())
    .addOption(kafkaConfig())
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
    .addOption(kafkaConfig())
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
    .addOption(kafkaConfig())
    .addHelpText("after", examples(["millrace topics delete alerts", ""]))
    .action(async (names: string[], options) => {
      const { remove } = await import("../commands/topics.ts");
      done(await remove(names, options));
    });
}
