import { type Command, InvalidArgumentError, Option } from "commander";
import type { LogLevel } from "../../observe/logs.ts";

/** Takes the exit code of a command. */
export type Done = (code: number) => void;

/** Options of every command. */
export function common(command: Command): Command {
  return command
    .helpOption("-h, --help", "Show help.")
    .option("--json", "Print JSON: one object, or one per line.")
    .option("--verbose", "Show stack traces.");
}

/** Adds the options of a command that starts embedded servers. */
export function servers(command: Command): Command {
  return command
    .option("-d, --dir <directory>", "Where embedded servers keep their data. (default: .millrace)")
    .option("--host <address>", "Address that embedded servers listen on. (default: 127.0.0.1)")
    .addOption(port("kafka", 9092))
    .addOption(port("postgres", 5432))
    .addOption(port("redis", 6379))
    .addOption(metricsPort())
    .option("--dashboard-host <address>", "Address of the dashboard; another than 127.0.0.1 asks for a token.")
    .option(
      "--allow-host <name>",
      "A further name of the dashboard, such as its public one; may be given again.",
      another,
    )
    .addOption(
      new Option("--otlp <url>", "Send traces and metrics to this OpenTelemetry collector, by OTLP over HTTP.").env(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
      ),
    )
    .addOption(
      new Option("--log-format <format>", "What goes to stderr: text for people, or JSON, one object a line.")
        .choices(["text", "json"])
        .env("MILLRACE_LOG_FORMAT")
        .default("text"),
    )
    .addOption(
      new Option("--log-level <level>", "The least that JSON logs hold; debug has a line for each batch.")
        .choices(LOG_LEVELS)
        .env("MILLRACE_LOG_LEVEL")
        .default("info"),
    );
}

/** As in observe/logs.ts, which is not loaded to show a help. */
const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "silent"] satisfies LogLevel[];

export function port(name: string, usual: number): Option {
  return new Option(
    `--${name}-port <number>`,
    `Port of the embedded server; 0 takes any free one. (default: ${usual})`,
  ).argParser(wholeNumber(0, 65_535));
}

export function metricsPort(): Option {
  return new Option(
    "--metrics-port <number>",
    "Port of the dashboard, /metrics, /healthz, /readyz and /api; 0 takes any free one. (default: 4040; `run` listens only when given)",
  ).argParser(wholeNumber(0, 65_535));
}

export function kafka(): Option {
  return new Option(
    "--kafka <host:port>",
    "Address of Kafka; default: MILLRACE_KAFKA, else what runs in this folder, else 127.0.0.1:9092.",
  );
}

export function kafkaConfig(): Option {
  return new Option("-X, --kafka-config <name=value>", "A setting of the Kafka client; may be given again.")
    .argParser(setting)
    .default({}, "none");
}

/** Collects what may be given again. */
export function repeated(text: string, before: readonly string[]): string[] {
  return [...before, text];
}

export function wholeNumber(from: number, to: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const n = Number(text);
    if (!/^\d+$/.test(text) || n < from || n > to) {
      const range = to === Number.MAX_SAFE_INTEGER ? `from ${from}` : `from ${from} to ${to}`;
      throw new InvalidArgumentError(`It must be a whole number ${range}.`);
    }
    return n;
  };
}

/** Values of an option that may be given again. */
export function another(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

export function setting(text: string, before: Record<string, string>): Record<string, string> {
  const equals = text.indexOf("=");
  if (equals < 1) throw new InvalidArgumentError("It must be name=value.");
  return { ...before, [text.slice(0, equals)]: text.slice(equals + 1) };
}

export function examples(...lines: readonly (readonly [command: string, what: string])[]): string {
  const width = Math.max(...lines.map(([c]) => c.length));
  return `\nExamples:\n${lines.map(([c, w]) => `  $ ${w === "" ? c : `${c.padEnd(width)}  # ${w}`}`).join("\n")}`;
}
