import type { Command } from "commander";
import { common, type Done, examples, servers } from "./shared.ts";

/** The commands that take a pipeline: dev, run, plan. */
export function declarePipeline(program: Command, done: Done): void {
  servers(common(program.command("dev")))
    .argument("[file]", "The pipeline, a TypeScript or JavaScript module.")
    .option("--no-watch", "Do not load the pipeline again when its files change; end when it fails.")
    .description("Start the servers whose addresses are not set, run a pipeline, load it again when it changes.")
    .addHelpText(
      "after",
      examples(
        ["millrace dev", "only the servers"],
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
      const { run } = await import("../commands/run.ts");
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
      const { plan } = await import("../commands/plan.ts");
      done(await plan(file, options));
    });
}
