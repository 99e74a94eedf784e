import type { Command } from "commander";
import { common, type Done, examples, kafka, wholeNumber } from "./shared.ts";

/** What queries remember: state list, state show, state reset. */
export function declareState(program: Command, done: Done): void {
  const group = program
    .command("state")
    .description("Look at what queries remember between batches, and let them forget it.")
    .addHelpText(
      "after",
      examples(
        ["millrace state", "checkpoints: batch, watermark, state, offsets"],
        ["millrace state show delays --key ATL", "rows of the state"],
        ["millrace state reset delays --yes", "begin anew"],
        ["millrace state reset lake --to batch 41 --yes", "go on after batch 41"],
      ),
    );
  const dir = ["-d, --dir <directory>", "Where checkpoints lie. (default: .millrace)"] as const;
  common(group.command("list", { isDefault: true }))
    .description("List the checkpoints (the default).")
    .option(...dir)
    .addHelpText("after", examples(["millrace state list --json", "with each operator's rows and bytes"]))
    .action(async (options) => {
      const { list } = await import("../commands/state.ts");
      done(await list(options));
    });
  common(group.command("show"))
    .argument("<query>", "Its name, its id, or the folder of its checkpoint.")
    .description("Show rows of the state of a query that does not run.")
    .option("-k, --key <text>", "Only rows with this text in one of their key's columns.")
    .option("-o, --operator <number>", "Only of this operator, or of the state variable of this name.")
    .option("-l, --limit <number>", "Show so many rows of each table, 0 for all.", wholeNumber(0), 20)
    .option("-w, --wide", "Do not cut long values.")
    .option(...dir)
    .addHelpText("after", examples(["millrace state show delays --key ATL --json", ""]))
    .action(async (query: string, options) => {
      const { show } = await import("../commands/state.ts");
      done(await show(query, options));
    });
  common(group.command("reset"))
    .argument("<query>", "Its name, its id, or the folder of its checkpoint.")
    .description("Say where a query that does not run goes on the next time; without --to it begins anew.")
    .option("-t, --to <where...>", "earliest, latest, or batch N.")
    .option("-y, --yes", "Do not ask.")
    .option(...dir)
    .addOption(kafka())
    .addHelpText(
      "after",
      examples(
        ["millrace state reset delays", "forget offsets and state"],
        ["millrace state reset lake --to latest --yes", "skip what was not read yet"],
      ),
    )
    .action(async (query: string, options) => {
      const { reset } = await import("../commands/state.ts");
      done(await reset(query, options));
    });
}
