import { Argument, type Command } from "commander";
import { common, type Done, examples } from "./shared.ts";

/** The commands about a project and the machine: init, doctor, completion. */
export function declareProject(program: Command, done: Done): void {
  common(program.command("init"))
    .argument("[name]", "The folder of the new project; it must not exist or be empty.")
    .description("Write a new project that runs at once: pipeline, schema, test, settings of the editor.")
    .option("-t, --template <name>", "What it starts with: flights, clickstream or tutorial.")
    .option("-y, --yes", "Ask nothing: take the defaults for what is not given.")
    .option("--no-install", "Do not install its packages.")
    .option("--no-git", "Do not make it a git repository.")
    .option("--package-manager <name>", "npm, pnpm, yarn or bun; default: the one that runs this.")
    .addHelpText(
      "after",
      examples(
        ["npx millrace init demo", "asks what it starts with"],
        ["npx millrace init demo --yes", "asks nothing"],
        ["npx millrace init clicks --template clickstream --no-install", "only the files"],
      ),
    )
    .action(async (name: string | undefined, options) => {
      const { init } = await import("../commands/init.ts");
      done(await init(name, options));
    });

  common(program.command("doctor"))
    .description("Check what pipelines need: Node, disk, memory, ports, the directory, the servers of set addresses.")
    .option("-d, --dir <directory>", "Where embedded servers keep their data. (default: .millrace)")
    .addHelpText(
      "after",
      examples(
        ["millrace doctor", ""],
        ["MILLRACE_KAFKA=broker:9092 millrace doctor", "asks that broker too"],
        ["millrace doctor --json | jq '.checks[] | select(.state != \"ok\")'", ""],
      ),
    )
    .action(async (options) => {
      const { doctor } = await import("../commands/doctor.ts");
      done(await doctor(options));
    });

  common(program.command("completion"))
    .addArgument(new Argument("<shell>", "The shell.").choices(["bash", "zsh", "fish", "powershell"]))
    .description("Print what makes a shell complete commands, options, topics and queries.")
    .addHelpText(
      "after",
      examples(
        ["source <(millrace completion bash)", "bash and zsh, for now or in ~/.bashrc"],
        ["millrace completion fish > ~/.config/fish/completions/millrace.fish", ""],
        ["millrace completion powershell | Out-String | Invoke-Expression", ""],
      ),
    )
    .action(async (shell: "bash" | "zsh" | "fish" | "powershell", options) => {
      const { completion } = await import("../commands/completion.ts");
      done(completion(shell, options));
    });
}
