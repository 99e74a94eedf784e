import { subscribe } from "../../events.ts";
import { type Observer, startObserver } from "../../observe/server.ts";
import { type StatusLine, startStatusLine } from "../../observe/status-line.ts";
import { type ServerName, type Stack, startStack } from "../../stack.ts";
import { type CommonOptions, EXIT, onStderr, print, report } from "../output.ts";
import { findPipeline, type Pipeline, startPipeline } from "../pipeline.ts";
import { aborted, onStop } from "../signals.ts";
import { version } from "../version.ts";

export interface DevOptions extends CommonOptions {
  dir: string;
  host: string;
  kafkaPort?: number;
  postgresPort?: number;
  redisPort?: number;
  metricsPort?: number;
}

export function portsOf(options: DevOptions): Partial<Record<ServerName, number>> {
  return {
    ...(options.kafkaPort !== undefined && { kafka: options.kafkaPort }),
    ...(options.postgresPort !== undefined && { postgres: options.postgresPort }),
    ...(options.redisPort !== undefined && { redis: options.redisPort }),
  };
}

/** `millrace dev [file]`. */
export function dev(file: string | undefined, options: DevOptions): Promise<number> {
  return runStack(file, options, { embedded: true, stay: true });
}

/** Servers, a pipeline, and the way down again; shared by `dev` and `run`. */
export async function runStack(
  file: string | undefined,
  options: DevOptions,
  mode: { embedded: boolean; stay: boolean },
): Promise<number> {
  const startedAt = performance.now();
  const module = file === undefined ? undefined : findPipeline(file);
  const status = options.json ? jsonEvents() : startStatusLine();
  const stop = onStop(() => {
    if (!options.json) status.log(onStderr("dim", "stopping (again to end at once)"));
  });
  const watching = watch(status, options);
  const unexpected = unexpectedErrors();
  let stack: Stack | undefined;
  let observer: Observer | undefined;
  let pipeline: Pipeline | undefined;
  let code: number = EXIT.ok;
  try {
    if (mode.embedded) {
      stack = await startStack({ directory: options.dir, host: options.host, ports: portsOf(options) });
    }
    if (mode.stay || options.metricsPort !== undefined) {
      observer = await startObserver({
        ...(options.metricsPort !== undefined && { port: options.metricsPort }),
        version: version(),
        servers: () => stack?.layers ?? [],
      });
    }
    if (stack !== undefined || observer !== undefined) {
      announce(stack, observer, performance.now() - startedAt, status, options);
    }
    if (module !== undefined && !stop.signal.aborted) {
      pipeline = startPipeline(module);
      const ended = await Promise.race([
        pipeline.ended.then(() => true),
        aborted(stop.signal).then(() => false),
        unexpected.first,
      ]);
      if (ended && !options.json && mode.stay) {
        status.log(onStderr("dim", "the pipeline has ended; the servers run until Ctrl-C"));
      }
    }
    if (mode.stay) await Promise.race([aborted(stop.signal), unexpected.first]);
    code = stop.signal.aborted ? stop.code() : EXIT.ok;
  } catch (error) {
    code = report(error, options);
  }
  try {
    await pipeline?.stop();
    await observer?.close();
    await stack?.stop();
  } catch (error) {
    code = report(error, options);
  } finally {
    watching();
    status.stop();
    stop.release();
    unexpected.release();
  }
  return code;
}

function announce(
  stack: Stack | undefined,
  observer: Observer | undefined,
  ms: number,
  status: StatusLine,
  options: CommonOptions,
): void {
  const metrics = observer && `${observer.url}metrics`;
  if (options.json) {
    const servers = stack && { directory: stack.directory, layers: stack.layers };
    print(JSON.stringify({ event: "ready", ms: Math.round(ms), ...servers, ...(metrics && { metrics }) }));
    return;
  }
  const lines = (stack?.layers ?? []).map((l) => {
    const moved = l.wanted === undefined ? "" : onStderr("yellow", `  (${l.wanted} is taken)`);
    const whose = l.owner === "yours" ? onStderr("yellow", `  yours, from ${l.variable}`) : "";
    return `  ${l.name.padEnd(9)}${onStderr("cyan", l.address)}${moved}${whose}`;
  });
  if (metrics !== undefined) lines.push(`  ${"metrics".padEnd(9)}${onStderr("cyan", metrics)}`);
  status.log(`${onStderr("bold", "millrace")} ready in ${Math.round(ms)} ms\n${lines.join("\n")}`);
}

/** Warnings and servers' troubles as lines. */
function watch(status: StatusLine, options: CommonOptions): () => void {
  if (options.json) return () => {};
  const off = [
    subscribe("warning", (e) => {
      if (e.code !== "PORT_TAKEN") status.log(`${onStderr("yellow", "warning")} ${e.message}`);
    }),
    subscribe("server.error", (e) => status.log(`${onStderr("red", "error")} ${e.server}: ${e.error.message}`)),
    subscribe("record.bad", (e) => {
      const where = e.partition === undefined ? "" : ` (partition ${e.partition}, offset ${e.offset})`;
      status.log(`${onStderr("yellow", "bad record")} ${e.source}${where}: ${e.reason}`);
    }),
  ];
  return () => {
    for (const f of off) f();
  };
}

/** With --json the events themselves are the status, one per line. */
function jsonEvents(): StatusLine {
  const line = (event: string, data: object): void => print(JSON.stringify({ event, ...data }));
  const text = (e: Error | null): string | null => e?.message ?? null;
  const off = [
    subscribe("query.started", (e) => line("query.started", e)),
    subscribe("query.progress", (e) => line("query.progress", e)),
    subscribe("query.restarting", (e) => line("query.restarting", { ...e, error: text(e.error) })),
    subscribe("query.terminated", (e) => line("query.terminated", { ...e, error: text(e.error) })),
    subscribe("server.listening", (e) => line("server.listening", e)),
    subscribe("server.error", (e) => line("server.error", { ...e, error: text(e.error) })),
    subscribe("record.bad", (e) => line("record.bad", e)),
    subscribe("warning", (e) => line("warning", e)),
  ];
  return {
    log: () => {},
    stop() {
      for (const f of off) f();
    },
  };
}

/** What a pipeline forgot to catch ends it like any other error. */
function unexpectedErrors(): { first: Promise<never>; release(): void } {
  let fail: (error: unknown) => void = () => {};
  const first = new Promise<never>((_, reject) => {
    fail = reject;
  });
  first.catch(() => {});
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);
  return {
    first,
    release() {
      process.off("uncaughtException", fail);
      process.off("unhandledRejection", fail);
    },
  };
}
