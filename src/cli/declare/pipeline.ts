import type { Command } from "commander";
import { common, type Done, examples, servers, wholeNumber } from "./shared.ts";

/** The commands that run a pipeline or look after one that runs: dev, run, plan, status, stop. */
export function declarePipeline(program: Command, done: Done): void {
  servers(common(program.command("dev")))
    .argument("[file]", "The pipeline, a TypeScript or JavaScript module; default: that of millrace.config.ts.")
    .option("--no-watch", "Do not load the pipeline again when its files change; end when it fails.")
    .description("Start the servers whose addresses are not set, run a pipeline, load it again when it changes.")
    .addHelpText(
      "after",
      examples(
        ["millrace dev", "the pipeline of millrace.config.ts; without one only the servers"],
        ["millrace dev examples/pipeline.ts", "servers and a pipeline"],
        ["millrace dev pipeline.ts --dir /tmp/play --kafka-port 0", "data elsewhere, any free port for Kafka"],
      ),
    )
    .action(async (file: string | undefined, options) => {
      const { dev } = await import("../commands/dev.ts");
      done(await dev(file, options));
    });

  servers(
    common(program.command("run"))
      .argument("[file]", "The pipeline, a TypeScript or JavaScript module; default: that of millrace.config.ts.")
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
    .action(async (file: string | undefined, options) => {
      const { run } = await import("../commands/run.ts");
      done(await run(file, options));
    });

  common(program.command("plan"))
    .argument("[file]", "The pipeline, a TypeScript or JavaScript module; default: that of millrace.config.ts.")
    .description("Check a pipeline without data: its queries, what each engine runs of them, and what it would refuse.")
    .addHelpText(
      "after",
      examples(
        ["millrace plan pipeline.ts", "columns, steps, state, sinks and their promises"],
        ["millrace plan pipeline.ts --json | jq .queries[].engines.spark.refusals", "what Spark would refuse"],
      ),
    )
    .action(async (file: string | undefined, options) => {
      const { plan } = await import("../commands/plan.ts");
      done(await plan(file, options));
    });

  common(program.command("status"))
    .description(
      "Show what runs here: addresses, queries, lag, the last error. Exit code 1 when nothing runs, or a query failed.",
    )
    .option("-d, --dir <directory>", "Where its data lie. (default: .millrace)")
    .addHelpText(
      "after",
      examples(["millrace status", ""], ["millrace status --json | jq .running[].queries[].lagRows", ""]),
    )
    .action(async (options) => {
      const { status } = await import("../commands/status.ts");
      done(await status(options));
    });

  common(program.command("stop"))
    .description("End what runs here after its batch, and wait until it has ended.")
    .option("-d, --dir <directory>", "Where its data lie. (default: .millrace)")
    .option("--timeout <seconds>", "How long to wait.", wholeNumber(0), 60)
    .option("--force", "End it at once when it has not ended by then.")
    .addHelpText("after", examples(["millrace stop", ""], ["millrace stop --timeout 5 --force", ""]))
    .action(async (options) => {
      const { stop } = await import("../commands/stop.ts");
      done(await stop(options));
    });
}
