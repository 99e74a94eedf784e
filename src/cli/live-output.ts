import { stripVTControlCharacters } from "node:util";
import { subscribe } from "../events.ts";
import { followBadRecords } from "../observe/bad-record-feed.ts";
import type { Logs } from "../observe/logs.ts";
import { type StatusLine, startStatusLine } from "../observe/status-line.ts";
import { type CommonOptions, onStderr, print, problemJson, problemText } from "./output.ts";
import { problemOf } from "./problem.ts";
import type { StackOptions } from "./settings.ts";

/** What a command that stays tells while it runs: lines above the status for people, an object a line for scripts. */
export interface LiveOutput {
  /** For people. */
  line(text: string): void;
  /** For scripts, on stdout. */
  event(name: string, data: object): void;
  /** An error that does not end the command. */
  problem(error: unknown): void;
  /** The status stays as it is from here on. */
  stop(): void;
}

export function liveOutput(options: CommonOptions): LiveOutput {
  return options.json ? forScripts() : forPeople(options);
}

/** With `--log-format json`: everything is a line of the log, on stderr; the events for scripts, where they are asked for, stay on stdout. */
export async function logOutput(options: StackOptions, version: string): Promise<LiveOutput> {
  const { startLogs } = await import("../observe/logs.ts");
  const logs = await startLogs({ version, ...(options.logLevel !== undefined && { level: options.logLevel }) });
  const scripts = options.json ? forScripts() : undefined;
  return {
    line(text) {
      const plain = stripVTControlCharacters(text);
      // what has several lines is a picture, whose facts come as an event
      if (!plain.includes("\n")) logs.log("info", plain);
    },
    event(name, data) {
      scripts?.event(name, data);
      logs.log("info", name, { event: name, ...data });
    },
    problem(error) {
      scripts?.problem(error);
      logProblem(logs, "the pipeline failed", error);
    },
    stop() {
      scripts?.stop();
      logs.close();
    },
  };
}

/** Why nothing was started, as the logs tell what fails later: a line on stderr, and for scripts, where they are asked for, an event on stdout. */
export async function logRefusal(error: unknown, options: CommonOptions, version: string): Promise<void> {
  const { startLogs } = await import("../observe/logs.ts");
  const logs = await startLogs({ version });
  if (options.json) eventLine("error", { error: problemJson(error) });
  logProblem(logs, "nothing was started", error);
  logs.close();
}

function logProblem(logs: Logs, message: string, error: unknown): void {
  const { hint, place } = problemOf(error);
  logs.failed(message, error, { event: "error", ...(hint !== undefined && { hint }), ...place });
}

/** The time of day that stands before a line. */
export function clock(): string {
  return onStderr("dim", new Date().toTimeString().slice(0, 8));
}

function forPeople(options: CommonOptions): LiveOutput {
  const status: StatusLine = startStatusLine({ reasons: false });
  const off = [
    subscribe("warning", (e) => {
      if (e.code !== "PORT_TAKEN") status.log(`${onStderr("yellow", "warning")} ${e.message}`);
    }),
    subscribe("server.error", (e) => status.log(`${onStderr("red", "error")} ${e.server}: ${e.error.message}`)),
    followBadRecords((e) => {
      const where = e.partition === undefined ? "" : ` (partition ${e.partition}, offset ${e.offset})`;
      const what = e.count === 1 ? "bad record" : `${e.count.toLocaleString("en-US")} bad records`;
      const sample = e.sample === undefined ? "" : onStderr("dim", ` ${JSON.stringify(e.sample)}`);
      status.log(`${onStderr("yellow", what)} ${e.source}${where}: ${e.reason}${sample}`);
    }),
  ];
  return {
    line: (text) => status.log(text),
    event: () => {},
    problem: (error) => status.log(problemText(error, options)),
    stop() {
      for (const f of off) f();
      status.stop();
    },
  };
}

function eventLine(event: string, data: object): void {
  print(JSON.stringify({ event, ...data }));
}

/** The events themselves are the status. */
function forScripts(): LiveOutput {
  const line = eventLine;
  const text = (e: Error | null): string | null => e?.message ?? null;
  const off = [
    subscribe("query.started", (e) => line("query.started", e)),
    subscribe("query.progress", (e) => line("query.progress", e)),
    subscribe("query.restarting", (e) => line("query.restarting", { ...e, error: text(e.error) })),
    subscribe("query.terminated", (e) => line("query.terminated", { ...e, error: text(e.error) })),
    subscribe("server.listening", (e) => line("server.listening", e)),
    subscribe("server.error", (e) => line("server.error", { ...e, error: text(e.error) })),
    followBadRecords((e) => line("record.bad", e)),
    subscribe("warning", (e) => line("warning", e)),
  ];
  return {
    line: () => {},
    event: line,
    problem: (error) => line("error", { error: problemJson(error) }),
    stop() {
      for (const f of off) f();
    },
  };
}
